"""What each layer and block says of its items' gradients: an outer product, a lookup, or the gradient as it is.

A rule registers what it needs of one forward pass with the watcher, and gives its parts once the gradients are known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.errors import UsageError
from mmcli.models.blocks import attention, bottleneck, concat, crossmodal, late, lowrank, weighted
from mmcli.models.nets.linear import LinearSum
from mmcli.models.parts import Maps
from mmcli.training.private.parts import Each, Outer, Rows

Part = Outer | Each | Rows
Parts = Callable[[list[Tensor]], list[Part]]


class Watcher(Protocol):
    """Who calls ``parts`` with the gradients of tensors of a pass over ``items`` items."""

    items: int

    def tap(self, parts: Parts, *tensors: Tensor) -> None:
        """Ask for the gradients of ``tensors``."""


def _on_output(module: nn.Module, ghost: Watcher, parts: Callable[..., list[Part]]) -> list[Any]:
    """``parts(told, *inputs)`` once the gradient of the module's output is known."""

    def seen(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.requires_grad:
            held = tuple(x.detach() for x in inputs)
            ghost.tap(lambda told: parts(told[0], *held), output)

    return [module.register_forward_hook(seen)]


def _rows_of(x: Tensor, items: int) -> Tensor:
    """``(n * more, ..., width)`` or ``(n, ..., width)`` to ``(n, steps, width)``."""
    return x.reshape(items, -1, x.shape[-1])


def _linear(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        saw, told = _rows_of(saw, ghost.items), _rows_of(told, ghost.items)
        made: list[Part] = [Outer(module.weight, saw, told)]
        return made if module.bias is None else [*made, Each(module.bias, told.sum(1))]

    return _on_output(module, ghost, parts)


def _convolution(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        if module.groups != 1 or module.padding_mode != "zeros":
            raise UsageError("no per-item gradient is known for convolutions in groups or with other than zero padding")
        flat = isinstance(module, nn.Conv1d)
        shape = [(1, *v) if flat else v for v in (module.kernel_size, module.dilation, module.stride)]
        padding = (0, *module.padding) if flat else module.padding
        patches = functional.unfold(saw[:, :, None] if flat else saw, shape[0], shape[1], padding, shape[2])
        saw = _rows_of(patches.mT, ghost.items)
        told = _rows_of(told.flatten(2).mT, ghost.items)
        made: list[Part] = [Outer(module.weight, saw, told)]
        return made if module.bias is None else [*made, Each(module.bias, told.sum(1))]

    return _on_output(module, ghost, parts)


def _layer_norm(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        plain = functional.layer_norm(saw, module.normalized_shape, eps=module.eps)
        told, plain = _rows_of(told, ghost.items), _rows_of(plain, ghost.items)
        return [Each(module.weight, (told * plain).sum(1)), Each(module.bias, told.sum(1))]

    return _on_output(module, ghost, parts)


def _group_norm(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        plain = functional.group_norm(saw, module.num_groups, eps=module.eps)
        told, plain = (_rows_of(x.flatten(2).mT, ghost.items) for x in (told, plain))
        return [Each(module.weight, (told * plain).sum(1)), Each(module.bias, told.sum(1))]

    return _on_output(module, ghost, parts)


def _embedding(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, names: Tensor) -> list[Part]:
        return [Rows(module.weight, names.reshape(ghost.items, -1), _rows_of(told, ghost.items))]

    return _on_output(module, ghost, parts)


def recurrent(module: Any, ghost: Watcher) -> list[Any]:
    """Marks the layers that :func:`twin` stands in for; never called."""
    raise AssertionError("a recurrent layer is watched through its twin")


def twin(module: nn.LSTM, ghost: Watcher) -> Callable[[Tensor], tuple[Tensor, None]]:
    """The forward pass of an LSTM of one layer, step by step, in which its gates can be seen."""
    if module.num_layers != 1 or module.bidirectional or module.proj_size or not module.batch_first:
        raise UsageError("no per-item gradient is known for an LSTM of several layers or directions")
    w: Any = module

    def forward(x: Tensor) -> tuple[Tensor, None]:
        width = module.hidden_size
        gates = functional.linear(x, w.weight_ih_l0, w.bias_ih_l0)
        hidden = cell = x.new_zeros(len(x), width)
        before, after = [], []
        for step in range(x.shape[1]):
            before.append(hidden.detach())
            now = gates[:, step] + functional.linear(hidden, w.weight_hh_l0, w.bias_hh_l0)
            take, forget, fresh, give = now.chunk(4, 1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(take) * torch.tanh(fresh)
            hidden = torch.sigmoid(give) * torch.tanh(cell)
            after.append(hidden)
        saw = x.detach()

        def parts(told: list[Tensor]) -> list[Part]:
            gate, total = told[0], told[0].sum(1)
            made: list[Part] = [Outer(w.weight_ih_l0, saw, gate), Outer(w.weight_hh_l0, torch.stack(before, 1), gate)]
            return [*made, Each(w.bias_ih_l0, total), Each(w.bias_hh_l0, total)]

        ghost.tap(parts, gates)
        return torch.stack(after, 1), None

    return forward


def _maps(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, vectors: Tensor, present: Tensor) -> list[Part]:
        told = told * present[..., None]
        each = range(told.shape[1])
        made: list[Part] = [Outer(module.weight, vectors[:, m, None], told[:, m, None], m, True) for m in each]
        return [*made, Each(module.bias, told)]

    return _on_output(module, ghost, parts)


def _absent(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, vectors: Tensor, present: Tensor) -> list[Part]:
        return [Each(module.absent, told.view_as(vectors) * ~present[..., None])]

    return _on_output(module, ghost, parts)


def _bottleneck(module: Any, ghost: Watcher) -> list[Any]:
    first: list[Tensor] = []
    count = len(module.tokens)

    def seen(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        first.append(inputs[0])
        if len(first) == len(module.layers[0]):
            ghost.tap(lambda told: [Each(module.tokens, torch.stack([t[:, :count] for t in told]).sum(0))], *first)

    return [*_absent(module, ghost), *(layer.register_forward_pre_hook(seen) for layer in module.layers[0])]


def _attention(module: Any, ghost: Watcher) -> list[Any]:
    def seen(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        def parts(told: list[Tensor]) -> list[Part]:
            return [Each(module.query, told[0][:, 0]), Each(module.modality, told[0][:, 1:])]

        ghost.tap(parts, inputs[0])

    return [module.layers[0].register_forward_pre_hook(seen)]


def _again(parts: Callable[..., tuple[Tensor, list[Tensor]]], told: Tensor) -> list[Tensor]:
    """A small block once more, with its parameters repeated for every item: their gradients are the items' own."""
    with torch.enable_grad():
        output, leaves = parts()
        return list(torch.autograd.grad(output, leaves, told))


def _leaf(x: Tensor, items: int) -> Tensor:
    return x.detach().expand(items, *x.shape).clone().requires_grad_()


def _low_rank(module: Any, ghost: Watcher) -> list[Any]:
    kept: list[tuple[Tensor, Tensor]] = []

    def called(_: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        kept.append((inputs[0].detach(), inputs[1]))

    def normed(_: nn.Module, inputs: tuple[Tensor]) -> None:
        vectors, present = kept.pop()

        def parts(told: list[Tensor]) -> list[Part]:
            def once() -> tuple[Tensor, list[Tensor]]:
                weights = _leaf(module.weights, len(vectors))
                factors = torch.einsum("nmw,mwr->nmr", vectors, module.factors.detach()) + module.ones.detach()
                factors.requires_grad_()
                product = torch.where(present[..., None], factors, 1.0).prod(1).reshape(len(vectors), -1, module.width)
                return torch.einsum("nrw,nr->nw", product, weights), [factors, weights]

            factor, weight = _again(once, told[0])
            each = range(factor.shape[1])
            made: list[Part] = [Outer(module.factors, vectors[:, m, None], factor[:, m, None], m, True) for m in each]
            return [*made, Each(module.ones, factor), Each(module.weights, weight)]

        ghost.tap(parts, inputs[0])

    return [module.register_forward_pre_hook(called), module.norm.register_forward_pre_hook(normed)]


def _late(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, vectors: Tensor, present: Tensor) -> list[Part]:
        def once() -> tuple[Tensor, list[Tensor]]:
            scale, prior = _leaf(module.scale, len(vectors)), _leaf(module.prior, len(vectors))
            # the block's own lines, for one item at a time and all at once
            output = torch.func.vmap(
                lambda s, p, v, here: torch.func.functional_call(
                    module, {"scale": s, "prior": p}, (v[None], here[None])
                )[0]
            )(scale, prior, vectors, present)
            return output, [scale, prior]

        scale, prior = _again(once, told)
        return [Each(module.scale, scale), Each(module.prior, prior)]

    handles: list[Any] = []
    busy: list[bool] = []

    def seen(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if busy:
            return  # called again for the items' own gradients
        held = tuple(x.detach() for x in inputs)

        def guarded(told: list[Tensor]) -> list[Part]:
            busy.append(True)
            try:
                return parts(told[0], *held)
            finally:
                busy.pop()

        ghost.tap(guarded, output)

    handles.append(module.register_forward_hook(seen))
    return handles


def _weighted(module: Any, ghost: Watcher) -> list[Any]:
    kept: list[Tensor] = []

    def mapped(_: nn.Module, __: Any, output: Tensor) -> None:
        kept.append(output.detach())

    def parts(told: Tensor, vectors: Tensor, present: Tensor) -> list[Part]:
        values = kept.pop()
        weights = module.weights(present)
        pull = torch.einsum("nw,nmw->nm", told, values)
        return [Each(module.scores, weights * (pull - (weights * pull).sum(1, keepdim=True)))]

    return [module.maps.register_forward_hook(mapped), *_on_output(module, ghost, parts)]


def _stacked(module: Any, ghost: Watcher) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        made: list[Part] = [
            Outer(module.weight, _rows_of(saw[s], ghost.items), _rows_of(told[s], ghost.items), s, True)
            for s in range(len(saw))
        ]
        total = told.view(len(told), ghost.items, -1, told.shape[2]).sum(2)
        return [*made, Each(module.bias, total.transpose(0, 1)[:, :, None])]

    return _on_output(module, ghost, parts)


def cross_layer(module: Any, ghost: Watcher) -> list[Any]:
    """Gain and shift of a cross-attention layer: what the maps behind the two norms saw, and the norms' inputs."""
    kept: dict[str, Tensor] = {}

    def begins(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        kept["x"] = inputs[0].detach()

    def attended(_: nn.Module, __: Any, output: Tensor) -> None:
        kept["middle"] = kept["x"] + output.detach()

    def first(_: nn.Module, inputs: tuple[Tensor]) -> None:
        kept["first"] = inputs[0]

    def second(_: nn.Module, inputs: tuple[Tensor]) -> None:
        x, middle = kept["x"], kept["middle"]
        ghost.tap(lambda told: parts(told, x, middle), kept["first"], inputs[0])

    def parts(told: list[Tensor], x: Tensor, middle: Tensor) -> list[Part]:
        gain, shift = [], []
        for own, before in zip(told, (x, middle), strict=True):
            plain = functional.layer_norm(before, (before.shape[2],))
            shape = (len(own), ghost.items, -1, own.shape[2])
            gain.append((own * plain).view(shape).sum(2).transpose(0, 1))
            shift.append(own.view(shape).sum(2).transpose(0, 1))
        both = (torch.stack(g, 1)[:, :, :, None] for g in (gain, shift))
        return [Each(module.gain, next(both)), Each(module.shift, next(both))]

    return [
        module.register_forward_pre_hook(begins),
        module.out.register_forward_hook(attended),
        module.query.register_forward_pre_hook(first),
        module.wide.register_forward_pre_hook(second),
    ]


def _bias(module: Any, ghost: Watcher) -> list[Any]:
    """Of a sum: its bias is told what the answer is told."""

    def answered(answer: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def wrapped(points: Any) -> Tensor:
            output = answer(points)
            ghost.tap(lambda told: [Each(module.bias, told[0])], output)
            return output

        return wrapped

    module.answer = answered(module.answer)

    class _Handle:
        def remove(self) -> None:
            del module.answer

    return [_Handle()]


RULES: dict[type[nn.Module], Any] = {
    nn.Linear: _linear,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    nn.Embedding: _embedding,
    nn.LSTM: recurrent,
    Maps: _maps,
    concat.Concat: _absent,
    crossmodal.CrossModal: _absent,
    bottleneck.Bottleneck: _bottleneck,
    attention.AttentionFusion: _attention,
    lowrank.LowRank: _low_rank,
    late.Late: _late,
    weighted.Weighted: _weighted,
    crossmodal._Linear: _stacked,
    crossmodal._Layer: cross_layer,
    LinearSum: _bias,
}
