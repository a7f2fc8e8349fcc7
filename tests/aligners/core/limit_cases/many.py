"""Many recordings on one clock: places that are looked at, pairs that are taken, pairs that contradict."""

import numpy as np

from mmcli.aligners.many import graph, measure, screen
from tests.aligners.core.limit_cases.case import near


def peak(height: float) -> bool:
    fit = np.zeros(40)
    fit[20] = height
    return bool(screen.peaks(fit, 20))


def loop(off: float) -> bool:
    """Three clips in a ring whose last edge, the weakest, lies off."""
    edges = [graph.Edge(a, b, offset, 1.0, 0.0, 60.0, windows=n) for a, b, offset, n in
             ((0, 1, 30.0, 20), (1, 2, 30.0, 20), (0, 2, 60.0 + off, 5))]  # fmt: skip
    return not graph.solve([100.0] * 3, edges).kept[2]


near("MANY_Z", peak, 4.5, 6.0)
near("MANY_FEWEST", lambda windows: measure.is_enough(windows, windows), 3, 4)
near("MANY_SHARE", lambda windows: measure.is_enough(windows, 100), 40, 50)
near("MANY_LOOP_S", loop, 0.045, 0.055)
