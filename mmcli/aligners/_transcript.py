"""A transcript against speech: when each line and word is spoken, through pocketsphinx's English acoustic model.

The words stand in one chain of a finite-state grammar; fillers of the model take up silence and noise. Where the end
of the chain is not reached, the beams are widened and the search begins again. Lines that then fit far worse than the
rest, or are hurried through, may not be spoken at all: they and their neighbours may be skipped in a second search,
so that text that nobody reads is marked and does not drag the lines around it along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.aligners import _edges, _words
from mmcli.aligners._words import Line
from mmcli.errors import InputError, MismatchError

RATE = 16_000
FRAME_S = 0.01
SKIP = 1e-12  # chance of a line that is not spoken
FAR = 3.0  # spreads below the usual score of a line that make it doubtful
HURRIED = 1.6  # times the usual pace
BEAMS = ((1e-64, 1e-56), (1e-120, 1e-100), (0.0, 0.0))  # tried in turn: for states, for words; 0: nothing is cut off
# Mean log-likelihood of a frame next to that of the best sound for it. Texts that were read gave -1.3 (a person) and -3
# to -7.5 (synthetic voices), other texts -7.9 and less; a word that is not spoken counts as a bad one.
LEAST_FIT, UNSPOKEN = -7.7, -10.0
SCALE = 1024.0  # by which the decoder shifts its acoustic scores down


@dataclass(frozen=True)
class Spoken:
    """Where a written word lies: seconds, and the mean log-likelihood of its frames; None where it is not spoken."""

    start: float | None
    end: float | None
    score: float | None


@dataclass(frozen=True)
class Found:
    """Per line, per word: where it is spoken. ``guessed``: words sounded out by their letters."""

    lines: list[Line]
    words: list[list[Spoken]]
    guessed: list[str]


def align(sound: Any, text: str, name: str) -> Found:
    """When the lines and words of an English text are spoken in an audio clip.

    Raises InputError where the text holds no words, MismatchError where most of it is not spoken in the recording.
    """
    lines = _words.lines(text)
    if not lines:
        raise InputError("holds no words", source=name)
    samples = np.clip(np.round(sound.samples(RATE) * 32767), -32768, 32767).astype("<i2").tobytes()
    found = _searched(lines, samples, skippable=set())
    doubtful = set(range(len(lines))) if found is None else _doubtful(found)
    if doubtful:
        again = _searched(lines, samples, skippable={k + d for k in doubtful for d in (-1, 0, 1)})
        found = again or found
    if found is not None:
        fit = np.mean([UNSPOKEN if w.score is None else w.score for row in found.words for w in row])
        if fit >= LEAST_FIT:
            return _drawn_in(found, samples)
        raise MismatchError(
            f"is not what is spoken: its words fit {fit:.1f} a frame, the limit is {LEAST_FIT} (strangers: -8)",
            source=name,
            hint="check that the text and the recording belong together and that both are English",
        )
    raise MismatchError(
        "is not spoken in the recording: no way through its words was found",
        source=name,
        hint="check that the text and the recording belong together and that both are English",
    )


def _drawn_in(found: Found, samples: bytes) -> Found:
    """The same with the words' edges where their sound begins and ends."""
    level = _edges.levels(np.frombuffer(samples, dtype="<i2") / 32768, RATE)
    known = [(w.start, w.end) for row in found.words for w in row if w.start is not None and w.end is not None]
    moved = iter(_edges.drawn_in(known, level))
    words = [[w if w.start is None else Spoken(*next(moved), w.score) for w in row] for row in found.words]
    return Found(found.lines, words, found.guessed)


def _searched(lines: list[Line], samples: bytes, *, skippable: set[int]) -> Found | None:
    """The best way through the words, beams widened until the end is reached; None where it is not.

    Where lines can be skipped, narrow beams lose true ones: the result with the most words found is taken.
    """
    best, most = None, -1
    for beam, wide in BEAMS:
        decoder, guessed = _decoder(lines, beam, wide, skippable)
        segments = _decoded(decoder, samples)
        if segments is None:
            continue
        words = _assigned(lines, segments)
        heard = sum(w.start is not None for row in words for w in row)
        if heard > most:
            best, most = Found(lines, words, guessed), heard
        if heard == sum(len(row) for row in words):
            break
    return best


