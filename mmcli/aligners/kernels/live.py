"""Where in a reference a live stream is: a forward filter over all of it, frame by frame, and fixed-lag smoothing.

Every frame of the reference is a state that plays and a state that pauses; at each frame of the stream all of them are
weighed, so that there is no window to fall out of: a jump costs its small probability and nothing else.

Reference: L. Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77, 1989; fixed-lag smoothing:
B. Anderson and J. Moore, Optimal Filtering, 1979, chapter 7.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.kernels import live_twin
from mmcli.aligners.kernels.live_twin import LANE

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

SAMPLE = 257  # states whose median distance is the yardstick of a frame
PAUSED = 0.01  # how likely a stream that starts at the beginning does not play yet
BEHIND, AHEAD = 60, 60  # states on both sides of the likeliest one that smoothing looks at


def kernel(name: str | None = None) -> Any:
    """The compiled kernel, or its twin where there is no compiler or ``name`` is ``"twin"``."""
    if name == "twin":
        return live_twin
    try:
        return importlib.import_module("mmcli.aligners.kernels._live")
    except ImportError:
        return live_twin


@dataclass(frozen=True)
class Moves:
    """Probabilities from frame to frame; ``sharpness``: nats a unit of distance, a unit being what strangers have."""

    sharpness: float = 8.0
    pause: float = 0.72  # distance at which a frame is as well explained by a pause
    stay: float = 0.2
    step: float = 0.6
    skip: float = 0.2
    enter: float = 1e-3
    leave: float = 2e-2
    jump: float = 1e-9


@dataclass(frozen=True)
class Place:
    """Where a frame of the stream lies: ``mean`` and ``deviation`` in states, near the likeliest one.

    ``paused``: how likely the stream pauses. ``cost``: the distance there over that of strangers.
    """

    mean: float
    deviation: float
    paused: float
    cost: float


class Filter:
    """The filter over a reference float32 (frames, dims); up to ``lag`` frames can be looked back.

    ``loud`` (frames,): 1 where the reference is to be heard, 0 where it is quiet itself; a quiet frame of the stream is
    held against that alone.

    >>> line = np.repeat(np.arange(40, dtype=np.float32)[:, None], 2, axis=1)
    >>> f = Filter(line, lag=2)
    >>> for frame in line[:12]:
    ...     f.push(frame)
    >>> round(f.place(0).mean), round(f.place(2).mean)
    (11, 9)
    """

    def __init__(
        self,
        reference: Float32,
        lag: int = 0,
        moves: Moves | None = None,
        start: str = "begin",
        loud: Float32 | None = None,
        name: str | None = None,
    ) -> None:
        self.kernel, self.moves, self.lag = kernel(name), moves or Moves(), lag
        self.states, dims = reference.shape
        width = -(-self.states // LANE) * LANE
        self.reference = np.zeros((dims, width), np.float32)
        self.reference[:, : self.states] = reference.T
        self.loud = np.zeros((1, width), np.float32)
        self.loud[0, : self.states] = 0.0 if loud is None else loud
        some = np.linspace(0, self.states - 1, min(self.states, SAMPLE)).astype(np.int64)
        self.sample = np.ascontiguousarray(reference[some])
        self.rows = lag + 2
        self.playing, self.paused, self.emission = (np.zeros((self.rows, LANE + width), np.float32) for _ in range(3))
        # Of each row what it was reached by: stay, step, skip, enter, leave, and the emission of a pause.
        self.facts: list[tuple[float, ...]] = [(0.0,) * 6] * self.rows
        self.now = 0  # frames pushed; row `now % rows` holds what is known after them
        if start == "any":
            self.playing[0, LANE : LANE + self.states] = 1.0 / self.states
        else:
            self.playing[0, LANE] = 1 - PAUSED
            self.paused[0, LANE] = PAUSED
        self.best, self.share, self.least = 0, 0.0, 0.0

    def push(
        self, frame: Float32, *, quiet: bool = False, pace: float = 1.0, pause: float | None = None, ahead: int = 0
    ) -> None:
        """One more frame of the stream (dims,). In a ``quiet`` one nothing jumps, what plays goes on at ``pace``
        (states a frame), and a pause is as good as any state.

        ``pause``: the distance at which this one is as well explained by a pause, in place of the usual.
        ``ahead`` frames were left out before it: all that plays is moved on by as many states.
        """
        m = self.moves
        if ahead:
            row = self.playing[self.now % self.rows]
            row[LANE + ahead :] = row[LANE:-ahead].copy()
            row[LANE : LANE + ahead] = 0.0
            row[LANE + self.states :] = 0.0
        if quiet:
            scale, against, frame = QUIET_LOUD, self.loud, np.zeros(1, np.float32)
        else:
            yardstick = float(np.median(np.sqrt(((self.sample - frame) ** 2).sum(axis=1))))
            scale, against = 1.0 / max(yardstick, 1e-6), self.reference
        held = -1.0 if quiet else float(np.exp(-m.sharpness * (m.pause if pause is None else pause)))
        enter, leave, jump = (QUIET_ENTER, QUIET_LEAVE, 0.0) if quiet else (m.enter, m.leave, m.jump)
        steps = _steps(pace) if quiet else (m.stay, m.step, m.skip)
        old, new = self.now % self.rows, (self.now + 1) % self.rows
        held, self.least, self.share, self.best = self.kernel.advance(
            against,
            np.ascontiguousarray(frame, np.float32),
            self.playing[old],
            self.paused[old],
            self.playing[new],
            self.paused[new],
            self.emission[new],
            self.states,
            m.sharpness,
            scale,
            held,
            *steps,
            enter,
            leave,
            jump,
        )
        self.facts[new] = (*steps, enter, leave, held)
        self.now += 1

    def place(self, back: int) -> Place:
        """Where the frame pushed ``back`` frames before the last one lies, by all that was heard since."""
        m = self.moves
        low = max(0, self.best - 2 * back - BEHIND)
        high = min(self.states, self.best + AHEAD)
        band = slice(LANE + low, LANE + high)
        size = high - low
        after, held = np.zeros(size + 2), np.ones(size)
        after[:size] = 1.0
        for i in range(back):
            row = (self.now - i) % self.rows
            stay, step, skip, enter, leave, pause = self.facts[row]
            after[:size] *= self.emission[row, band]
            held *= pause
            on = stay * after[:size] + step * after[1 : size + 1] + skip * after[2 : size + 2]
            playing = on * (1 - enter) + enter * held
            held = held * (1 - leave) + leave * after[:size]
            top = max(float(playing.max()), float(held.max()), 1e-300)
            after[:size] = playing / top
            held /= top
        row = (self.now - back) % self.rows
        playing = after[:size] * self.playing[row, band]
        pausing = held * self.paused[row, band]
        total, still = float(playing.sum()), float(pausing.sum())
        both = (playing + pausing) / max(total + still, 1e-300)
        at = np.arange(low, high)
        mean = float(both @ at)
        deviation = float(np.sqrt(max(0.0, float(both @ (at - mean) ** 2))))
        cost = float(-np.log(max(float(playing @ self.emission[row, band]) / max(total, 1e-300), 1e-38)) / m.sharpness)
        return Place(mean, deviation, still / max(total + still, 1e-300), cost)


# In a quiet frame there is nothing to go by: pausing and going on, and how much the steps differ from the pace.
QUIET_ENTER, QUIET_LEAVE = 1e-3, 0.02
QUIET_LOUD = 0.5  # distance of a place where the reference is to be heard
QUIET_SPREAD = 0.1  # states squared a frame


def _steps(pace: float) -> tuple[float, float, float]:
    """Probabilities of 0, 1 and 2 states on whose mean is the pace, as far as three can.

    >>> [round(p, 3) for p in _steps(1.0)]
    [0.05, 0.9, 0.05]
    """
    off = min(max(pace, 0.2), 1.8) - 1.0
    spread = max(QUIET_SPREAD, abs(off))
    return (spread - off) / 2, 1 - spread, (spread + off) / 2
