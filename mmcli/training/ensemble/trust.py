"""Whether the folds can be believed: their score beside that of items that took no part in the training at all.

Features that have seen the labels of the training rows (an encoder that was tuned on them, a target encoding) make
folds worthless: every fold is answered well, and nothing else is. The validation split, where there is one, shows it
before anyone looks at the test items. One comparison is that of two means of independent items, or groups of items, by
Welch's t-test (B. Welch, Biometrika 34, 1947).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.training.ensemble.weigh import standard_error

COLLAPSED = 0.001  # chance below which a score that fell is not taken for bad luck, shared among what is looked at
FEWEST = 30  # items of the validation split that choices can be made on


@dataclass(frozen=True)
class Score:
    """A mean of items with its standard error; ``units`` are the independent ones among them."""

    value: float
    error: float
    n: int
    units: int

    def facts(self) -> dict[str, Any]:
        """As a checkpoint keeps it; an error that is not known is null."""
        return {
            "value": self.value,
            "error": self.error if np.isfinite(self.error) else None,
            "n": self.n,
            "units": self.units,
        }


def score_of(credits: NDArray[np.float64], units: NDArray[np.int64]) -> Score:
    """Of what each item adds ``(n,)``."""
    count = int(units.max(initial=-1)) + 1
    return Score(float(credits.mean()), standard_error(credits, units), len(credits), count)


def fell(before: Score, after: Score) -> float:
    """The chance that a score falls at least so far by luck alone, one-sided; 1 where it cannot be told.

    >>> fell(Score(0.99, 0.005, 400, 400), Score(0.77, 0.02, 400, 400)) < 1e-6
    True
    """
    from scipy.special import stdtr

    if not (np.isfinite(before.error) and np.isfinite(after.error)) or min(before.units, after.units) < 2:
        return 1.0
    # A score of 0 or 1 has no spread among its items, and is none the surer for it: a twelfth of a unit each way.
    a, b = (max(s.error**2, (1.0 / (2.0 * s.units)) ** 2 / 3.0) for s in (before, after))
    freedom = (a + b) ** 2 / (a**2 / (before.units - 1) + b**2 / (after.units - 1))
    return float(stdtr(freedom, (after.value - before.value) / np.sqrt(a + b)))
