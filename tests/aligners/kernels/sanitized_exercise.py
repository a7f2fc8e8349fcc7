"""Every path through the sanitized extension, in the folder given: kernels, patterns, tilings, corridors, open ends."""

from __future__ import annotations

import sys

import numpy as np

sys.path.insert(0, sys.argv[1])
import _dtw  # type: ignore[import-not-found]

SIZES = [1, 2, 3, 7, 16, 31, 32, 33, 63, 64, 65, 127, 129, 255, 257, 511, 513]
KERNELS = [k for k in ("avx512", "avx2", "base") if _dtw.kernel(k)]


def main() -> None:
    r = np.random.default_rng(0)
    for _ in range(1500):
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
    print("clean")


main()
