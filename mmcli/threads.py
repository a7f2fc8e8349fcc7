"""How many threads the libraries use inside one of our processes: one, whatever the shell says.

A sum that is cut among threads is added in another order, and ends in other digits: with two threads the cost of a warp
and its SHA-256 were others than with one. So the number is a part of the result, and is never taken from the machine.
What runs side by side are workers (``--jobs``), training's own ``threads`` and the kernels, whose parts do not depend
on how many there are.
"""

from __future__ import annotations

import os

# What OpenMP (torch, scikit-learn), OpenBLAS and Accelerate (numpy, scipy), MKL and numba read when they are loaded.
VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
ONE = dict.fromkeys(VARIABLES, "1")


def use_one() -> None:
    """Set it for this process and its children. The libraries look once, when they are imported: call this before."""
    os.environ.update(ONE)
