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
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.training.ensemble.weigh import standard_error

COLLAPSED = 0.01  # chance below which a score that fell is not taken for bad luck, shared among what is looked at
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


def sureness(task: str, answers: Tensor, prior: Tensor) -> NDArray[np.float64]:
    """How sure each answer ``(n, outputs)`` is ``(n,)``: what answers themselves say of how often they are right.

    Of classes the log-odds of the likeliest, of labels the mean of those of the likelier of yes and no, of numbers the
    distance from the mean in standard deviations.
    """
    if task == "classify":
        best, which = answers.max(-1, keepdim=True)
        rest = answers.scatter(-1, which, -torch.inf).logsumexp(-1)
        each = best[:, 0] - rest
    elif task == "multilabel":
        each = answers.abs().mean(-1)
    else:
        each = (answers - prior).abs().amax(-1)
    sure: NDArray[np.float64] = each.double().numpy()
    return sure


def less_sure(
    before: NDArray[np.float64], after: NDArray[np.float64], units: NDArray[np.int64], after_units: NDArray[np.int64]
) -> float:
    """The chance that answers are so much less sure than others by luck alone, one-sided, no labels needed.

    Welch's test of the ranks among both, units counted together (D. Zimmerman and B. Zumbo, Journal of General
    Psychology 120, 1993): how sure answers are has long tails, and what an over-trained encoder says is beyond doubt on
    both sides.
    """
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([before, after])) / (len(before) + len(after))
    return fell(score_of(ranks[: len(before)], units), score_of(ranks[len(before) :], after_units))


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
