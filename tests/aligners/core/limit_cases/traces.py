"""What speaks against a line, and which ends lie elsewhere."""

import numpy as np
import pytest

from mmcli.aligners.linear import ends, phase, trace, weigh
from mmcli.aligners.linear.fit import Material
from mmcli.aligners.linear.trace import Run
from tests.aligners.core.limit_cases.case import near
from tests.aligners.core.limit_cases.lines import hiss


def against(nats: float) -> int:
    """How many stretches speak against their place, where one does by so much."""
    return len(trace._against(np.array([1.0] * 5 + [-nats / 4] * 4 + [1.0] * 5)))


near("UNEXPLAINED", against, 5.0, 7.0, (0, 1))
near("BEYOND_CHANCE", lambda nats: trace.is_elsewhere(np.log(1001.0) + nats, 1000.0), 7.0, 9.0)
LINE = Run(0.0, 1.0, 0.0, 9.0)
near("LEAST_MOVE_S", trace.is_a_move, 0.025, 0.035)
near(
    "SHORTEST_S",
    lambda head: len(trace._inserted([Run(0.0, 1.0, 0.0, 9.0)], Run(5.0, 1.0, head, 9.0))),
    0.7,
    0.8,
    (1, 2),
)


def end(moved: float = 0.01, z: float = 9.0, count: int = 3, jitter: float = 0.0) -> bool:
    """Whether the first windows of a piece, so many, are heard at a lag of their own."""
    lags = [moved, moved + jitter, *[moved] * (count - 2)][:count]
    heard = iter([(lag, z) for lag in lags] + [(0.0, 99.0)] * 20)
    one = Material(hiss(10), np.arange(10.0), {}, np.zeros(99, np.float32), 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ends, "refine", lambda x, y, rate, centre, lag, **_: next(heard))
        return ends._other_lag(one, one, Run(0.0, 1.0, 0.0, 20.0), at_end=False) is not None


near("END_OTHER_S", lambda moved: end(moved), 0.0035, 0.0045)
near("END_SAME_S", lambda jitter: end(jitter=jitter), 0.0018, 0.0022, (True, False))
near("END_Z", lambda z: end(z=z), 6.5, 7.5)
near("END_FEWEST", lambda count: end(count=count), 1, 2)
near("CLEAR_AHEAD", weigh.is_clear, 9.0, 11.0)
near("WHOLE", weigh.is_torn, 0.57, 0.63, (True, False))
near("ASTRAY", weigh.is_astray, 0.055, 0.065)
near("STEADY_FITS", weigh.fits_well, 0.3, 0.36)
near("ARRIVAL", lambda height: len(phase.arrivals(np.array([0.1, height, 1.0]))), 0.55, 0.65, (1, 2))
