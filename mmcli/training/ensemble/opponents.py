"""What a pool has to beat, kept beside it: each stream alone, every subset, plain concatenation and late fusion.

A report compares a model with these (``mmcli evaluate``). A subset of two or more streams is a pool of the best single
candidates of its streams: its weights stand in the table of candidates, its members in the checkpoint. Late fusion is
the pool of all of them with equal say: the sum of their calibrated log-probabilities.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from mmcli.models.nets.stack import pool
from mmcli.training.ensemble import pooling
from mmcli.training.target import losses, score

CONCAT, LATE = "concat", "late"
# All subsets of up to so many streams (14 are left of 16); of more, those of whole modalities, and those that leave one
# stream out.
MOST_SUBSETS_OF = 4


class Named(Protocol):
    """A candidate: its title and the modalities it reads."""

    title: str
    names: list[str]


def best_singles(found: Sequence[Named], loss: Sequence[float]) -> dict[str, int]:
    """For each modality the number of the candidate that reads it alone with the least loss on the folds."""
    best: dict[str, int] = {}
    for i, candidate in enumerate(found):
        if len(candidate.names) == 1:
            (name,) = candidate.names
            if name not in best or loss[i] < loss[best[name]]:
                best[name] = i
    return best


def numbers(found: Sequence[Named], loss: Sequence[float]) -> set[int]:
    """The candidates that a checkpoint keeps as opponents: the best of each modality, and plain concatenation.

    Without networks the sum of kernels stands for concatenation: it is the kernel of the concatenated features (J.
    Shawe-Taylor and N. Cristianini, Kernel Methods for Pattern Analysis, 2004, 3.4).
    """
    kept = set(best_singles(found, loss).values())
    joint = [i for i, candidate in enumerate(found) if len(candidate.names) > 1]
    plain = [i for i in joint if found[i].title == CONCAT] or joint[:1]
    return kept | set(plain)


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
        tuple(name for name in names if name.split(".")[0] in of)
        for size in range(1, len(kinds) if len(kinds) <= MOST_SUBSETS_OF else 2)
        for of in itertools.combinations(kinds, size)
    ]
    fewer = [*whole, *itertools.combinations(names, len(names) - 1)]
    return [chosen for chosen in dict.fromkeys(fewer) if 1 < len(chosen) < len(names)]


def table(
    found: Sequence[Named],
    loss: Sequence[float],
    task: str,
    logits: Tensor,
    there: Tensor,
    gains: Tensor,
    values: Tensor,
    prior: Tensor,
) -> list[dict[str, Any]]:
    """Rows ``{title, modalities, loss, score, weights: {title: weight}}`` of the subsets and of late fusion.

    ``logits`` ``(n, candidates, outputs)`` are answers on the folds, ``there`` bool ``(n, candidates)``. Loss and score
    are those of weights fitted to the same answers: they flatter by a little, and nothing is chosen by them.
    """
    best = best_singles(found, loss)
    rows = []
    for chosen in [*subsets(list(best)), tuple(best)] if len(best) > 1 else []:
        of = [best[name] for name in chosen]
        late = len(chosen) == len(best)
        if late:
            weights = torch.ones(len(of), dtype=logits.dtype)
        else:
            weights = pooling.weights(task, logits[:, of], there[:, of], gains[of], values, prior)
        pooled = pool(task, logits[:, of], there[:, of] * weights, gains[of], prior)
        rows.append(
            {
                "title": LATE if late else " + ".join(chosen),
                "modalities": list(chosen),
                "loss": float(losses(task, pooled, values, 0.0).mean()),
                **score(task, pooled, values),
                "weights": {found[i].title: float(w) for i, w in zip(of, weights, strict=True)},
            }
        )
    return rows
