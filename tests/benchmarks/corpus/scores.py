"""Performances and scores (MIDI) with their beats: renditions, covers, scores whole, in part, repeated, for orchestra.

The sounds are fluidsynth's, the times and touches those of pianists. Truth: beats marked by hand in the performance and
the score (asap), or the notes of two performances at one place of the score (vienna).
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import mido
import numpy as np
import sound
from copies import written
from pool import Made, Pool, kind
from sound import Sound
from sources import Recording

SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
TICKS = 5000  # a second


@dataclass(frozen=True)
class Played:
    """Messages with their seconds, and the seconds of each beat."""

    messages: tuple[tuple[float, mido.Message], ...]
    beats: dict[float, float]

    def part(self, start: float, end: float) -> Played:
        """From ``start`` to ``end`` s, which becomes 0 to the difference; pedals and programs held over."""
        held: dict[tuple[str, int, int], mido.Message] = {}
        kept: list[tuple[float, mido.Message]] = []
        sounding: set[tuple[int, int]] = set()
        for t, m in self.messages:
            if t < start:
                if m.type in ("program_change", "control_change"):
                    held[(m.type, m.channel, getattr(m, "control", 0))] = m
            elif t < end:
                if m.type == "note_on" and m.velocity:
                    sounding.add((m.channel, m.note))
                elif m.type in ("note_on", "note_off"):
                    if (m.channel, m.note) not in sounding:
                        continue
                    sounding.discard((m.channel, m.note))
                kept.append((t - start, m))
        kept += [(end - start, mido.Message("note_off", channel=c, note=n)) for c, n in sounding]
        first = [(0.0, m) for m in held.values()]
        return Played((*first, *kept), {b: t - start for b, t in self.beats.items() if start <= t < end})

    def later(self, by: float) -> Played:
        """All of it ``by`` s later."""
        return Played(tuple((t + by, m) for t, m in self.messages), {b: t + by for b, t in self.beats.items()})

    def transposed(self, semitones: int) -> Played:
        """Every note higher or lower."""
        return replace(
            self,
            messages=tuple(
                (t, m.copy(note=int(np.clip(m.note + semitones, 0, 127))) if m.type in ("note_on", "note_off") else m)
                for t, m in self.messages
            ),
        )

    def for_instruments(self, programs: list[int]) -> Played:
        """The notes dealt by pitch to instruments, the lowest to the last."""
        limits = [71, 57][: len(programs) - 1]
        out = [(0.0, mido.Message("program_change", channel=c, program=p)) for c, p in enumerate(programs)]
        for t, m in self.messages:
            if m.type in ("note_on", "note_off"):
                out.append((t, m.copy(channel=sum(m.note < edge for edge in limits))))
        return Played(tuple(out), self.beats)

    @property
    def end(self) -> float:
        """Of the last message, s."""
        return max(t for t, _ in self.messages)

    def save(self, path: Path) -> Path:
        """As a Standard MIDI File."""
        track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
        at = 0
        for t, m in sorted(self.messages, key=lambda e: e[0]):
            tick = round(t * TICKS)
            track.append(m.copy(time=tick - at))
            at = tick
        file = mido.MidiFile(type=0, ticks_per_beat=TICKS)
        file.tracks.append(track)
        file.save(path)
        return path

    def rendered(self, folder: Path, name: str) -> Sound:
        """As fluidsynth plays it."""
        midi, wav = self.save(folder / f"{name}.mid"), folder / f"{name}.wav"
        subprocess.run(
            ["fluidsynth", "-ni", "-q", "-g", "0.5", "-r", str(sound.RATE), "-F", str(wav), SOUNDFONT, str(midi)],
            check=True,
            capture_output=True,
        )
        x = sound.load.__wrapped__(str(wav))  # not kept: it is used once
        midi.unlink()
        wav.unlink()
        return x[: round((self.end + 1.0) * sound.RATE)]


@lru_cache(maxsize=8)
def read(path: str) -> Played:
    """A file and its beats."""
    at, messages = 0.0, []
    for m in mido.MidiFile(path, clip=True):
        at += m.time
        if not m.is_meta and m.type in ("note_on", "note_off", "control_change", "program_change"):
            messages.append((at, m))
    return Played(tuple(messages), _beats(Path(path)))


def _beats(path: Path) -> dict[float, float]:
    marks = path.with_name(f"{path.stem}_annotations.txt")
    if marks.exists():
        rows = [line.split("\t") for line in marks.read_text().splitlines() if line.strip()]
        return {float(i): float(r[0]) for i, r in enumerate(rows)}
    match = path.parent.parent / "match" / f"{path.stem}.match"
    if not match.exists():
        return {}
    text = match.read_text(encoding="utf-8", errors="replace")
    tick = int(re.search(r"midiClockRate,(\d+)", text)[1]) / int(re.search(r"midiClockUnits,(\d+)", text)[1]) / 1e6  # type: ignore[index]
    onsets: dict[float, list[float]] = defaultdict(list)
    for score, played in re.findall(
        r"snote\([^,]+,\[[^\]]+\],\d+,[^,]+,[^,]+,[^,]+,([-\d.]+),[^)]*\)-note\([^,]+,\d+,(\d+),", text
    ):
        onsets[float(score)].append(int(played) * tick)
    return {b: float(np.median(t)) for b, t in onsets.items()}


KEYS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def written_out(pool: Pool, path: str, *, rubato: float = 0.0) -> Played:
    """The score that stands beside a performance note by note, at a pace of its own; with ``rubato`` as a machine
    plays it that speeds up and slows down by so much, no two notes of a chord at once."""
    text = Path(path).parent.parent.joinpath("match", f"{Path(path).stem}.match").read_text(encoding="utf-8")
    notes = [
        (
            float(on),
            float(off),
            KEYS[step] + {"#": 1, "b": -1, "n": 0, "x": 2, "##": 2, "bb": -2}[sharp] + 12 * int(octave) + 12,
        )
        for step, sharp, octave, on, off in re.findall(
            r"snote\([^,]+,\[([A-G]),([^\]]+)\],(\d+),[^,]+,[^,]+,[^,]+,([-\d.]+),([-\d.]+),", text
        )
    ]
    beats = np.array(sorted({on for on, _, _ in notes} | {off for _, off, _ in notes}))
    performed = read(path)
    known = sorted(performed.beats)
    pace = (performed.beats[known[-1]] - performed.beats[known[0]]) / (known[-1] - known[0]) * pool.uniform(0.8, 1.25)
    wander = np.cumsum(pool.rng.standard_normal(len(beats)))
    wander -= np.convolve(wander, np.ones(31) / 31, mode="same")
    speed = pace * np.exp(rubato * wander / max(float(wander.std()), 1e-9))
    times = np.concatenate([[0.0], np.cumsum(np.diff(beats) * speed[:-1])]) + 0.1
    at = dict(zip(beats.tolist(), times.tolist(), strict=True))
    messages = []
    for on, off, note in notes:
        start = at[on] + (abs(float(pool.rng.normal(0, 0.012))) if rubato else 0.0)
        force = int(pool.rng.integers(45, 95)) if rubato else 64
        messages.append((start, mido.Message("note_on", note=note, velocity=force)))
        messages.append((max(at[off] - 0.01, start + 0.04), mido.Message("note_off", note=note)))
    messages.sort(key=lambda m: (m[0], m[1].type == "note_on"))
    return Played(tuple(messages), {b: at[b] for b in known if b in at})


def solo(pool: Pool) -> list[Recording]:
    """This split's performances of pieces."""
    return [r for r in pool.of("played") if r.source in ("asap", "batik")]


