"""What is shown of a stream that is followed: one position that moves, holds and jumps, and the state it is in.

The filter of :mod:`mmcli.aligners.kernels.live` weighs all places at every frame; its likeliest place wanders where
there is nothing to hear. What is shown follows it, holds where nobody plays, and goes to another place only once that
has been kept for a while.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from mmcli.aligners.core import limits
from mmcli.aligners.kernels.live import Filter, Moves, Place
from mmcli.aligners.live.ear import Frame, Heard

STATES = ("playing", "paused", "quiet", "lost", "ended")
SLACK_S = 0.3  # the place may move by this much more than the pace allows and is still the same playing
FASTEST = 2.2  # times the pace of the reference
SLOWEST = 0.5  # the same, of a place that is new: applause sounds like one attack that goes on and on
PATIENT_S = 1.5  # after a hold the playing may be taken up as much later
KEPT_S = 0.7  # for which another place is kept before it is shown
# A pause explains a frame as well as a place whose distance is larger than usual by this much: applause fits most
# places badly, but some of them not as badly as strangers do.
WORSE = 0.35
# At the beginning, where nobody can know yet, it takes more: a piece begins in noise more often than in applause.
BEGIN_S, BEGIN_PAUSE = 8.0, 1.2
USUAL_S = 10.0  # of playing, over which the usual distance is taken
FAINT = 0.02  # the weight of a frame in which next to nothing is heard; the loud ones say more, most of all in noise
SETTLED_S = 3.0  # of playing, before it is taken at all
PATIENCE_S = 15.0  # of a pause, after which its sound may be what is usual
QUIET_S = 0.5  # of quiet frames before the state says so
PACE_S = 2.0  # over which the pace is taken
SLOW_S = 3.0  # and that by which a pause is gone through
UNHEARD = 0.1  # of a pause that is gone through, by how much its pace may differ
WINDOW_S = 6.0  # of frames that are not quiet, by which a stream is judged; with less nothing is said
END_S = 0.5  # of the reference, that count as its end


def is_strange(cost: float) -> bool:
    """Whether so high a mean cost, over that of a stranger's, is that of another piece."""
    return cost > limits.LIVE_STRANGE.value


def is_proven(cost: float) -> bool:
    """Whether so low a mean cost proves that the stream is of this reference."""
    return cost <= limits.LIVE_PROVEN.value


@dataclass(frozen=True)
class Shown:
    """One moment: ``t`` of the stream and ``position`` in the reference, seconds; ``halfwidth`` of the 90 % interval.

    ``state`` is one of :data:`STATES`; ``pace`` seconds of reference a second of stream; ``jump``: the position went
    elsewhere here. ``skipped``: frames before this one that could not be done in time.
    """

    t: float
    position: float
    halfwidth: float | None
    state: str
    pace: float
    jump: bool
    skipped: int = 0

    def line(self) -> dict[str, object]:
        """The object that is printed."""
        width = None if self.halfwidth is None else round(self.halfwidth, 3)
        values = {"t": round(self.t, 3), "position": round(self.position, 3), "halfwidth": width}
        rest = {"state": self.state, "pace": round(self.pace, 3), "jump": self.jump}
        return {**values, **rest, **({"skipped": self.skipped} if self.skipped else {})}


