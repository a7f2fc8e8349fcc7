"""How much each modality adds: exact Shapley values over all subsets of the modalities.

The value of a subset is what the model reaches with the other modalities absent; the empty subset predicts the prior
(the training split's class shares, or its mean). A modality's Shapley value is its mean gain over all orders in which
the modalities could arrive (L. S. Shapley, 1953), so the values add up to the figure with all of them minus the
prior's. ``2^modalities`` evaluations are exact up to ten modalities.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import UsageError
from mmcli.evaluation.explain.mixing import Mixer
from mmcli.evaluation.intervals import interval

Array = NDArray[np.float64]

MOST_MODALITIES = 10


def subsets(count: int) -> list[tuple[int, ...]]:
    """All subsets of ``count`` modalities, the empty one first.

    >>> subsets(2)
    [(), (0,), (1,), (0, 1)]
    """
    return [s for size in range(count + 1) for s in itertools.combinations(range(count), size)]


def answers(mixer: Mixer, prior: Array) -> Array:
    """What the model says with each subset ``(subsets, n, outputs)``; the prior where nothing of an item is left."""
    n, count = mixer.present.shape
    if count > MOST_MODALITIES:
        raise UsageError(f"Shapley values of {count} modalities would take {2**count:,} evaluations")
    source = np.repeat(np.arange(n, dtype=np.int64)[:, None], count, axis=1)
    outputs = np.empty((2**count, n, len(prior)))
    for s, subset in enumerate(subsets(count)):
        keep = np.zeros((n, count), dtype=bool)
        keep[:, list(subset)] = True
        seen = (keep & mixer.present).any(axis=1)
        outputs[s] = prior
        if seen.any():
            outputs[s, seen] = mixer.scores(source[seen], keep[seen])
    return outputs


def values(of_subsets: Array, count: int) -> Array:
    """Shapley values ``(count, ...)`` from the value of every subset ``(2^count, ...)``, in the order of
    :func:`subsets`.

    >>> values(np.array([0.0, 1.0, 2.0, 4.0]), 2).tolist()
    [1.5, 2.5]
    """
    place = {subset: s for s, subset in enumerate(subsets(count))}
    result = np.zeros((count, *of_subsets.shape[1:]))
    for subset, s in place.items():
        for m in set(range(count)) - set(subset):
            weight = math.factorial(len(subset)) * math.factorial(count - len(subset) - 1) / math.factorial(count)
            result[m] += weight * (of_subsets[place[tuple(sorted((*subset, m)))]] - of_subsets[s])
    return result


def explain(
    mixer: Mixer,
    prior: Array,
    gains: Callable[[Array], Array],
    chosen: Callable[[Array], Array],
    *,
    groups: Any = None,
    config: interval.Config | None = None,
) -> tuple[dict[str, Any], Array]:
    """Shapley values of the data set, with intervals, and of every item ``(n, modalities)``.

    ``gains(answers (n, outputs)) -> (n,)`` is what each item adds to the primary figure; the items' own values explain
    ``chosen(answers) -> (n,)``, how far answers speak for what the whole model predicts.
    """
    config = config or interval.Config()
    outputs = answers(mixer, prior)
    n, count = mixer.present.shape
    worth = np.stack([gains(outputs[s]) for s in range(len(outputs))])
    per_item = values(worth, count)
    codes = interval.group_codes(groups, config)
    blocks = interval.draws(n, codes, config)
    drawn = np.concatenate([block @ per_item.T / block.sum(axis=1, keepdims=True) for block in blocks])
    method = interval.METHODS[interval.MEAN] + ("" if codes is None else " by group")
    units = n if codes is None else int(codes.max()) + 1
    summary = {
        name: {
            "value": float(per_item[m].mean()),
            "interval": interval.studentised(
                interval.MEAN, float(per_item[m].mean()), drawn[:, m], units, 0.0, config.level
            ),
            "n": n,
            "method": method,
            "alone": float(worth[subsets(count).index((m,))].mean()),
            "without": float(worth[subsets(count).index(tuple(set(range(count)) - {m}))].mean()),
        }
        for m, name in enumerate(mixer.names)
    }
    whole = {"all": float(worth[-1].mean()), "prior": float(worth[0].mean())}
    by_subset = {
        "+".join(mixer.names[m] for m in subset) or "nothing": float(worth[s].mean())
        for s, subset in enumerate(subsets(count))
    }
    speaks = np.stack([chosen(outputs[s]) for s in range(len(outputs))])
    return {"values": summary, **whole, "subsets": by_subset}, values(speaks, count).T
