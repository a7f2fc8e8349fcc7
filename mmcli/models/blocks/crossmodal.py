"""Directional cross-attention between every pair of modalities: each sequence is rewritten by what it finds in each
other.

Reference: Y.-H. H. Tsai et al., "Multimodal transformer for unaligned multimodal language sequences", ACL 2019,
section 3.2: for target a and source b, in every layer the queries come from a's running sequence, keys and values
from b's own sequence.

All pairs are computed together: weights are stacked over the pairs, so that a layer is a few large products in place
of many small ones, and keys and values of all layers, which see the same source, are one product. The maths is that
of one transformer a pair. Training on a processor takes :mod:`mmcli.models.kernels.crossattention`, pair by pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.errors import ArtifactError
from mmcli.models import parts as masking
from mmcli.models.kernels import crossattention
from mmcli.models.multihead import positions
from mmcli.models.parts import Block, Dropout

WIDER = 4  # the feed-forward layer's width over the model's


@dataclass(frozen=True)
class Config:
    """``heads`` must divide ``width``; ``layers`` of cross-attention a pair."""

    modalities: int
    width: int
    heads: int = 4
    layers: int = 1
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads or self.layers > 64 or self.modalities > 16:
            sizes = f"{self.modalities} modalities, {self.layers} layers and {self.heads} heads over width {self.width}"
            raise ArtifactError(f"crossmodal of {sizes}")


def sized(modalities: int, width: int, items: int) -> Config:
    """Two layers where there are thousands of items."""
    return Config(modalities, width, heads=4 if width % 4 == 0 else 1, layers=1 if items < 2000 else 2)


class _Linear(nn.Module):
    """``stack`` linear maps, ``(stack, rows, inputs)`` to ``(stack, rows, outputs)`` in one product."""

    def __init__(self, stack: int, inputs: int, outputs: int) -> None:
        super().__init__()
        spread = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(stack, inputs, outputs).uniform_(-spread, spread))
        self.bias = nn.Parameter(torch.zeros(stack, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class _Layer(nn.Module):
    """Norm, cross-attention, norm, feed-forward, for all pairs at once."""

    def __init__(self, pairs: int, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = _Linear(pairs, config.width, config.width)
        self.out = _Linear(pairs, config.width, config.width)
        self.wide = _Linear(pairs, config.width, WIDER * config.width)
        self.narrow = _Linear(pairs, WIDER * config.width, config.width)
        self.gain = nn.Parameter(torch.ones(2, pairs, 1, config.width))
        self.shift = nn.Parameter(torch.zeros(2, pairs, 1, config.width))
        self.drop = Dropout(config.dropout)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None, some: Tensor, n: int) -> Tensor:
        """``x`` ``(pairs, n * steps, width)``; keys and values ``(pairs * n, heads, steps, width / heads)``."""
        pairs, _, width = x.shape
        y = functional.layer_norm(x, (width,)) * self.gain[0] + self.shift[0]
        q = self.query(y).view(pairs * n, -1, self.heads, width // self.heads).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(q, keys, values, attn_mask=visible)
        attended = attended.transpose(1, 2).reshape(pairs, -1, width) * some
        x = x + self._dropped(self.out(attended), n)
        y = functional.layer_norm(x, (width,)) * self.gain[1] + self.shift[1]
        return x + self._dropped(self.narrow(torch.relu(self.wide(y))), n)

    def maps(self, sources: Tensor) -> Tensor:
        """All maps ``(pairs, n)`` as :mod:`mmcli.models.kernels.crossattention` takes them, behind norms without gain
        and shift and with the scale of the scores; ``sources`` ``(pairs, width + 1, 2 * width)``, keys and values.
        """
        scale = (self.query.weight.shape[2] // self.heads) ** -0.5
        behind = [
            torch.cat((self.gain[k].transpose(1, 2) * m.weight, self.shift[k] @ m.weight + m.bias), 1)
            for k, m in enumerate((self.query, self.wide))
        ]
        parts = [behind[0] * scale, sources, self.out.weight, self.out.bias, behind[1], self.narrow.weight]
        return torch.cat([m.flatten(1) for m in (*parts, self.narrow.bias)], 1)

    def _dropped(self, x: Tensor, n: int) -> Tensor:
        """Dropout draws its noise ``(items, pairs, width, steps)``."""
        if not self.training or self.drop.p <= 0.0:
            return x
        items_first = x.view(len(x), n, -1, x.shape[2]).permute(1, 0, 3, 2)
        dropped: Tensor = self.drop(items_first).permute(1, 0, 3, 2).reshape(x.shape)
        return dropped


class CrossModal(Block):
    """Sequences to sequences of the same shapes; then their pooled vectors side by side."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        count = config.modalities
        self.width = count * config.width
        self.heads, self.depth = config.heads, config.layers
        self.pairs = [(a, b) for a in range(count) for b in range(count) if a != b]
        self.absent = nn.Parameter(torch.zeros(count, config.width))
        if not self.pairs:
            return
        self.source = _Linear(len(self.pairs), config.width, config.layers * 2 * config.width)
        self.layers = nn.ModuleList(_Layer(len(self.pairs), config) for _ in range(config.layers))
        self.join = _Linear(count, (count - 1) * config.width, config.width)

    def mix(self, sequences: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Padded to one length in between; a source that is absent adds nothing."""
        if not self.pairs:
            return sequences
        n, width, steps = len(sequences[0]), sequences[0].shape[2], max(s.shape[1] for s in sequences)
        place = positions(steps, width, sequences[0].device)
        held = torch.stack(
            [functional.pad(s + place[: s.shape[1]], (0, 0, 0, steps - s.shape[1])) for s in sequences]
        ).view(len(sequences), n * steps, width)
        seen = torch.stack([functional.pad(m, (0, steps - m.shape[1])) for m in masks])

        trained = self.training and crossattention.serves(held, steps)
        x = self.compiled(held, seen, n) if trained else self.plain(held, seen, n)
        beside = x.view(len(sequences), -1, n * steps, width).transpose(1, 2).flatten(2)
        mixed = (held + self.join(beside)).view(-1, n, steps, width)
        return [masking.zeroed(mixed[i, :, : m.shape[1]], m) for i, m in enumerate(masks)]

    def plain(self, held: Tensor, seen: Tensor, n: int) -> Tensor:
        """The layers of all pairs: ``held`` ``(modalities, n * steps, width)`` to ``(pairs, n * steps, width)``."""
        steps = seen.shape[2]
        targets, sources = (torch.tensor(side, device=held.device) for side in zip(*self.pairs, strict=True))
        keys, values = self._sources(held, sources, n)
        mask = seen[sources].reshape(len(self.pairs) * n, steps)
        some = mask.any(1)
        visible = None if bool(mask.all()) else (mask | ~some[:, None])[:, None, None, :]
        here = some.view(len(self.pairs), n, 1).expand(-1, -1, steps).reshape(len(self.pairs), n * steps, 1)
        x = held[targets]
        for depth, layer in enumerate(self.layers):
            x = cast(_Layer, layer)(x, keys[depth], values[depth], visible, here, n)
        return x

    def compiled(self, held: Tensor, seen: Tensor, n: int) -> Tensor:
        """As :meth:`plain`, the same maths and the same dropout, for training on a processor."""
        rows, width = held.shape[1:]
        layers = [cast(_Layer, layer) for layer in self.layers]
        sources = torch.cat((self.source.weight, self.source.bias), 1).chunk(self.depth, 2)
        maps = torch.stack([layer.maps(s) for layer, s in zip(layers, sources, strict=True)], 1)
        noise = None
        if layers[0].drop.p > 0.0:
            drawn = torch.ones(n, len(self.pairs), width, rows // n)
            noise = torch.stack([layer.drop(drawn) for layer in layers for _ in range(2)])
        shape = crossattention.Shape(n, rows // n, width, self.heads, self.depth, WIDER * width)
        plain = functional.layer_norm(held, (width,))
        visible = None if bool(seen.all()) else seen
        apply: Any = crossattention.CrossAttention.apply
        attended: Tensor = apply(held, plain, visible, noise, self.pairs, shape, maps)
        return attended

    def _sources(self, held: Tensor, sources: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Keys and values of every layer, each ``(layers, pairs * n, heads, steps, width / heads)``."""
        width = held.shape[2]
        plain = functional.layer_norm(held, (width,))[sources]
        both = self.source(plain).view(len(self.pairs) * n, -1, self.depth, 2, self.heads, width // self.heads)
        keys, values = both.permute(3, 2, 0, 4, 1, 5).unbind(0)
        return keys, values

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Side by side, in the order of the modalities."""
        return torch.where(present[..., None], vectors, self.absent).flatten(1)


def build(config: Config) -> Block:
    """The block."""
    return CrossModal(config)
