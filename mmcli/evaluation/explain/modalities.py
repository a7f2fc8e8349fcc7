"""How much each modality adds, and whether they interact or a sum of one-modality models would do as well.

Shapley values, exact over all subsets of the modalities: the value of a subset is what the model reaches with the other
modalities absent; the empty subset predicts the prior (the training split's class shares, or its mean). A modality's
Shapley value is its mean gain over all orders in which the modalities could arrive (L. S. Shapley, 1953), so the values
add up to the figure with all of them minus the prior's. ``2^modalities`` evaluations are exact up to ten modalities.

The additive projection of a model (EMAP: J. Hessel and L. Lee, EMNLP 2020, eq. 3) is the model nearest to it that adds
one function of each modality. It comes from the model's answers for all combinations of the items' modalities. Where
the projection scores as well as the model, the model's interactions did not matter on this data.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.evaluation.explain.mixing import Mixer
from mmcli.evaluation.intervals import interval

Array = NDArray[np.float64]

MOST_MODALITIES = 10
# Items in the sample of EMAP: their number to the power of the modalities is the number of answers. The second line is
# for models whose encoders do not work apart, so that every answer costs a whole forward pass.
MOST_ITEMS = {2: 300, 3: 40}
MOST_ITEMS_SLOW = {2: 60, 3: 12}
LEAST_ITEMS = 10


def subsets(count: int) -> list[tuple[int, ...]]:
    """All subsets of ``count`` modalities, the empty one first.

    >>> subsets(2)
    [(), (0,), (1,), (0, 1)]
    """
    return [s for size in range(count + 1) for s in itertools.combinations(range(count), size)]


def answers(mixer: Mixer, prior: Array) -> Array:
    """What the model says with each subset ``(subsets, n, outputs)``; the prior where nothing of an item is left.

    There are ``2^modalities`` subsets: whoever asks keeps to MOST_MODALITIES.
    """
    n, count = mixer.present.shape
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


def shapley_values(of_subsets: Array, count: int) -> Array:
    """Shapley values ``(count, ...)`` from the value of every subset ``(2^count, ...)``, in the order of
    :func:`subsets`.

    >>> shapley_values(np.array([0.0, 1.0, 2.0, 4.0]), 2).tolist()
    [1.5, 2.5]
    """
    place = {subset: s for s, subset in enumerate(subsets(count))}
    result = np.zeros((count, *of_subsets.shape[1:]))
    for subset, s in place.items():
        for m in set(range(count)) - set(subset):
            weight = math.factorial(len(subset)) * math.factorial(count - len(subset) - 1) / math.factorial(count)
            result[m] += weight * (of_subsets[place[tuple(sorted((*subset, m)))]] - of_subsets[s])
    return result


def shapley(
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
    per_item = shapley_values(worth, count)
    codes = interval.group_codes(groups, config)
    blocks = interval.draws(n, codes, config)
    drawn = np.concatenate([block @ per_item.T / block.sum(axis=1, keepdims=True) for block in blocks])
    method = interval.METHODS[interval.MEAN] + ("" if codes is None else " by group")
    units = n if codes is None else int(codes.max()) + 1
    summary = {
        name: {
            "value": float(per_item[m].mean()),
            "interval": interval.studentised(
                interval.MEAN, float(per_item[m].mean()), drawn[:, m], units, interval.Tails(), config.level
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
    return {"values": summary, **whole, "subsets": by_subset}, shapley_values(speaks, count).T


def sample(mixer: Mixer, seed: int) -> NDArray[np.int64]:
    """The items that are projected: some of those with every modality, drawn by seed."""
    whole = np.flatnonzero(mixer.present.all(axis=1))
    most = (MOST_ITEMS if mixer.fast else MOST_ITEMS_SLOW).get(mixer.present.shape[1], 0)
    if len(whole) <= most:
        return whole
    return np.sort(np.random.default_rng(seed).choice(whole, most, replace=False))


def projection(mixer: Mixer, items: NDArray[np.int64], transform: Callable[[Array], Array]) -> Array:
    """The additive projection of the model's (transformed) answers for the items ``(n, outputs)``.

    With ``f(a, b)`` the answer for modality 1 of item a and modality 2 of item b:
    ``mean_b f(i, b) + mean_a f(a, i) - mean_ab f(a, b)``, and likewise for more modalities.
    """
    n, count = len(items), mixer.present.shape[1]
    sums = np.zeros((count, n, 1))
    total: Array | float = 0.0
    places = np.array(np.meshgrid(*[np.arange(n)] * (count - 1), indexing="ij")).reshape(count - 1, -1).T
    for first in range(n):  # a slice of the cube of combinations at a time
        index = np.column_stack([np.full(len(places), first), places])
        answers = transform(mixer.scores(items[index], np.ones(index.shape, dtype=bool)))
        if sums.shape[2] != answers.shape[1]:
            sums = np.zeros((count, n, answers.shape[1]))
        sums[0, first] = answers.sum(axis=0)
        for m in range(1, count):
            np.add.at(sums[m], index[:, m], answers)
        total = total + answers.sum(axis=0)
    cells = n ** (count - 1)
    result: Array = (sums / cells).sum(axis=0) - (count - 1) * np.asarray(total) / (cells * n)
    return result


def emap(
    mixer: Mixer,
    transform: Callable[[Array], Array],
    gains: Callable[[NDArray[np.int64], Array], Array],
    *,
    groups: Any = None,
    config: interval.Config | None = None,
) -> dict[str, Any] | None:
    """The primary figure of the model minus that of its additive projection, paired, with an interval.

    ``transform`` maps answers to the scale that is added (logarithms of probabilities), ``gains(items, transformed)``
    scores them. None where there are fewer than two or more than three modalities, or too few items that have all, and
    for a model whose items cannot be put together from several (:class:`.mixing.Mixer`).
    """
    config = config or interval.Config()
    if mixer.present.shape[1] not in MOST_ITEMS or not mixer.joins:
        return None
    items = sample(mixer, config.seed)
    if len(items) < LEAST_ITEMS:
        return None
    index = np.repeat(items[:, None], mixer.present.shape[1], axis=1)
    own = transform(mixer.scores(index, np.ones(index.shape, dtype=bool)))
    differences = gains(items, own) - gains(items, projection(mixer, items, transform))
    inside = None if groups is None else np.asarray(groups)[items]
    return {**interval.mean(differences, inside, config), "sample": len(items), "of": int(mixer.present.shape[0])}
