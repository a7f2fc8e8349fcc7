"""A data set as one fold of cross-validation may see it.

``fuse`` fitted scales, and drew made items and partners, on the data set's own training split. A fold trains on other
rows, so what those statistics and copies tell about its held-out rows would leak into its score.
"""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import lazy
from mmcli.fusion import normalise


def real(dataset: Dataset) -> Dataset:
    """The data set without what was made: made rows of a stream count as absent, items with nothing left as unlabelled.

    Those items keep their place, with an empty split, so that rows mean the same in every fold.
    """
    if all(stream.made is None or not stream.made.any() for stream in dataset.streams.values()):
        return dataset
    found = copy.copy(dataset)
    found.streams = {name: _without_made(stream) for name, stream in dataset.streams.items()}
    left = np.any([stream.present for stream in found.streams.values()], axis=0)
    found.split = np.where(left, dataset.split, "")
    return found


def split(dataset: Dataset, column: NDArray[np.str_]) -> Dataset:
    """The data set under the splits ``column`` (items,), its streams on scales fitted on that training split.

    A fitted scale is affine, so fitting it on scaled values and composing the two gives what the raw values would
    have given. Strategies and extractors with fitted state (``cca``, ``tfidf``) are not fitted again.
    """
    found = copy.copy(dataset)
    found.split = column
    found.streams = {name: _rescaled(stream, column == "train") for name, stream in dataset.streams.items()}
    return found


def _without_made(stream: Stream) -> Stream:
    return stream if stream.made is None else stream.without(stream.made)


def _rescaled(stream: Stream, train: NDArray[np.bool_]) -> Stream:
    first = stream.meta.get("normaliser") or {"method": "none"}
    own = np.flatnonzero(train & stream.present)
    if "center" not in first or not len(own):
        return stream
    second = normalise.fit_items((stream.item(i).values for i in own.tolist()), first["method"])
    center, scale = np.asarray(first["center"]), np.asarray(first["scale"])
    both = {
        "method": first["method"],
        "center": (center + np.asarray(second["center"]) * scale).tolist(),
        "scale": (scale * np.asarray(second["scale"])).tolist(),
    }
    meta = stream.meta | {"normaliser": both}
    values = lazy.changed(stream.values, lambda values: normalise.apply(values, second))
    return dataclasses.replace(stream, values=values, meta=meta)
