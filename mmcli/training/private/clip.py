"""The clipped sum of per-item gradients without any item's gradient: norms from what each layer saw and was told.

One pass back to the outputs of the layers gives both. The weight gradient of a linear layer is, for item i, the product
of its input and its output's gradient, whose norm is the product of theirs (I. Goodfellow, "Efficient per-example
gradient computations", 2015); over steps it follows from inner products between steps (J. Rochette et al., 2019; X. Li
et al., "Large language models can be strong differentially private learners", ICLR 2022). The sum is then formed with
the clipped gradients in place of the plain ones, without a second pass (Z. Bu et al., "Differentially private
optimization on large models at small cost", ICML 2023).

Rules are for the layers and blocks that stand here; any other module that holds parameters is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.errors import UsageError
from mmcli.models.blocks import attention, bottleneck, concat, crossmodal, late, lowrank, mean, weighted
from mmcli.models.nets.linear import LinearSum


@dataclass
class Outer:
    """Item i's gradient of ``weight[index]`` is the sum over steps of ``told`` times ``saw``: ``(n, steps, ...)``.

    ``turned``: the weight is stored (inputs, outputs).
    """

    weight: nn.Parameter
    saw: Tensor
    told: Tensor
    index: int | None = None
    turned: bool = False

    def squares(self) -> Tensor:
        """Squared norms ``(n,)``."""
        saw, told = self.saw, self.told
        if saw.shape[1] == 1:
            return saw.square().sum((1, 2)) * told.square().sum((1, 2))
        if saw.shape[1] ** 2 <= saw.shape[2] * told.shape[2]:
            return ((saw @ saw.mT) * (told @ told.mT)).sum((1, 2))
        return torch.bmm(told.mT, saw).square().sum((1, 2))

    def add(self, sums: dict[nn.Parameter, Tensor], share: Tensor) -> None:
        """Add the items' gradients, each times its ``share`` ``(n,)``."""
        told = (self.told * share[:, None, None]).flatten(0, 1)
        saw = self.saw.flatten(0, 1)
        total = saw.T @ told if self.turned else told.T @ saw
        into = sums[self.weight] if self.index is None else sums[self.weight][self.index]
        into += total.view_as(into)


@dataclass
class Each:
    """The items' gradients of a small parameter as they are, ``(n, *shape)``."""

    weight: nn.Parameter
    values: Tensor

    def squares(self) -> Tensor:
        """Squared norms ``(n,)``."""
        return self.values.flatten(1).square().sum(1)

    def add(self, sums: dict[nn.Parameter, Tensor], share: Tensor) -> None:
        """Add the items' gradients, each times its ``share`` ``(n,)``."""
        sums[self.weight] += (share @ self.values.flatten(1)).view_as(self.weight)


@dataclass
class Rows:
    """An embedding: step t of item i tells ``told`` ``(n, steps, width)`` to row ``names`` ``(n, steps)``."""

    weight: nn.Parameter
    names: Tensor
    told: Tensor

    def squares(self) -> Tensor:
        """Squared norms ``(n,)``: steps of one name add up before they are squared."""
        same = self.names[:, :, None] == self.names[:, None, :]
        return ((self.told @ self.told.mT) * same).sum((1, 2))

    def add(self, sums: dict[nn.Parameter, Tensor], share: Tensor) -> None:
        """Add the items' gradients, each times its ``share`` ``(n,)``."""
        told = (self.told * share[:, None, None]).flatten(0, 1)
        sums[self.weight].index_add_(0, self.names.flatten(), told)


Part = Outer | Each | Rows
Parts = Callable[[list[Tensor]], list[Part]]


