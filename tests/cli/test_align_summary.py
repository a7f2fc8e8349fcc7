"""The screen after an alignment: times that the map has, and what has no partner or another place."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.aligners.core import limits
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.cli import console
from mmcli.cli.align import summary
from mmcli.errors import MismatchError

REFERENCE = {"name": "talk.wav", "sha256": None, "duration_s": 30.0}
QUERY = {"name": "other.wav", "sha256": None, "duration_s": 20.0}


def shown(found: Alignment, capsys: pytest.CaptureFixture[str]) -> str:
    console.table("map.json", ["", ""], summary.rows(found))
    return " ".join(capsys.readouterr().err.split())


def test_a_text_is_shown_where_its_lines_are_spoken_and_without_a_stretch_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It has no times of its own: 0.00 to 0.00 s was printed for both sides."""
    said = {"kind": "line", "text": "so", "start": 1.5, "end": 4.25, "score": -1.0, "spoken": True}
    never = {"kind": "line", "text": "no", "start": None, "end": None, "score": None, "spoken": False}
    found = Alignment(model="warp", knots=np.empty((0, 2)), segments=[never, said], reference=REFERENCE, query=QUERY)
    text = shown(found, capsys)
    assert "talk.wav, 1.50 to 4.25 s" in text
    assert "0.00" not in text


def test_what_has_no_partner_at_the_ends_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    found = Alignment(model="warp", knots=np.array([[2.0, 0.0], [30.0, 18.0]]), reference=REFERENCE, query=QUERY)
    text = shown(found, capsys)
    assert "no partner for 0.00 to 2.00 s" in text
    assert "no partner for 18.00 to 20.00 s" in text


def test_another_place_that_fits_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    other = {"side": "reference", "shift_s": -18.0, "share": 1.0}
    knots = np.array([[2.0, 0.0], [22.0, 20.0]])
    found = Alignment(model="warp", knots=knots, reference=REFERENCE, query=QUERY, ambiguous=other)
    assert "the reference repeats itself: -18.0 s fits nearly as well" in shown(found, capsys)


def test_cuts_inserts_and_the_offset_of_each_piece_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    knots = np.array([[0.0, 0.0], [7.0, 7.0], [8.0, 7.0], [12.0, 11.0], [12.0, 11.5], [20.0, 19.5]])
    gaps = [{"side": "reference", "start": 7.0, "end": 8.0}, {"side": "query", "start": 11.0, "end": 11.5}]
    text = shown(Alignment(model="piecewise", knots=knots, breaks=gaps, reference=REFERENCE, query=QUERY), capsys)
    assert "a cut of 1.000 s at 7.00 s of the reference" in text
    assert "an insert of 0.500 s at 11.00 s of the query" in text
    assert "piece 1 0.00 to 7.00 s: offset +0.0000 s" in text
    assert "piece 2 8.00 to 12.00 s: offset +1.0000 s" in text
    assert "piece 3 12.00 to 20.00 s: offset +0.5000 s" in text


@pytest.mark.parametrize("verdict", ["no match", "unsure"])
def test_a_refusal_is_a_sentence_and_its_figures_are_a_note(
    verdict: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = MismatchError("does not match the reference: phase peak z = 3.5", source="b.wav", hint="--force")
    weighed = [{"decision": "warp", "probability": 0.02}, {"decision": "line", "probability": 0.31}]
    error.evidence = {"statistic": "probability", "verdict": verdict, "candidates": weighed}
    said = summary.refusal(error, "a.wav")
    assert "a.wav" in said.what
    assert "z = 3.5" not in said.what
    assert said.what.endswith("nearest look-alike: one recording twice, by an offset and a rate (31% likely)")
    assert said.hint == "--force; -v shows the figures"
    assert said.evidence is error.evidence
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(console.settings, "verbose", 1)
    assert summary.refusal(error, "a.wav").hint == "--force"
    assert "z = 3.5" in capsys.readouterr().err


def test_a_refusal_that_rests_on_no_probability_stays_as_it_is() -> None:
    error = MismatchError("holds 3 cues", source="b.srt")
    assert summary.refusal(error, "a.wav") is error


def test_every_decision_has_its_words() -> None:
    assert set(summary.NEAREST) >= set(limits.WEIGHTS) - {"text"}
