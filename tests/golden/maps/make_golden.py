"""Write the golden maps, one of each model, and what they say at chosen times.

    python tests/golden/maps/make_golden.py

Run it only for a new model or a later schema, and read the difference: maps that people keep must go on meaning what
they meant. Values are those of plain arithmetic on the knots, written down here without the package's own evaluation.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.formats import alignment
from mmcli.artifacts.formats.alignment import Alignment

HERE = Path(__file__).resolve().parent
SIDES = {
    "reference": {"name": "studio.wav", "sha256": "a" * 64, "duration_s": 60.0},
    "query": {"name": "camera.mp4", "sha256": None, "duration_s": 58.5},
}
AUTO: dict[str, Any] = {"name": "auto", "config": {"kind": "auto", "force": False}}
MATCH: dict[str, Any] = {"ratio": None, "verdict": "match", "reason": 'planted; ü, ☃ and "quotes" survive'}
TIMES = [-5.0, 0.0, 0.5, 1.0, 9.999, 10.0, 12.25, 14.0, 15.0, 20.0, 33.333333, 60.0, 100.0]


def maps() -> dict[str, Alignment]:
    """A map of every model, with every optional field somewhere."""
    common: dict[str, Any] = {**SIDES, "method": AUTO, "quality": MATCH}
    return {
        "offset": Alignment(
            model="offset",
            knots=_line(1.37, 1.0),
            offset_s=1.37,
            rate=1.0,
            ppm=0.0,
            cost=0.01,
            ambiguous={"side": "query", "shift_s": -4.0, "share": 0.97},
            **common,
        ),
        "affine": Alignment(
            model="affine",
            knots=_line(-2.5, 25 / 24),
            offset_s=-2.5,
            rate=25 / 24,
            ppm=(25 / 24 - 1) * 1e6,
            confidence_s=[0.0004, 0.0009],
            runner_up={"model": "piecewise", "share": 0.9},
            **common,
        ),
        "piecewise": Alignment(
            model="piecewise",
            knots=np.array([[0.0, 1.0], [10.0, 11.0], [14.0, 11.0], [20.0, 17.0], [22.0, 30.5], [50.0, 58.5]]),
            breaks=[
                {"side": "reference", "start": 10.0, "end": 14.0},
                {"side": "reference", "start": 20.0, "end": 22.0},
                {"side": "query", "start": 17.0, "end": 30.5},
            ],
            confidence_s=[0.001, 0.001, 0.002, 0.002, 0.003, 0.003],
            **common,
        ),
        "warp": Alignment(
            model="warp",
            knots=np.array([[0.25, 0.5], [10.0, 8.0], [10.5, 9.75], [20.0, 12.0], [59.0, 58.0]]),
            confidence_s=[0.02, 0.015, 0.1, 0.02, 0.03],
            path=np.array([[0, 0], [1, 1], [1, 2], [2, 3], [3, 3]]),
            matches=[{"start": 0.0, "end": 3.0, "cost": 0.5}],
            exact=False,
            bound=0.125,
            cost=3.5,
            **common,
        ),
        "text": Alignment(
            model="warp",
            knots=np.empty((0, 2)),
            segments=[
                {"kind": "line", "text": "Good day.", "start": 0.5, "end": 1.25, "score": -3.5, "spoken": True},
                {"kind": "word", "text": "Good", "start": 0.5, "end": 0.75, "score": -1.5, "spoken": True},
                {"kind": "word", "text": "day.", "start": 0.75, "end": 1.25, "score": -2.0, "spoken": True},
                {"kind": "line", "text": "(bows)", "start": None, "end": None, "score": None, "spoken": False},
            ],
            **common,
        ),
    }


def values(model: str, knots: list[list[float]], rate: float | None, offset: float | None) -> dict[str, Any]:
    """``to_reference`` and ``to_query`` of TIMES; null where the map says nothing."""
    if model in ("offset", "affine"):
        assert rate is not None
        assert offset is not None
        return {
            "to_reference": [offset + rate * t for t in TIMES],
            "to_query": [(t - offset) / rate for t in TIMES],
        }
    segments = [knots[0:2], knots[2:4], knots[4:6]] if model == "piecewise" else [knots]
    return {
        "to_reference": [_at(segments, t, 1) for t in TIMES],
        "to_query": [_at(segments, t, 0) for t in TIMES],
    }


def _at(segments: list[list[list[float]]], t: float, side: int) -> float | None:
    for segment in segments:
        for a, b in itertools.pairwise(segment):
            if a[side] <= t <= b[side]:
                return a[1 - side] + (t - a[side]) * (b[1 - side] - a[1 - side]) / (b[side] - a[side])
    return None


def _line(offset: float, rate: float) -> np.ndarray:
    start, end = max(0.0, offset), min(60.0, offset + rate * 58.5)
    return np.array([[t, (t - offset) / rate] for t in (start, end)])


if __name__ == "__main__":
    known: dict[str, Any] = {"times": TIMES}
    for name, found in maps().items():
        alignment.save(HERE / f"{name}.json", found)
        if len(found.knots):
            known[name] = values(found.model, found.knots.tolist(), found.rate, found.offset_s)
    (HERE / "values.json").write_text(json.dumps(known, indent=1) + "\n")
