"""Whether two pictures are one: saved again, smaller, a little cropped, brighter or darker.

Both are compared as small grey copies, blurred so that the fine lines of a drawing, which a smaller copy loses, tell
nothing. Of those that are most alike so, edges are cut off the one or the other until they agree best (a cropped copy
is the same picture at another place), and light or dark tones are clipped (a brightened copy has lost them).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SIDE = 32  # pixels of a small copy
BLUR = 1.5  # standard deviation of its blur, in its pixels
CANDIDATES = 4  # pictures that are compared with edges cut off
PLAUSIBLE = 0.6  # their correlation, at least: a twentieth of each edge costs a drawing up to a third
CUTS = tuple(part / 100 for part in range(7))  # of a side, at either end
CLIPS = tuple(part / 20 for part in range(1, 10))  # of the range of tones, at either end
GOOD = 0.0005  # one less the correlation: nothing is tried any more


def small(picture: Any) -> Array:
    """A blurred grey copy of SIDE x SIDE pixels as a vector of mean 0 and length 1; zeros of a picture of one tone."""
    return _seen(grey(picture))


def grey(picture: Any) -> Array:
    """The mean of the channels ``(height, width, channels)``."""
    return np.asarray(np.asarray(picture, np.float32).mean(axis=2))


def nearest(ours: Array, theirs: Array, our: Callable[[int], Array], their: Callable[[int], Array]) -> tuple[Any, Any]:
    """For each of ``ours`` ``(n, pixels)`` the place of the nearest of ``theirs``, and one less their similarity.

    Both are small copies; ``our(i)`` and ``their(j)`` give grey pictures.
    """
    similar = ours @ theirs.T
    count = min(CANDIDATES, len(theirs))
    chosen = np.argpartition(-similar, count - 1, axis=1)[:, :count]
    best, distance = np.zeros(len(ours), np.int64), np.ones(len(ours))
    for i, candidates in enumerate(chosen):
        place = int(candidates[similar[i, candidates].argmax()])
        most = float(similar[i, place])
        plausible = candidates[similar[i, candidates] > PLAUSIBLE] if most < 1 - GOOD else ()
        for j in plausible:
            a, b = our(i), their(int(j))
            alike = max(_shifted(a, theirs[j]), _shifted(b, ours[i]), _clipped(a, theirs[j]), _clipped(b, ours[i]))
            if alike > most:
                place, most = int(j), alike
        best[i], distance[i] = place, 1.0 - most
    return best, distance


def _shifted(picture: Array, other: Array) -> float:
    """The largest correlation of a picture with ``other`` that cut edges give; rows and columns take turns."""
    rows, columns = (_parts(n) for n in picture.shape)
    most, column = -1.0, 0
    for _ in range(2):
        agrees = _unit((rows @ (picture @ columns[column].T)).reshape(len(rows), -1)) @ other
        row = int(agrees.argmax())
        agrees = _unit(((rows[row] @ picture) @ columns.transpose(0, 2, 1)).reshape(len(columns), -1)) @ other
        column = int(agrees.argmax())
        if float(agrees[column]) <= most:
            break
        most = float(agrees[column])
    return most


def _clipped(picture: Array, other: Array) -> float:
    """The largest correlation of a picture with ``other`` where its lightest or darkest tones are one."""
    low, high = float(picture.min()), float(picture.max())
    span = high - low
    clips = [picture.clip(max=high - part * span) for part in CLIPS]
    clips += [picture.clip(min=low + part * span) for part in CLIPS]
    return float(max(_seen(one) @ other for one in clips))


def _seen(picture: Array) -> Array:
    rows, columns = (_parts(n)[0] for n in picture.shape)
    one: Array = _unit((rows @ picture @ columns.T).reshape(1, -1))[0]
    return one


@lru_cache(maxsize=64)
def _parts(size: int) -> Array:
    """For each way to cut both ends, uncut first, the matrix ``(SIDE, size)`` that averages and blurs the rest."""
    place = np.arange(SIDE)
    blur = np.exp(-((place[:, None] - place) ** 2) / (2 * BLUR**2))
    blur /= blur.sum(axis=1, keepdims=True)
    return np.stack([blur @ _averaging(size, low, 1 - high) for low in CUTS for high in CUTS]).astype(np.float32)


def _averaging(size: int, low: float, high: float) -> NDArray[np.float64]:
    """Averages over the parts of ``size`` pixels between two shares of them, or spreads fewer over SIDE."""
    edges = np.linspace(low * size, high * size, SIDE + 1)
    at = np.arange(size)
    overlap = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    part = np.maximum(overlap, 0.0)
    return np.asarray(part / part.sum(axis=1, keepdims=True), np.float64)


def _unit(values: Array) -> Array:
    """Rows of mean 0 and length 1; zeros where a row is of one value."""
    level = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
    flat = values - values.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    there = length > 1e-6 * (1 + level)
    return np.asarray(np.where(there, flat / np.where(there, length, 1.0), 0.0), np.float32)
