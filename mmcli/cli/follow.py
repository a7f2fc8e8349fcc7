"""Say where in REFERENCE the live sound is, frame by frame, while it plays.

REFERENCE is a recording, a film with sound, a MIDI score, or features or a series (then QUERY is of that kind too). The
sound comes from standard input (-), raw with --raw or in a container that can be read from a pipe (wav, ogg, opus,
webm, mp3), or from a file; both may be an .xdf of the Lab Streaming Layer (extra xdf). One JSON object a line: t of the
stream and position in the reference, the half-width of the 90 % interval (seconds), the state, the pace (seconds of
reference a second) and whether the position jumped. The whole reference is weighed at every frame, so that a skip, a
repeat or a start in the middle is found again. The state is playing, paused (something else is heard), quiet, lost (not
this piece, as far as can be heard, or not yet found) or ended; the position holds unless it plays.

The answer for t comes --lag seconds later: 0.2 halves the error of 0, more than 0.5 gains nothing. -o writes the map of
what was followed, with breaks where it jumped, for `warp`, `fuse` and `evaluate MAP TRUTH`; Ctrl-C writes it too. In a
passage played twice the map holds one of the two.

--serve shows the reference with the position moving in a browser on this machine, while it lasts; everybody who is
logged in here can look at it, nobody elsewhere. --page writes the same at the end, to be played through again.

\b
  arecord -q -f S16_LE -r 44100 -c 1 - | mmcli follow concert.flac - --raw s16le --rate 44100
  ffmpeg -v error -i http://radio/live -f ogg - | mmcli follow programme.ogg - --every 1
  mmcli follow score.mid performance.wav -o map.json
  mmcli follow talk.wav talk.opus --realtime --serve --port 8123
"""

from __future__ import annotations

import contextlib
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmcli.cli import console
from mmcli.cli.options import JsonFlag
from mmcli.cli.options import command as mm_command
from mmcli.errors import MismatchError, UsageError

if TYPE_CHECKING:
    from mmcli.aligners.live.follower import Shown
    from mmcli.aligners.live.history import History
    from mmcli.aligners.live.session import Late, Session

LOST_S = 10.0  # within which a stranger is known
STATUS_S = 0.1  # between two looks of the line on a terminal


@mm_command()
def command(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="Sound, film, score or features.")],
    query: Annotated[Path, typer.Argument(metavar="-|QUERY", help="The live sound: standard input, or a file.")],
    raw: Annotated[
        str | None, typer.Option(metavar="KIND", help="Standard input is raw samples: s16le or f32le.")
    ] = None,
    rate: Annotated[int | None, typer.Option(min=1, metavar="HZ", help="Rate of --raw samples.")] = None,
    channels: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Channels of --raw samples, mixed to one. [default: 1]")
    ] = None,
    track: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Sound track of REFERENCE, or stream of an .xdf, from 0."),
    ] = None,
    query_track: Annotated[int | None, typer.Option(min=0, metavar="N", help="The same of QUERY.")] = None,
    feature: Annotated[
        str, typer.Option(help="mfcc (copies of one recording), chroma (renditions); auto: chroma beside a score.")
    ] = "auto",
    lag: Annotated[float, typer.Option(metavar="S", help="Seconds that an answer may wait for what comes next.")] = 0.2,
    start: Annotated[str, typer.Option(help="Where it starts: begin (most likely) or any.")] = "begin",
    no_jumps: Annotated[bool, typer.Option("--no-jumps", help="It never goes elsewhere.")] = False,
    every: Annotated[
        float,
        typer.Option(min=0.0, metavar="S", help="A line every S seconds, and one for every jump. 0: every frame."),
    ] = 0.0,
    realtime: Annotated[
        bool,
        typer.Option("--realtime", help="Read a file at its pace; leave out, and count, what is not done in time."),
    ] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="MAP.json", help="Write the map.")] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page of what was followed, to be played again.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="A page that moves along, for browsers on this machine. [default: off]")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, metavar="N", help="--serve: where. [default: any that is free]")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 4 where it was lost throughout.")] = False,
    json: JsonFlag = False,
) -> None:
    """Translate the options, follow, print."""
    live = str(query) == console.STDOUT
    if not live and (raw or rate or channels):
        raise UsageError("--raw, --rate and --channels are for standard input (-)")
    if raw is None and (rate or channels):
        raise UsageError("--rate and --channels are for --raw samples", hint="--raw s16le")
    if raw is not None and rate is None:
        raise UsageError("--raw samples need their rate", hint="for example --rate 44100")
    if port is not None and not serve:
        raise UsageError("--port is for --serve")
    if serve and not (live or realtime):
        raise UsageError("--serve shows a stream (-), or a file that is read at its pace", hint="--realtime, or --page")
    console.apart({"--output": output, "--page": page}, [reference, query])
    for name, path in (("-o", output), ("--page", page)):
        if path is not None and str(path) == console.STDOUT:
            raise UsageError(f"{name} - would mix with the lines", hint="name a file")
    from mmcli.aligners.live.history import History
    from mmcli.aligners.live.session import Late, Options, Session

    options = Options(feature, lag, start, not no_jumps)
    session = Session(reference, options, None if live else query, (track, query_track))
    for remark in session.remarks:
        console.say(remark)
    late = Late() if realtime else None
    pieces = _from_pipe(raw, rate or 0, channels or 1, late) if live else _from_file(session, realtime)
    printer = _Printer(every, lines=not json)
    history = History() if serve or page is not None else None
    try:
        with _served(session, history, _name(query, live), port or 0) if serve else contextlib.nullcontext():
            for shown in session.follow(pieces, late):
                printer.show(shown)
                if history is not None:
                    history.add(shown)
    finally:  # Ctrl-C, SIGTERM and damage end it too: what was followed until then is there
        printer.close()
        if output is not None and session.follower.track:
            _write(session, output)
        if page is not None and history is not None and history.rows:
            from mmcli.aligners.output import following

            said = _said(session, printer)
            following.write(page, session.side, _name(query, live), history, said[0].upper() + said[1:])
            console.say(f"{page}: {len(history.rows)} moments")
    follower = session.follower
    _summary(session, printer, json)
    if not follower.frames:
        raise MismatchError("is too short to be followed", source=_name(query, live))
    if output is not None and not follower.track:
        raise MismatchError("was nowhere found in the reference, so there is no map", source=_name(query, live))
    if strict and printer.lost_throughout:
        raise MismatchError("was lost throughout", source=_name(query, live), hint="is it this piece?")


