"""Sampling grids leave no offset behind: sensors of one motion at other rates, by lines and by their movement."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.aligners.linear import movement
from mmcli.aligners.linear.windows import centred
from mmcli.aligners.methods import auto
from mmcli.artifacts.formats.features import Features

LATER_S = 3.0


def motion(t: np.ndarray) -> np.ndarray:
    """Three axes of one motion at times ``t`` (n,): waves below 6 Hz that never come back."""
    rng = np.random.default_rng(3)
    waves = [(rng.uniform(0.2, 6.0), rng.uniform(0, 6.3), rng.standard_normal(3)) for _ in range(60)]
    return np.asarray(sum(np.sin(2 * np.pi * f * t + p)[:, None] * a for f, p, a in waves))


def series(hz: float, start: float, length: float) -> Features:
    t = np.arange(0.0, length, 1.0 / hz)
    return Features(values=motion(t + start).astype(np.float32), times=t, meta={})


@pytest.mark.parametrize("hz", [50.0, 62.5, 119.0, 200.0, 400.0])
def test_a_grid_moves_no_offset(hz: float) -> None:
    m = auto.align(series(100.0, 0.0, 40.0), series(hz, LATER_S, 30.0))
    assert m.offset_s == pytest.approx(LATER_S, abs=5e-4)


@pytest.mark.parametrize("hz", [50.0, 62.5, 200.0, 400.0])
def test_a_grid_moves_no_movement(hz: float) -> None:
    at = movement.place(series(100.0, 0.0, 40.0), series(hz, LATER_S, 30.0))
    assert at is not None
    assert at.offset_s == pytest.approx(LATER_S, abs=3e-3)


@pytest.mark.parametrize("width", range(1, 9))
def test_a_mean_has_its_middle_in_the_middle(width: int) -> None:
    weights = centred(width)
    assert len(weights) % 2 == 1
    assert float(weights.sum()) == pytest.approx(1.0)
    assert float(weights @ (np.arange(len(weights)) - len(weights) // 2)) == pytest.approx(0.0, abs=1e-12)
