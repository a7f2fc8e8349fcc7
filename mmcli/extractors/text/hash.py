"""Hashed words and character sequences: a vector of fixed width that needs no training rows.

Axes: one frame, buckets. Unit: none; every text has length 1. Words and n-grams fall into buckets, with a sign, by a
digest that is the same on every machine.

Reference: K. Weinberger et al., Feature hashing for large scale multitask learning, ICML 2009.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.extractors import base, words
from mmcli.extractors.base import Features, TextClip, still

LONG = "whole"
KIND = "vector"
FITTED = False


@dataclass(frozen=True)
class Config:
    """What is hashed, into how many buckets."""

    buckets: int = 1024  # 2 to 65,536
    ngram: int = 1  # 1 to 3: words a term at most
    chars: int = 0  # 0 to 8: also character sequences of this length within words; 0: none
    lower: bool = True  # fold case

    def __post_init__(self) -> None:
        base.within(self, buckets=(2, 65_536), ngram=(1, 3), chars=(0, 8))


def extract(clip: TextClip, config: Config = Config()) -> Features:
    """The hashed terms of a text, float32 (1, buckets).

    >>> hashed = extract(TextClip(name="a", text="odd and odd"), Config(buckets=8))
    >>> round(float((hashed.values**2).sum()), 6)
    1.0
    """
    spoken = words.tokens(words.normal(clip.text, lower=config.lower), punctuation=False)
    base.nonempty(len(spoken), clip.name, "words")
    values = np.zeros(config.buckets)
    for term, count in Counter(_terms(spoken, config)).items():
        digest = hashlib.blake2b(term.encode("utf-8"), digest_size=8).digest()
        number = int.from_bytes(digest, "little")
        values[(number >> 1) % config.buckets] += count if number & 1 else -count
    length = np.sqrt((values**2).sum())
    return still(clip, values / length if length else values, config, kind=KIND)


def _terms(spoken: list[str], config: Config) -> Iterator[str]:
    for n in range(1, config.ngram + 1):
        for i in range(len(spoken) - n + 1):
            yield " ".join(spoken[i : i + n])
    if config.chars:
        for word in spoken:
            marked = f"<{word}>"
            for i in range(len(marked) - config.chars + 1):
                yield "#" + marked[i : i + config.chars]
