"""Every path through the sanitized extensions that stand in the folder given.

    python sanitized_exercise.py FOLDER ROUNDS [TESTS...]

Of ``_dtw`` kernels, patterns, tilings, corridors and open ends at random, ROUNDS times; of the others the tests that
hold them to their twins, which import what is loaded here.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOMS = {"_dtw": "aligners", "_hmm": "aligners", "_live": "aligners", "_cross": "models"}


def loaded(folder: Path) -> dict[str, Any]:
    """The extensions of the folder, in the place of those that are installed."""
    modules = {}
    for path in folder.glob("*.so"):
        name = path.name.partition(".")[0]
        spec = importlib.util.spec_from_file_location(f"mmcli.{ROOMS[name]}.kernels.{name}", path)
        assert spec is not None
        assert spec.loader is not None
        modules[name] = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    return modules


LOADED = loaded(Path(sys.argv[1]))
_dtw = LOADED["_dtw"]
SIZES = [1, 2, 3, 7, 16, 31, 32, 33, 63, 64, 65, 127, 129, 255, 257, 511, 513]
KERNELS = [k for k in ("avx512", "avx2", "base") if _dtw.kernel(k)]


def main(rounds: int) -> None:
    """The extension of dynamic time warping."""
    r = np.random.default_rng(0)
    for _ in range(rounds):
        n, m, d = int(r.choice(SIZES)), int(r.choice(SIZES)), int(r.choice([1, 2, 3, 12, 17]))
        kind = np.float32 if r.random() < 0.5 else np.float64
        x, y = r.integers(0, 5, (n, d)).astype(kind), r.integers(0, 5, (m, d)).astype(kind)
        path = np.empty((n + m - 1, 2), dtype=np.int64) if r.random() < 0.8 else None
        corridor = None
        if r.random() < 0.5:
            lo = r.integers(0, m, n)
            corridor = np.stack([lo, np.minimum(lo + r.integers(1, m + 1, n), m)], axis=1)
        rows, columns, group = [(0, 0, 0), (64, 64, 1), (64, 128, 2), (128, 64, 3)][r.integers(4)]
        upper = np.inf if r.random() < 0.7 else float(r.random() * n)
        codes = int(r.integers(4)), int(r.integers(4)), int(r.integers(2)), int(r.integers(16))
        kernel = KERNELS[r.integers(len(KERNELS))]
        args = (x, y, path, corridor, *codes, upper, int(r.integers(1, 3)), 0, kernel, rows, columns, group)
        _dtw.plan(*args)
        rest, low = (np.sort(r.random(n))[::-1].copy(), np.empty(n)) if r.random() < 0.5 else (None, None)
        _dtw.align(*args, rest, float(r.integers(0, 2 * n * m)), low)
    x = r.random((2200, 2))
    _dtw.align(x, x, np.empty((4399, 2), dtype=np.int64), None, 0, 3, 0, 0, np.inf, 3, 0, None)


if __name__ == "__main__":
    main(int(sys.argv[2]))
    failed = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *sys.argv[3:]]) if len(sys.argv) > 3 else 0
    for module in LOADED.values():  # the tests used these, and not what is installed
        assert sys.modules[module.__name__] is module
    print("failed" if failed else "clean")
