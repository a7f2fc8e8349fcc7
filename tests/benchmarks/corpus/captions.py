"""Recordings with the captions that came with them: late, at another rate, in part, of another cut; and of others.

Truth: the captions as they came, moved by what is made of them; how well their authors set them nobody knows, so the
tolerance is 0.5 s. What is a sound and not a line ("[door slams]") has no place in the truth.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cues
import numpy as np
import sound
from cues import NAMED, Cue
from pool import Made, Pool, kind
from sound import Sound, seconds
from sources import Recording

from mmcli.media import open_clip

TOLERANCE_S = 0.5
NO_LINE = re.compile(r"^\W*$|^\s*[\[(♪].*[\])♪]\s*$", re.DOTALL)


def _film(pool: Pool) -> Recording:
    return pool.take(pool.of("captioned"))


def _captions(pool: Pool, film: Recording) -> list[Cue]:
    """One of the film's files of captions, words joined to lines."""
    rows = [r for r in pool.of("captions", source=film.source) if r.group == film.group]
    path = rows[int(pool.rng.integers(len(rows)))].path
    out: list[Cue] = []
    for start, end, text in open_clip(Path(path), "subtitle").cues:
        last = out[-1] if out else None
        if last and " " not in text.strip() and not re.search(r"[.?!:]$", last.text) and end - last.start < 6:
            out[-1] = replace(last, end=end, text=f"{last.text} {text}")
        else:
            out.append(Cue(start, end, text.strip(), None if NO_LINE.match(text) else start))
    return out


def _made(pool: Pool, x: Sound, late: list[Cue], points: list[list[float]]) -> Made:
    ref = sound.encoded(
        pool.folder / "ref.opus", x * 0.9 / max(float(np.abs(x).max()), 1e-9), "-ar 48000 -c:a libopus -b:a 32k"
    )
    (pool.folder / "qry.srt").write_text(cues.srt(late), encoding="utf-8")
    return {"reference": ref.name, "query": "qry.srt", "truth": {"points": points, "tolerance": TOLERANCE_S}}


def _moved(pool: Pool, x: Sound, lines: list[Cue], offset: float, rate: float = 1.0) -> Made:
    late = cues.moved(lines, offset, rate)
    points = [[round(c.start * rate + offset, 4), round(c.start, 4)] for c in late if c.heard is not None]
    return _made(pool, x, late, points)


def _offset(pool: Pool) -> float:
    return 0.0 if pool.at % 4 == 0 else -pool.uniform(0.6, 40) if pool.flip(0.7) else pool.uniform(0.6, 5)


@kind("sub_film", 9)
def sub_film(pool: Pool) -> Made:
    """Late, early, or as they came."""
    film = _film(pool)
    return _moved(pool, sound.load(film.path), _captions(pool, film), _offset(pool))


@kind("sub_film_rate", 6)
def sub_film_rate(pool: Pool) -> Made:
    film = _film(pool)
    return _moved(pool, sound.load(film.path), _captions(pool, film), _offset(pool), NAMED[pool.at % len(NAMED)])


@kind("sub_film_part", 6)
def sub_film_part(pool: Pool) -> Made:
    """Half of the lines or more, from the start, the middle or the end."""
    film = _film(pool)
    lines = _captions(pool, film)
    n = max(min(len(lines), 8), int(len(lines) * pool.uniform(0.5, 0.8)))
    i = [0, len(lines) - n, (len(lines) - n) // 2][pool.at % 3]
    return _moved(pool, sound.load(film.path), lines[i : i + n], _offset(pool))


@kind("sub_film_cut", 6)
def sub_film_cut(pool: Pool) -> Made:
    """The recording lacks some seconds between two lines; the captions are of the whole."""
    film = _film(pool)
    x, lines = sound.load(film.path), _captions(pool, film)
    k = int(len(lines) * pool.uniform(0.35, 0.65))
    first, dropped = lines[k].start - 0.1, pool.uniform(4, 15)
    gone = [c for c in lines if first <= c.start < first + dropped + 0.5]
    end = max(first + dropped, gone[-1].end if gone else 0.0)
    a, b = (min(round(t * sound.RATE), len(x)) for t in (first, end))
    y = np.concatenate([x[:a], x[b:]])
    kept = [c for c in lines if c not in gone and c.start < seconds(x)]
    offset = _offset(pool)
    late = cues.moved(kept, offset)
    points = [
        [round(t - (b - a) / sound.RATE * (t >= end - 0.2), 4), round(t - offset, 4)]
        for c in kept
        if c.heard is not None and (t := c.start) > offset
    ]
    return _made(pool, y, late, points)


@kind("no_sub_film", 18)
def no_sub_film(pool: Pool) -> Made:
    """The captions of another recording, or its own backwards."""
    film = _film(pool)
    x = sound.load(film.path)
    if pool.at % 3 == 2:
        lines, n = _captions(pool, film), seconds(x)
        lines = [replace(c, start=max(n - c.end, 0.0), end=max(n - c.start, 0.1)) for c in reversed(lines)]
    else:
        other = pool.take([r for r in pool.of("captioned") if r.source != film.source])
        lines = _captions(pool, other)
    one = _made(pool, x, lines, [])
    return {**one, "truth": {"refuse": True}}
