"""Programmes of talk with subtitles as people make them: offsets, rates, parts, held on, early, merged, signs, two
translators, other cuts, damaged files. Truth: when each line is really first heard."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import sound
from pool import Made, Pool, kind
from sound import Sound, seconds

WORDS = [
    "so",
    "then",
    "when",
    "we",
    "came",
    "home",
    "late",
    "again",
    "she",
    "said",
    "nothing",
    "and",
    "looked",
    "at",
    "me",
    "as",
    "if",
    "it",
    "were",
    "all",
    "over",
    "now",
    "for",
    "good",
]
NAMED = (25 / 23.976, 23.976 / 25, 25 / 24, 24 / 25, 24 / 23.976)


@dataclass(frozen=True)
class Cue:
    """``start`` to ``end`` s as shown, ``heard`` when the line begins (None where nothing is said)."""

    start: float
    end: float
    text: str
    heard: float | None
    style: str = "Default"


def programme(pool: Pool, length: float) -> tuple[Sound, list[Cue]]:
    """Sentences of many readers in scenes, with pauses, music and room noise, and an author's cues."""
    parts: list[Sound] = []
    cues: list[Cue] = []
    at = 0.0
    rows = [r for r in pool.of("talk", "prompt", "told", "said") if r.source not in ("ami",)]
    while at < length:
        if pool.flip(0.06):
            gap = pool.uniform(6, 14)
        else:
            gap = min(0.25 + float(pool.rng.exponential(1.3)), 5.0)
        parts.append(sound.silence(gap))
        at += gap
        x = sound.load(pool.take(rows).path)
        if seconds(x) > 12:
            x = sound.cut(x, pool.uniform(0, seconds(x) - 12), pool.uniform(4, 12))
        spans = sound.voiced(x)
        for k, (a, b) in enumerate(_of_cue_length(spans)):
            start, end = at + a, at + b
            shown = start - 0.04 + float(pool.rng.normal(0, 0.06))
            cues.append(
                Cue(
                    max(shown, cues[-1].end + 0.02 if cues else 0),
                    end + pool.uniform(0.05, 0.5),
                    _words(pool, b - a),
                    start,
                )
            )
            if k == 0 and len(cues) > 1:
                cues[-2] = replace(cues[-2], end=min(cues[-2].end, cues[-1].start - 0.02))
        parts.append(x)
        at += seconds(x)
    x = np.concatenate(parts)
    bed = pool.at % 3
    if bed == 0:
        x = sound.with_noise(x, sound.hiss(pool.rng, len(x), 1.5), 30)
    elif bed == 1:
        x = sound.with_noise(x, pool.noise(len(x)), pool.uniform(12, 22))
    else:
        x = sound.with_noise(x, np.concatenate([pool.music(30.0) for _ in range(3)]), pool.uniform(8, 18))
    return x, [c for c in cues if c.end - c.start > 0.3]


