"""Is there interaction between the modalities, or would a sum of one-modality models do as well?

The additive projection of a model (EMAP: J. Hessel and L. Lee, EMNLP 2020, eq. 3) is the model nearest to it that adds
one function of each modality. It comes from the model's answers for all combinations of the items' modalities. Where
the projection scores as well as the model, the model's interactions did not matter on this data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.evaluation.explain.mixing import Mixer
from mmcli.evaluation.intervals import interval

Array = NDArray[np.float64]

# Items in the sample: their number to the power of the modalities is the number of answers. The second line is for
# models whose encoders do not work apart, so that every answer costs a whole forward pass.
MOST_ITEMS = {2: 300, 3: 40}
MOST_ITEMS_SLOW = {2: 60, 3: 12}


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


def gap(
    mixer: Mixer,
    transform: Callable[[Array], Array],
    gains: Callable[[NDArray[np.int64], Array], Array],
    *,
    groups: Any = None,
    config: interval.Config | None = None,
) -> dict[str, Any] | None:
    """The primary figure of the model minus that of its additive projection, paired, with an interval.

    ``transform`` maps answers to the scale that is added (logarithms of probabilities), ``gains(items, transformed)``
    scores them. None where there are fewer than two or more than three modalities, or fewer than ten whole items.
    """
    config = config or interval.Config()
    if mixer.present.shape[1] not in MOST_ITEMS:
        return None
    items = sample(mixer, config.seed)
    if len(items) < 10:
        return None
    index = np.repeat(items[:, None], mixer.present.shape[1], axis=1)
    own = transform(mixer.scores(index, np.ones(index.shape, dtype=bool)))
    differences = gains(items, own) - gains(items, projection(mixer, items, transform))
    inside = None if groups is None else np.asarray(groups)[items]
    return {**interval.mean(differences, inside, config), "sample": len(items), "of": int(mixer.present.shape[0])}
