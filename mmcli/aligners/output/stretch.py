"""Sound on another clock: resampled where only a clock drifted, its pitch kept where it was stretched.

Pitch is kept by waveform-similarity overlap-add (Verhelst and Roelands 1993, "An overlap-add technique based on
waveform similarity"): windows are taken from where the map says, shifted by up to a quarter of a window to where they
continue the last one best, and added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.artifacts.formats.timemap import TOUCHING, TimeMap
from mmcli.artifacts.io import atomic
from mmcli.errors import MediaError
from mmcli.media import remux

Samples = NDArray[np.float32]

WINDOW_S = 0.04
PIECE = 1 << 20
# Silence that a map may put before the sound: a piece of a day's recording, at its place. Where sound is stretched all
# of it is held as float64, 16 bytes a sample.
MAX_BEFORE_S = 24 * 3600.0 / 4
MAX_STRETCHED_S = 600.0


def retimed(samples: Samples, rate_hz: int, m: TimeMap) -> Samples:
    """The samples (n,) or (n, channels) of the query on the reference clock, from 0 to the map's end.

    Silence where the map is undefined; all channels are moved alike.
    """
    parts = list(pieces(samples, rate_hz, m))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def pieces(samples: Samples, rate_hz: int, m: TimeMap) -> Iterator[Samples]:
    """The same samples piece by piece, so that the silence before a late beginning is never held.

    Raises :class:`MediaError` where the map makes far more of them than there are: a map that is damaged, or of another
    file.
    """
    length = len(samples) / rate_hz
    end = float(m.to_reference(length)) if m.is_line else float(m.knots[-1, 0])
    drift = m.is_line and m.rate is not None and abs(m.rate - 1.0) <= limits.DRIFT.value
    most = 2 * length + (MAX_BEFORE_S if drift else MAX_STRETCHED_S)
    if not end <= most:
        raise MediaError(
            f"the map makes {end:.0f} s of {length:.0f} s of sound, more than {most:.0f} s",
            hint="it is damaged, or belongs to other files",
        )
    n = max(1, int(end * rate_hz))
    if not drift:
        yield _overlap_added(samples, rate_hz, m, n)
        return
    for first in range(0, n, PIECE):
        at = m.to_query(np.arange(first, min(n, first + PIECE)) / rate_hz) * rate_hz
        inside = (at >= 0) & (at <= len(samples) - 1)
        out = np.zeros((len(at), *samples.shape[1:]), dtype=np.float32)
        if inside.any():
            for channel, target in zip(_channels(samples), _channels(out), strict=True):
                target[inside] = _interpolated(channel, at[inside])
        yield out


def _channels(samples: Samples) -> list[Samples]:
    """Views of the channels."""
    return [samples] if samples.ndim == 1 else list(samples.T)


def _interpolated(samples: Samples, at: NDArray[np.float64]) -> Samples:
    """Values between samples by a cubic through four of them (Catmull and Rom)."""
    k = np.clip(at.astype(np.int64), 1, max(len(samples) - 3, 1))
    f = at - k
    a, b, c, d = (samples[np.clip(k + j, 0, len(samples) - 1)].astype(np.float64) for j in (-1, 0, 1, 2))
    value = b + 0.5 * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a)))
    return np.asarray(value, dtype=np.float32)


def _overlap_added(samples: Samples, rate_hz: int, m: TimeMap, n: int) -> Samples:
    """Windows are placed by the mean of the channels."""
    size = max(8, round(WINDOW_S * rate_hz)) // 4 * 4
    hop, reach = size // 2, size // 4
    window = np.hanning(size + 1)[:-1]
    around = [(size, 2 * size), *[(0, 0)] * (samples.ndim - 1)]
    whole = np.pad(samples, around).astype(np.float64)
    padded = whole if whole.ndim == 1 else whole.mean(axis=1)
    out = np.zeros((n + size, *samples.shape[1:]))
    weight = np.zeros(n + size)
    starts = np.arange(0, n, hop)
    wanted = m.to_query((starts + hop) / rate_hz) * rate_hz - hop
    follow: int | None = None  # where the last window would go on by itself
    for start, at in zip(starts.tolist(), wanted.tolist(), strict=True):
        if not np.isfinite(at) or not -hop <= at <= len(samples):
            follow = None
            weight[start : start + size] += window
            continue
        first = round(at) + size
        if follow is not None:
            low = max(0, first - reach)
            stretch = padded[low : first + reach + size]
            target = padded[follow : follow + size]
            if len(stretch) >= size and len(target) == size:
                first = low + int(np.argmax(np.correlate(stretch, target, mode="valid")))
        piece = whole[first : first + size]
        out[start : start + len(piece)] += (window[: len(piece)] * piece.T).T
        weight[start : start + len(piece)] += window[: len(piece)]
        follow = min(first + hop, len(padded) - size)
    return np.asarray((out.T / np.where(weight > 1e-3, weight, 1.0)).T[:n], dtype=np.float32)


def write(output: Path, parts: Iterable[Samples], rate_hz: int) -> int:
    """Write sound, pieces of (n,) or (n, channels), as a wav file, 16 bit; returns the number of samples."""
    import wave

    count = 0
    parts = iter(parts)
    first = next(parts)  # whatever is wrong is said before a file is begun
    with atomic.path(output) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(1 if first.ndim == 1 else first.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        for part in chain([first], parts):
            file.writeframesraw(np.round(np.clip(part, -1.0, 1.0) * 32767).astype("<i2").tobytes())
            count += len(part)
    return count


# A film on another clock: which of its times have no place there, and whether its sound can follow uncut.


Times = NDArray[np.float64]


def rewritten(path: Path, output: Path, m: TimeMap, known: Callable[[Times], Times]) -> str:
    """Write the film with its times from the query of ``m`` to its reference; returns what became of it, a sentence.

    ``known`` maps times outside the map by their distance from it. The sound is written where no stretch of the map
    runs faster or slower than 0.3 %, else left out: its pitch would change, and it would have to be encoded anew.
    """
    steady = follows(m)
    with atomic.path(output) as temporary:
        film = remux.retimed(path, temporary, lambda t: places(m, known, t), suffix=output.suffix, sound=steady)
    if not film.written.get("video"):
        raise MediaError("has no picture where the map says anything", source=path.name)
    said = f"{film.written['video']} pictures"
    if film.written.get("audio"):
        said += " and their sound"
    elif not steady and "audio" in film.tracks_left_out:
        said += "; the pace changes, so the sound is left out: `mmcli warp` it into a wav file"
    refused = [track for track in film.tracks_left_out if "(" in track]
    if refused:
        said += f"; left out: {', '.join(refused)}"
    lost = ", ".join(f"{n} {kind}" for kind, n in film.left_out.items())
    return said + (f"; without a place on that clock, left out: {lost} packets" if lost else "")


def follows(m: TimeMap) -> bool:
    """Whether every stretch of the map runs at the pace of the other clock, but for the drift of a clock."""
    if m.is_line:
        return m.rate is not None and abs(m.rate - 1.0) <= limits.DRIFT.value
    slopes = [np.diff(s[:, 0]) / np.diff(s[:, 1]) for s in m.segments if len(s) > 1]
    return bool(slopes) and float(np.abs(np.concatenate(slopes) - 1.0).max()) <= limits.DRIFT.value


def places(m: TimeMap, known: Callable[[Times], Times], t: Times) -> tuple[Times, NDArray[np.bool_]]:
    """Where query times (n,) lie on the reference clock, and which have no place there.

    Those in a break share what room the reference has between its ends; where it has none, or before its beginning,
    there is no place.

    >>> gap = TimeMap([[0.0, 0.0], [5.0, 5.0], [5.0, 8.0], [9.0, 12.0]], [{"side": "query", "start": 5.0, "end": 8.0}])
    >>> [v.tolist() for v in places(gap, gap.to_reference, np.array([4.0, 6.0, 9.0]))]
    [[4.0, 5.0, 6.0], [False, True, False]]
    """
    out = np.full(len(t), np.nan)
    gone = np.zeros(len(t), dtype=bool)
    for before, after in zip(m.segments, m.segments[1:], strict=False):
        (r0, q0), (r1, q1) = before[-1], after[0]
        inside = (t > q0) & (t < q1)
        out[inside] = r0 + (t[inside] - q0) * (r1 - r0) / max(q1 - q0, TOUCHING)
        gone[inside] = r1 - r0 < TOUCHING
    rest = np.isnan(out)
    out[rest] = known(t[rest])
    return out, gone | (out < 0)
