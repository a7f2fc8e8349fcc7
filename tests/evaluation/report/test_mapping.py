"""Truths of every kind, and the report of a map next to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment as maps
from mmcli.artifacts.formats import report as reports
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import MismatchError, MissingError, MmcliError, UsageError
from mmcli.evaluation.report import mapping


def line(offset: float, **fields: Any) -> Alignment:
    knots = np.array([[offset, 0.0], [offset + 20.0, 20.0]])
    return Alignment(model="offset", knots=knots, offset_s=offset, rate=1.0, ppm=0.0, **fields)


def of_text(*segments: tuple[str, str, float | None]) -> Alignment:
    rows = [
        {"kind": kind, "text": text, "start": s, "end": s, "score": 0.0, "spoken": s is not None}
        for kind, text, s in segments
    ]
    return Alignment(model="warp", knots=np.zeros((0, 2)), segments=rows)


def values(found: dict[str, Any]) -> dict[str, float]:
    reports.dumps(found)  # follows the schema
    return {name: entry["value"] for name, entry in found["metrics"].items()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "t_reference,t_query\n1,0\n9,8\n15,14\n"),
        ("t.json", json.dumps({"knots": [[1, 0], [15, 14]]})),
        ("t.json", json.dumps({"offset_s": 1})),
        ("t.json", json.dumps({"offset_s": 1, "rate": 1.0})),
    ],
)
def test_moments_and_maps_judge_a_map(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    scored = values(mapping.report(line(1.03), mapping.read_truth(tmp_path / name)))
    assert (scored["mean_s"], scored["max_s"]) == pytest.approx((0.03, 0.03))
    assert (scored["within_20_ms"], scored["within_50_ms"]) == (0.0, 1.0)
    assert scored["unmapped"] == 0.0


def test_a_map_of_ours_is_a_truth_and_breaks_are_not_crossed(tmp_path: Path) -> None:
    """20 s of the reference, of which 5 have no partner: they are not judged."""
    knots = np.array([[0.0, 0.0], [5.0, 5.0], [10.0, 5.0], [20.0, 15.0]])
    gap = [{"side": "reference", "start": 5.0, "end": 10.0}]
    true = Alignment(model="piecewise", knots=knots, breaks=gap)
    maps.save(tmp_path / "t.json", true)
    scored = mapping.report(true, mapping.read_truth(tmp_path / "t.json"))["metrics"]
    assert scored["max_s"]["value"] == pytest.approx(0.0, abs=1e-9)
    assert scored["mean_s"]["n"] == 101 + 200


def test_moments_are_listed_with_what_was_found_for_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t_reference,t_query\n1,0\n99,98\n")
    warp = Alignment(model="warp", knots=np.array([[1.5, 0.0], [20.0, 18.5]]))
    found = mapping.report(warp, mapping.read_truth(tmp_path / "t.csv"))
    assert found["items"] == [
        {"id": "00000", "label": 1.0, "prediction": 1.5, "error": 0.5},
        {"id": "00001", "label": 99.0, "prediction": None, "error": None},
    ]
    assert values(found)["unmapped"] == 0.5


WORDS = (("line", "The cat sat.", 1.0), ("word", "The", 1.0), ("word", "cat", 1.5), ("word", "sat.", 2.0))
SHORT = "start,label\n1.1,the\n,cat\n2.1,SAT\n"
GRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n3\n<exists>\n2\n'
    '"IntervalTier"\n"phones"\n0\n3\n2\n0\n1\n"D"\n1\n3\n"@"\n'
    '"IntervalTier"\n"spoken"\n0\n3\n4\n0\n1.1\n""\n1.1\n1.4\n"the"\n1.4\n2.1\n"cat"\n2.1\n3\n"sat"\n'
)


@pytest.mark.parametrize(
    ("name", "content", "n", "mean"),
    [
        ("w.csv", SHORT, 2, 0.1),
        ("w.TextGrid", GRID, 3, 0.1),
        ("l.srt", "1\n00:00:01,200 --> 00:00:03,000\nthe cat sat\n", 1, 0.2),
        ("w.json", json.dumps([{"word": "the", "onset": 1.1}, {"word": "cat", "onset": None}]), 1, 0.1),
    ],
)
def test_labels_judge_the_lines_or_words_of_a_text(
    tmp_path: Path, name: str, content: str, n: int, mean: float
) -> None:
    """The tier whose words are those of the map is found; case and punctuation do not matter."""
    (tmp_path / name).write_text(content)
    found = mapping.report(of_text(*WORDS), mapping.read_truth(tmp_path / name))
    assert found["metrics"]["mean_s"] == {"value": pytest.approx(mean), "n": n, "unit": "s"}
    assert len(found["items"]) == n


def test_a_word_that_was_not_found_counts_as_unmapped(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("start,label\n1.1,the\n2.0,cat\n")
    lost = of_text(("word", "the", 1.0), ("word", "cat", None))
    assert values(mapping.report(lost, mapping.read_truth(tmp_path / "w.csv")))["unmapped"] == 0.5


def test_labels_of_both_sides_judge_a_map_of_times(tmp_path: Path) -> None:
    """Cues are matched by their words: the query lacks the second."""
    (tmp_path / "true.csv").write_text("start,label\n2,one\n5,two\n9,three\n")
    (tmp_path / "late.csv").write_text("start,label\n1,one\n8,three\n")
    true, late = (mapping.read_truth(tmp_path / name) for name in ("true.csv", "late.csv"))
    found = mapping.report(line(1.25, confidence_s=[0.3, 0.3]), true, query=late)
    assert values(found)["mean_s"] == pytest.approx(0.25)
    assert found["metrics"]["coverage"] == {"value": 1.0, "n": 2, "level": 0.9}
    with pytest.raises(UsageError, match="--query"):
        mapping.report(line(1.0), true)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", "a,b\n1,2\n", "t_reference and t_query"),
        ("t.csv", "t_reference,t_query\n1,x\n", "line 2: t_query is 'x'"),
        ("t.csv", "t_reference,t_query\n1,2\n", "no pairs of times"),
        ("t.csv", "t_reference,t_query\n1,inf\n2,3\n", "no pairs of times"),
        ("t.csv", "start,label\n-1,a\n", "starts at -1 s"),
        ("t.csv", "start,label\n,a\n", "no label with a start"),
        ("t.json", "{}", "holds no truth"),
        ("t.json", '{"knots": "x"}', "holds no truth"),
        ("t.json", '{"offset_s": 1, "rate": -1}', "holds no truth"),
        ("t.json", '{"knots": [[1, 2]]}', "holds no truth"),
        ("t.json", '{"knots": [[1, 2], [3, 1]]}', "holds no truth"),
        ("t.json", "[1, 2]", "is no label"),
        ("t.json", '[{"start": true, "text": "a"}]', "is no label"),
        ("t.json", "[" * 1000, "t.json"),
        ("t.json", '{"schema": "mmcli/report@1"}', "schema"),
        ("t.TextGrid", "nonsense", "no TextGrid"),
        ("t.srt", "", "t.srt"),
        ("t.xyz", "a", "t.xyz"),
    ],
)
def test_what_is_no_truth_is_refused_by_name(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(MmcliError) as raised:
        mapping.read_truth(tmp_path / name)
    assert said in str(raised.value)


def test_a_truth_of_something_else_is_refused(tmp_path: Path) -> None:
    sha = {name: name * 64 for name in "abcd"}

    def alignment_of(a: str, b: str, suffix: str = "wav") -> Alignment:
        ends = [{"name": f"{n}.{suffix}", "sha256": sha[n], "duration_s": 20.0} for n in (a, b)]
        return line(1.0, reference=ends[0], query=ends[1])

    for name, pair in (
        ("ab", alignment_of("a", "b")),
        ("ba", alignment_of("b", "a")),
        ("cd", alignment_of("c", "d")),
        ("ad", alignment_of("a", "d")),
    ):
        maps.save(tmp_path / f"{name}.json", pair)
    own = alignment_of("a", "b")
    assert mapping.report(own, mapping.read_truth(tmp_path / "ab.json"))["notes"] == []
    assert "other files" in mapping.report(own, mapping.read_truth(tmp_path / "ad.json"))["notes"][0]
    features = alignment_of("a", "b", "npz")
    assert "other files" in mapping.report(features, mapping.read_truth(tmp_path / "cd.json"))["notes"][0]
    with pytest.raises(MismatchError, match="other way round"):
        mapping.report(own, mapping.read_truth(tmp_path / "ba.json"))
    with pytest.raises(MismatchError, match=r"c\.wav and d\.wav"):
        mapping.report(own, mapping.read_truth(tmp_path / "cd.json"))
    (tmp_path / "w.csv").write_text("start,label\n1,other\n2,words\n")
    with pytest.raises(MismatchError, match="another text: 0%"):
        mapping.report(of_text(*WORDS), mapping.read_truth(tmp_path / "w.csv"))
    with pytest.raises(MismatchError, match="holds lines and words"):
        mapping.report(of_text(*WORDS), mapping.read_truth(tmp_path / "ab.json"))


def test_a_map_that_says_nothing_of_the_truth_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t_reference,t_query\n100,100\n200,200\n")
    warp = Alignment(model="warp", knots=np.array([[0.0, 0.0], [20.0, 18.5]]))
    with pytest.raises(MismatchError, match="says nothing"):
        mapping.report(warp, mapping.read_truth(tmp_path / "t.csv"))


def test_a_truth_that_is_not_there_is_missing(tmp_path: Path) -> None:
    for name in ("t.csv", "t.json", "t.srt", "t.TextGrid", "t.TextGrid#words"):
        with pytest.raises(MissingError):
            mapping.read_truth(tmp_path / name)


def test_a_truth_of_years_takes_no_more_memory_than_one_of_a_day() -> None:
    """Ten million seconds at the usual grid would be eleven gigabytes."""
    from mmcli.artifacts.formats.timemap import TimeMap
    from mmcli.evaluation.metrics import alignment as scoring

    knots = np.array([[0.0, 0.0], [1e7, 1e7]])
    sides = [{"name": name, "sha256": None, "duration_s": 1e7} for name in ("a.wav", "b.wav")]
    long = Alignment(model="warp", knots=knots, reference=sides[0], query=sides[1])
    found = scoring.score_map(long, TimeMap(long))
    assert found["max_s"]["value"] < 1e-6
    assert found["mean_s"]["n"] <= scoring.MOST_POINTS + 2