def _two(pool: Pool, source: str) -> tuple[Played, Played]:
    """One piece played twice; in last2 the second time by a machine."""
    if pool.whole:
        path = pool.take(solo(pool)).path
        return read(path), written_out(pool, path, rubato=pool.uniform(0.08, 0.2))
    _, (one, two) = _piece(pool, scored=False, source=source)
    return read(one.path), read(two.path)


def render(pool: Pool, recording: Recording, length: float) -> Sound:
    """A part of a performance, sounding."""
    played = read(recording.path)
    start = pool.uniform(0, max(played.end - length, 0.01))
    x = played.part(start, min(start + length, played.end)).rendered(pool.folder, "m")[: round(length * sound.RATE)]
    if len(x) < sound.RATE:  # a long rest
        return render(pool, recording, length)
    return x


def _piece(pool: Pool, *, scored: bool, source: str = "asap") -> tuple[str, list[Recording]]:
    """A piece and its performances that share its beats (the score first, where it is asked for)."""
    rows = pool.of("played", source=source)
    groups = sorted({r.group for r in rows})
    order = [groups[(pool.at * 7 + k) % len(groups)] for k in pool.rng.permutation(len(groups))]
    for group in order:
        mine = [r for r in rows if r.group == group]
        if any(f"{r.source}/{r.group}" in pool.used for r in mine):
            continue  # a stranger of this piece would be none
        score = [r for r in mine if r.path.endswith("midi_score.mid")]
        plays = [r for r in mine if not r.path.endswith("midi_score.mid")]
        if source == "asap":
            counts = {r.path: len(_beats(Path(r.path))) for r in mine}
            if not score or counts[score[0].path] < 40:
                continue
            plays = [r for r in plays if counts[r.path] == counts[score[0].path]]
        if len(plays) >= (1 if scored else 2):
            pool.mark(plays[0])
            chosen = [plays[int(i)] for i in pool.rng.permutation(len(plays))[:2]]
            return group, (score + chosen if scored else chosen)
    raise LookupError("no piece has what is asked for")


