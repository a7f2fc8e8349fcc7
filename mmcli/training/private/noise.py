"""Gaussian noise that keeps its promise in floating point, from randomness that the operating system seeds.

A float drawn around a secret betrays it in its last bits (I. Mironov, "On significance of the least significant bits
for differential privacy", CCS 2012). So the secret is rounded to a grid, the noise too, and both are added as whole
numbers of cells (Google's differential privacy team, "Secure noise generation", 2020, whose grid this is). The rounding
of a sum to the grid moves it by at most half a cell a coordinate, which is counted as part of what one unit can change;
rounding the noise then only blurs what the exact Gaussian would have shown.

Noise is drawn in double precision (Box and Muller 1958), length and sign from 64 random bits and the angle from 32,
whose gaps lie below a cell. The bits are those of OpenSSL's generator (NIST SP 800-90A), which the operating system
seeds, and again after a fork: 16 times as fast as asking the system for each. What is beyond 9.4 standard deviations is
never drawn; it has probability 1e-20 a coordinate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from ssl import RAND_bytes

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SLACK = 2.0**-10  # of the clip, for rounding to the grid
BLOCK = 1 << 14  # numbers drawn at once: a block stays in the processor's cache
SINE = [(-1) ** k / math.factorial(2 * k + 1) for k in range(6, -1, -1)]  # Taylor, 2e-14 off at an eighth of a turn

Read = Callable[[int], bytes]


def cell(clip: float, numbers: int) -> float:
    """Side of the grid, a power of two: rounding ``numbers`` coordinates of two sums moves their difference by less
    than ``SLACK`` of ``clip``.

    >>> cell(1.0, 2500) == 2.0**-16
    True
    """
    return float(2.0 ** math.floor(math.log2(SLACK * clip / math.sqrt(numbers))))


def sensitivity(clip: float) -> float:
    """What one unit can change of a sum on the grid."""
    return clip * (1.0 + SLACK)


def normal(count: int, read: Read = RAND_bytes) -> NDArray[np.float64]:
    """Independent standard normal numbers ``(count,)``."""
    drawn = np.empty(count + count % 2)
    for start in range(0, len(drawn), BLOCK):
        _fill(drawn[start : start + BLOCK], read)
    return drawn[:count]


def _fill(drawn: NDArray[np.float64], read: Read) -> None:
    """An even number of normal numbers, in place: x and y of points, whose angle and length are drawn.

    The angle lies within a quarter turn of the first axis, and the sign of the length turns half of the points round.
    """
    x, y = np.split(drawn, 2)
    bits = read(12 * len(x))
    signed = np.frombuffer(bits, np.int64, len(x)).astype(np.float64)
    signed += 0.5
    length = np.abs(signed)
    length *= 2.0**-63
    np.log(length, out=length)
    length *= -2.0
    np.sqrt(length, out=length)
    np.copysign(length, signed, out=length)
    half = np.frombuffer(bits, np.int32, len(x), 8 * len(x)).astype(np.float64)
    half *= math.pi / 4 * 2.0**-31
    np.multiply(half, half, out=x)
    sine = np.full(len(x), SINE[0])
    for factor in SINE[1:]:  # twice as fast as the sine and the cosine of numpy or torch
        sine *= x
        sine += factor
    sine *= half
    np.multiply(sine, sine, out=x)
    np.subtract(1.0, x, out=y)
    np.sqrt(y, out=y)  # the cosine of half the angle
    y *= sine
    y *= 2.0
    x *= -2.0
    x += 1.0
    x *= length
    y *= length


def add(sums: Sequence[Tensor], clip: float, noise: float, read: Read = RAND_bytes) -> list[Tensor]:
    """The sums on the grid with noise of ``noise`` times their sensitivity; float64, the shapes of ``sums``.

    ``noise`` 0 leaves them as they are.
    """
    if noise == 0:
        return [s.double() for s in sums]
    flat = torch.cat([s.detach().reshape(-1) for s in sums]).cpu().double()
    side = cell(clip, len(flat))
    drawn = torch.from_numpy(normal(len(flat), read))
    drawn.mul_(noise * sensitivity(clip) / side).round_()
    total = flat.div_(side).round_().add_(drawn).mul_(side).to(sums[0].device)
    return [part.view_as(s) for part, s in zip(torch.split(total, [s.numel() for s in sums]), sums, strict=True)]


def count(units: int, noise: float, read: Read = RAND_bytes) -> int:
    """A number of units, with noise; at least 1."""
    return max(1, units + int(np.rint(normal(1, read)[0] * noise)))


def coins(units: int, rate: float, read: Read = RAND_bytes) -> NDArray[np.int64]:
    """Which of ``units`` are drawn, each by its own coin that falls with probability ``rate``: ascending numbers."""
    if rate >= 1:
        return np.arange(units, dtype=np.int64)
    bits = np.frombuffer(read(8 * units), np.uint64)
    return np.flatnonzero(bits < np.uint64(int(rate * 2.0**64))).astype(np.int64)