def _name(query: Path, live: bool) -> str:
    return "standard input" if live else query.name


def _from_pipe(raw: str | None, rate: int, channels: int, late: Late | None) -> Iterator[Any]:
    import os

    from mmcli.aligners.live.session import sound_of
    from mmcli.media import stream

    def read(size: int) -> bytes:
        if late is not None and not select.select([sys.stdin], [], [], 0.0)[0]:
            late.waited = True
        return os.read(sys.stdin.fileno(), size)

    name = "standard input"
    opened = stream.decoded(read, name) if raw is None else stream.raw(read, raw, rate, channels, name)
    return sound_of(*opened)


def _from_file(session: Session, realtime: bool) -> Iterator[Any]:
    from mmcli.aligners.live import ear
    from mmcli.aligners.live.session import paced

    if session.frames is not None:
        hop = session.heard.hop_s
        return paced(session.frames, lambda _: hop) if realtime else iter(session.frames)
    assert session.query is not None
    sound = session.query.sound
    if not realtime:
        return sound.blocks(ear.RATE, 1.0)
    paced_pieces: Iterator[Any] = paced(sound.blocks(ear.RATE, 0.04), lambda piece: len(piece) / ear.RATE)
    return paced_pieces


class _Printer:
    """Lines on standard output, and where standard error alone is a terminal a line there that is written over."""

    def __init__(self, every: float, *, lines: bool) -> None:
        self.every, self.lines = every, lines
        self.next = self.looked = 0.0
        self.counts: dict[str, int] = {}
        self.jumps = 0
        self.last_found = 0.0  # when it was last not lost, seconds
        self.status = sys.stderr.isatty() and not (lines and sys.stdout.isatty()) and not console.settings.quiet

    @property
    def lost_throughout(self) -> bool:
        """Whether it was lost from when that can be said: after at most ten seconds, until the end."""
        return self.last_found <= LOST_S and self.counts.get("lost", 0) > 0

    def show(self, shown: Shown) -> None:
        self.counts[shown.state] = self.counts.get(shown.state, 0) + 1
        self.jumps += shown.jump
        if shown.state != "lost":
            self.last_found = shown.t
        if self.lines and (shown.t >= self.next or shown.jump):
            console.emit(shown.line())
            self.next = max(self.next, (shown.t // self.every + 1) * self.every) if self.every else 0.0
        if self.status and shown.t - self.looked >= STATUS_S:
            self.looked = shown.t
            clock = f"{int(shown.position) // 60}:{shown.position % 60:04.1f}"
            sys.stderr.write(f"\r\x1b[K{clock}  pace {shown.pace:.2f}  {shown.state}")
            sys.stderr.flush()

    def close(self) -> None:
        if self.status and self.looked:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextlib.contextmanager
def _served(session: Session, history: History | None, query: str, port: int) -> Iterator[None]:
    """The page in browsers on this machine."""
    from mmcli.aligners.output import following
    from mmcli.aligners.output.serve import Server

    assert history is not None
    with Server(following.text(session.side, query, f"Following {query}"), history, port) as server:
        console.warn(f"to be seen at {server.address}")
        yield


def _write(session: Session, output: Path) -> None:
    from mmcli.artifacts.formats import alignment

    live = {"name": "-", "sha256": None, "duration_s": None}
    made = session.alignment(live if session.query is None else session.query.about())
    alignment.save(output, made)
    console.say(f"{output}: {made.model}, {len(made.knots)} knots, {len(made.breaks)} breaks")


def _shares(session: Session, printer: _Printer) -> dict[str, float]:
    return {state: n / session.follower.frames for state, n in printer.counts.items()}


def _said(session: Session, printer: _Printer) -> str:
    """What became of the stream, in a sentence."""
    said = ", ".join(f"{s} {share:.0%}" for s, share in sorted(_shares(session, printer).items(), key=lambda s: -s[1]))
    jumps = f"{printer.jumps} jump{'' if printer.jumps == 1 else 's'}"
    skipped = f", {session.skipped} frames not done in time" if session.skipped else ""
    return f"followed {session.heard_s:.1f} s: {said or 'nothing'}; {jumps}{skipped}"


def _summary(session: Session, printer: _Printer, json: bool) -> None:
    follower = session.follower
    shares = _shares(session, printer)
    cost = follower.mean_cost
    if json:
        console.emit(
            {
                "schema": "mmcli/follow@1",
                "frames": follower.frames,
                "skipped": session.skipped,
                "jumps": printer.jumps,
                "states": {state: round(share, 4) for state, share in shares.items()},
                "cost": None if cost is None else round(cost, 4),
            }
        )
    console.say(_said(session, printer))
