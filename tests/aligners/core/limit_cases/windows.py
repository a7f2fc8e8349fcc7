"""Where one window is nearly as well at another place."""

import numpy as np

from mmcli.aligners.linear import windows
from mmcli.aligners.linear.choose import Choice
from tests.aligners.core.limit_cases.case import near
from tests.aligners.core.limit_cases.lines import lags, line


def ambiguous(share: float) -> bool:
    of = line(lags([0.0, 0.0], rival=(4.0, share)))
    return Choice("offset", of, [], 1.0, {"offset": 1.0}, None).ambiguous is not None


near("AMBIGUOUS", ambiguous, 0.85, 0.95)


def rival(lag: list[float], score: float = 0.9) -> float:
    """The share of windows that fit nearly as well at one other lag, where the chosen one scores 0.9 at lag 0."""
    places = np.array([[0.0, other] for other in lag])
    scores = np.array([[0.9, score]] * len(lag))
    found = windows.Positions(np.arange(float(len(lag))), places, scores, 2.0, 1.0)
    return windows.rival(found, np.zeros(len(lag), np.int64))[1]


near("NEARLY", lambda score: rival([4.0] * 4, score), 0.75, 0.88, (0.0, 1.0))
near("ELSEWHERE_S", lambda lag: rival([lag] * 4), 0.45, 0.55, (0.0, 1.0))
near("ALIKE_S", lambda apart: rival([4.0, 4.0 + apart]), 0.07, 0.09, (1.0, 0.5))


def tracked(gain: float) -> list[int]:
    """The candidates of three windows: the second correlates by ``gain`` more in two places that are jumps away."""
    lag, score = np.array([[0.0, 9.0], [0.0, 5.0], [0.0, 9.0]]), np.array([[0.9, 0.1], [0.1, 0.1 + gain], [0.9, 0.1]])
    found = windows.Positions(np.arange(3.0), lag, score, 2.0, 1.0)
    return windows.track(found).tolist()


near("JUMP_PRICE", tracked, 0.9, 1.1, ([0, 0, 0], [0, 1, 0]))
