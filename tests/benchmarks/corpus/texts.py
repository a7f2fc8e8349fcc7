"""Recordings with their words: plain, after front matter, in part, halves swapped, garbled, with lines nobody says.

Said by actors in Czech and Dutch (a game's dialogues, whose scripts hold the words), by two readers in English ('say
the word ...') and as digits in four languages. Truth: when each line begins and ends, by its energy.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import sound
from cues import read_words
from fresh import SENTENCES
from pool import Made, Pool, kind
from readings import reading
from sources import Recording
from unseen import LINES

Line = tuple[Recording, str]
OWN_DIGITS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "last2": (("en", ("flite_rms", "flite_slt")), ("es", ("colombian_words",)), ("fr", ("armelle_words",))),
    "check2": (("en", ("flite_kal16", "espeak_029")), ("it", ("espeak_it", "espeak_it_f3"))),
    "last3": (("en", ("flite_awb", "espeak_rp_f4")), ("fr", ("espeak_ch", "espeak_fr_f2"))),
}
DIGITS = {
    "en": "zero one two three four five six seven eight nine",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
}


@lru_cache(maxsize=2)
def _said(root: str, language: str) -> dict[str, str]:
    return read_words(Path(root), language)


def _stamp(path: Path) -> str:
    """What is told in English of a picture whose words stand beside it."""
    text = path.with_name(path.name.replace("_desc" + path.suffix, ".txt")).read_text(encoding="utf-8")
    return text.splitlines()[0].strip()


def lines(pool: Pool, which: int) -> list[Line]:
    """This split's recordings of whole lines with their words, of one source, in an order of the draw."""
    if pool.whole and (rows := pool.of("said")) and which % 3 == 1:
        out = [(r, _stamp(Path(r.path))) for r in rows]
    elif pool.whole:
        voices = sorted({r.source for r in pool.of("reread")})
        voice = voices[(pool.at + which) % len(voices)]
        sentences = LINES.get(pool.split, SENTENCES)
        out = [(r, sentences[int(r.group)]) for r in pool.of("reread", source=voice)]
    elif which % 3 == 2:
        rows = pool.of("reread", source="tess")
        voice = "testOAF" if pool.flip() else "testYAF"
        by = {r.group: r for r in sorted(rows, key=lambda r: r.path) if voice in r.path}
        out = [(r, f"Say the word {g}.") for g, r in sorted(by.items())]
    else:
        rows = pool.of("told", language=("cs", "nl")[which % 3])
        root = Path(rows[0].path.split("/usr/share")[0]).parent / "fillets-ng-data"
        said = _said(str(root), rows[0].language)
        out = [(r, said[Path(r.path).stem]) for r in rows if len(said.get(Path(r.path).stem, "").split()) >= 3]
    unique: dict[str, Line] = {t: (r, t) for r, t in out}
    out = sorted(unique.values(), key=lambda e: e[0].path)
    return [out[int(i)] for i in pool.rng.permutation(len(out))]


def spoken(pool: Pool, told: list[Line]) -> tuple[sound.Sound, list[list[object]]]:
    """The lines read one after the other, and [line, start, end] of each."""
    x, marks = reading(pool, [pool.mark(r) for r, _ in told], (0.25, 1.0))
    return x, [[t, round(marks[2 * i], 3), round(marks[2 * i + 1], 3)] for i, (_, t) in enumerate(told)]


