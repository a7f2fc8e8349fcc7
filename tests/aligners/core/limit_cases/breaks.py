"""Where pieces part and what lies between them."""

from typing import Any

import numpy as np

from mmcli.aligners.linear import breaks
from mmcli.aligners.linear.breaks import Piece
from tests.aligners.core.limit_cases.case import near
from tests.aligners.core.limit_cases.lines import hiss, lags, line, material


def groups(second: Any, *, score: float = 1.0, z: bool = False) -> int:
    """How many groups of windows there are: twelve at lag 0, and others."""
    lag = np.concatenate([np.zeros(12), second])
    quality = np.concatenate([np.ones(12), np.full(len(second), score)])
    of = lags(lag, z=20 * quality if z else None, score=quality)
    return len(breaks.groups(of, line(of)))


near("GROUP_FEWEST", lambda n: groups(np.full(n, 5.0)), 2, 3, (1, 2))
near("GROUP_SHARP_S", lambda apart: groups(np.full(6, apart), z=True), 0.0025, 0.0035, (1, 2))
near("GROUP_SCORE", lambda score: groups(np.full(6, 5.0), score=score), 0.25, 0.35, (1, 2))


def meeting(noise: float, lost: int = 60) -> tuple[float, float]:
    """Where two pieces end and begin about frames that the query lacks, ten of them in noise just before the break."""
    x = hiss(400)
    y = np.concatenate([x[:200], x[200 + lost :]])
    y[190:200] = noise * hiss(10, 3) + (1 - noise) * y[190:200]
    a, b = (Piece(lag, 0.0, s, e, np.ones(1, bool)) for lag, s, e in ((0.0, 0.0, 15.0), (lost / 10, 25.0, 33.0)))
    return breaks._meeting(material(x), material(y), a, b, 1.0, 0.1)


near("PARTNER", lambda noise: meeting(noise)[0] > 19.5, 0.65, 0.70, (True, False))


def replaced(frames: int) -> bool:
    """Whether some frames of 20 ms are said to have no partner on either side, before a second that the query lacks."""
    x = hiss(400)
    y = np.concatenate([x[:200], hiss(frames, 4), x[250 + frames :]])
    a, b = (Piece(lag, 0.0, s, e, np.ones(1, bool)) for lag, s, e in ((0.0, 0.0, 3.6), (1.0, 4.8, 6.6)))
    end, start = breaks._meeting(material(x, 0.02), material(y, 0.02), a, b, 1.0, 0.02)
    return start - end > 0.1


near("EVEN_S", replaced, 21, 29)
