"""Plain loops compiled by numba, where numba is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """``function`` compiled on its first call and kept on disk where there is a place for it; None without numba.

    >>> f = compiled(lambda a: a + 1)
    >>> 2 if f is None else f(1)
    2
    """
    try:
        import numba
    except ImportError:
        return None
    try:
        kept: Callable[..., Any] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's can be written
        kept = numba.njit(nogil=True)(function)
    return kept
