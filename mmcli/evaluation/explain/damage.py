"""Inputs made worse in one respect, by a known amount: what the robustness curves are drawn over.

Each function takes a stream and a level and returns a stream of the same items; level 0 changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Stream

NOISE = (0.0, 0.5, 1.0, 2.0, 4.0)  # standard deviations of the stream's own values
BLUR = (0.0, 1.0, 2.0, 4.0, 8.0)  # standard deviation of the blur, in pixels or frames
LOSS = (0.0, 0.1, 0.25, 0.5, 0.75)  # share of the tokens
ABSENCE = (0.0, 0.25, 0.5, 0.75, 1.0)  # share of the items


def noise(stream: Stream, level: float, rng: np.random.Generator) -> Stream:
    """White noise of ``level`` standard deviations of the stream's values."""
    if level == 0:
        return stream
    values = stream.arrays().values
    size = float(values.std()) or 1.0
    noisy = values + rng.normal(0.0, level * size, values.shape).astype(np.float32)
    return _with(stream, noisy.astype(np.float32))


def blur(stream: Stream, level: float) -> Stream:
    """A Gaussian blur over the pixels of each picture, or over the frames of each item."""
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    if level == 0:
        return stream
    values = stream.arrays().values
    if values.ndim == 4:
        return _with(stream, gaussian_filter(values, (0, level, level, 0), mode="nearest"))
    values = values.copy()
    for start, stop in zip(stream.offsets[:-1], stream.offsets[1:], strict=True):
        if stop - start > 1:
            values[start:stop] = gaussian_filter1d(values[start:stop], level, axis=0, mode="nearest")
    return _with(stream, values)


def loss(stream: Stream, level: float, rng: np.random.Generator) -> Stream:
    """A share of the frames (tokens) of each item left out; the first frame of an item always stays."""
    values, clock = stream.arrays()
    keep = rng.random(len(values)) >= level
    keep[stream.offsets[:-1][stream.lengths > 0]] = True
    item = np.repeat(np.arange(stream.items), stream.lengths)
    lengths = np.bincount(item[keep], minlength=stream.items)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(len(values))[keep]
    # Tokens move up: times count the tokens that are left.
    first = np.repeat(offsets[:-1], lengths)
    times = clock[np.repeat(stream.offsets[:-1], lengths) + np.arange(len(places)) - first]
    return Stream(values[places], offsets, times, stream.present, None, stream.meta)


def absence(stream: Stream, level: float, may_go: NDArray[np.bool_], rng: np.random.Generator) -> Stream:
    """The stream absent from a share of the items, of those that ``may_go`` (something else of them is left)."""
    return stream.without((rng.random(stream.items) < level) & may_go)


def _with(stream: Stream, values: NDArray[np.float32]) -> Stream:
    return Stream(values, stream.offsets, stream.times, stream.present, None, stream.meta)
