"""The layers of `crossmodal` on a processor: forward and backward written out, in memory that is used again.

The maths is that of the plain path in :mod:`mmcli.models.fusion.crossmodal`, which a test holds it to. What makes it
quicker than attention modules, for heads of few numbers:

- Scores are kept keys by queries, so that every product has a long contiguous side. Values carry a row of ones: their
  product with the exponentials E gives the weighted sums and the divisors s at once; a masked key is a column of zeros.
- E is never normalised: with A = [dO, -sum(dO * O)] / s the gradient of the scores is E * ([V, 1]^T A), one product
  (the sum in place of a second pass over the keys: T. Dao et al., "FlashAttention", NeurIPS 2022, appendix B).
- What the backward pass needs lies in memory that the next step takes again: new memory costs a page fault every 4 kB.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-5  # of the norms
STEEP = 80.0  # scores beyond are shifted by their maxima first: float32 holds exp(88)


class Shape(NamedTuple):
    """``pairs`` of target and source; ``wide`` is the width of the feed-forward map."""

    pairs: tuple[tuple[int, int], ...]
    items: int
    steps: int
    width: int
    heads: int
    layers: int
    wide: int


class Weights(NamedTuple):
    """Of one layer, each ``(pairs, ...)``; maps are ``(pairs, inputs, outputs)``, biases ``(pairs, 1, outputs)``."""

    query: Tensor
    query_bias: Tensor
    out: Tensor
    out_bias: Tensor
    wider: Tensor
    wider_bias: Tensor
    narrow: Tensor
    narrow_bias: Tensor
    gain: Tensor  # (2, pairs, 1, width), of the norms before attention and before the feed-forward map
    shift: Tensor


PER_LAYER = len(Weights._fields)


class _Kept(NamedTuple):
    """One layer of one pair, for the backward pass. B = items * heads, d numbers a head."""

    start: Tensor  # (rows, width), what came in
    normal: Tensor  # (rows, width), its norm
    query: Tensor  # (B, d, steps), scaled
    key: Tensor  # (B, d, steps)
    value: Tensor  # (B, d + 1, steps), ones last
    powers: Tensor  # (B, keys, queries), E
    found: Tensor  # (B, d + 1, steps), weighted sums over s, and s
    flat: Tensor  # (rows, width), the weighted sums again
    middle: Tensor  # (rows, width), after attention
    between: Tensor  # (rows, width), its norm
    hidden: Tensor  # (rows, wide), after ReLU


class _Scratch(NamedTuple):
    """Used within one layer, or one pair."""

    sources: Tensor  # (rows, layers * 2 * width)
    row: Tensor  # (rows, width)
    row2: Tensor
    hidden: Tensor  # (rows, wide)
    narrow: Tensor  # (B, d, steps)
    beside: Tensor  # (B, d + 1, steps)
    square: Tensor  # (B, steps, steps)


class _Space:
    """The memory of one call, laid out for its shape."""

    def __init__(self) -> None:
        self.memory = torch.empty(0)
        self.shape: Shape | None = None
        self.kept: list[list[_Kept]] = []

    def lay_out(self, shape: Shape) -> None:
        """Cut the memory into arrays; it grows where it has to."""
        if shape == self.shape:
            return
        rows, many, d = shape.items * shape.steps, shape.items * shape.heads, shape.width // shape.heads
        row, square = (rows, shape.width), (many, shape.steps, shape.steps)
        head, head1 = (many, d, shape.steps), (many, d + 1, shape.steps)
        kept = [row, row, head, head, head1, square, head1, row, row, row, (rows, shape.wide)]
        scratch = [(rows, 2 * shape.layers * shape.width), row, row, (rows, shape.wide), head, head1, square]
        wanted = sum(map(_room, kept)) * len(shape.pairs) * shape.layers + sum(map(_room, scratch))
        if self.memory.numel() < wanted:
            self.memory = torch.empty(wanted)
        at = 0

        def take(size: tuple[int, ...]) -> Tensor:
            nonlocal at
            start, at = at, at + _room(size)
            return self.memory[start : start + math.prod(size)].view(size)

        self.kept = [[_Kept(*map(take, kept)) for _ in range(shape.layers)] for _ in shape.pairs]
        self.scratch = _Scratch(*map(take, scratch))
        self.shape = shape


def _room(size: tuple[int, ...]) -> int:
    """Numbers that an array takes, in whole cache lines."""
    return -(-math.prod(size) // 16) * 16


_idle: list[_Space] = []  # no call is using it; one at most is held


class CrossAttention(torch.autograd.Function):
    """``apply(held, plain, seen, noise, shape, source, source_bias, *weights of each layer)`` to ``(pairs, rows,
    width)``.

    ``held`` and ``plain`` float32 ``(modalities, rows, width)``, the sequences and their norms, rows = items * steps;
    ``seen`` bool ``(modalities, items, steps)`` or None for all; ``noise`` ``(layers, 2, pairs, rows, width)`` the
    factors of dropout or None. Gradients can be asked for once.
    """

    @staticmethod
    def forward(
        ctx: Any,
        held: Tensor,
        plain: Tensor,
        seen: Tensor | None,
        noise: Tensor | None,
        shape: Shape,
        *weights: Tensor,
    ) -> Tensor:
        """Pair by pair, layer by layer."""
        try:
            space = _idle.pop()
        except IndexError:
            space = _Space()
        space.lay_out(shape)
        ends = torch.empty(len(shape.pairs), *held.shape[1:])
        layers = _layers(weights)
        norms = []
        for p, (target, source) in enumerate(shape.pairs):
            _project(space, p, plain[source], weights[0][p], weights[1][p], None if seen is None else seen[source])
            space.kept[p][0].start.copy_(held[target])
            for depth, kept in enumerate(space.kept[p]):
                end = space.kept[p][depth + 1].start if depth + 1 < shape.layers else ends[p]
                own = None if noise is None else noise[depth, :, p]
                norms.append(_forward(kept, space.scratch, layers[depth][p], shape, own, end))
        ctx.space, ctx.shape, ctx.seen, ctx.norms, ctx.noise = space, shape, seen, norms, noise
        ctx.save_for_backward(held, plain, *weights)
        if not any(ctx.needs_input_grad):
            _give_back(ctx)
        return ends

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        """Gradients of ``held``, ``plain`` and the weights."""
        if ctx.space is None:
            raise RuntimeError("the gradients of crossmodal attention were asked for twice")
        held, plain, *weights = ctx.saved_tensors
        space, shape, seen, noise = ctx.space, ctx.shape, ctx.seen, ctx.noise
        grads = [torch.empty_like(w) for w in weights]
        layers, slopes = _layers(weights), _layers(grads)
        d_held = torch.zeros_like(held) if ctx.needs_input_grad[0] else None
        d_plain = torch.zeros_like(plain) if ctx.needs_input_grad[1] else None
        for p, (target, source) in enumerate(shape.pairs):
            d = given[0][p].clone()
            for depth in reversed(range(shape.layers)):
                own = None if noise is None else noise[depth, :, p]
                norm = ctx.norms[p * shape.layers + depth]
                d = _backward(
                    space.kept[p][depth], space.scratch, layers[depth][p], slopes[depth][p], norm, shape, own, depth, d
                )
            if d_held is not None:
                d_held[target] += d
            d_sources = space.scratch.sources
            if seen is not None:
                d_sources.view(shape.items, shape.steps, -1).mul_(seen[source][..., None])
            torch.mm(plain[source].t(), d_sources, out=grads[0][p])
            torch.sum(d_sources, 0, keepdim=True, out=grads[1][p])
            if d_plain is not None:
                d_plain[source].addmm_(d_sources, weights[0][p].t())
        _give_back(ctx)
        return d_held, d_plain, None, None, None, *grads


def _give_back(ctx: Any) -> None:
    if not _idle:
        _idle.append(ctx.space)
    ctx.space = None


def _layers(weights: Any) -> list[list[Weights]]:
    """Of each layer, for each pair, its own weights."""
    found = []
    for at in range(2, len(weights), PER_LAYER):
        *maps, gain, shift = weights[at : at + PER_LAYER]
        parts = [m.unbind(0) for m in maps] + [gain.unbind(1), shift.unbind(1)]
        found.append([Weights(*own) for own in zip(*parts, strict=True)])
    return found


def _heads(x: Tensor, shape: Shape) -> Tensor:
    """``(rows, width)`` seen as ``(items, heads, d, steps)``."""
    return x.view(shape.items, shape.steps, shape.heads, -1).permute(0, 2, 3, 1)


def _split(x: Tensor, shape: Shape) -> Tensor:
    """``(B, d, steps)`` seen as ``(items, heads, d, steps)``."""
    return x.view(shape.items, shape.heads, *x.shape[1:])


def _project(space: _Space, p: int, plain: Tensor, weight: Tensor, bias: Tensor, seen: Tensor | None) -> None:
    """Keys and values of all layers of pair ``p``."""
    shape = space.shape
    assert shape is not None
    both = torch.addmm(bias, plain, weight, out=space.scratch.sources)
    parts = both.view(len(both), 2 * shape.layers, shape.width).unbind(1)
    for depth, kept in enumerate(space.kept[p]):
        _split(kept.key, shape).copy_(_heads(parts[2 * depth], shape))
        value = _split(kept.value, shape)
        value[:, :, :-1].copy_(_heads(parts[2 * depth + 1], shape))
        value[:, :, -1] = 1.0
        if seen is not None:
            value.mul_(seen[:, None, None])


def _forward(
    kept: _Kept, scratch: _Scratch, w: Weights, shape: Shape, noise: Tensor | None, end: Tensor
) -> tuple[Tensor, ...]:
    """From ``kept.start`` to ``end``; returns mean and inverse deviation of both norms."""
    width = [shape.width]
    scale = (shape.width // shape.heads) ** -0.5
    y, mean, rstd = torch.native_layer_norm(kept.start, width, w.gain[0, 0], w.shift[0, 0], EPSILON)
    kept.normal.copy_(y)
    q = torch.addmm(w.query_bias, kept.normal, w.query, beta=scale, alpha=scale, out=scratch.row)
    _split(kept.query, shape).copy_(_heads(q, shape))

    scores = torch.bmm(kept.key.transpose(1, 2), kept.query, out=kept.powers)
    low, high = torch.aminmax(scores)
    if max(-float(low), float(high)) > STEEP:
        seen = kept.value[:, -1, :, None] > 0
        scores.sub_(scores.masked_fill(~seen, -torch.inf).amax(1, keepdim=True).clamp(min=-3e38)).clamp_(max=0.0)
    scores.exp_()
    torch.bmm(kept.value, scores, out=kept.found)
    weighted, total = kept.found[:, :-1], kept.found[:, -1:]
    total.masked_fill_(total == 0, 1.0)  # nothing was seen
    weighted.div_(total)
    _heads(kept.flat, shape).copy_(_split(weighted, shape))

    middle = torch.addmm(w.out_bias, kept.flat, w.out, out=kept.middle)
    if noise is not None:
        middle.mul_(noise[0])
    middle.add_(kept.start)
    y, mean2, rstd2 = torch.native_layer_norm(middle, width, w.gain[1, 0], w.shift[1, 0], EPSILON)
    kept.between.copy_(y)
    torch.addmm(w.wider_bias, kept.between, w.wider, out=kept.hidden).relu_()
    torch.addmm(w.narrow_bias, kept.hidden, w.narrow, out=end)
    if noise is not None:
        end.mul_(noise[1])
    end.add_(middle)
    return mean, rstd, mean2, rstd2


def _backward(
    kept: _Kept,
    scratch: _Scratch,
    w: Weights,
    d_w: Weights,
    norm: tuple[Tensor, ...],
    shape: Shape,
    noise: Tensor | None,
    depth: int,
    d_end: Tensor,
) -> Tensor:
    """The gradient at ``kept.start``; those of weights go to ``d_w``, of keys and values into ``scratch.sources``."""
    width = [shape.width]
    d = d_end if noise is None else torch.mul(d_end, noise[1], out=scratch.row)
    torch.mm(kept.hidden.t(), d, out=d_w.narrow)
    torch.sum(d, 0, keepdim=True, out=d_w.narrow_bias)
    d_hidden = torch.mm(d, w.narrow.t(), out=scratch.hidden)
    torch.ops.aten.threshold_backward.grad_input(d_hidden, kept.hidden, 0, grad_input=d_hidden)
    torch.mm(kept.between.t(), d_hidden, out=d_w.wider)
    torch.sum(d_hidden, 0, keepdim=True, out=d_w.wider_bias)
    d_between = torch.mm(d_hidden, w.wider.t(), out=scratch.row)
    d_middle, d_w.gain[1, 0], d_w.shift[1, 0] = torch.ops.aten.native_layer_norm_backward(
        d_between, kept.middle, width, norm[2], norm[3], w.gain[1, 0], w.shift[1, 0], [True] * 3
    )
    d_middle.add_(d_end)

    d = d_middle if noise is None else torch.mul(d_middle, noise[0], out=scratch.row)
    torch.mm(kept.flat.t(), d, out=d_w.out)
    torch.sum(d, 0, keepdim=True, out=d_w.out_bias)
    d_flat = torch.mm(d, w.out.t(), out=scratch.row2)
    beside = scratch.beside
    d_found, minus = beside[:, :-1], beside[:, -1:]
    _split(d_found, shape).copy_(_heads(d_flat, shape))
    d_found.div_(kept.found[:, -1:])
    torch.mul(d_found, kept.found[:, :-1], out=scratch.narrow)
    torch.sum(scratch.narrow, 1, keepdim=True, out=minus).neg_()
    d_scores = torch.bmm(kept.value.transpose(1, 2), beside, out=scratch.square).mul_(kept.powers)

    sources = scratch.sources.view(shape.items, shape.steps, shape.layers, 2, shape.heads, -1)[:, :, depth]
    d_key, d_value = sources.permute(2, 0, 3, 4, 1).unbind(0)
    torch.bmm(d_found, kept.powers.transpose(1, 2), out=scratch.narrow)
    d_value.copy_(_split(scratch.narrow, shape))
    torch.bmm(kept.query, d_scores.transpose(1, 2), out=scratch.narrow)
    d_key.copy_(_split(scratch.narrow, shape))
    torch.bmm(kept.key, d_scores, out=scratch.narrow)
    d_query = scratch.row
    _heads(d_query, shape).copy_(_split(scratch.narrow, shape))
    d_query.mul_((shape.width // shape.heads) ** -0.5)
    torch.mm(kept.normal.t(), d_query, out=d_w.query)
    torch.sum(d_query, 0, keepdim=True, out=d_w.query_bias)
    d_normal = torch.mm(d_query, w.query.t(), out=scratch.row2)
    d_start, d_w.gain[0, 0], d_w.shift[0, 0] = torch.ops.aten.native_layer_norm_backward(
        d_normal, kept.start, width, norm[0], norm[1], w.gain[0, 0], w.shift[0, 0], [True] * 3
    )
    found: Tensor = d_start.add_(d_middle)
    return found
