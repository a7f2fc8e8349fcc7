"""A film without sound. Curves are zero but for what happens, every 10 ms."""

import numpy as np
import pytest

from mmcli.aligners.methods import motion
from tests.aligners.core.limit_cases.case import near


def place_of(strength: float, rival: float) -> motion.Place:
    return motion.Place(0.0, 1.0, strength, rival)


near("MOTION_Z", lambda z: motion.doubt(place_of(0.5, 0.1), z, "", "a") is None, 5.0, 7.0)
near("MOTION_RIVAL", lambda rival: motion.doubt(place_of(1.0, rival), 20.0, "", "a") is None, 0.8, 0.9, (True, False))


def happening(seconds: float, seed: int = 0) -> np.ndarray:
    out = np.zeros(int(seconds * 100))
    rng = np.random.default_rng(seed)
    out[rng.choice(len(out), len(out) // 25, replace=False)] = rng.uniform(0.5, 1.0, len(out) // 25)
    return np.convolve(out, np.hanning(9), mode="same")


def beside(lag: float) -> bool:
    """Whether what happens twice, so many seconds apart, is another place."""
    once, k = np.zeros(3000), int(lag * 100)
    once[500:2500:400] = 1.0
    once = np.convolve(once, np.hanning(5), mode="same")
    return motion.place(once + np.roll(once, k), once).rival > 0.6


near("MOTION_NEAR_S", beside, 0.27, 0.33)


def shared(seconds: float, whole: float) -> bool:
    """Whether two curves that have so much in common are put where they have."""
    long = happening(2 * whole)
    x, y = long[: int(whole * 100)], long[int((whole - seconds) * 100) :][: int(whole * 100)]
    return abs(motion.place(x, y).offset_s - (whole - seconds)) < 0.05


near("MOTION_SHARED", lambda share: shared(share * 40.0, 40.0), 0.45, 0.55)
near("MOTION_SHARED_S", lambda seconds: shared(seconds, 12.0), 7.0, 9.0)


def rate_of(gain: float) -> float:
    """The rate, where a named one correlates so many times as well as 1."""
    with pytest.MonkeyPatch.context() as patch:
        curves = {1.0: 0.5, 24 / 25: 0.5 * gain}
        y = np.zeros(100)
        patch.setattr(motion, "stretched", lambda y, rate: np.full(1, curves.get(rate, 0.1)))
        patch.setattr(motion, "correlation", lambda x, y: (y, 0))
        return motion.place(y, y).rate


near("MOTION_NAMED", rate_of, 0.90, 1.15, (1.0, 24 / 25))
