"""One text by two voices: several sentences, one sentence, single words; in English, Spanish, French and Italian.

Truth: where each sentence or word begins and ends, by its energy over the pauses put between them (about 20 ms sure).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sound
from copies import written
from pool import Made, Pool, kind
from sound import Sound, seconds
from sources import Recording


def speaker(r: Recording) -> str:
    """Whose voice a recording of one text is."""
    stem = Path(r.path).name
    if r.source == "vctk":
        return stem.split("_")[0]
    if r.source == "tess":
        return "OAF" if "testOAF" in stem else "YAF"
    if r.source == "fsdd":
        return stem.split("_")[1]
    return r.source


def text(r: Recording) -> str:
    """Which text it is."""
    if r.source == "fsdd":
        return Path(r.path).name.split("_")[0]
    return r.group


def reading(pool: Pool, items: list[Recording], pause: tuple[float, float]) -> tuple[Sound, list[float]]:
    """The items one after the other, and where each begins and ends, s."""
    parts, marks, at = [sound.silence(pool.uniform(0.2, 1.0))], [], 0.0
    at = seconds(parts[0])
    for r in items:
        x = sound.load(r.path)
        spans = sound.voiced(x)
        a, b = (spans[0][0], spans[-1][1]) if spans else (0.0, seconds(x))
        x = sound.cut(x, max(a - 0.05, 0), min(b + 0.05, seconds(x)) - max(a - 0.05, 0))
        marks += [at + min(0.05, a), at + min(0.05, a) + b - a]
        gap = sound.silence(pool.uniform(*pause))
        parts += [x, gap]
        at += seconds(x) + seconds(gap)
    y = np.concatenate(parts)
    return y + sound.hiss(pool.rng, len(y), 1.0) * 0.003, marks


def pair(
    pool: Pool, rows: list[Recording], n: int, pause: tuple[float, float]
) -> tuple[Sound, Sound, list[list[float]]]:
    """n texts by two speakers, in one order."""
    by: dict[str, dict[str, list[Recording]]] = {}
    for r in rows:
        by.setdefault(speaker(r), {}).setdefault(text(r), []).append(r)
    names = sorted(by)
    pairs = [(a, b) for a in names for b in names if a < b and len(set(by[a]) & set(by[b])) >= min(n, 3)]
    a, b = pairs[int(pool.rng.integers(len(pairs)))]
    common = sorted(set(by[a]) & set(by[b]))
    order = [
        common[int(i)]
        for i in (pool.rng.permutation(len(common))[:n] if n <= len(common) else pool.rng.integers(len(common), size=n))
    ]
    xs = [pool.mark(pool.choice(sorted(by[a][t], key=lambda r: r.path))) for t in order]
    ys = [pool.mark(pool.choice(sorted(by[b][t], key=lambda r: r.path))) for t in order]
    x, m = reading(pool, xs, pause)
    y, k = reading(pool, ys, pause)
    return x, y, [[round(r, 4), round(q, 4)] for r, q in zip(m, k, strict=True)]


def _rows(pool: Pool, which: int) -> list[Recording]:
    if pool.whole:
        return pool.of("reread")
    return pool.of("reread", source="vctk" if which % 2 == 0 else "tess")


@kind("reread", 8)
def reread(pool: Pool) -> Made:
    """Three to eight sentences by two readers, one of them over a telephone or in a room in a third."""
    x, y, points = pair(pool, _rows(pool, pool.at), 3 if pool.at % 2 == 0 else int(pool.rng.integers(5, 9)), (0.2, 0.7))
    if pool.at % 3 == 2:
        y = sound.telephone(y) if pool.flip() else sound.in_room(y, pool.room(), 0.5)
    return written(pool, x, y, points=points)


@kind("reread_sentence", 8)
def reread_sentence(pool: Pool) -> Made:
    """One sentence of one to six seconds."""
    x, y, points = pair(pool, _rows(pool, pool.at), 1, (0.2, 0.5))
    return written(pool, x, y, points=points)


OWN_LANGUAGES = {
    "last2": (("flite_rms", "flite_slt"), ("armelle_words", "espeak_be"), ("colombian_words", "espeak_es2")),
    "check2": (("flite_kal16", "espeak_029"), ("espeak_it", "espeak_it_f3")),
    "last3": (("flite_awb", "espeak_rp_f4"), ("espeak_ch", "espeak_fr_f2")),
}
LANGUAGES = (("fsdd",), ("it_carlo", "it_menardi"), ("fr_june", "espeak_fr"), ("es_allison", "espeak_es"))


def _languages(pool: Pool) -> tuple[str, ...]:
    """The sources of words of one language, another one for every pair."""
    every: tuple[tuple[str, ...], ...] = OWN_LANGUAGES.get(pool.split, LANGUAGES)
    return every[pool.at % len(every)]


@kind("reread_words", 12)
def reread_words(pool: Pool) -> Made:
    """Digits and letters by two voices, of which in French and Spanish one is made; a telephone in a quarter."""
    sources = _languages(pool)
    x, y, points = pair(
        pool, [r for s in sources for r in pool.of(source=s)], int(pool.rng.integers(8, 20)), (0.1, 0.6)
    )
    if pool.at % 4 == 1:
        y = sound.telephone(y)
    return written(pool, x, y, points=points)


@kind("no_words", 12)
def no_words(pool: Pool) -> Made:
    """The same kind of words, others in another order, by the same voice or another."""
    rows = [r for s in _languages(pool) for r in pool.of(source=s)]
    texts = sorted({text(r) for r in rows})
    half = {t for i, t in enumerate(pool.rng.permutation(texts)) if i % 2}
    sides = []
    for keep in (True, False):
        mine = sorted((r for r in rows if (text(r) in half) == keep), key=lambda r: r.path)
        sides.append(reading(pool, [pool.mark(pool.choice(mine)) for _ in range(12)], (0.1, 0.6))[0])
    return written(pool, *sides, refuse=True)


@kind("no_sentence", 10)
def no_sentence(pool: Pool) -> Made:
    """Other sentences, by the same reader in half."""
    rows = (_rows(pool, 0) if pool.whole else pool.of("reread", source="vctk")) + pool.of(
        "told", "talk", source=None, language="en"
    )
    a = pool.take(rows)
    others = [r for r in rows if r.group != a.group]
    b = pool.take([r for r in others if pool.at % 2 or r.source == a.source] or others)
    return written(
        pool,
        reading(pool, [a], (0.2, 0.4))[0][: 20 * sound.RATE],
        reading(pool, [b], (0.2, 0.4))[0][: 20 * sound.RATE],
        refuse=True,
    )
