"""What is written from a map."""

import numpy as np

from mmcli.aligners.output import stretch
from mmcli.artifacts.formats.timemap import TimeMap
from tests.aligners.core.limit_cases.case import near


def follows(rate: float) -> bool:
    knots = np.array([[0.0, 0.0], [10.0 * rate, 10.0]])
    return stretch.follows(TimeMap(knots, model="affine", offset_s=0.0, rate=rate))


near("DRIFT", follows, 1.0027, 1.0033, (True, False))
