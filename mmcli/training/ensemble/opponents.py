"""What an ensemble has to beat, kept beside it: each stream alone, every subset, plain concatenation and late fusion.

A report compares a model with these (``mmcli evaluate``). A subset of two or more streams is an ensemble of the best
single candidates of its streams: its weights stand in the table of candidates, its members in the checkpoint. Late
fusion is the ensemble of all of them with equal say: the sum of their calibrated log-probabilities.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from mmcli.training.ensemble.weigh import Candidate, Evidence, late_weights, weights

CONCAT, LATE = "concat", "late"
# All subsets of up to so many streams (14 are left of 16); of more, those of whole modalities, and those that leave one
# stream out.
MOST_SUBSETS_OF = 4


def best_singles(candidates: Sequence[Candidate], loss: Sequence[float]) -> dict[str, int]:
    """For each modality the number of the candidate that reads it alone with the least loss on the folds."""
    best: dict[str, int] = {}
    for i, candidate in enumerate(candidates):
        if len(candidate.names) == 1:
            (name,) = candidate.names
            if name not in best or loss[i] < loss[best[name]]:
                best[name] = i
    return best


def numbers(candidates: Sequence[Candidate], loss: Sequence[float]) -> set[int]:
    """The candidates that a checkpoint keeps as opponents: the best of each modality, and plain concatenation.

    Without that network the best machine over the features of all modalities stands for it: a kernel of concatenated
    features is the product or sum of theirs (J. Shawe-Taylor and N. Cristianini, Kernel Methods for Pattern Analysis,
    2004, 3.4).
    """
    kept = set(best_singles(candidates, loss).values())
    joint = [i for i, candidate in enumerate(candidates) if len(candidate.names) > 1]
    plain = [i for i in joint if candidates[i].title == CONCAT]
    return kept | set(plain or sorted(joint, key=lambda i: loss[i])[:1])


def subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The proper subsets of two streams or more that are compared.

    >>> subsets(["a", "b", "c"])
    [('a', 'b'), ('a', 'c'), ('b', 'c')]
    >>> subsets(["a.x", "a.y", "b.x", "b.y", "b.z"])[:2]
    [('a.x', 'a.y'), ('b.x', 'b.y', 'b.z')]
    """
    if len(names) <= MOST_SUBSETS_OF:
        return [chosen for size in range(2, len(names)) for chosen in itertools.combinations(names, size)]
    kinds = list(dict.fromkeys(name.split(".")[0] for name in names))
    whole = [
        tuple(name for name in names if name.split(".")[0] in kept_kinds)
        for size in range(1, len(kinds) if len(kinds) <= MOST_SUBSETS_OF else 2)
        for kept_kinds in itertools.combinations(kinds, size)
    ]
    fewer = [*whole, *itertools.combinations(names, len(names) - 1)]
    return [chosen for chosen in dict.fromkeys(fewer) if 1 < len(chosen) < len(names)]


def table(candidates: Sequence[Candidate], loss: Sequence[float], evidence: Evidence) -> list[dict[str, Any]]:
    """Rows ``{title, modalities, loss, score, weights: {title: weight}}`` of the subsets and of late fusion.

    Loss and score are those of weights fitted to the same answers: they flatter by a little, and nothing is chosen by
    them.
    """
    best = best_singles(candidates, loss)
    rows = []
    for chosen in [*subsets(list(best)), tuple(best)] if len(best) > 1 else []:
        picked = [best[name] for name in chosen]
        some = evidence.subset(picked)
        late = len(chosen) == len(best)
        weighing = late_weights(some) if late else weights(some)
        together = some.answer(weighing)
        rows.append(
            {
                "title": LATE if late else " + ".join(chosen),
                "modalities": list(chosen),
                "loss": evidence.loss(together),
                **evidence.score(together),
                "weights": {candidates[i].title: float(w) for i, w in zip(picked, weighing, strict=True)},
            }
        )
    return rows
