"""What `mmcli align --method auto` accepts and refuses: pairs that belong together and pairs that do not.

    python tests/benchmarks/bench_refusal.py [audio rendition subtitle] [--jobs 2] [--list]

The truth table is written by hand: SOURCES says which part of which file is which recording, WORKS which of them are
renditions of one piece or text. Two parts of one recording are a right pair, two recordings of different works a wrong
one; what overlaps in part, or shares a film, is not counted. Every recording gets nine copies (:mod:`refusal_pairs`):
cut, noisy, drifting, sped up, re-encoded, in a room, with a stretch cut out, re-timed. A map that is accepted and lies
more than 0.1 s from the truth in the median counts as a right pair lost.

None of these recordings, texts and subtitles was used to choose the limits. Those were chosen with the same copies of
others: voices of espeak-ng reading other texts, spoken digits, card names read by people, MIDI pieces rendered with two
sets of instruments, and the music of a game. Two faults were noticed here and put right with the other pairs: a soft
stretch beside a cut was taken for one without partner, and missing cues counted against a subtitle.
The cases are read from ../shared and sample_data; the renditions of speech need espeak-ng.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import refusal_pairs as make

from mmcli.aligners.core.sides import sounded
from mmcli.aligners.methods import auto, subtitles
from mmcli.aligners.subtitles.activity import of_cues, of_sound
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.errors import MismatchError
from mmcli.media import midi, open_clip

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "align"
LOST_S = 0.1
# name: file, start and end in seconds (None: to the end). No two of them share a recording.
SOURCES: dict[str, tuple[Path, float, float | None]] = {
    "interview": (DATA / "s1_offset/timbl_1.mp3", 0.0, None),
    "sonnet 1": (DATA / "s3_transcript/sonnet1.mp3", 0.0, None),
    "sonnet 2": (DATA / "s2_warped_speech/a.ogg", 0.0, None),
    "sonnet 3": (DATA / "s5_subtitles/programme.ogg", 115.0, 168.0),
    "spanish": (DATA / "s5_subtitles/programme.ogg", 174.0, 243.0),
    "german": (DATA / "s5_subtitles/programme.ogg", 245.0, None),
    "variation": (DATA / "s6_score_audio/mozart_k265_var1.mp3", 0.0, None),
    "film": (DATA / "s8_video/a.mp4", 0.0, None),
    "reading": (ROOT / "sample_data/reading/reading.flac", 0.0, None),
    "digits, first voice": (ROOT / "sample_data/digits/audio", 0, 40),
    "digits, last voice": (ROOT / "sample_data/digits/audio", 330, 370),
}
# pairs of files as they are: right, or None where they overlap in part or share more than a recording (not counted)
AS_THEY_ARE: list[tuple[Path, Path, bool | None]] = [
    (DATA / "s1_offset/timbl_1.mp3", DATA / "s1_offset/timbl_2.mp3", True),
    (DATA / "s1_offset/timbl_1.mp3", DATA / "s1_offset/timbl_3.mp3", True),
    (DATA / "s2_warped_speech/a.ogg", DATA / "s2_warped_speech/b.ogg", True),
    (ROOT / "sample_data/reading/reading.flac", ROOT / "sample_data/reading/reading_retimed.ogg", True),
    (ROOT / "sample_data/reading/reading.flac", ROOT / "sample_data/reading/reading_shifted.ogg", True),
    (DATA / "s5_subtitles/programme.ogg", DATA / "s3_transcript/sonnet1.mp3", True),
    (DATA / "s5_subtitles/programme.ogg", DATA / "s2_warped_speech/b.ogg", None),
    (DATA / "s8_video/a.mp4", ROOT / "sample_data/clip/bunny.mp4", None),
]
VOICES = (("en-gb+f3", 150, 60), ("en-us+m1", 170, 40))


@dataclass(frozen=True)
class Pair:
    """Two sides by name, whether they belong together, and what was decided."""

    x: str
    y: str
    right: bool
    accepted: bool
    lost: bool = False
    said: str = ""


@cache
def sound(name: str) -> np.ndarray:
    """The samples of a source at 16 kHz."""
    path, start, end = SOURCES[name]
    if path.is_dir():
        found = [
            open_clip(p, "audio").samples(make.RATE) for p in sorted(path.glob("*.ogg"))[int(start) : int(end or 0)]
        ]
        return np.concatenate(found)
    samples = open_clip(path, "audio").samples(make.RATE)
    return samples[int(start * make.RATE) : None if end is None else int(end * make.RATE)]


@cache
def copies(name: str) -> list[make.Copy]:
    """The copies of a source."""
    return list(make.copies(sound(name), seed=sorted(SOURCES).index(name)))


def judged(x: object, y: object, names: tuple[str, str], right: bool, truth: np.ndarray | None = None) -> Pair:
    """What auto says of a pair."""
    try:
        found = auto.align(x, y)
    except MismatchError as error:
        return Pair(*names, right, False, said=error.what)
    said = f"{found.model}: {found.quality['reason']}"
    return Pair(*names, right, True, right and truth is not None and off(found, truth) > LOST_S, said)


def off(found: Alignment, truth: np.ndarray) -> float:
    """How far the map lies from the truth in the median, seconds; what it leaves undefined counts as far."""
    t = np.linspace(truth[0, 0], truth[-1, 0], 102)[1:-1]
    error = np.abs(TimeMap(found).to_query(t) - np.interp(t, truth[:, 0], truth[:, 1]))
    return float(np.median(np.where(np.isfinite(error), error, np.inf)))


def audio(name: str) -> list[Pair]:
    """A source against its own copies, backwards, and against the copies of the sources after it."""
    x = make.clip(sound(name), name)
    found = [judged(x, make.clip(c.samples), (name, c.kind), True, c.truth) for c in copies(name)]
    found.append(judged(x, make.clip(sound(name)[::-1]), (name, "itself backwards"), False))
    later = list(SOURCES)[list(SOURCES).index(name) + 1 :]
    for k, other in enumerate(later):
        c = copies(other)[(3 * k + len(name)) % len(copies(other))]
        for kind, y in (("", sound(other)), (f", {c.kind}", c.samples)):
            found.append(judged(x, make.clip(y), (name, other + kind), False))
    return found


def given(_: str) -> list[Pair]:
    """The pairs of files as they are."""
    found = []
    for a, b, right in AS_THEY_ARE:
        if right is not None:
            found.append(judged(open_clip(a, "audio"), open_clip(b, "audio"), (a.name, b.name), right))
    return found


def spoken(text: Path, voice: int) -> np.ndarray:
    """A text read by a voice of espeak-ng, samples at 16 kHz."""
    name, speed, pitch = VOICES[voice]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "said.wav"
        args = ["espeak-ng", "-v", name, "-s", str(speed), "-p", str(pitch), "-f", str(text), "-w", str(out)]
        subprocess.run(args, check=True, capture_output=True)
        return open_clip(out, "audio").samples(make.RATE)


@cache
def renditions() -> dict[str, list[tuple[str, np.ndarray]]]:
    """Per work, its renditions: the recording first, then voices, or the score and the performance as plain tones."""
    sonnet, poem = DATA / "s3_transcript/sonnet1.txt", ROOT / "sample_data/reading/transcript.txt"
    folder = DATA / "s6_score_audio"
    scores = {n: sounded(midi.read(folder / f)) for n, f in (
        ("score", "mozart_k265_var1_score.mid"), ("performance", "mozart_k265_var1.mid"))}  # fmt: skip
    found = {
        "variation": [("recording", sound("variation"))] + [(name, s.samples(make.RATE)) for name, s in scores.items()]
    }
    if shutil.which("espeak-ng"):
        for name, text in (("sonnet 1", sonnet), ("reading", poem)):
            found[name] = [("recording", sound(name))] + [
                (f"voice {k + 1}", spoken(text, k)) for k in range(len(VOICES))
            ]
    return found


def rendition(work: str) -> list[Pair]:
    """The renditions of a work against each other, plain, noisy and re-timed; each against those of other works, and
    backwards."""
    found = []
    rng = np.random.default_rng(5)
    for (a, x), (b, y) in combinations(renditions()[work], 2):
        knots = make.wander(len(y) / make.RATE, 0.15, rng)
        moved = make.retimed(y, make.RATE, TimeMap(knots))
        for kind, q in (("", y), (", +15 dB of noise", make.noisy(y, 15, rng)), (", re-timed", moved)):
            found.append(judged(make.clip(x), make.clip(q), (f"{work}, {a}", b + kind), True))
        found.append(judged(make.clip(x), make.clip(y[::-1]), (f"{work}, {a}", f"{b} backwards"), False))
    for other, list_ in renditions().items():
        if other > work:
            for a, x in renditions()[work]:
                for b, y in list_:
                    found.append(judged(make.clip(x), make.clip(y), (f"{work}, {a}", f"{other}, {b}"), False))
    return found


@cache
def cues(part: str) -> np.ndarray:
    """The cues of a part of the programme, from its beginning; of the reading, its sentences by their pauses."""
    start, end = PARTS[part]
    found = np.array([c[:2] for c in open_clip(DATA / "s5_subtitles/reference.srt", "subtitle").cues])
    return found[(found[:, 0] >= start) & (found[:, 1] <= end)] - start


PARTS = {"the programme": (0.0, 313.6), "its first half": (0.0, 170.0), "its second half": (170.0, 313.6)}
STRANGERS = ("interview", "reading", "variation", "film")


def _activity_of(samples: np.ndarray) -> np.ndarray:
    return of_sound(make.clip(samples))


def placed(activity: np.ndarray, c: np.ndarray, names: tuple[str, str], right: bool, truth: np.ndarray | None) -> Pair:
    """What is said of cues against a curve of speech activity. ``truth``: pairs as for :func:`off`."""
    listed = [(float(s), float(e), "") for s, e in c if s >= 0]
    try:
        placement = subtitles.placed(activity, listed, name=names[1], force=False)
    except MismatchError as error:
        return Pair(*names, right, False, said=error.what)
    said = f"in pieces: {len(placement.at.pieces)}, probability {placement.probability:.2f}"
    return Pair(*names, right, True, said=said)


def subtitle(part: str) -> list[Pair]:
    """A part of the programme, clean and with noise, and its own cues as a subtitle, against right and wrong cues."""
    start, end = PARTS[part]
    whole = open_clip(DATA / "s5_subtitles/programme.ogg", "audio").samples(make.RATE)
    x = whole[int(start * make.RATE) : int(end * make.RATE)]
    c = cues(part)
    others = [(n, cues(n)) for n in PARTS if n != part and "the programme" not in (n, part)]
    rng = np.random.default_rng(len(part))
    sides = [
        (part, _activity_of(x)),
        (f"{part}, +10 dB of noise", _activity_of(make.noisy(x, 10, rng))),
        (f"subtitle of {part}", of_cues([(s, e) for s, e in c], float(c.max()))),
    ]
    found = []
    for seed, (name, activity) in enumerate(sides):
        for kind, q in make.each(make.right_cues(c, seed)):
            found.append(placed(activity, q, (name, kind), True, None))
        for kind, q in make.each(make.wrong_cues(c, end - start, others, seed)):
            found.append(placed(activity, q, (name, kind), False, None))
    return found


def stranger(name: str) -> list[Pair]:
    """Another recording against the cues of the parts."""
    activity = _activity_of(sound(name))
    return [placed(activity, cues(p), (name, f"subtitle of {p}"), False, None) for p in PARTS]


KINDS = {
    "audio": [(audio, name) for name in SOURCES] + [(given, "")],
    "rendition": [(rendition, work) for work in ("reading", "sonnet 1", "variation")],
    "subtitle": [(subtitle, part) for part in PARTS] + [(stranger, name) for name in STRANGERS],
}


def _run(kind: str, k: int) -> list[Pair]:
    test, name = KINDS[kind][k]
    return test(name) if kind != "rendition" or name in renditions() else []


def tables(wanted: list[str], jobs: int) -> Iterator[tuple[str, list[Pair]]]:
    """Per kind of pair, all that were judged."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for kind in wanted:
            work = [pool.submit(_run, kind, k) for k in range(len(KINDS[kind]))]
            yield kind, [pair for w in work for pair in w.result()]


