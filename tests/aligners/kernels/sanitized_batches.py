"""Every path through the sanitized `_hmm` and `_pairs` from the folder given."""

from __future__ import annotations

import sys

import numpy as np

sys.path.insert(0, sys.argv[1])
import _hmm  # type: ignore[import-not-found]
import _pairs  # type: ignore[import-not-found]

BEST = _pairs.kernel_name()
KERNELS = ["avx512", "avx2", "base"][["avx512", "avx2", "base"].index(BEST) :]


def models(r: np.random.Generator) -> None:
    frames, width, jumps = int(r.integers(1, 20)), int(r.integers(1, 70)), int(r.integers(1, 6))
    emission = r.normal(size=(frames, width)) * 100
    emission[r.random(emission.shape) < 0.1] = -np.inf
    lo = r.integers(0, width, frames)
    hi = np.minimum(lo + r.integers(0, width + 1, frames), width)
    trans = np.log(r.random((jumps, width)))
    ends = np.log(r.random(width)) if r.random() < 0.5 else np.empty(0)
    kernel = KERNELS[r.integers(len(KERNELS))]
    codes = np.zeros((frames, width), dtype=np.int8) if r.random() < 0.5 else np.empty((0, 0), dtype=np.int8)
    _hmm.viterbi_rows(emission, lo, hi, trans, ends, np.zeros(width), codes, kernel)
    store, gamma = np.empty((frames, 2, width)), np.empty((frames, width))
    _hmm.forward_rows(emission, lo, hi, trans, ends, np.zeros((2, width)), store, kernel)
    _hmm.backward_rows(emission, lo, hi, trans, ends, np.zeros((2, width)), store, gamma, kernel)


def lists(r: np.random.Generator) -> None:
    d, same = int(r.integers(1, 5)), r.random() < 0.4
    sizes = [[int(r.integers(1, 20))] * 5 if same else r.integers(1, 20, int(r.integers(1, 20))) for _ in range(2)]
    offsets = [np.concatenate([[0], np.cumsum(s)]).astype(np.int64) for s in sizes]
    values = [r.normal(size=(int(o[-1]), d)) for o in offsets]
    head = values[0], offsets[0], values[1], offsets[1], d, int(r.integers(3)), int(r.integers(4))
    nx, ny = (len(o) - 1 for o in offsets)
    ranges = None
    if same:
        n, m = int(sizes[0][0]), int(sizes[1][0])
        lo = np.sort(r.integers(0, m, n))
        ranges = np.stack([lo, np.maximum.accumulate(np.minimum(lo + r.integers(1, m + 1, n), m))], axis=1)
    upper = r.random(nx) * 10 if r.random() < 0.5 else None
    kernel = KERNELS[r.integers(len(KERNELS))]
    _pairs.matrix(*head, np.arange(nx), np.arange(ny), ranges, upper, np.empty((nx, ny)), kernel)
    order, bounds = np.tile(np.arange(ny), (nx, 1)), np.sort(r.random((nx, ny)), axis=1)
    best, index = np.full(nx, np.inf), np.full(nx, -1)
    _pairs.nearest(*head, np.arange(nx), order, ranges, bounds, best, index, kernel)


def main() -> None:
    r = np.random.default_rng(0)
    for _ in range(1500):
        models(r)
        lists(r)
    print("clean")


main()
