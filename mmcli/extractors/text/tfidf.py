"""Tf-idf: how often each word stands in a text, against how many texts have it.

Axes: one frame, terms in alphabetical order. Unit: none; every text has length 1 (0 where it shares no term with the
training rows). Terms and weights are learned from the training rows by scikit-learn's TfidfVectorizer.

Reference: G. Salton and C. Buckley, Term-weighting approaches in automatic text retrieval, 1988; smoothed idf
ln((1 + n) / (1 + df)) + 1 as in scikit-learn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import InputError
from mmcli.extractors import base, words
from mmcli.extractors.base import Features, TextClip, still

LONG = "whole"
KIND = "vector"
FITTED = True


@dataclass(frozen=True)
class Config:
    """Terms."""

    terms: int = 4096  # 1 to 4096: the most frequent terms of the training rows
    min_texts: int = 1  # 1 to 1,000,000: terms in fewer texts are left out
    ngram: int = 1  # 1 to 3: words a term at most
    sublinear: bool = False  # 1 + ln(count) in place of the count
    lower: bool = True  # fold case

    def __post_init__(self) -> None:
        base.within(self, terms=(1, 4096), min_texts=(1, 1_000_000), ngram=(1, 3))


def extract(clip: TextClip, config: Config, state: dict[str, Any]) -> Features:
    """The weights of a text, float32 (1, terms).

    >>> state = fit([TextClip(name="a", text="odd and large"), TextClip(name="b", text="odd")], Config())
    >>> state["terms"], extract(TextClip(name="c", text="odd"), Config(), state).values.tolist()
    (['and', 'large', 'odd'], [[0.0, 0.0, 1.0]])
    """
    terms = _terms(clip.text, config)
    base.nonempty(len(terms), clip.name, "words")
    place = _places(state)
    values = np.zeros(len(place))
    for term, count in Counter(terms).items():
        if term in place:
            values[place[term]] = 1.0 + np.log(count) if config.sublinear else count
    values *= np.asarray(state["idf"])
    length = np.sqrt((values**2).sum())
    return still(clip, values / length if length else values, config, kind=KIND)


def fit(clips: Iterable[TextClip], config: Config) -> dict[str, Any]:
    """``{"terms": [...], "idf": [...]}`` of the training texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [terms for clip in clips if (terms := _terms(clip.text, config))]
    if not texts:
        raise InputError("the training texts hold no words to learn")
    learner = TfidfVectorizer(
        analyzer=_itself,
        max_features=config.terms,
        min_df=min(config.min_texts, len(texts)),
        sublinear_tf=config.sublinear,
    )
    try:
        learner.fit(texts)
    except ValueError as error:
        raise InputError(f"no term can be learned: {error}", hint="lower tfidf.min_texts") from error
    return {"terms": [str(t) for t in learner.get_feature_names_out()], "idf": [float(w) for w in learner.idf_]}


def _terms(text: str, config: Config) -> list[str]:
    spoken = words.tokens(words.normal(text, lower=config.lower), punctuation=False)
    return [" ".join(spoken[i : i + n]) for n in range(1, config.ngram + 1) for i in range(len(spoken) - n + 1)]


def _itself(terms: list[str]) -> list[str]:
    return terms


def _places(state: dict[str, Any]) -> dict[str, int]:
    """Term to column, remembered for the state that was used last: a batch uses one state for all its texts."""
    if _last[0] is not state:
        _last[:] = [state, {term: i for i, term in enumerate(state["terms"])}]
    places: dict[str, int] = _last[1]
    return places


_last: list[Any] = [None, {}]
