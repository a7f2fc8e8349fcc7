"""Text, series and tables: any script, nothing learned from what was not shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli import extractors
from mmcli.errors import InputError, UsageError
from mmcli.extractors import statistics, words
from mmcli.media.clips import SeriesClip, TableClip, TextClip


def text(words: str) -> TextClip:
    return TextClip(name="t", text=words)


@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        ("Don't stop.", ["don't", "stop", "."]),
        ("l’État, c'est moi", ["l’état", ",", "c'est", "moi"]),
        ("日本語です", ["日", "本", "語", "で", "す"]),
        ("ภาษาไทย", ["ภ", "า", "ษ", "า", "ไ", "ท", "ย"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("العربية، نعم", ["العربية", "،", "نعم"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("e\u0301te\u0301 été", ["été", "été"]),
        ("a_b 3.5 %", ["a_b", "3", ".", "5", "%"]),
        ("'quoted'", ["'", "quoted", "'"]),
    ],
)
def test_words_of_any_script(written: str, tokens: list[str]) -> None:
    assert words.tokens(words.normal(written)) == tokens


@given(st.text(max_size=60))
def test_no_character_is_lost_but_space(written: str) -> None:
    kept = "".join(words.tokens(written))
    assert kept == "".join(c for c in written if words._kind(c) != "space")


def test_a_vocabulary_knows_nothing_of_other_texts() -> None:
    module = extractors.load("tokens")
    state = module.fit([text("b a b"), text("a b c")], module.Config(terms=2))
    assert state == {"tokens": ["b", "a"]}
    found = module.extract(text("a b c unseen"), module.Config(), state)
    assert found.values.ravel().tolist() == [3, 2, 1, 1]
    assert found.meta["vocabulary_size"] == 4


def test_the_length_is_cut_and_rare_tokens_are_unknown() -> None:
    module = extractors.load("tokens")
    config = module.Config(length=2, min_count=2)
    state = module.fit([text("a a b")], config)
    assert module.extract(text("a b a"), config, state).values.ravel().tolist() == [2, 1]
    with pytest.raises(InputError, match="no token to learn"):
        module.fit([text("a b")], config)


def test_tfidf_of_unknown_words_is_zero_not_nan() -> None:
    module = extractors.load("tfidf")
    state = module.fit([text("a b")], module.Config())
    assert module.extract(text("x y"), module.Config(), state).values.tolist() == [[0.0, 0.0]]


def test_hashes_are_the_same_on_every_machine() -> None:
    """Written down once: a change of the digest would make old features useless."""
    module = extractors.load("hash")
    found = module.extract(text("odd and larger"), module.Config(buckets=64)).values[0]
    assert {int(i): round(float(found[i]), 3) for i in np.flatnonzero(found)} == {9: 0.577, 23: 0.577, 41: -0.577}


def test_statistics_equal_numpy() -> None:
    values = np.random.default_rng(0).standard_normal((20, 3))
    found, names = statistics.over_time(values, np.arange(20.0), None, "mean,std,median,p95,range")
    wanted = [values.mean(0), values.std(0), np.median(values, 0), np.percentile(values, 95, 0), np.ptp(values, 0)]
    assert np.allclose(found, np.concatenate(wanted))
    assert names[:2] == ["0.mean", "1.mean"]


def test_functionals_name_what_they_are_of() -> None:
    from mmcli.media.clips import AudioClip

    module = extractors.load("functionals")
    clip = AudioClip.from_array(np.random.default_rng(0).standard_normal(8000), 8000)
    inner = extractors.load("mfcc").extract(clip, extractors.load("mfcc").Config(coefficients=2))
    found = module.extract(clip, module.Config(settings="coefficients=2", statistics="mean,slope"))
    assert np.allclose(found.values[0, :2], inner.values.mean(axis=0), rtol=1e-5)
    with pytest.raises(UsageError):
        module.Config(of="functionals")
    with pytest.raises(UsageError):
        module.Config(statistics="mean,mean")


def test_resampling_a_line_gives_the_line() -> None:
    module = extractors.load("resampled")
    times = np.sort(np.random.default_rng(1).random(30)) * 10
    clip = SeriesClip(name="s", values=(3 * times + 1)[:, None], times=times, columns=["x"])
    found = module.extract(clip, module.Config(hz=7.0))
    assert np.allclose(found.values[:, 0], 3 * found.times + 1, atol=1e-4)
    assert np.allclose(np.diff(found.times), 1 / 7)


def test_a_table_scales_by_the_training_rows_alone() -> None:
    module = extractors.load("table.raw")
    rows = [
        TableClip(name=str(v), numbers={"x": v, "y": None}, categories={"c": k}) for v, k in ((0.0, "a"), (4.0, "b"))
    ]
    state = module.fit(rows, module.Config())
    found = module.extract(TableClip(name="n", numbers={"x": 6.0}, categories={"c": "new"}), module.Config(), state)
    assert found.meta["columns"] == ["num.x", "cat.c=a", "cat.c=b"]
    assert found.values.tolist() == [[2.0, 0.0, 0.0]]


def test_missing_numbers_are_marked_where_training_had_them() -> None:
    module = extractors.load("table.raw")
    rows = [TableClip(name=str(v), numbers={"x": v}) for v in (1.0, None, 3.0)]
    state = module.fit(rows, module.Config())
    found = [module.extract(row, module.Config(), state).values[0].tolist() for row in rows]
    assert found == [[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
