"""Answers of a model for items put together at will: this modality from here, that one from there, a third left out.

That is all that Shapley values and the additive projection ask of a model. :class:`OfDatasets` works with any
callable that predicts; :class:`OfParts` encodes every item once and only fuses again, which is hundreds of times
faster. Both give the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.evaluation.explain import parts
from mmcli.evaluation.model import Access, Indices, Predict

Array = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]

AT_ONCE = 4096


class Mixer(Protocol):
    """``names``: the modalities; ``present`` bool ``(n, modalities)``: which of them the n items have.

    ``fast``: whether a hundred thousand answers are a matter of seconds.
    """

    names: list[str]
    present: Bool
    fast: bool

    def scores(self, source: Int, keep: Bool) -> Array:
        """What the model says ``(k, outputs)`` of k items; the i-th takes modality m from item ``source[i, m]``.

        Only where ``keep[i, m]`` and that item has it. Probabilities ``(k, classes)``, or the value ``(k, 1)``. A row
        without any modality is not a question; its answer means nothing.
        """


class OfDatasets:
    """Mixes streams of a data set and has them predicted."""

    fast = False

    def __init__(self, predict: Predict, dataset: Dataset, rows: Indices, names: Sequence[str] | None = None) -> None:
        self.names = [name for name in dataset.modalities if names is None or name in names]
        self._predict, self._dataset, self._rows = predict, dataset, rows
        self.present = np.stack([dataset.streams[name].present[rows] for name in self.names], axis=1)

    def scores(self, source: Int, keep: Bool) -> Array:
        """See :class:`Mixer`."""
        parts = [self._some(source[i : i + AT_ONCE], keep[i : i + AT_ONCE]) for i in range(0, len(source), AT_ONCE)]
        return np.concatenate(parts)

    def _some(self, source: Int, keep: Bool) -> Array:
        streams = {}
        for m, name in enumerate(self.names):
            whole = self._dataset.streams[name]
            streams[name] = whole.select(self._rows[source[:, m]]).without(~keep[:, m])
        count = len(source)
        meta = {key: value for key, value in self._dataset.meta.items() if key != "streams"}
        nothing = np.full(count, "", dtype=np.str_)
        mixed = Dataset(streams, np.arange(count).astype(np.str_), nothing, nothing, None, meta=meta)
        found = self._predict(mixed, np.arange(count, dtype=np.int64))
        if found.probabilities is not None:
            return np.asarray(found.probabilities, np.float64)
        return np.asarray(found.values, np.float64)[:, None]


class OfParts:
    """Mixes what the encoders of one of our models give; every item is encoded once."""

    fast = True

    def __init__(self, part: parts.Part, access: Access) -> None:
        self.names = list(part.names)
        self.present = part.present().cpu().numpy()
        self._part, self._access = part, access

    def scores(self, source: Int, keep: Bool) -> Array:
        """See :class:`Mixer`."""
        import torch

        device = self._part.present().device
        found = []
        with torch.no_grad():
            for i in range(0, len(source), AT_ONCE):
                inside = slice(i, i + AT_ONCE)
                picked, kept = (torch.from_numpy(a[inside]).to(device) for a in (source, keep))
                found.append(self._part.logits(picked, kept).double().cpu().numpy())
        probabilities, values = self._access.meaning(np.concatenate(found))
        if probabilities is not None:
            return probabilities
        assert values is not None
        return values[:, None]


def mixer(
    predict: Predict, access: Access | None, dataset: Dataset, rows: Indices, names: Sequence[str] | None = None
) -> Mixer:
    """The fastest mixer there is for a model of the modalities ``names`` (None: all that the data set has)."""
    if access is not None:
        part = parts.additive_part(access.model, access.batches(dataset, rows))
        if part is not None:
            return OfParts(part, access)
    return OfDatasets(predict, dataset, rows, names)
