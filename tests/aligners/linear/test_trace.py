"""Stretches that speak against their place are moved to where they belong, but never so that time runs backwards."""

from __future__ import annotations

import numpy as np

from mmcli.aligners.linear import trace
from mmcli.aligners.linear.contrast import Contrast
from mmcli.aligners.linear.fit import Material
from mmcli.aligners.linear.trace import Run

HOP_S = 0.05


def material(frames: np.ndarray) -> Material:
    return Material(frames.astype(np.float32), np.arange(len(frames)) * HOP_S, {"name": "made"})


def frames(seconds: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((round(seconds / HOP_S), 16))


def test_a_piece_that_was_cut_out_before_the_rest_is_found() -> None:
    x = frames(60, 0)
    y = np.concatenate([x[:200], x[240:]])  # 10 s, then 2 s are missing
    runs = trace.mend(Contrast(material(x), material(y)), [Run(2.0, 1.0, 0.0, 57.9)])
    assert [round(r.lag, 2) for r in runs] == [0.0, 2.0]
    assert abs(runs[0].end - 10.0) < 0.3


def test_what_a_query_has_more_near_its_ends_is_found() -> None:
    """An advert of 3 s behind the first 8 s: the line of the rest ran on through both, and the piece, that lay on its
    place in the reference, was turned away."""
    x, advert = frames(60, 0), frames(3, 1)
    first = np.concatenate([x[:160], advert, x[160:]])
    runs = trace.mend(Contrast(material(x), material(first)), [Run(-3.0, 1.0, 3.0, 62.95)])
    assert [round(r.lag, 2) for r in runs] == [0.0, -3.0]
    assert abs(runs[0].end - 8.0) < 0.3
    assert abs(runs[1].start - 11.0) < 0.3
    last = np.concatenate([x[:-160], advert, x[-160:]])
    runs = trace.mend(Contrast(material(x), material(last)), [Run(0.0, 1.0, 0.0, 59.95)])
    assert [round(r.lag, 2) for r in runs] == [0.0, -3.0]
    assert abs(runs[0].end - 52.0) < 0.3
    assert abs(runs[1].start - 55.0) < 0.3


def test_a_stretch_is_not_moved_back_onto_what_lies_before_it() -> None:
    """An advert that repeats seconds before it: the map ran backwards, and no file could hold it."""
    before, after = Run(0.0, 1.0, 0.0, 30.5), Run(-7.5, 1.0, 38.0, 78.2)
    assert trace._runs_on([before, after])
    assert not trace._runs_on([before, Run(-7.4, 1.0, 30.5, 37.9), after])
    assert trace._runs_on([before, Run(-0.5, 1.0, 30.5, 37.9)])  # ends are known to half a second