class Ghost:
    """Watches a network; ``unknown`` parameters raise :class:`UsageError`, naming the module.

    >>> net = nn.Linear(2, 1)
    >>> ghost = Ghost(net)
    >>> with ghost.watching(3):
    ...     out = net(torch.eye(3, 2))
    >>> sums, norms = ghost.clipped(out.sum(1), 1.0)
    >>> norms.round(decimals=4).tolist(), sums[1].round(decimals=4).tolist()
    ([1.4142, 1.4142, 1.0], [2.4142])
    """

    def __init__(self, net: nn.Module) -> None:
        self.parameters = [p for p in net.parameters() if p.requires_grad]
        self.watched: list[tuple[nn.Module, Any]] = []
        covered: set[nn.Parameter] = set()
        for name, module in net.named_modules():
            own = {p for p in module.parameters(recurse=False) if p.requires_grad}
            rule = next((rule for kind, rule in RULES.items() if isinstance(module, kind)), None)
            if own and rule is None:
                what = f"{name or 'the network'} ({type(module).__name__})"
                hint = "choose another encoder or fusion block; --fusion linear always can"
                raise UsageError(f"no per-item gradient is known for {what}", hint=hint)
            if rule is not None and (own or rule is _layer):
                self.watched.append((module, rule))
                covered |= own
        self.items = 0
        self.taps: list[Tensor] = []
        self.waiting: list[tuple[int, int, Parts]] = []

    def tap(self, parts: Parts, *tensors: Tensor) -> None:
        """``parts`` is called with the gradients of ``tensors``."""
        start = len(self.taps)
        self.taps += tensors
        self.waiting.append((start, len(self.taps), parts))

    @contextmanager
    def watching(self, items: int) -> Iterator[None]:
        """Within: one forward pass of ``items`` items is seen by every layer."""
        self.items, self.taps, self.waiting = items, [], []
        handles = []
        twins = [module for module, rule in self.watched if rule is _recurrent]
        try:
            for module, rule in self.watched:
                if rule is _recurrent:
                    module.forward = _twin(module, self)  # type: ignore[arg-type,method-assign]
                else:
                    handles += rule(module, self)
            yield
        finally:
            for handle in handles:
                handle.remove()
            for module in twins:
                del module.forward

    def clipped(self, losses: Tensor, clip: float) -> tuple[list[Tensor], Tensor]:
        """The sums over items of gradients cut to norm ``clip``, one a parameter, and the norms before, ``(n,)``."""
        sums = {p: torch.zeros_like(p) for p in self.parameters}
        norms = losses.new_zeros(self.items)
        if self.taps and losses.requires_grad:
            told = torch.autograd.grad(losses.sum(), self.taps, allow_unused=True)
            told = tuple(torch.zeros_like(t) if g is None else g for g, t in zip(told, self.taps, strict=True))
            with torch.no_grad():
                parts = [part for a, b, make in self.waiting for part in make(list(told[a:b]))]
                norms = torch.stack([part.squares() for part in parts]).sum(0).clamp(min=0.0).sqrt()
                share = (clip / norms.clamp(min=1e-12)).clamp(max=1.0)
                for part in parts:
                    part.add(sums, share)
        self.taps, self.waiting = [], []
        return [sums[p] for p in self.parameters], norms