def _doubtful(found: Found) -> set[int]:
    """Lines that fit far worse than the rest, or whose letters are spoken faster than anybody speaks."""
    score = np.full(len(found.lines), np.nan)
    pace = np.full(len(found.lines), np.nan)
    for k, (line, row) in enumerate(zip(found.lines, found.words, strict=True)):
        spoken = [w for w in row if w.start is not None and w.end is not None and w.score is not None]
        if spoken:
            score[k] = np.mean([w.score for w in spoken if w.score is not None])
            pace[k] = sum(len(s) for w in line.words for s in w.spoken) / sum(
                w.end - w.start for w in spoken if w.end is not None and w.start is not None
            )
    if len(found.lines) < 2:
        return set()
    usual = float(np.nanmedian(score))
    spread = max(1.4826 * float(np.nanmedian(np.abs(score - usual))), 0.1 * abs(usual))
    bad = (score < usual - FAR * spread) | (pace > HURRIED * float(np.nanmedian(pace)))
    return set(np.flatnonzero(bad | np.isnan(score)).tolist())


def _decoder(lines: list[Line], beam: float, word_beam: float, skippable: set[int]) -> tuple[Any, list[str]]:
    """A decoder with the grammar of the text, and the words whose sounds had to be guessed."""
    from pocketsphinx import Decoder

    decoder = Decoder(
        lm=None, loglevel="FATAL", beam=beam, pbeam=beam, wbeam=word_beam, samprate=float(RATE), bestpath=False
    )
    guessed = []
    for word in dict.fromkeys(s for line in lines for w in line.words for s in w.spoken):
        if decoder.lookup_word(word) is None:
            decoder.add_word(word, _words.sounded_out(word), True)
            guessed.append(word)
    # One entry of the dictionary per word: the decoder chooses among its pronunciations by itself.
    transitions: list[tuple[Any, ...]] = []
    state = 0
    for k, line in enumerate(lines):
        first = state
        for s in (s for w in line.words for s in w.spoken):
            transitions.append((state, state + 1, 1.0, s))
            state += 1
        if k in skippable:
            transitions.append((first, state, SKIP))
    grammar = decoder.create_fsg("text", 0, state, transitions)
    decoder.add_fsg("text", grammar)
    decoder.activate_search("text")
    return decoder, guessed


def _decoded(decoder: Any, samples: bytes) -> list[tuple[str, int, int, float]] | None:
    """(word, first frame, last frame, log-likelihood per frame) in order; None where the end was not reached."""
    decoder.start_utt()
    decoder.process_raw(samples, no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return None
    out = []
    for s in decoder.seg() or ():
        if s.word.startswith(("<", "[", "+")) or s.word == "(NULL)":
            continue
        fit = float(np.log(max(s.ascore, 1e-300))) * SCALE / (s.end_frame - s.start_frame + 1)
        out.append((s.word.partition("(")[0], s.start_frame, s.end_frame, fit))
    return out


def _assigned(lines: list[Line], segments: list[tuple[str, int, int, float]]) -> list[list[Spoken]]:
    """The segments given to the words of the lines, in order; a line whose words do not come next is not spoken."""
    out: list[list[Spoken]] = []
    at = 0
    for line in lines:
        wanted = [s for w in line.words for s in w.spoken]
        heard = [s[0] for s in segments[at : at + len(wanted)]]
        if heard[: len(wanted)] != wanted[: len(heard)] or not heard:
            out.append([Spoken(None, None, None)] * len(line.words))
            continue
        row = []
        for w in line.words:
            part = segments[at : at + len(w.spoken)]
            at += len(part)
            if part:
                score = float(np.mean([p[3] for p in part]))
                row.append(Spoken(part[0][1] * FRAME_S, (part[-1][2] + 1) * FRAME_S, round(score, 3)))
            else:
                row.append(Spoken(None, None, None))
        out.append(row)
    return out


def segments_of(found: Found) -> list[dict[str, Any]]:
    """The ``segments`` of an alignment: every line, followed by its words, in the order of the text."""
    out: list[dict[str, Any]] = []
    for line, row in zip(found.lines, found.words, strict=True):
        spoken = [w for w in row if w.start is not None]
        scores = [w.score for w in spoken if w.score is not None]
        out.append(
            {
                "kind": "line",
                "text": line.text,
                "start": spoken[0].start if spoken else None,
                "end": spoken[-1].end if spoken else None,
                "score": round(float(np.mean(scores)), 3) if scores else None,
                "spoken": bool(spoken),
            }
        )
        for word, w in zip(line.words, row, strict=True):
            out.append(
                {
                    "kind": "word",
                    "text": word.text,
                    "start": w.start,
                    "end": w.end,
                    "score": w.score,
                    "spoken": w.start is not None,
                }
            )
    return out
