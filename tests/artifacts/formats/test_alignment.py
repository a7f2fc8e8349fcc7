"""Maps that contradict themselves are refused; a map written by hand needs no seal."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import ArtifactError

HALF = {"model": "affine", "rate": 1.5, "offset_s": 0.0, "ppm": 500_000.0}


def test_a_map_written_by_hand() -> None:
    """Whole numbers for seconds, no seal."""
    by_hand = {
        **{"schema": "mmcli/alignment@1", "mmcli": "0.1.0", "model": "offset", "offset_s": 2, "rate": 1, "ppm": 0},
        **{"knots": [[2, 0], [12, 10]], "breaks": [], "confidence_s": None, "cost": None},
        "quality": {"ratio": None, "verdict": "by hand", "reason": ""},
        "method": {"name": "by hand", "config": {}},
        "reference": {"name": "a.wav", "sha256": None, "duration_s": None},
        "query": {"name": "b.wav", "sha256": None, "duration_s": None},
    }

    found = alignment.loads(json.dumps(by_hand).encode(), "hand.json")

    assert found.knots.dtype == np.float64
    assert found.knots.tolist() == [[2.0, 0.0], [12.0, 10.0]]
    assert json.loads(alignment.dumps(found))["content_sha256"]


def test_a_sealed_map_that_was_edited_is_refused_and_says_what_to_do() -> None:
    one = Alignment(model="offset", knots=np.array([[1.0, 0.0], [2.0, 1.0]]), offset_s=1.0, rate=1.0, ppm=0.0)
    edited = alignment.dumps(one).replace(b'"by hand"', b'"by foot"')

    with pytest.raises(ArtifactError, match="does not match its content_sha256") as caught:
        alignment.loads(edited, "x.json")
    assert "remove content_sha256" in str(caught.value)


def test_a_sealed_map_may_be_laid_out_otherwise() -> None:
    one = alignment.dumps(Alignment(model="warp", knots=np.array([[1.0, 0.0], [2.0, 1.0]])))
    content = json.loads(one)
    other = json.dumps(dict(reversed(content.items())), indent=7).encode()

    assert alignment.dumps(alignment.loads(other, "x")) == one


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"knots": np.array([[0, 0], [1, 1]])}, "float64"),
        ({"knots": np.array([[0.0, 0.0]])}, "at least two"),
        ({"knots": np.array([[0.0, 0.0], [1.0, np.nan]])}, "NaN"),
        ({"knots": np.array([[0.0, 0.0], [1.0, 0.0]])}, "stand still"),
        ({"knots": np.array([[0.0, 1.0], [1.0, 0.0]])}, "backwards"),
        ({"confidence_s": [0.1]}, "1 confidences for 2 knots"),
        ({"rate": 1.0}, "null for the model warp"),
        ({"cost": float("nan")}, "cost"),
        ({"quality": {}}, "lacks the key 'ratio'"),
        ({"method": {"name": "x", "config": {}, "extra": 1}}, "unknown key 'extra'"),
        ({"path": np.array([[0, 0], [1, 1]], np.int32)}, "int64"),
        ({"path": np.array([[0, 0], [1, -1]])}, "negative"),
        ({"path": np.zeros((0, 2), np.int64)}, "empty"),
        ({"bound": -1.0}, "bound"),
        ({"ambiguous": {"side": "left", "shift_s": 1.0, "share": 0.9}}, "side"),
        ({"ambiguous": {"side": "query", "shift_s": 1.0}}, "share"),
        ({**HALF, "ppm": 500.0, "knots": np.array([[0.0, 0.0], [1.5, 1.0]])}, "disagree"),
        ({**HALF, "knots": np.array([[0.0, 0.0], [1.6, 1.0]])}, "off the line"),
        ({**HALF, "model": "offset", "knots": np.array([[0.0, 0.0], [1.5, 1.0]])}, "has rate 1.5"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ArtifactError, match=words):
        Alignment(**({"model": "warp", "knots": np.array([[0.0, 0.0], [1.0, 1.0]])} | fields))


def test_knots_stand_still_only_at_a_break() -> None:
    """Two seconds of the query without a partner: the reference stands, the query jumps."""
    knots = np.array([[0.0, 0.0], [5.0, 5.0], [5.0, 7.0], [9.0, 11.0]])
    for gap, fits in (((5.0, 7.0), True), ((5.5, 6.5), True), ((4.0, 7.0), False), ((5.0, 8.0), False)):
        breaks = [{"side": "query", "start": gap[0], "end": gap[1]}]
        if fits:
            Alignment(model="piecewise", knots=knots, breaks=breaks)
        else:
            with pytest.raises(ArtifactError, match="stand still"):
                Alignment(model="piecewise", knots=knots, breaks=breaks)


def test_what_is_ambiguous_is_kept() -> None:
    other = {"side": "reference", "shift_s": -18.0, "share": 0.96}
    found = Alignment(model="warp", knots=np.array([[1.0, 0.0], [2.0, 1.0]]), ambiguous=other)
    assert alignment.loads(alignment.dumps(found), "x").ambiguous == other


def test_a_text_may_have_no_knots() -> None:
    line = {"kind": "line", "text": "Hello", "start": None, "end": None, "score": None, "spoken": False}

    found = Alignment(model="warp", knots=np.zeros((0, 2)), segments=[line])

    assert alignment.loads(alignment.dumps(found), "x").knots.shape == (0, 2)
