"""A text as the chain of sounds that its reader makes: phrases of words of sounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners import _sounds
from mmcli.aligners._words import Line

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
            for spoken in word.spoken:
                if run := _sounds.columns(sounds(spoken)):
                    words.append(len(columns))
                    places.append((k, j))
                    columns += run
            length += 1
            if word.text.endswith(STOPS) and length >= 3:
                length = MOST_WORDS
    index = [np.array(x, dtype=np.int64) for x in (columns, [*words, len(columns)], [*phrases, len(words)])]
    return Script(index[0], index[1], np.unique(index[2]), np.array(places, dtype=np.int64).reshape(-1, 2))