def written(
    pool: Pool, x: sound.Sound, text: list[str], segments: list[list[object]], unspoken: list[str], **more: object
) -> Made:
    """Sound and text file."""
    if pool.at % 4 == 3:
        x = sound.with_noise(x, pool.noise(len(x)), pool.uniform(12, 20))
    ref = sound.save(pool.folder / "ref.flac", x)
    (pool.folder / "qry.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
    if pool.at % 2 == 0 and pool.at % 3 != 2 and not pool.whole:  # in the others the text has to tell its language
        more.setdefault("options", {"language": ("cs", "nl")[pool.at % 3]})
    return {"reference": ref.name, "query": "qry.txt", "truth": {"segments": segments, "unspoken": unspoken, **more}}


@kind("text_plain", 6)
def text_plain(pool: Pool) -> Made:
    told = lines(pool, pool.at)[: int(pool.rng.integers(5, 11))]
    x, segments = spoken(pool, told)
    return written(pool, x, [t for _, t in told], segments, [])


@kind("text_front", 6)
def text_front(pool: Pool) -> Made:
    """A title page, a licence and contents before the lines, and lines after the last."""
    every = lines(pool, pool.at)
    told, after = every[:8], every[8:10]
    front = ["THE COMPLETE DIALOGUES", "EDITED FOR SCHOOLS", "All rights reserved. No part of this book may be copied.",
             "CONTENTS", "Chapter one, in which a door is opened", "Chapter two, in which it is closed again",
             "The editor thanks his friends for their patience with the proofs."]  # fmt: skip
    front = front[: int(pool.rng.integers(2, len(front) + 1))]
    x, segments = spoken(pool, told)
    return written(
        pool, x, [*front, "", *(t for _, t in told), *(t for _, t in after)], segments, [*front, *(t for _, t in after)]
    )


@kind("text_half", 6)
def text_half(pool: Pool) -> Made:
    """The whole text, of which the middle is said."""
    every = lines(pool, pool.at)[:14]
    i, n = int(pool.rng.integers(1, 6)), int(pool.rng.integers(4, 8))
    x, segments = spoken(pool, every[i : i + n])
    return written(
        pool, x, [t for _, t in every], segments, [t for k, (_, t) in enumerate(every) if not i <= k < i + n]
    )


@kind("text_swapped", 6)
def text_swapped(pool: Pool) -> Made:
    """The second half of the lines stands before the first: one half can be placed."""
    told = lines(pool, pool.at)[:10]
    x, segments = spoken(pool, told)
    return written(pool, x, [t for _, t in (*told[5:], *told[:5])], segments, [], least=0.4)


@kind("text_garbled", 6)
def text_garbled(pool: Pool) -> Made:
    """As a machine heard it: one word in six wrong, lost or doubled."""
    told = lines(pool, pool.at)[:9]
    x, segments = spoken(pool, told)
    others = [w for _, t in lines(pool, pool.at + 1)[:20] for w in t.split()]
    heard = []
    for _, t in told:
        out: list[str] = []
        for w in t.split():
            r = pool.rng.random()
            out += [pool.choice(others)] if r < 0.1 else [] if r < 0.14 else [w, w] if r < 0.17 else [w]
        heard.append(" ".join(out) or t)
    for s, h in zip(segments, heard, strict=True):
        s[0] = h
    return written(pool, x, heard, segments, [])


@kind("text_unspoken", 6)
def text_unspoken(pool: Pool) -> Made:
    """One line in three is not said, here and there."""
    every = lines(pool, pool.at)[:12]
    silent = {int(i) for i in pool.rng.choice(12, 4, replace=False)}
    x, segments = spoken(pool, [e for i, e in enumerate(every) if i not in silent])
    return written(pool, x, [t for _, t in every], segments, [t for i, (_, t) in enumerate(every) if i in silent])


@kind("text_digits", 8)
def text_digits(pool: Pool) -> Made:
    """Digits in four languages, three or four a line."""
    language, sources = [
        ("en", ("fsdd",)),
        ("es", ("es_allison",)),
        ("fr", ("fr_june",)),
        ("it", ("it_carlo", "it_menardi")),
    ][pool.at % 4]
    if pool.whole:
        of_split = OWN_DIGITS[pool.split]
        language, sources = of_split[pool.at % len(of_split)]
    words = DIGITS[language].split()
    source = pool.choice(sources)
    rows = [r for r in pool.of(source=source) if source == "fsdd" or (r.group.isdigit() and len(r.group) == 1)]
    voice = pool.choice(["george", "jackson", "lucas", "nicolas", "theo", "yweweler"])
    by: dict[int, Recording] = {}
    for r in rows:
        stem = Path(r.path).name
        if source != "fsdd" or voice in stem:
            by[int(stem[0])] = r
    x_items: list[Recording] = []
    text, ends = [], [0]
    for _ in range(6):
        n = int(pool.rng.integers(3, 5))
        digits = [pool.choice(sorted(by)) for _ in range(n)]
        x_items += [pool.mark(by[d]) for d in digits]
        text.append(" ".join(words[d] for d in digits))
        ends.append(ends[-1] + n)
    x, marks = reading(pool, x_items, (0.08, 0.3))
    segments: list[list[object]] = [
        [t, round(marks[2 * a], 3), round(marks[2 * b - 1], 3)] for t, a, b in zip(text, ends, ends[1:], strict=False)
    ]
    return written(pool, x, text, segments, [], options={"language": language})


@kind("no_text", 14)
def no_text(pool: Pool) -> Made:
    """Another text of the same voices, or of another book."""
    every = lines(pool, pool.at)
    told, other = every[:8], every[8:16]
    if pool.whole:
        pass  # one list of sentences: the second eight are not said
    elif pool.at % 3 == 2:  # 'say the word ...' says most of what another such text holds
        told, other = lines(pool, 0)[:8], lines(pool, 1)[:8]
    elif pool.at % 3 == 0:
        other = lines(pool, 2)[:8]
    x, _ = spoken(pool, told)
    one = written(pool, x, [t for _, t in other], [], [])
    return {**one, "truth": {"refuse": True, **{k: v for k, v in one["truth"].items() if k == "options"}}}
