"""Which model explains two recordings, and what it is called."""

from typing import Any

import numpy as np

from mmcli.aligners.linear import choose, fit
from mmcli.aligners.linear.breaks import Piece
from mmcli.aligners.linear.choose import Choice
from mmcli.aligners.linear.fit import Fit
from tests.aligners.core.limit_cases.case import decides, near
from tests.aligners.core.limit_cases.lines import hiss, lags, line, material


def partly(strange: int) -> Choice:
    """Frames, and the same with the last ``strange`` of 300 others."""
    x = hiss(300)
    y = np.concatenate([x[: 300 - strange], hiss(strange, 1)])
    return choose.choose(material(x), material(y), window_s=2.0, step_s=1.0)


near("ENOUGH", lambda strange: partly(strange).believed, 141, 105, (False, True))


@decides("CLEAR", [True, False])
def clear() -> list[bool]:
    """Whether breaks were looked for, where a few frames are cut out near the end."""
    out = []
    for at in (1000, 1110):
        x = hiss(1200, dims=4)
        y = np.concatenate([x[:at], x[at + 8 :]])
        choice = choose.choose(material(x), material(y), window_s=2.0, step_s=1.0)
        out.append("piecewise" in choice.shares)
    return out


near("POINTS", lambda simpler: choose.as_good(simpler, 0.97), 0.85, 0.88)
near("BREAKS_AHEAD", lambda share: choose.is_ahead(share, 0.8), 0.818, 0.822)


def pieces_share(replaced: float) -> float:
    """The share of windows explained where 4 s of the reference stand in place of some seconds of the query."""
    t = np.arange(0.0, 30.0)
    agree = (t < 12) | (t > 12 + replaced)
    of = lags(np.where(t < 12, 0.0, 4.0 - replaced), t)
    first, second = (
        Piece(0.0, 0.0, 0.0, 11.0, agree & (t < 12)),
        Piece(4.0 - replaced, 0.0, 16.0, 29.0, agree & (t > 12)),
    )
    segments = [np.array([[0.0, 0.0], [12.0, 12.0]]), np.array([[16.0, 12.0 + replaced], [34.0, 30.0 + replaced]])]
    share, _ = choose._share_of_pieces(material(hiss(400)), of, [first, second], segments)
    return share


near("EVEN", lambda replaced: pieces_share(replaced) == 1.0, 2.8, 3.6, (True, False))


def searched(longer: float) -> str:
    x = hiss(int(200 * longer))
    return choose.choose(material(x[:200]), material(x), window_s=2.0, step_s=1.0).repeats


near("LONGER", searched, 1.1, 1.35, ("reference", "query"))


def believed(z: Any, agree: int) -> bool:
    of = lags(np.zeros(10), z=z)
    return choose._believed(line(of, agree=np.arange(10) < agree), np.arange(10) < agree)


near("FEWEST", lambda agree: believed(np.full(10, 20.0), agree), 2, 3)
near("CLEAR_Z", lambda z: believed(np.full(10, z), 10), 7.0, 9.0)
near("SHARP_Z", lambda z: lags([0.0], z=[z]).trusted.tolist(), 5.0, 7.0, ([0.0], [1.0]))
near("SHARP_SHARE", lambda n: fit.are_sharp(np.where(np.arange(20) < n, 20.0, 1.0)), 5, 7)

ROUGH = np.where(np.arange(40) % 2, 0.1, -0.1)  # about a line, so that no slope is chance


def sloped(deviations: float) -> Fit:
    """A line that many deviations of its slope steep."""
    slope = deviations * line(lags(ROUGH)).slope_deviation
    return line(lags(ROUGH + slope * np.arange(40)), slope=slope, error=0.01)


near("SURE", lambda deviations: choose._drifts(sloped(deviations)), 3.5, 4.5)


def name_of(beside: float, error: float = 0.1) -> str | None:
    """The name that is given to a rate beside 24/25."""
    rate = 24 / 25 + beside
    of = lags(ROUGH + (rate - 1.0) * np.arange(40))
    return choose._named(line(of, slope=rate - 1.0, error=error, rate=rate))[0]


near("NAMES_APART", name_of, 0.45e-3, 0.52e-3, ("24/25", None))
near("NAMED_WORSE", lambda error: name_of(0.1e-3, error), 0.046, 0.060, (None, "24/25"))


def short_ones(wrong: int, *, quiet: float = 1.0, length: int = 200) -> bool:
    """Whether short windows say that a line holds, whose last ``wrong`` frames are others, as loud as ``quiet``."""
    x = hiss(length, dims=64)
    y = np.concatenate([x[: length - wrong], quiet * hiss(wrong, 1, 64)])
    segment = np.array([[0.0, 0.0], [(length - 1) * 0.1] * 2])
    return choose.holds(material(x), material(y), lags([0.0], window=2.0), [segment])


def few_short_ones(frames: int) -> bool:
    """The same of so many frames that stand nowhere in the reference: as many windows as eights of them overlap."""
    end = (frames - 1) * 0.1
    segment = np.array([[3.0, 0.0], [3.0 + end, end]])
    return choose.holds(material(hiss(80)), material(hiss(frames, 2)), lags([0.0], window=2.0), [segment])


near("SHORT_ENOUGH", short_ones, 100, 60)
near("SHORT_FEWEST", few_short_ones, 12, 16, (True, False))
near("SHORT_QUIET", lambda quiet: short_ones(100, quiet=quiet), 0.21, 0.25, (True, False))

near("RATE_ENOUGH", lambda n: line(lags(np.zeros(20)), agree=np.arange(20) < n).is_enough, 11, 13)
near("UNSETTLED", lambda slope: line(lags(np.zeros(9)), slope=slope).is_settled, 0.0018, 0.0022, (True, False))
