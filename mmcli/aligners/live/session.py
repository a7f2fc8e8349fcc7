"""One stream followed along one reference, from samples to what is shown: what ``mmcli follow`` runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmcli.aligners.core.sides import Side
from mmcli.aligners.live import ear, track
from mmcli.aligners.live.ear import Frame, Heard
from mmcli.aligners.live.follower import Follower, Shown
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import MismatchError, UsageError
from mmcli.media import stream

FEATURES = ("auto", "mfcc", "chroma")
STARTS = ("begin", "any")
BEHIND_S = 0.5  # frames that are done later than this are left out, where a stream is followed as it plays


@dataclass(frozen=True)
class Options:
    """How a stream is followed: see the options of ``mmcli follow``."""

    feature: str = "auto"  # mfcc for copies of one recording, chroma for renditions; auto: chroma beside a score
    lag: float = 0.2  # seconds, 0 to 5: what is heard within them corrects the answer
    start: str = "begin"  # where the stream is before anything was heard: at the beginning, or anywhere
    jumps: bool = True  # whether it may go elsewhere

    def __post_init__(self) -> None:
        for name, value, known in (("--feature", self.feature, FEATURES), ("--start", self.start, STARTS)):
            if value not in known:
                raise UsageError(f"{name} {value!r}", hint="one of " + ", ".join(known))
        if not 0 <= self.lag <= 5:
            raise UsageError(f"--lag {self.lag:g}: 0 to 5 seconds")

    def config(self) -> dict[str, Any]:
        """What a map says of them."""
        return {"feature": self.feature, "jumps": self.jumps, "lag": self.lag, "start": self.start}


class Session:
    """``heard`` is the reference; :meth:`follow` gives what is shown, and :meth:`alignment` the map afterwards."""

    def __init__(
        self,
        reference: Path,
        options: Options,
        query: Path | None = None,
        tracks: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self.side, self.options = Side(reference, "reference", track=tracks[0]), options
        self.query = None if query is None else Side(query, "query", track=tracks[1])
        self.frames: list[Frame] | None = None
        self.heard: Heard
        if self.side.has_frames:
            if self.query is None or not self.query.has_frames:
                raise UsageError(
                    "the reference holds features: the other side has to be features of the same kind",
                    source=reference,
                    hint="or name the recording itself as the reference",
                )
            self.heard, self.frames = ear.given(self.side.features, self.query.features)
        elif self.side.kinds[0] not in ("audio", "video"):
            raise MismatchError(
                f"a file of kind {self.side.modality} cannot be followed",
                source=reference.name,
                hint="a recording, a film with sound, a MIDI score or features can",
            )
        else:
            notes = self.side.modality == "score" if options.feature == "auto" else options.feature == "chroma"
            self.heard = ear.reference(self.side.sound, notes)
        self.follower = Follower(self.heard, round(options.lag / self.heard.hop_s), options.start, options.jumps)
        self.skipped = self.left = 0
        self.heard_s = 0.0

    @property
    def remarks(self) -> list[str]:
        """What there is to say of the files, before it begins."""
        sides = [side for side in (self.side, self.query) if side is not None]
        return [f"{side.path.name}: {remark}" for side in sides for remark in side.remarks]

    def follow(self, pieces: Iterable[Any], behind: Callable[[float], float] | None = None) -> Iterator[Shown]:
        """What is shown for each frame of a stream: samples float32 (n,) at :data:`.ear.RATE`, or frames.

        ``behind``: seconds that the frame at a time is late; with it, frames that are too late are left out and
        counted.
        """
        for frame in self._heard(pieces):
            self.heard_s = frame.time
            if behind is not None and behind(frame.time) > BEHIND_S:
                self.left += 1
                continue
            shown = self.follower.push(frame, self.left)
            self.skipped += self.left
            self.left = 0
            if shown is not None:
                yield shown
        yield from self.follower.end()

    def _heard(self, pieces: Iterable[Any]) -> Iterator[Frame]:
        if self.frames is not None:
            yield from pieces
            return
        listening = self.heard.ear()
        for piece in pieces:
            for frame in listening.feed(piece):
                yield frame
                listening.hold = self.follower.pausing
        yield from listening.end()

    def alignment(self, query: dict[str, Any]) -> Alignment:
        """The map of what was followed. Raises :class:`MismatchError` where nothing was."""
        about = {**query, "duration_s": query["duration_s"] or round(self.heard_s, 6)}
        return track.alignment(self.follower, self.options.config(), self.side.about(), about, query["name"])


def paced(pieces: Iterable[Any], seconds: Callable[[Any], float], clock: Callable[[], float] = time.monotonic) -> Any:
    """The pieces of a file as they would come in, each once as much time has passed as it ends at.

    ``seconds`` of a piece: how long it is, or for a frame the time that it ends at.
    """
    begun, at = clock(), 0.0
    for piece in pieces:
        at += seconds(piece)
        if (wait := begun + at - clock()) > 0:
            time.sleep(wait)
        yield piece


class Late:
    """How late frames are of a stream that is read as it plays; while it is waited for, nothing is late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.begun: float | None = None
        self.waited = True

    def __call__(self, at: float) -> float:
        """Seconds that the frame at this time is late."""
        now = self.clock()
        if self.begun is None or self.waited:
            self.begun, self.waited = max(self.begun or now - at, now - at), False
        return now - self.begun - at


def sound_of(rate: int, pieces: Iterable[Any]) -> Iterator[Any]:
    """Samples at the rate of the frames."""
    return stream.at_rate(pieces, rate, ear.RATE)
