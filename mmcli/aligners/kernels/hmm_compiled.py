"""The recurrences of ``hmm_twin`` in C, with that module's attributes; the import fails where there is no compiler.

A row of forward or backward values has two planes: mantissas in [1, 2), or 0, and their binary exponents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.kernels._hmm import backward_rows, kernel_name, viterbi_rows
from mmcli.aligners.kernels._hmm import forward_rows as _forward_rows

__all__ = ["EMPTY", "PLANES", "backward_rows", "forward_rows", "kernel_name", "logs", "viterbi_rows"]

PLANES = 2
EMPTY = np.array([[0.0], [-1e300]])  # the value of a state that cannot be reached


def logs(row: NDArray[np.float64], base: float) -> NDArray[np.float64]:
    """The logarithms of a row of forward values.

    >>> logs(np.array([[1.5, 0.0], [1.0, -1e300]]), 0.0).round(3).tolist()
    [1.099, -inf]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(row[0]) + np.maximum(row[1], -1e15) * np.log(2.0) + base)


def forward_rows(
    emission: Any,
    lo: Any,
    hi: Any,
    trans: Any,
    start: Any,
    row: Any,
    store: Any,
    base: float,
    kernel: str | None = None,
) -> float:
    """As in ``hmm_twin``; values carry their exponents with them, so ``base`` comes back as it went in.

    >>> row = np.zeros((2, 1))
    >>> one, e = np.ones(1, dtype=np.int64), np.log(np.full((1, 1), 0.5))
    >>> forward_rows(e, one - 1, one, e, np.zeros(1), row, np.empty((0, 2, 0)), 0.0), logs(row, 0.0).round(3).tolist()
    (0.0, [-0.693])
    """
    _forward_rows(emission, lo, hi, trans, start, row, store, kernel)
    return base
