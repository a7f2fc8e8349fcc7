"""A transcript against speech: when each line and word is spoken, through pocketsphinx's English acoustic model.

The words are one chain of sounds. The best way of the chain through the recording may leave out phrases that nobody
speaks, and may pass speech that is not in the text by a filler, between phrases; so neither drags the lines around it
along. A long recording is worked through in windows: each begins where the last phrase ended that fits well and lies
well inside the window before, so that time and memory grow with the length and no faster.

Whether text and recording belong together is asked of the same words backwards: in the right order they must fit
better. Other languages are told by their common words, and their sounds come from espeak-ng, see :mod:`.language`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits, odds
from mmcli.aligners.core.inputs import refusal
from mmcli.aligners.kernels import spoken
from mmcli.aligners.speech import edges, phones, words
from mmcli.aligners.speech.language import detect, lines_in
from mmcli.aligners.speech.phones import Heard
from mmcli.aligners.speech.words import Line
from mmcli.errors import InputError, MismatchError

FRAME_S = 0.01
# A frame is 25.6 ms of sound, and what divides two of them lies between their middles. (Without it voices of espeak-ng,
# whose edges are known, began 10 to 15 ms and ended 9 to 21 ms too early.)
MIDDLE_S = (0.0256 - FRAME_S) / 2
WINDOW, TAIL = 6000, 1000  # frames of a window; of its end, where what is found is not yet trusted
REACHES = (0.6, 3.6)  # states of text a frame that are searched; people speak 0.35
LEAST_SPOKEN, NOTHING = 50, -10.0  # frames that are no silence; how well words fit fewer, nats a frame
STATISTIC = "nats a frame that the words fit better than backwards"


@dataclass(frozen=True)
class Spoken:
    """Where a written word lies: seconds, and how its frames fit; None where it is not spoken.

    ``score`` is the mean log-likelihood of its frames next to the best sequence of sounds: 0 is perfect.
    """

    start: float | None
    end: float | None
    score: float | None


UNSPOKEN = Spoken(None, None, None)


@dataclass(frozen=True)
class Reading:
    """Per line, per word: where it is spoken. ``guessed``: words sounded out by their letters."""

    lines: list[Line]
    words: list[list[Spoken]]
    guessed: list[str]
    language: str = "en"
    gain: float = 0.0  # see STATISTIC
    forwards: float = 0.0  # how well they fit at all, nats a frame
    verdict: str = "match"

    @property
    def evidence(self) -> dict[str, float]:
        """What the odds of a text are made of."""
        return {"gain": self.gain, "forwards": self.forwards}


class _Walked(NamedTuple):
    """Per spoken word its first frame, the frame after its last (-1: not spoken) and the mean of its ratios."""

    spans: NDArray[np.int64]
    fit: NDArray[np.float64]
    gain: float
    forwards: float
    backwards: float


def align(sound: Any, text: str, name: str, *, language: str | None = None, force: bool = False) -> Reading:
    """When the lines and words of a text are spoken in an audio clip.

    ``language``: the code of espeak-ng ("de"), None to tell it by the words. Raises InputError where the text holds no
    words, MissingError where its language needs espeak-ng, MismatchError where it is not what is spoken (``force``:
    only where none of it is found).
    """
    told = language or detect(text, name)
    english = told.partition("-")[0] == "en"
    lines, sounds, guessed = _in_english(text) if english else lines_in(text, told)
    if not lines:
        raise InputError("holds no words", source=name)
    script = written(lines, sounds)
    samples = sound.samples(phones.RATE)
    walked = _walk(script, phones.hear(samples, sound.name), prices(foreign=not english))
    if not (walked.spans[:, 0] >= 0).any():
        raise _unheard(name)
    evidence = {"gain": walked.gain, "forwards": walked.forwards}
    probability, share = odds.probability("text", evidence), float(np.mean(walked.spans[:, 0] >= 0))
    verdict = odds.settled(
        probability,
        ("it is not what is spoken: " if odds.verdict(probability) == "no match" else "") + _reason(walked, share),
        name,
        force=force,
        decides="more of what is said, or its language (--language CODE), would decide it",
        evidence={
            "backwards": round(walked.backwards, 6),
            "words_found": round(share, 6),
            "candidates": [odds.said("text", evidence)],
        },
    )
    places = _drawn_in(_by_line(lines, script, walked, len(samples) / phones.RATE), samples)
    return Reading(lines, places, guessed, told, walked.gain, walked.forwards, verdict)


def prices(*, foreign: bool) -> spoken.Prices:
    """What it costs to pass over speech, and over text."""
    filler = limits.FILLER_FOREIGN if foreign else limits.FILLER
    return spoken.Prices(filler.value, limits.FILLER_BEGIN.value, limits.SKIP.value, limits.SKIP_MORE.value)


def is_likely(fit: float, prices: spoken.Prices) -> bool:
    """Whether a word fits so much better than a filler that it is kept where no run of phrases is to be trusted."""
    return fit >= limits.LIKELY.value - prices.filler


def is_poor(fit: float) -> bool:
    """Whether the model hardly knows the voice whose words fit like that."""
    return fit < limits.POOR.value


def _in_english(text: str) -> tuple[list[Line], Callable[[str], tuple[str, ...]], list[str]]:
    """Lines, the sounds of each word by dictionary or by its letters, and the words that needed the latter."""
    lines = words.lines(text)
    known = phones.dictionary()
    spoken_words = dict.fromkeys(s for line in lines for w in line.words for s in w.spoken)
    guessed = {s: tuple(words.sounded_out(s).split()) for s in spoken_words if s not in known}
    return lines, lambda s: guessed[s] if s in guessed else known[s], list(guessed)


def _reason(walked: _Walked, share: float) -> str:
    """What speaks for and against a text, of which a ``share`` of the words is found, for people."""
    return (
        f"{share:.0%} of its words are found; they fit {walked.forwards:.2f} nats a frame, backwards "
        f"{walked.backwards:.2f}: their order gains {walked.gain:.2f}"
    )


def _unheard(name: str) -> MismatchError:
    """The error to raise where none of the words is found, which --force does not help."""
    error = refusal("it is not what is spoken: none of its words is found", name, statistic=STATISTIC, value=0, limit=0)
    error.hint = "check that the text and the recording belong together, and the language: --language CODE"
    return error


class _Window(NamedTuple):
    """What was found in a window: a path, its words, by how much it is better than the words backwards, its frames."""

    path: NDArray[np.int32]
    words: list[tuple[int, int, float]]
    sums: NDArray[np.float64]


def _walk(script: Script, heard: Heard, prices: spoken.Prices) -> _Walked:
    """Where the words are, window by window."""
    spans = np.full((len(script.places), 2), -1, dtype=np.int64)
    fit = np.full(len(script.places), np.nan)
    frames, last = len(heard.silence), len(script.phrases) - 1
    start, first, sums = 0, 0, np.zeros(3)
    waiting: list[tuple[int, tuple[int, int, float]]] | None = None
    while start < frames and first < last:
        end = min(start + WINDOW, frames)
        done = None
        for reach in REACHES:
            stop = script.reach(first, int(reach * WINDOW))
            chain = script.part(first, stop)
            final = end == frames and (stop == last or reach == REACHES[-1])
            window = _window(script, heard, (start, end), (first, stop), prices)
            done = stop - first if final else _trusted(window, chain[2], end - start - TAIL, prices.filler)
            if done is not None or stop == last:
                break
        sums += window.sums
        a = int(script.phrases[first])
        placed = [(a + k, (start + b, start + e, mean)) for k, (b, e, mean) in enumerate(window.words) if b >= 0]
        if (
            done is None
        ):  # nothing to build on: the text waits, and what it found counts if what comes later goes on there
            waiting = [f for f in placed if is_likely(f[1][2], prices)] if waiting is None else waiting
            start = end - TAIL
            continue
        stands = [f for f in placed if f[0] < script.phrases[first + done]]
        for k, (begins, ends, mean) in stands + [f for f in waiting or [] if stands and f[0] < stands[0][0]]:
            spans[k], fit[k] = (begins, ends), mean
        start = end if final else stands[-1][1][1]
        first, waiting = first + done, None
    n = float(sums[2])
    if n < LEAST_SPOKEN:  # silence fits nothing badly
        return _Walked(spans, fit, 0.0, NOTHING, NOTHING)
    return _Walked(spans, fit, float(sums[0] - sums[1]) / n, float(sums[0]) / n, float(sums[1]) / n)


def _window(
    script: Script, heard: Heard, frames: tuple[int, int], phrases: tuple[int, int], prices: spoken.Prices
) -> _Window:
    """The words of some phrases between two frames."""
    ratios, silence = heard.ratios[slice(*frames)].astype(np.float32), heard.silence[slice(*frames)]
    open_end = frames[1] < len(heard.silence) or phrases[1] < len(script.phrases) - 1
    chain = script.part(*phrases)
    path, total = spoken.search(ratios, silence, *chain, prices, open_end=open_end)
    if not (path >= 0).any():
        return _Window(path, _words_of(path, ratios, chain), np.zeros(3))
    _, other = spoken.search(ratios, silence, *script.backwards(*phrases), prices, open_end=open_end)
    other = max(other, -prices.filler * len(path) - prices.begin)
    sums = np.array([total, other, np.sum(path != spoken.SILENCE)])
    words = _words_of(path, ratios, chain)
    other_prices = prices._replace(filler=limits.FILLER_FOREIGN.value)
    if is_poor(_fit(words)) and prices != other_prices:
        path, _ = spoken.search(ratios, silence, *chain, other_prices, open_end=open_end)
        words = _words_of(path, ratios, chain)
    return _Window(path, words, sums)


def _words_of(path: NDArray[np.int32], ratios: Any, chain: tuple[Any, Any, Any]) -> list[tuple[int, int, float]]:
    """First frame, frame after the last, mean ratio of each word of the chain; -1, -1, nan where it is left out."""
    columns, words, _ = chain
    at = np.flatnonzero(path >= 0)
    word = np.searchsorted(words, path[at], side="right") - 1
    fit = ratios[at, columns[path[at]]]
    begins = np.searchsorted(word, np.arange(len(words) - 1), side="left")
    ends = np.searchsorted(word, np.arange(len(words) - 1), side="right")
    return [
        (int(at[a]), int(at[b - 1]) + 1, float(fit[a:b].mean())) if b > a else (-1, -1, float("nan"))
        for a, b in zip(begins, ends, strict=True)
    ]


def _trusted(window: _Window, phrases: Any, until: int, filler: float) -> int | None:
    """How many phrases are done: up to the last before ``until`` of a run that fits too well for chance.

    A run are phrases that follow each other in the text and in the recording, with no filler between them. What counts
    is by how much they fit better than a filler.
    """
    best, gain, before = None, 0.0, -1
    for p in range(1, len(phrases)):
        run = window.words[phrases[p - 1] : phrases[p]]
        if any(w[0] < 0 for w in run) or run[-1][1] > until:
            gain, before = 0.0, -1
            continue
        if before >= 0 and np.any(window.path[before : run[0][0]] == spoken.FILLER):
            gain = 0.0
        gain += sum((b - a) * (fit + filler) for a, b, fit in run)
        before = run[-1][1]
        if gain >= limits.TRUSTED.value:
            best = p
    return best


def _fit(words: list[tuple[int, int, float]]) -> float:
    """The mean ratio of the frames of words; 0 where none is spoken."""
    spoken_words = [(b - a, fit) for a, b, fit in words if a >= 0]
    return sum(n * fit for n, fit in spoken_words) / max(sum(n for n, _ in spoken_words), 1)


def _by_line(lines: list[Line], script: Script, walked: _Walked, duration: float) -> list[list[Spoken]]:
    """The words as written; a number begins with its first word and ends with its last."""
    out = [[UNSPOKEN] * len(line.words) for line in lines]
    parts: dict[tuple[int, int], list[int]] = {}
    for k, (line, word) in enumerate(script.places.tolist()):
        if walked.spans[k, 0] >= 0:
            parts.setdefault((line, word), []).append(k)
    for (line, word), runs in parts.items():
        start, end = (float(t) * FRAME_S + MIDDLE_S for t in (walked.spans[runs[0], 0], walked.spans[runs[-1], 1]))
        end = min(end, duration)
        score = float(np.mean(walked.fit[runs]))
        out[line][word] = Spoken(round(start, 4), round(end, 4), round(score, 3))
    return out


def _drawn_in(rows: list[list[Spoken]], samples: NDArray[Any]) -> list[list[Spoken]]:
    """The same with the words' edges where their sound begins and ends."""
    level = edges.levels(samples, phones.RATE)
    heard = [[(w.start, w.end) for w in row if w.start is not None and w.end is not None] for row in rows]
    drawn = iter(edges.drawn_in([word for line in heard for word in line], level))
    moved = iter([word for line in edges.led_in([[next(drawn) for _ in line] for line in heard]) for word in line])
    return [[w if w.start is None else Spoken(*next(moved), w.score) for w in row] for row in rows]