def _on_output(module: nn.Module, ghost: Ghost, parts: Callable[..., list[Part]]) -> list[Any]:
    """``parts(told, *inputs)`` once the gradient of the module's output is known."""

    def seen(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.requires_grad:
            held = tuple(x.detach() for x in inputs)
            ghost.tap(lambda told: parts(told[0], *held), output)

    return [module.register_forward_hook(seen)]


def _rows_of(x: Tensor, items: int) -> Tensor:
    """``(n * more, ..., width)`` or ``(n, ..., width)`` to ``(n, steps, width)``."""
    return x.reshape(items, -1, x.shape[-1])


def _linear(module: Any, ghost: Ghost) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        saw, told = _rows_of(saw, ghost.items), _rows_of(told, ghost.items)
        made: list[Part] = [Outer(module.weight, saw, told)]
        return made if module.bias is None else [*made, Each(module.bias, told.sum(1))]

    return _on_output(module, ghost, parts)


def _convolution(module: Any, ghost: Ghost) -> list[Any]:
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


def _layer_norm(module: Any, ghost: Ghost) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        plain = functional.layer_norm(saw, module.normalized_shape, eps=module.eps)
        told, plain = _rows_of(told, ghost.items), _rows_of(plain, ghost.items)
        return [Each(module.weight, (told * plain).sum(1)), Each(module.bias, told.sum(1))]

    return _on_output(module, ghost, parts)


def _group_norm(module: Any, ghost: Ghost) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        plain = functional.group_norm(saw, module.num_groups, eps=module.eps)
        told, plain = (_rows_of(x.flatten(2).mT, ghost.items) for x in (told, plain))
        return [Each(module.weight, (told * plain).sum(1)), Each(module.bias, told.sum(1))]

    return _on_output(module, ghost, parts)


def _embedding(module: Any, ghost: Ghost) -> list[Any]:
    def parts(told: Tensor, names: Tensor) -> list[Part]:
        return [Rows(module.weight, names.reshape(ghost.items, -1), _rows_of(told, ghost.items))]

    return _on_output(module, ghost, parts)


def _recurrent(module: Any, ghost: Ghost) -> list[Any]:
    raise AssertionError("a recurrent layer is watched through its twin")


def _twin(module: nn.LSTM, ghost: Ghost) -> Callable[[Tensor], tuple[Tensor, None]]:
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


def _maps(module: Any, ghost: Ghost) -> list[Any]:
    def parts(told: Tensor, vectors: Tensor, present: Tensor) -> list[Part]:
        told = told * present[..., None]
        each = range(told.shape[1])
        made: list[Part] = [Outer(module.weight, vectors[:, m, None], told[:, m, None], m, True) for m in each]
        return [*made, Each(module.bias, told)]

    return _on_output(module, ghost, parts)


def _absent(module: Any, ghost: Ghost) -> list[Any]:
    def parts(told: Tensor, vectors: Tensor, present: Tensor) -> list[Part]:
        return [Each(module.absent, told.view_as(vectors) * ~present[..., None])]

    return _on_output(module, ghost, parts)


def _bottleneck(module: Any, ghost: Ghost) -> list[Any]:
    first: list[Tensor] = []
    count = len(module.tokens)

    def seen(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        first.append(inputs[0])
        if len(first) == len(module.layers[0]):
            ghost.tap(lambda told: [Each(module.tokens, torch.stack([t[:, :count] for t in told]).sum(0))], *first)

    return [*_absent(module, ghost), *(layer.register_forward_pre_hook(seen) for layer in module.layers[0])]


def _attention(module: Any, ghost: Ghost) -> list[Any]:
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


def _low_rank(module: Any, ghost: Ghost) -> list[Any]:
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


def _late(module: Any, ghost: Ghost) -> list[Any]:
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


def _weighted(module: Any, ghost: Ghost) -> list[Any]:
    kept: list[Tensor] = []

    def mapped(_: nn.Module, __: Any, output: Tensor) -> None:
        kept.append(output.detach())

    def parts(told: Tensor, vectors: Tensor, present: Tensor) -> list[Part]:
        values = kept.pop()
        weights = module.weights(present)
        pull = torch.einsum("nw,nmw->nm", told, values)
        return [Each(module.scores, weights * (pull - (weights * pull).sum(1, keepdim=True)))]

    return [module.maps.register_forward_hook(mapped), *_on_output(module, ghost, parts)]


def _stacked(module: Any, ghost: Ghost) -> list[Any]:
    def parts(told: Tensor, saw: Tensor) -> list[Part]:
        made: list[Part] = [
            Outer(module.weight, _rows_of(saw[s], ghost.items), _rows_of(told[s], ghost.items), s, True)
            for s in range(len(saw))
        ]
        total = told.view(len(told), ghost.items, -1, told.shape[2]).sum(2)
        return [*made, Each(module.bias, total.transpose(0, 1)[:, :, None])]

    return _on_output(module, ghost, parts)


def _layer(module: Any, ghost: Ghost) -> list[Any]:
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


def _bias(module: Any, ghost: Ghost) -> list[Any]:
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
    nn.LSTM: _recurrent,
    mean.Maps: _maps,
    concat.Concat: _absent,
    crossmodal.CrossModal: _absent,
    bottleneck.Bottleneck: _bottleneck,
    attention.AttentionFusion: _attention,
    lowrank.LowRank: _low_rank,
    late.Late: _late,
    weighted.Weighted: _weighted,
    crossmodal._Linear: _stacked,
    crossmodal._Layer: _layer,
    LinearSum: _bias,
}
