"""Canonical time warping: two series of different kinds or widths, each through its own directions into a shared space.

Zhou and De la Torre 2009, "Canonical time warping for alignment of human behavior": canonical correlation analysis of
the frames that are paired and dynamic time warping of what they share take turns until the cost stands still. There is
no reason to use it where both sides hold the same quantities: `dtw` finds the best path then, this one a good one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmcli.aligners.core import inputs
from mmcli.aligners.warp import canonical
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import UsageError

ACCEPTS = (("features", "features"),)
WIDTHS = "any"  # of the two sides


@dataclass(frozen=True)
class Config:
    """The shared space, and when the turns end."""

    dims: int = 0  # of the shared space; 0: as many as the narrower side has, at most 8
    ridge: float = 1e-3  # of a side's mean variance, added to each of its own, above 0
    most: int = 30  # turns from one start, 1 or more
    tolerance: float = 1e-6  # a turn that lowers the cost by less is the last, 0 or more

    def __post_init__(self) -> None:
        if self.dims < 0 or not self.ridge > 0 or self.most < 1 or not self.tolerance >= 0:
            raise UsageError("dims and tolerance must be 0 or more, ridge above 0, most 1 or more")


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """A warping path between ``x`` (the reference) and ``y``: arrays (frames, dims) or Features, of any widths.

    ``path`` int64 (k, 2) leads from (0, 0) to the last pair; ``cost`` is the mean squared distance of the pairs in the
    shared space, 0 where both move as one and about 1 where they share nothing.

    Raises InputError for NaN, Inf, empty input, and a side that does not change.

    >>> import numpy as np
    >>> t = np.linspace(0, 6, 50)
    >>> x = np.column_stack([np.sin(t), np.cos(2 * t)])
    >>> y = (x @ np.array([[1.0, 2.0, 0.5], [-0.5, 1.0, 3.0]]))[::2]
    >>> alignment = align(x, y)
    >>> alignment.cost < 0.01, int(abs(alignment.path[:, 0] - 2 * alignment.path[:, 1]).max())
    (True, 2)
    """
    (xv, _), (yv, _) = inputs.checked(x, y, same_width=False)
    canonical.changing(xv, yv, x, y)
    shared = canonical.find(xv, yv, dims=config.dims, ridge=config.ridge, most=config.most, tolerance=config.tolerance)
    return inputs.warped(x, y, shared.path, shared.cost, name="ctw", config=config)