class Follower:
    """Frames of a stream in, what is shown out, ``lag`` frames later."""

    def __init__(
        self, heard: Heard, lag: int = 10, start: str = "begin", jumps: bool = True, kernel: str | None = None
    ) -> None:
        self.step, self.rate = heard.hop_s, 1 / heard.hop_s
        moves = Moves(sharpness=heard.sharpness, jump=1e-9 if jumps else 0.0)
        self.heard, self.lag = heard, lag
        self.filter = Filter(heard.values, lag, moves, start, heard.loud, kernel)
        self.waiting: deque[tuple[Frame, int]] = deque()
        self.first, self.last = float(heard.times[0]), float(heard.times[-1])
        self.position, self.width = self.first, 1.0
        self.begins = start == "begin"
        self.known = start == "begin"  # whether a place was shown for a reason
        self.trail: deque[tuple[float, float]] = deque()  # (t, position) of playing without a jump
        self.other: list[tuple[float, float, float]] = []  # the same and the cost, of another place than is shown
        self.costs: deque[tuple[float, float]] = deque(maxlen=round(WINDOW_S * self.rate))
        self.total = self.weight = 0.0  # sums of the costs and weights
        self.proven = False  # whether the stream was surely of this reference once
        self.usual, self.played = 0.0, 0
        self.track: list[tuple[float, float, float]] = []  # (t, position, halfwidth) where the position followed
        self.pace = self.slow = 1.0
        self.silent = self.held = self.hushed = 0
        self.lost_frames = self.frames = 0
        self.summed = self.judged = 0.0  # the costs of all frames that were judged, and their weights

    def push(self, frame: Frame, skipped: int = 0) -> Shown | None:
        """One more frame; what is shown of the one ``lag`` frames before it."""
        self.filter.push(frame.values, quiet=frame.quiet, pace=self.slow, pause=self.pause, ahead=skipped)
        self.waiting.append((frame, skipped))
        return self._show(self.lag) if len(self.waiting) > self.lag else None

    def end(self) -> list[Shown]:
        """What is shown of the last frames, after which nothing comes."""
        return [self._show(back) for back in range(len(self.waiting) - 1, -1, -1)]

    @property
    def cost(self) -> float | None:
        """The mean distance of the last seconds over that of strangers; None where too little was heard."""
        return self.total / self.weight if len(self.costs) == self.costs.maxlen else None

    @property
    def settled(self) -> bool:
        """Whether enough was played to know how well it fits."""
        return self.proven and self.played >= SETTLED_S * self.rate

    @property
    def pause(self) -> float:
        """The distance at which a pause is as likely as playing."""
        most = self.filter.moves.pause
        if self.begins and not self.proven and self.filter.now < BEGIN_S * self.rate:
            return BEGIN_PAUSE
        return min(self.usual + WORSE, most) if self.settled and self.held < PATIENCE_S * self.rate else most

    @property
    def pausing(self) -> bool:
        """Whether what is heard now is not the piece: what is usual is not to be learned from it."""
        return self.settled and self.filter.share > 0.5 and self.held < PATIENCE_S * self.rate

    def _show(self, back: int) -> Shown:
        frame, skipped = self.waiting.popleft()
        place = self.filter.place(back)
        at = self.first + place.mean * self.step
        paused = place.paused > 0.5
        self.frames += 1
        self.silent = self.silent + 1 if frame.quiet else 0
        self.hushed += frame.quiet
        if not frame.quiet:
            self._judge(self.filter.moves.pause if paused else min(place.cost, 1.0), min(frame.level, 1.0) + FAINT)
        strange = self.cost is not None and is_strange(self.cost)
        jump = False
        if paused:
            self.other.clear()
            self.held += 1
        elif self._same(at) and self.known:
            self.other.clear()
            self._move(frame.time, at, place, frame.quiet)
        else:
            self.held += 1
            jump = self._elsewhere(frame.time, at, place)
        state = self._state(paused, strange)
        self.lost_frames += state == "lost"
        return Shown(
            frame.time, self.position, None if state == "lost" else self.width, state, self.pace, jump, skipped
        )

    @property
    def mean_cost(self) -> float | None:
        """The mean distance of all that was heard over that of strangers; None where nothing was."""
        return self.summed / self.judged if self.judged else None

    def _judge(self, cost: float, weight: float) -> None:
        if len(self.costs) == self.costs.maxlen:
            old, heavy = self.costs[0]
            self.total -= old * heavy
            self.weight -= heavy
        self.costs.append((cost, weight))
        self.total += cost * weight
        self.weight += weight
        self.summed += cost * weight
        self.judged += weight
        self.proven = self.proven or (self.cost is not None and is_proven(self.cost))

    def _same(self, at: float) -> bool:
        """Whether a place is where the playing that is shown may have come to."""
        hushed = min(self.hushed * self.step, PATIENT_S)  # nothing told how fast it went there
        since = min(self.held * self.step + hushed, PATIENT_S) + self.step
        return -SLACK_S - hushed <= at - self.position <= FASTEST * since + SLACK_S

    def _move(self, t: float, at: float, place: Place, quiet: bool = False) -> None:
        if self.held > QUIET_S * self.rate:
            self.trail.clear()
        self.held = 0
        self.played += 1
        self.usual += (place.cost - self.usual) / min(self.played, USUAL_S * self.rate)
        self.position = min(max(at, self.first), self.last)
        times, grain_s = self.heard.width
        if not quiet:
            self.hushed = 0
        self.width = times * math.hypot(place.deviation * self.step, grain_s, UNHEARD * self.hushed * self.step)
        self.track.append((t, self.position, self.width))
        if quiet:  # where nothing is heard it goes on at its pace, which tells nothing of it
            return
        self.trail.append((t, self.position))
        while self.trail[0][0] < t - SLOW_S:
            self.trail.popleft()
        self.pace, self.slow = self._pace(PACE_S, self.pace), self._pace(SLOW_S, self.slow)

    def _pace(self, seconds: float, before: float) -> float:
        """Of the last seconds; ``before`` where there are too few."""
        t, x = self.trail[-1]
        index = max(0, len(self.trail) - 1 - round(seconds * self.rate))
        begun, start = self.trail[index]
        return before if t - begun < seconds / 2 else min(max((x - start) / (t - begun), 0.0), FASTEST)

    def _elsewhere(self, t: float, at: float, place: Place) -> bool:
        """Another place than the one shown: whether it has been kept for long enough to be shown."""
        if self.other and not -SLACK_S <= at - self.other[-1][1] <= FASTEST * self.step + SLACK_S:
            self.other.clear()
        self.other.append((t, at, place.cost))
        if t - self.other[0][0] < KEPT_S:
            return False
        strange = not is_proven(sum(c for _, _, c in self.other) / len(self.other))
        if strange or at - self.other[0][1] < SLOWEST * (t - self.other[0][0]):
            self.other.pop(0)
            return False
        jumped = self.known
        self.trail = deque((when, where) for when, where, _ in self.other)
        self.known, self.held = True, 0
        self._move(t, at, place)
        self.other.clear()
        return jumped

    def _state(self, paused: bool, strange: bool) -> str:
        silent = self.silent >= QUIET_S * self.rate
        idle = paused or silent
        if idle and self.known and (self.proven or not strange) and self.position >= self.last - END_S:
            return "ended"
        if silent:
            return "quiet"
        pausing = paused and self.proven and self.held < PATIENCE_S * self.rate
        if not self.known or (strange and not pausing) or (self.other and self.held > self.rate):
            return "lost"
        return "paused" if paused else "playing"
