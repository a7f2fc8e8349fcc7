"""Windows and their lags as made inputs, for the cases of lines and breaks."""

from typing import Any

import numpy as np

from mmcli.aligners.linear.consensus import Line
from mmcli.aligners.linear.fit import Fit, Lags, Material


def lags(
    lag: Any, t: Any = None, z: Any = None, *, score: Any = None, hop: float = 0.1, window: float = 2.0, **more: Any
) -> Lags:
    lag = np.asarray(lag, dtype=np.float64)
    t = np.arange(len(lag), dtype=np.float64) if t is None else np.asarray(t, dtype=np.float64)
    score = np.ones(len(lag)) if score is None else np.asarray(score)
    z = None if z is None else np.asarray(z, dtype=np.float64)
    return Lags(t, lag, score, z, z is not None, 1.0, window, hop, **more)


def line(of: Lags, *, slope: float = 0.0, agree: Any = None, error: float = 0.01, rate: float | None = None) -> Fit:
    agree = np.ones(len(of.t), bool) if agree is None else np.asarray(agree)
    return Fit("affine", 0.0, rate or 1.0 + slope, of, Line(0.0, slope, agree, error))


def material(values: np.ndarray, hop: float = 0.1) -> Material:
    return Material(values, np.arange(len(values)) * hop, {"name": "made"})


def hiss(frames: int, seed: int = 0, dims: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((frames, dims))