def main() -> int:
    """Print the table; 1 where a wrong pair was accepted, or more than one right one in twenty refused or lost."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; all by default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="print every pair and what was said of it")
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"the cases are not here ({DATA})", file=sys.stderr)
        return 2
    begun, missed = time.perf_counter(), 0
    print(f"{'kind':10} {'right':>6} {'refused':>8} {'lost':>5} {'wrong':>6} {'accepted':>9}")
    for kind, pairs in tables(args.kinds or list(KINDS), args.jobs):
        right, wrong = [p for p in pairs if p.right], [p for p in pairs if not p.right]
        refused, lost = sum(not p.accepted for p in right), sum(p.lost for p in right)
        accepted = sum(p.accepted for p in wrong)
        bad = accepted > 0 or refused + lost > 0.05 * len(right)
        missed += bad
        print(f"{kind:10} {len(right):6} {refused:8} {lost:5} {len(wrong):6} {accepted:9}  {'MISSED' if bad else 'ok'}")
        for p in pairs:
            if args.list or p.accepted != p.right or p.lost:
                what = "lost" if p.lost else "accepted" if p.accepted else "refused"
                print(f"    {'right' if p.right else 'wrong'} {what:8} {p.x} / {p.y}: {p.said}")
    print(f"{time.perf_counter() - begun:.0f} s with {args.jobs} processes")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
