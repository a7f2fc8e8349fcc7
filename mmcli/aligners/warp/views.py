"""A free warp between two recordings or two feature files, with its interval where that is calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import frames
from mmcli.aligners.kernels import coarse, engine
from mmcli.aligners.warp.posterior import Posterior, about_path

Vector = NDArray[np.float64]

LARGE = 400_000_000  # cells; larger pairs are warped coarsely first and exactly in a corridor about that
DELTA = 2  # frames on either side that a change is measured over: 40 ms at 10 ms
NOTES_WEIGH = float(np.sqrt(2.0))  # squared, in the costs
PART_RATIO = 0.7  # a side shorter than this share of the other may be a part of it: the longer one's ends are open
PACE_RATIO = 0.3  # or the whole of it at another pace, as scores often are, unless it is shorter than this share


@dataclass(frozen=True)
class View:
    """Both sides as one kind of comparison sees them: frames on a common grid, and the metric between them."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    x_times: Vector
    y_times: Vector
    metric: str
    opened: tuple[bool, bool] = (False, False)  # whether the ends of x, of y may be left out

    def ends(self) -> list[tuple[bool, bool]]:
        """What ``opened`` may be, by the lengths: all of both, a part of the longer one, or either."""
        shorter, longer = sorted((len(self.x), len(self.y)))
        found = [(False, False)] if shorter >= PACE_RATIO * longer else []
        if shorter < PART_RATIO * longer:
            found.append((len(self.x) > len(self.y), len(self.y) > len(self.x)))
        return found


@dataclass(frozen=True)
class Warp:
    """The path, its cost, and the posterior about it (None where it is not calibrated, or cannot follow)."""

    path: NDArray[np.int64]
    cost: float
    posterior: Posterior | None


def same_recording(sounds: tuple[Any, Any]) -> View:
    """What two copies of one recording share: log-mel bands and how they change; cosine."""
    found = [frames.comparable(s) for s in sounds]
    x, y = (np.hstack([f.values, _change(f.values)]).astype(np.float32) for f in found)
    return View(x, y, found[0].times, found[1].times, "cosine")


def rendition(sounds: tuple[Any, Any]) -> View:
    """What two renditions of a piece or text share: pitch classes, the shape of the spectrum, onsets of its bands, and
    onsets of single semitones, which weigh twice as much: they say which note begins when (Ewert, Mueller and Grosche
    2009, "High resolution audio synchronization using chroma onset features")."""
    sides = []
    for sound in sounds:
        bands, chroma, notes = frames.comparable(sound), frames.pitch_classes(sound), frames.semitones(sound)
        parts = [
            _unit(_on(bands.times, chroma)),
            _unit(bands.values.astype(np.float64)),
            _onsets(bands.values.astype(np.float64)),
            NOTES_WEIGH * _onsets(_on(bands.times, notes)),
        ]
        sides.append((np.hstack(parts).astype(np.float32), bands.times))
    return View(sides[0][0], sides[1][0], sides[0][1], sides[1][1], "sqeuclidean")


def find(view: View, *, kind: str | None) -> Warp:
    """The cheapest warp; ``kind`` names the calibration of its interval, "same", "rendition", "voices" or None.

    Long pairs are warped coarsely first, and exactly in a corridor about that.
    """
    x, y, opened = view.x, view.y, view.opened
    cost: float
    if len(x) * len(y) > LARGE and opened == (False, False):
        rough = coarse.align(x, y, factor=8, radius=25, certify=False, metric=view.metric)
        cost, path = rough.cost, rough.path
    else:
        cost, path = engine.align(x, y, metric=view.metric, open_begin=opened, open_end=opened)
    posterior = None
    if kind is not None:
        posterior = about_path(x, y, view.x_times, view.y_times, path, metric=view.metric, kind=kind)
    return Warp(path, cost, posterior)


def _on(times: Vector, other: Any) -> NDArray[np.float64]:
    """Features on other times, linearly interpolated."""
    return np.column_stack([np.interp(times, other.times, column) for column in other.values.T])


def _onsets(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much louder each band becomes, fading, with a usual length of 1."""
    rises = _decaying(np.maximum(_change(values), 0.0))
    return np.asarray(rises / max(float(np.sqrt((rises * rises).sum(axis=1)).mean()), 1e-9))


def _change(values: NDArray[Any]) -> NDArray[np.float64]:
    """How much louder each band is DELTA frames later than DELTA frames before."""
    out = np.zeros(values.shape)
    if len(values) > 2 * DELTA:
        out[DELTA:-DELTA] = values[2 * DELTA :] - values[: -2 * DELTA]
    return out


def _decaying(rises: NDArray[np.float64]) -> NDArray[np.float64]:
    """Onsets that fade over five frames, so that those a frame or two apart still meet."""
    out = rises.copy()
    for k, share in enumerate((0.8, 0.6, 0.4, 0.2), start=1):
        out[k:] = np.maximum(out[k:], share * rises[:-k])
    return out


def _unit(values: NDArray[Any]) -> NDArray[np.float64]:
    norm = np.sqrt((values * values).sum(axis=1, keepdims=True))
    return np.asarray(values / np.maximum(norm, 1e-9), dtype=np.float64)