def _of_cue_length(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Neighbours joined while they stay under 5 s and 0.6 s apart."""
    out: list[tuple[float, float]] = []
    for a, b in spans:
        if out and a - out[-1][1] < 0.6 and b - out[-1][0] < 5:
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return [(a, b) for a, b in out if b - a > 0.25]


def _words(pool: Pool, length: float) -> str:
    n = max(1, round(length * 2.6))
    return " ".join(WORDS[int(pool.rng.integers(len(WORDS)))] for _ in range(n)).capitalize() + "."


def stamp(t: float, mark: str = ",") -> str:
    """As SubRip writes a time."""
    ms = max(0, round(t * 1000))
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{mark}{ms % 1000:03}"


def srt(cues: list[Cue]) -> str:
    """As SubRip."""
    return "\n".join(f"{i}\n{stamp(c.start)} --> {stamp(c.end)}\n{c.text}\n" for i, c in enumerate(cues, 1))


def ass(cues: list[Cue]) -> str:
    """As Advanced SubStation Alpha."""
    styles = "\n".join(f"Style: {s},Arial,20,&H00FFFFFF" for s in sorted({c.style for c in cues}))
    lines = "\n".join(
        f"Dialogue: 0,{stamp(c.start, '.')[1:-1]},{stamp(c.end, '.')[1:-1]},{c.style},,0,0,0,,{c.text}" for c in cues
    )
    return (
        "[Script Info]\nScriptType: v4.00+\nPlayResX: 640\n\n"
        f"[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour\n{styles}\n\n[Events]\n"
        f"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n{lines}\n"
    )


def moved(cues: list[Cue], offset: float, rate: float = 1.0) -> list[Cue]:
    """In a file whose clock shows t where the programme is at offset + rate * t; cues before its start are lost."""
    out = [replace(c, start=(c.start - offset) / rate, end=(c.end - offset) / rate) for c in cues]
    return [c for c in out if c.start > 0]


def made(
    pool: Pool,
    x: Sound,
    cues: list[Cue],
    offset: float,
    rate: float = 1.0,
    *,
    name: str = "qry.srt",
    write: Callable[[list[Cue]], str] = srt,
    encoding: str = "utf-8",
    spoken: list[Cue] | None = None,
) -> Made:
    """The programme (as a podcast's file), the cues moved by offset and rate, and when each is heard."""
    ref = sound.encoded(
        pool.folder / "ref.opus", x * 0.9 / max(float(np.abs(x).max()), 1e-9), "-ar 48000 -c:a libopus -b:a 32k"
    )
    late = moved(cues, offset, rate)
    (pool.folder / name).write_bytes(write(late).encode(encoding))
    heard = [c.heard for c in (spoken or late) if c.heard is not None]
    points = [[round(h, 4), round((h - offset) / rate, 4)] for h in heard if (h - offset) / rate > 0]
    return {"reference": ref.name, "query": name, "truth": {"points": points}}


def _offset(pool: Pool, share: float = 0.3) -> float:
    return 0.0 if pool.flip(share) else -pool.uniform(0.6, 40) if pool.flip(0.7) else pool.uniform(0.6, 8)


@kind("sub_plain", 5)
def sub_plain(pool: Pool) -> Made:
    x, cues = programme(pool, pool.uniform(100, 170))
    return made(pool, x, cues, _offset(pool, 0.1))


@kind("sub_rate", 5)
def sub_rate(pool: Pool) -> Made:
    x, cues = programme(pool, pool.uniform(120, 200))
    return made(pool, x, cues, _offset(pool), NAMED[pool.at % len(NAMED)])


@kind("sub_part", 6)
def sub_part(pool: Pool) -> Made:
    """The file of one CD of two, or cues of a scene alone."""
    x, cues = programme(pool, pool.uniform(150, 220))
    n = int(len(cues) * pool.uniform(0.3, 0.6))
    i = [0, len(cues) - n, int(pool.rng.integers(len(cues) - n + 1))][pool.at % 3]
    part = cues[i : i + n]
    return made(pool, x, part, part[0].start - pool.uniform(1, 4) if pool.flip() else _offset(pool, 0.5))


@kind("sub_held", 6)
def sub_held(pool: Pool) -> Made:
    """Every cue is held on by 0.5 to 1.5 s, or to a least time on the screen."""
    x, cues = programme(pool, pool.uniform(100, 160))
    hold = pool.uniform(0.5, 1.5)
    ends = [*(c.start - 0.04 for c in cues[1:]), 1e9]
    cues = [replace(c, end=min(c.end + hold, e)) for c, e in zip(cues, ends, strict=True)]
    return made(pool, x, cues, _offset(pool))


@kind("sub_early", 5)
def sub_early(pool: Pool) -> Made:
    """Shown a little before they are heard, by a hand that is not steady."""
    x, cues = programme(pool, pool.uniform(100, 160))
    cues = [replace(c, start=c.start - abs(float(pool.rng.normal(0.12, 0.12)))) for c in cues]
    return made(pool, x, cues, _offset(pool))


@kind("sub_merged", 5)
def sub_merged(pool: Pool) -> Made:
    """Two and three lines in one cue."""
    x, cues = programme(pool, pool.uniform(120, 180))
    joined: list[Cue] = []
    for c in cues:
        if joined and c.start - joined[-1].end < 1.5 and c.end - joined[-1].start < 11 and pool.flip(0.6):
            joined[-1] = replace(joined[-1], end=c.end, text=f"{joined[-1].text}\n- {c.text}")
        else:
            joined.append(c)
    return made(pool, x, joined, _offset(pool))


@kind("sub_impaired", 5)
def sub_impaired(pool: Pool) -> Made:
    """For the hard of hearing: sounds and music told where nobody speaks."""
    x, cues = programme(pool, pool.uniform(120, 170))
    extra = [
        Cue(
            a.end + 0.1,
            min(b.start - 0.1, a.end + pool.uniform(1, 3)),
            pool.choice(["[door slams]", "♪ ♪", "(SIGHS)"]),
            None,
        )
        for a, b in itertools.pairwise(cues)
        if b.start - a.end > 1.5 and pool.flip(0.7)
    ]
    named = [replace(c, text=f"ANNA: {c.text}" if pool.flip(0.3) else c.text) for c in cues]
    return made(pool, x, sorted([*named, *extra], key=lambda c: c.start), _offset(pool))


@kind("sub_signs", 6)
def sub_signs(pool: Pool) -> Made:
    """Signs, one over the whole film, a song's syllables: beside the lines."""
    x, cues = programme(pool, pool.uniform(110, 170))
    length = seconds(x)
    extra: list[Cue] = []
    for _ in range(int(len(cues) * pool.uniform(0.3, 0.8))):
        t = pool.uniform(0, length)
        extra.append(Cue(t, t + pool.uniform(1, 6), r"{\an8\pos(320,40)}CITY HALL", None, "Sign"))
    if pool.at % 2 == 0:
        extra.append(Cue(0.0, length, r"{\an7}STATION 5", None, "Sign"))
    else:
        t = pool.uniform(0, length / 2)
        for k in range(24):
            extra.append(Cue(t + 1.1 * k, t + 1.1 * k + 1.0, r"{\k30}la {\k40}la {\k30}la", None, "Karaoke"))
    offset = _offset(pool)
    kept = moved(cues, offset)
    return made(pool, x, sorted([*cues, *extra], key=lambda c: c.start), offset, name="qry.ass", write=ass, spoken=kept)


@kind("sub_translators", 6)
def sub_translators(pool: Pool) -> Made:
    """Two translators' files of one film, one against the other."""
    _, cues = programme(pool, pool.uniform(150, 240))

    def hand(steady: float) -> list[Cue]:
        out: list[Cue] = []
        for c in cues:
            if pool.flip(0.06):
                continue
            d = replace(
                c,
                start=c.start + float(pool.rng.normal(0, steady)),
                end=c.end + float(pool.rng.normal(0.1, 2 * steady)),
            )
            if out and d.start - out[-1].end < 0.8 and pool.flip(0.2):
                out[-1] = replace(out[-1], end=d.end)
            elif d.end - d.start > 2.5 and pool.flip(0.2):
                out += [
                    replace(d, end=(d.start + d.end) / 2 - 0.05),
                    replace(d, start=(d.start + d.end) / 2 + 0.05, heard=None),
                ]
            else:
                out.append(d)
        return out

    rate = [1.0, 25 / 23.976, 1.0][pool.at % 3]
    offset = _offset(pool, 0.1)
    (pool.folder / "ref.srt").write_text(srt(hand(0.08)))
    late = moved(hand(0.12), offset, rate)
    (pool.folder / "qry.srt").write_text(srt(late))
    points = [[round(c.heard, 4), round((c.heard - offset) / rate, 4)] for c in late if c.heard is not None]
    return {"reference": "ref.srt", "query": "qry.srt", "truth": {"points": points}}


@kind("sub_cut", 6)
def sub_cut(pool: Pool) -> Made:
    """Of another cut of the film, in half of them at another rate too."""
    x, cues = programme(pool, pool.uniform(170, 240))
    length, shift, rate = seconds(x), 0.0, 25 / 24 if pool.at % 2 else 1.0
    starts = sorted(pool.uniform(0.2, 0.8) * length for _ in range(1 + pool.at % 2))
    late: list[Cue] = []
    for k, (a, b) in enumerate(zip([0.0, *starts], [*starts, length], strict=True)):
        if k:
            shift += pool.uniform(5, 30)  # a scene (or adverts) that the programme does not have
        late += [
            replace(c, start=(c.start + shift) / rate, end=(c.end + shift) / rate) for c in cues if a <= c.start < b
        ]
    ref = sound.encoded(pool.folder / "ref.opus", x * 0.9 / np.abs(x).max(), "-ar 48000 -c:a libopus -b:a 32k")
    (pool.folder / "qry.srt").write_text(srt(late))
    by = {c.heard: d for c, d in zip(cues, late, strict=True)}
    points = [[round(c.heard or 0, 4), round(by[c.heard].start + ((c.heard or 0) - c.start) / rate, 4)] for c in cues]
    return {"reference": ref.name, "query": "qry.srt", "truth": {"points": points}}


@kind("sub_damaged", 8)
def sub_damaged(pool: Pool) -> Made:
    """A cue that ends before it starts; UTF-16 with a mark; Windows' code pages; cues out of order or doubled."""
    x, cues = programme(pool, pool.uniform(90, 140))
    kind_of = pool.at % 4
    offset = _offset(pool)
    if kind_of == 0:
        i = int(pool.rng.integers(3, len(cues) - 3))
        cues = [*cues[:i], replace(cues[i], end=cues[i].start - pool.uniform(0.5, 3)), *cues[i + 1 :]]
        return made(pool, x, cues, offset)
    if kind_of == 1:
        return made(pool, x, cues, offset, encoding="utf-16")
    if kind_of == 2:
        cues = [replace(c, text="Élan où çà – " + c.text) for c in cues]
        return made(pool, x, cues, offset, encoding="cp1252")
    order = [cues[int(i)] for i in pool.rng.permutation(len(cues))]
    return made(pool, x, [*order, *cues[:5]], offset)


@kind("no_sub", 16)
def no_sub(pool: Pool) -> Made:
    """The subtitle of another programme of the same readers and pauses."""
    x, _ = programme(pool, pool.uniform(80, 130))
    _, cues = programme(replace(pool, at=pool.at + 1000), pool.uniform(80, 130))
    return _strange(pool, x, cues)


@kind("no_sub_turned", 9)
def no_sub_turned(pool: Pool) -> Made:
    """Its own cues backwards, or its cues and pauses in another order."""
    x, cues = programme(pool, pool.uniform(80, 130))
    length = seconds(x)
    if pool.at % 2:
        return _strange(pool, x, [replace(c, start=length - c.end, end=length - c.start) for c in reversed(cues)])
    order, at, out = pool.rng.permutation(len(cues)), 0.0, []
    gaps = pool.rng.permutation([max(b.start - a.end, 0.05) for a, b in itertools.pairwise(cues)] + [1.0])
    for i, gap in zip(order, gaps, strict=True):
        c = cues[int(i)]
        out.append(replace(c, start=at + float(gap), end=at + float(gap) + c.end - c.start))
        at = out[-1].end
    return _strange(pool, x, out)


def _strange(pool: Pool, x: Sound, cues: list[Cue]) -> Made:
    one = made(pool, x, cues, 0.0)
    return {**one, "truth": {"refuse": True}}


def read_words(root: Path, language: str) -> dict[str, str]:
    """What is said in each recording of the played dialogues: {name: text}."""
    said: dict[str, str] = {}
    for script in sorted(root.glob(f"**/script/*/dialogs_{language}.lua")):
        text = script.read_text(encoding="utf-8")
        for name, words in re.findall(r'dialogId\("([^"]+)"[^)]*\)\s*dialogStr\("((?:[^"\\]|\\.)*)"\)', text):
            said[name] = " ".join(words.replace("\\n", " ").replace('\\"', "").split())
    return said
