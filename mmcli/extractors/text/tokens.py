"""Tokens: a text as numbers of a vocabulary that is learned from the training rows.

Axes: tokens, one column. Unit: the token's number; 0 is padding, 1 a token that the vocabulary does not hold. Times
count the tokens. An embedding layer takes this.
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

PADDING, UNKNOWN, FIRST = 0, 1, 2


@dataclass(frozen=True)
class Config:
    """Vocabulary and length."""

    terms: int = 20_000  # 1 to 1,000,000: the most frequent tokens that are told apart
    min_count: int = 1  # 1 to 1,000,000: rarer tokens are unknown
    length: int = 512  # tokens, 1 to 1,000,000: what is longer is cut
    lower: bool = True  # fold case
    punctuation: bool = True  # keep punctuation marks as tokens

    def __post_init__(self) -> None:
        base.within(self, terms=(1, 1_000_000), min_count=(1, 1_000_000), length=(1, 1_000_000))


def extract(clip: TextClip, config: Config, state: dict[str, Any]) -> Features:
    """The token numbers of a text, float32 (tokens, 1).

    >>> texts = [TextClip(name="a", text="odd and larger"), TextClip(name="b", text="odd and small")]
    >>> vocabulary = fit(texts, Config())
    >>> extract(TextClip(name="c", text="odd or small"), Config(), vocabulary).values.ravel().tolist()
    [3.0, 1.0, 5.0]
    """
    numbers = _numbers(state)
    ids = [numbers.get(token, UNKNOWN) for token in _of(clip, config)[: config.length]]
    base.nonempty(len(ids), clip.name, "words")
    values = np.array(ids, np.float32)[:, np.newaxis]
    return features(
        clip, values, np.arange(len(ids), dtype=np.float64), config, kind=KIND, vocabulary_size=FIRST + len(numbers)
    )


def fit(clips: Iterable[TextClip], config: Config) -> dict[str, Any]:
    """The vocabulary: ``{"tokens": [...]}``, most frequent first, equals in alphabetical order."""
    counts: Counter[str] = Counter()
    for clip in clips:
        counts.update(_of(clip, config))
    kept = sorted((t for t, n in counts.items() if n >= config.min_count), key=lambda t: (-counts[t], t))
    if not kept:
        raise InputError(
            "the training texts hold no token to learn", hint="lower tokens.min_count, or give other texts"
        )
    return {"tokens": kept[: config.terms]}


def _of(clip: TextClip, config: Config) -> list[str]:
    return words.tokens(words.normal(clip.text, lower=config.lower), punctuation=config.punctuation)


def _numbers(state: dict[str, Any]) -> dict[str, int]:
    """Token to number, remembered for the state that was used last: a batch uses one state for all its texts."""
    if _last[0] is not state:
        _last[:] = [state, {token: i for i, token in enumerate(state["tokens"], start=FIRST)}]
    numbers: dict[str, int] = _last[1]
    return numbers


_last: list[Any] = [None, {}]