def segments_of(reading: Reading) -> list[dict[str, Any]]:
    """The ``segments`` of an alignment: every line, followed by its words, in the order of the text."""
    out: list[dict[str, Any]] = []
    for line, row in zip(reading.lines, reading.words, strict=True):
        heard = [w for w in row if w.start is not None]
        scores = [w.score for w in heard if w.score is not None]
        out.append(
            {
                "kind": "line",
                "text": line.text,
                "start": heard[0].start if heard else None,
                "end": heard[-1].end if heard else None,
                "score": round(float(np.mean(scores)), 3) if scores else None,
                "spoken": bool(heard),
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


# A text as the chain of sounds that its reader makes: phrases of words of sounds.

MOST_WORDS = 12  # of a phrase; shorter ones end at punctuation
STOPS = tuple('.,;:!?—…"”»')
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Script:
    """The chain. ``columns`` (states,), ``words`` (W + 1,) first states, ``phrases`` (P + 1,) first words, and where
    each word stands in the text: ``places`` (W, 2), line and word of the line. A number is several words here."""

    columns: Index
    words: Index
    phrases: Index
    places: Index

    def part(self, first: int, end: int) -> tuple[Index, Index, Index]:
        """Columns, words and phrases of the phrases from ``first`` to before ``end``."""
        a, b = self.phrases[first], self.phrases[end]
        states = self.words[a : b + 1]
        return self.columns[states[0] : states[-1]], states - states[0], self.phrases[first : end + 1] - a

    def backwards(self, first: int, end: int) -> tuple[Index, Index, Index]:
        """The same words from the last to the first, in phrases as long as the others were."""
        columns, words, phrases = self.part(first, end)
        runs = [columns[a:b] for a, b in pairwise(words)][::-1]
        return np.concatenate(runs), np.concatenate([[0], np.cumsum([len(r) for r in runs])]), phrases

    def reach(self, first: int, states: int) -> int:
        """The phrase before which ``states`` states from phrase ``first`` on end; at least one phrase on."""
        start = self.words[self.phrases[first]]
        end = int(np.searchsorted(self.words[self.phrases], start + states, side="right")) - 1
        return min(max(end, first + 1), len(self.phrases) - 1)


def written(lines: list[Line], sounds: Callable[[str], tuple[str, ...]]) -> Script:
    """The script of the lines of a text; ``sounds`` says how a word is spoken."""
    columns: list[int] = []
    words: list[int] = []
    phrases: list[int] = []
    places: list[tuple[int, int]] = []
    for k, line in enumerate(lines):
        length = MOST_WORDS
        for j, word in enumerate(line.words):
            if length >= MOST_WORDS or j == 0:
                phrases.append(len(words))
                length = 0
            for pronounced in word.spoken:
                if run := phones.columns(sounds(pronounced)):
                    words.append(len(columns))
                    places.append((k, j))
                    columns += run
            length += 1
            if word.text.endswith(STOPS) and length >= 3:
                length = MOST_WORDS
    index = [np.array(x, dtype=np.int64) for x in (columns, [*words, len(columns)], [*phrases, len(words)])]
    return Script(index[0], index[1], np.unique(index[2]), np.array(places, dtype=np.int64).reshape(-1, 2))