def _span(pool: Pool, a: Played, b: Played, length: float) -> tuple[float, float]:
    """Two beats that both have, about ``length`` s apart in the first."""
    common = sorted(set(a.beats) & set(b.beats))
    times = np.array([a.beats[k] for k in common])
    last = np.searchsorted(times, times[-1] - length) if times[-1] - times[0] > length else 1
    i = int(pool.rng.integers(max(int(last), 1)))
    j = min(int(np.searchsorted(times, times[i] + length)), len(common) - 1)
    return common[i], common[j]


def _between(played: Played, first: float, last: float, lead: float = 0.0) -> Played:
    start = max(played.beats[first] - 0.02, 0.0)
    return played.part(start, played.beats[last] + 0.3).later(lead)


def _truth(a: Played, b: Played) -> list[list[float]]:
    rows = sorted((b.beats[k], a.beats[k]) for k in set(a.beats) & set(b.beats))
    step = max(1, len(rows) // 200)
    return [[round(r, 4), round(q, 4)] for q, r in rows[::step]]


@kind("rendition", 7)
def rendition(pool: Pool) -> Made:
    """One piece by two pianists, at one piano or two."""
    a, b = _two(pool, "vienna" if pool.at % 4 == 3 else "asap")
    span = _span(pool, a, b, pool.uniform(25, 45))
    a, b = _between(a, *span, pool.uniform(0, 2)), _between(b, *span, pool.uniform(0, 2))
    x, y = a.rendered(pool.folder, "a"), b.rendered(pool.folder, "b")
    if pool.flip():
        y = sound.with_noise(sound.in_room(y, pool.room(), 0.7), pool.noise(len(y)), pool.uniform(15, 30))
    return written(pool, x, y, points=_truth(a, b))


ENSEMBLES = ([48, 48, 48], [40, 41, 42], [73, 71, 70], [56, 60, 58], [24, 24, 32], [6, 6, 6], [19, 19, 19])


@kind("cover", 7)
def cover(pool: Pool) -> Made:
    """Another pianist's performance for other instruments, transposed."""
    a, b = _two(pool, "vienna" if pool.at % 4 == 1 else "asap")
    span = _span(pool, a, b, pool.uniform(25, 45))
    a, b = _between(a, *span, pool.uniform(0, 2)), _between(b, *span, pool.uniform(0, 2))
    b = b.transposed(pool.choice([-5, -3, -2, -1, 1, 2, 4])).for_instruments(pool.choice(ENSEMBLES))
    y = sound.in_room(b.rendered(pool.folder, "b"), pool.room(), 0.6)
    y = sound.with_noise(y, pool.noise(len(y)), pool.uniform(15, 30))
    return written(pool, a.rendered(pool.folder, "a"), y, points=_truth(a, b))


def _scored(pool: Pool, length: float) -> tuple[Played, Played, tuple[float, float]]:
    """A performance, its score, and a span of beats."""
    if pool.whole:
        path = pool.take([r for r in solo(pool) if f"{r.source}/{r.group}" not in pool.used]).path
        score, played = written_out(pool, path), read(path)
        return played, score, _span(pool, played, score, length)
    _, rows = _piece(pool, scored=True)
    score, played = read(rows[0].path), read(rows[1].path)
    return played, score, _span(pool, played, score, length)


def _with_score(pool: Pool, x: Sound, score: Played, played: Played, **truth: object) -> Made:
    ref = sound.save(pool.folder / "ref.flac", x)
    qry = score.save(pool.folder / "qry.mid")
    return {"reference": ref.name, "query": qry.name, "truth": {"points": _truth(played, score), **truth}}


@kind("score_whole", 6)
def score_whole(pool: Pool) -> Made:
    played, score, span = _scored(pool, pool.uniform(25, 50))
    a, b = _between(played, *span, pool.uniform(0, 3)), _between(score, *span)
    return _with_score(pool, a.rendered(pool.folder, "a"), b, a)


@kind("score_excerpt", 8)
def score_excerpt(pool: Pool) -> Made:
    """A quarter to a half of the score against the performance, or of the performance against the score."""
    played, score, span = _scored(pool, pool.uniform(45, 70))
    keys = [k for k in sorted(set(played.beats) & set(score.beats)) if span[0] <= k <= span[1]]
    n = int(len(keys) * pool.uniform(0.25, 0.5))
    i = int(pool.rng.integers(len(keys) - n))
    inner = (keys[i], keys[i + n - 1])
    wide = pool.at % 2 == 0
    a = _between(played, *(span if wide else inner), pool.uniform(0, 2))
    b = _between(score, *(inner if wide else span))
    return _with_score(pool, a.rendered(pool.folder, "a"), b, a)


@kind("score_repeats", 6)
def score_repeats(pool: Pool) -> Made:
    """The score has a repeat sign's second time that the performance leaves out, or the other way round."""
    played, score, span = _scored(pool, pool.uniform(35, 50))
    keys = [k for k in sorted(set(played.beats) & set(score.beats)) if span[0] <= k <= span[1]]
    third = len(keys) // 3
    middle = (keys[third], keys[2 * third])
    a, b = _between(played, *span, 0.5), _between(score, *span)

    def again(p: Played) -> Played:
        t0, t1 = p.beats[middle[0]], p.beats[middle[1]]
        parts = [p.part(0, t1), p.part(t0, t1).later(t1), p.part(t1, p.end + 0.01).later(2 * t1 - t0)]
        beats = {
            **{k: t for k, t in parts[0].beats.items() if t < t0},
            **parts[2].beats,
        }  # either time is right between
        return Played(tuple(m for q in parts for m in q.messages), beats)

    if pool.at % 2:
        a = again(a)
    else:
        b = again(b)
    return _with_score(pool, a.rendered(pool.folder, "a"), b, a, structure=True)


@kind("score_orchestra", 6)
def score_orchestra(pool: Pool) -> Made:
    """The performance on several instruments, in a room, against the piano score."""
    played, score, span = _scored(pool, pool.uniform(25, 45))
    a, b = _between(played, *span, pool.uniform(0, 2)), _between(score, *span)
    x = a.for_instruments(pool.choice(ENSEMBLES)).rendered(pool.folder, "a")
    return _with_score(pool, sound.in_room(x, pool.room(), 0.7), b, a)


@kind("no_score", 14)
def no_score(pool: Pool) -> Made:
    """The score of another piece."""
    played, _, span = _scored(pool, pool.uniform(20, 35))
    _, other, across = _scored(pool, pool.uniform(20, 35))
    pool_truth = _between(played, *span)
    ref = sound.save(pool.folder / "ref.flac", pool_truth.rendered(pool.folder, "a"))
    qry = _between(other, *across).save(pool.folder / "qry.mid")
    return {"reference": ref.name, "query": qry.name, "truth": {"refuse": True}}


@kind("no_piece", 14)
def no_piece(pool: Pool) -> Made:
    """Another piece on the same instrument."""
    rows = solo(pool)
    x = render(pool, pool.take(rows), pool.uniform(18, 30))
    y = render(pool, pool.take([r for r in rows if f"{r.source}/{r.group}" not in pool.used]), pool.uniform(18, 30))
    return written(pool, x, y, refuse=True)
