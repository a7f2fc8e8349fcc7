"""Characters: a text as numbers of an alphabet that is learned from the training rows.

Axes: characters, one column. Unit: the character's number; 0 is padding, 1 a character that the alphabet does not hold.
Times count the characters. An embedding layer takes this; it knows no words and so serves any language and misspelling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import InputError
from mmcli.extractors import base, words
from mmcli.extractors.base import Features, TextClip, features

LONG = "whole"
KIND = "tokens"
FITTED = True

UNKNOWN, FIRST = 1, 2


@dataclass(frozen=True)
class Config:
    """Alphabet and length."""

    alphabet: int = 1_000  # 1 to 100,000: the most frequent characters that are told apart
    length: int = 2_048  # characters, 1 to 1,000,000: what is longer is cut
    lower: bool = True  # fold case

    def __post_init__(self) -> None:
        base.within(self, alphabet=(1, 100_000), length=(1, 1_000_000))


def extract(clip: TextClip, config: Config, state: dict[str, Any]) -> Features:
    """The character numbers of a text, float32 (characters, 1).

    >>> state = fit([TextClip(name="a", text="abba a")], Config())
    >>> extract(TextClip(name="b", text="Bax"), Config(), state).values.ravel().tolist()
    [3.0, 2.0, 1.0]
    """
    numbers = {character: i for i, character in enumerate(state["characters"], start=FIRST)}
    ids = [numbers.get(character, UNKNOWN) for character in _of(clip, config)[: config.length]]
    base.nonempty(len(ids), clip.name, "characters")
    values = np.array(ids, np.float32)[:, np.newaxis]
    times = np.arange(len(ids), dtype=np.float64)
    return features(clip, values, times, config, kind=KIND, vocabulary_size=FIRST + len(numbers))


def fit(clips: Iterable[TextClip], config: Config) -> dict[str, Any]:
    """The alphabet: ``{"characters": "..."}``, most frequent first, equals in the order of their code points."""
    counts: Counter[str] = Counter()
    for clip in clips:
        counts.update(_of(clip, config))
    if not counts:
        raise InputError("the training texts hold no character to learn")
    kept = sorted(counts, key=lambda c: (-counts[c], c))[: config.alphabet]
    return {"characters": "".join(kept)}


def _of(clip: TextClip, config: Config) -> str:
    """The text with one spelling, runs of white space as one space."""
    return " ".join(words.normal(clip.text, lower=config.lower).split())
