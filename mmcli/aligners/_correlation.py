"""Cross-correlation of many short windows with a long side, block by block (overlap-save).

A Fourier transform as long as the whole side would be almost empty for every window. In blocks a few windows long the
transforms are small, and the sum over bands becomes one matrix product per frequency for all windows at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_WINDOWS, LEAST_BLOCK = 4, 512  # a block is so many windows long, and at least so many frames
AT_ONCE = 4_000_000  # values of the product of spectra that are held at a time


@dataclass
class Searched:
    """The side that windows are looked for in: ``grid`` float32 (frames, bands), mean 0 and deviation 1 by band, with
    its first time ``start`` and its ``hop`` in seconds. What depends on the length of the windows is kept."""

    grid: NDArray[np.float32]
    start: float
    hop: float
    _spectra: dict[tuple[int, int], NDArray[np.complex64]] = field(default_factory=dict)
    _spread: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    def spread(self, length: int) -> NDArray[np.float64]:
        """Sum of squares about the local mean of every stretch of ``length`` frames over all bands, float64
        (frames - length + 1,); floored, for near silence every shape correlates with every other."""
        if length not in self._spread:
            self._spread.clear()
            wide = self.grid.astype(np.float64)
            one = np.concatenate([np.zeros((1, wide.shape[1])), np.cumsum(wide, axis=0)])
            two = np.concatenate([[0.0], np.cumsum((wide * wide).sum(axis=1))])
            mean = (one[length:] - one[:-length]) / length
            spread = (two[length:] - two[:-length]) - length * (mean * mean).sum(axis=1)
            self._spread[length] = np.maximum(spread, 0.05 * float(np.median(spread)) + 1e-9)
        return self._spread[length]

    def spectra(self, length: int, size: int) -> NDArray[np.complex64]:
        """Of blocks of ``size`` frames that overlap by ``length - 1``: complex64 (frequencies, blocks, bands)."""
        from scipy.fft import rfft

        if (length, size) not in self._spectra:
            self._spectra.clear()
            valid = size - length + 1
            count = max(1, -(-(len(self.grid) - length + 1) // valid))
            padded = np.zeros(((count - 1) * valid + size, self.grid.shape[1]), np.float32)
            n = min(len(self.grid), len(padded))
            padded[:n] = self.grid[:n]
            out = np.empty((size // 2 + 1, count, self.grid.shape[1]), np.complex64)
            for k in range(count):
                out[:, k] = rfft(np.ascontiguousarray(padded[k * valid : k * valid + size].T)).T
            self._spectra[length, size] = out
        return self._spectra[length, size]

    def correlations(self, windows: NDArray[Any]) -> Iterator[NDArray[np.float32]]:
        """For every window (k, length, bands) in turn its sum of products with the side at every place it fits in:
        float32 (frames - length + 1,).

        >>> side = Searched(np.array([[1.0], [2.0], [0.0], [3.0]], np.float32), 0.0, 1.0)
        >>> [np.round(c).tolist() for c in side.correlations(np.array([[[1.0], [1.0]]]))]
        [[3.0, 2.0, 3.0]]
        """
        from scipy.fft import irfft, next_fast_len, rfft

        length = windows.shape[1]
        places = len(self.grid) - length + 1
        whole = int(next_fast_len(len(self.grid), real=True))
        size = min(whole, int(next_fast_len(max(BLOCK_WINDOWS * length, LEAST_BLOCK), real=True)))
        spectra = self.spectra(length, size)
        step = max(1, AT_ONCE // (spectra.shape[0] * spectra.shape[1]))
        for first in range(0, len(windows), step):
            some = np.ascontiguousarray(windows[first : first + step].transpose(0, 2, 1), dtype=np.float32)
            own = np.conj(rfft(some, size)).transpose(2, 1, 0)  # (frequencies, bands, windows)
            product = np.ascontiguousarray((spectra @ np.ascontiguousarray(own)).transpose(2, 1, 0))
            for blocks in product:
                yield irfft(blocks, size)[:, : size - length + 1].ravel()[:places]
