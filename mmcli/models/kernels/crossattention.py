"""Training the layers of `crossmodal` on a processor: forward and backward compiled, one pair of modalities a call.

The maths is that of the plain layers in :mod:`mmcli.models.blocks.crossmodal`, which serve everywhere else (other
devices and dtypes, answering, an installation without a compiler) and which a test holds this to. Heads of few numbers
are why it is worth it: their products are small, and passes between them cost as much. The extension ``_cross`` works
on the layers of a few items at a time, so that all of it stays in cache, and keeps no scores and no hidden values for
the backward pass, which computes them again (T. Dao et al., "FlashAttention", NeurIPS 2022).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LONGEST, WIDEST = 512, 128  # steps, and numbers a step: beyond, scores or weights leave the cache and plain layers win
KERNEL: str | None = None  # an instruction set in place of the best: avx512, avx2, base

Array = NDArray[np.float32]


def _extension() -> ModuleType | None:
    try:
        return importlib.import_module("mmcli.models.kernels._cross")
    except ImportError:  # installed without a compiler
        return None


_cross: Any = _extension()


def serves(held: Tensor, steps: int) -> bool:
    """Whether ``held`` ``(..., width)``, items of so many steps, can be trained here.

    >>> serves(torch.zeros(2, 3, 8, dtype=torch.float64), 3)
    False
    """
    here = held.device.type == "cpu" and held.dtype == torch.float32 and torch.is_grad_enabled()
    return _cross is not None and here and steps <= LONGEST and held.shape[-1] <= WIDEST


class Shape(NamedTuple):
    """Of one pair; ``wide`` is the width of the feed-forward map."""

    items: int
    steps: int
    width: int
    heads: int
    layers: int
    wide: int


class _Memory:
    """Of one call, and used again by the next, as new memory costs a page fault every 4 kB."""

    def __init__(self) -> None:
        self.kept, self.work = np.empty(0, np.float32), np.empty(0, np.float32)

    def cut(self, shape: Shape, pairs: int, threads: int) -> tuple[list[Array], list[Array]]:
        """What each pair keeps for its gradients and what each thread works in; memory grows where it has to."""
        _, kept, work = _cross.room(tuple(shape), KERNEL)
        if len(self.kept) < pairs * kept:
            self.kept = np.empty(pairs * kept, np.float32)
        if len(self.work) < threads * work:
            self.work = np.empty(threads * work, np.float32)
        return list(self.kept[: pairs * kept].reshape(pairs, -1)), list(
            self.work[: threads * work].reshape(threads, -1)
        )


_idle: list[_Memory] = []  # no call is using it; one at most is held


class CrossAttention(torch.autograd.Function):
    """``apply(held, plain, seen, noise, pairs, shape, maps)`` to ``(pairs, items * steps, width)``.

    ``held`` and ``plain`` float32 ``(modalities, items * steps, width)``, the sequences and their norms; ``pairs`` of
    target and source; ``seen`` bool ``(modalities, items, steps)`` or None for all; ``noise`` float32 ``(2 * layers,
    items, pairs, width, steps)``, the factors of dropout, or None; ``maps`` float32 ``(pairs, layers, n)``, for each
    layer one after another the maps of queries, of keys and values, of what was found, and both of the feed-forward
    part, each ``(inputs + 1, outputs)`` with its bias last. Gradients can be asked for once.
    """

    @staticmethod
    def forward(
        ctx: Any,
        held: Tensor,
        plain: Tensor,
        seen: Tensor | None,
        noise: Tensor | None,
        pairs: list[tuple[int, int]],
        shape: Shape,
        maps: Tensor,
    ) -> Tensor:
        """Pair by pair, each on one thread."""
        try:
            memory = _idle.pop()
        except IndexError:
            memory = _Memory()
        kept, work = memory.cut(shape, len(pairs), min(torch.get_num_threads(), len(pairs)))
        attended = torch.empty(len(pairs), *held.shape[1:])
        given, ends = _given(held, plain, seen, noise, pairs, shape, maps), attended.numpy()
        _spread(
            lambda p, thread: _cross.forward(*given[p], kept[p], work[thread], ends[p], KERNEL), len(pairs), len(work)
        )
        ctx.memory, ctx.rest = memory, (kept, work, seen, noise, pairs, shape)
        ctx.save_for_backward(held, plain, maps)
        if not any(ctx.needs_input_grad):
            _give_back(ctx)
        return attended

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Gradients of ``held``, ``plain`` and ``maps``."""
        if ctx.memory is None:
            raise RuntimeError("the gradients of crossmodal attention were asked for twice")
        held, plain, maps = ctx.saved_tensors
        kept, work, seen, noise, pairs, shape = ctx.rest
        given, d_ends = _given(held, plain, seen, noise, pairs, shape, maps), grads[0].detach().contiguous()
        d_x, d_source, d_maps = torch.empty_like(d_ends), torch.empty_like(d_ends), torch.empty_like(maps)
        arrays = [a.detach().numpy() for a in (d_ends, d_x, d_source, d_maps)]
        _spread(
            lambda p, thread: _cross.backward(*given[p], kept[p], work[thread], *(a[p] for a in arrays), KERNEL),
            len(pairs),
            len(work),
        )
        _give_back(ctx)
        targets, sources = (torch.tensor(side) for side in zip(*pairs, strict=True))
        d_held = torch.zeros_like(held).index_add_(0, targets, d_x)
        d_plain = torch.zeros_like(plain).index_add_(0, sources, d_source)
        return d_held, d_plain, None, None, None, None, d_maps


def _give_back(ctx: Any) -> None:
    if not _idle:
        _idle.append(ctx.memory)
    ctx.memory = ctx.rest = None


def _given(
    held: Tensor,
    plain: Tensor,
    seen: Tensor | None,
    noise: Tensor | None,
    pairs: list[tuple[int, int]],
    shape: Shape,
    maps: Tensor,
) -> list[tuple[Any, ...]]:
    """What the extension takes first, of each pair."""
    x, source, weights = (a.detach().contiguous().numpy() for a in (held, plain, maps))
    visible = [None] * len(held) if seen is None else list(seen.contiguous().numpy())
    size = shape.steps * shape.width
    path, item = (0, 0) if noise is None else (noise[0].numel(), len(pairs) * size)
    factors = None if noise is None else noise.contiguous().view(-1).numpy()
    return [
        (
            tuple(shape),
            weights[p],
            x[a],
            source[b],
            visible[b],
            None if factors is None else factors[p * size :],
            path,
            item,
        )
        for p, (a, b) in enumerate(pairs)
    ]


def _spread(work: Callable[[int, int], None], count: int, threads: int) -> None:
    """``work(p, thread)`` for each p below ``count``."""

    def share(thread: int) -> None:
        for p in range(thread, count, threads):
            work(p, thread)

    if threads == 1:
        share(0)
        return
    with ThreadPoolExecutor(threads) as executor:
        list(executor.map(share, range(threads)))
