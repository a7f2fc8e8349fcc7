"""Items that are read in the company of their group: what a batch of them holds, and how a network looks at it.

A plain batch holds items that have nothing to do with one another, and each is a group of one. A :class:`Grouped` batch
holds whole groups. Where one item is looked at alone, its group held as it is, :class:`Held` stands in the batch beside
its modalities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from mmcli.models.parts import zeroed

HELD = "(group)"  # no stream can be called so


class Grouped(dict[str, Any]):
    """Modalities of whole groups, by name. ``turns`` int64 ``(groups, longest)``: for each turn its row, -1 behind the
    end; ``asked`` int64 ``(k,)``: the rows that an answer is wanted for.
    """

    def __init__(self, modalities: Mapping[str, Any], turns: Tensor, asked: Tensor) -> None:
        super().__init__(modalities)
        self.turns, self.asked = turns, asked

    def of(self, modalities: Mapping[str, Any]) -> Grouped:
        """The same groups with other modalities."""
        return Grouped(modalities, self.turns, self.asked)


class Held(NamedTuple):
    """Of each item its group as fused vectors float32 ``(n, turns, width)``, ``mask`` bool ``(n, turns)`` where there
    is a turn, and ``place`` int64 ``(n,)``, the item's own; what stands there is not read. Parts can be cut by items.
    """

    values: Tensor
    mask: Tensor
    present: Tensor
    place: Tensor


def asked(values: Tensor, batch: Mapping[str, Any]) -> Tensor:
    """The rows of a batch ``(n, ...)`` that an answer is wanted for: all, or those of a :class:`Grouped` batch."""
    return values[batch.asked] if isinstance(batch, Grouped) else values


def read(reader: nn.Module, fused: Tensor, batch: Mapping[str, Any]) -> Tensor:
    """What ``reader`` makes of each item in its group, ``(n, reader's width)``; ``fused`` ``(n, width)``.

    ``reader(sequence (groups, turns, width), mask (groups, turns))`` gives ``(groups, turns, its width)``.
    """
    if isinstance(batch, Grouped):
        mask = batch.turns >= 0
        sequence = zeroed(fused[batch.turns.clamp(min=0)], mask)
        said: Tensor = reader(sequence, mask)
        every = said.new_zeros(len(fused), said.shape[-1])
        return every.index_copy(0, batch.turns[mask], said[mask])
    held = batch.get(HELD)
    if held is None:
        alone: Tensor = reader(fused[:, None], fused.new_ones(len(fused), 1).bool())
        return alone[:, 0]
    own = held.place[:, None] == held.place.new_tensor(range(held.mask.shape[1]))[None]
    sequence = held.values.to(fused.dtype).where(~own[..., None], fused[:, None])
    company: Tensor = reader(sequence, held.mask | own)
    return company.gather(1, held.place[:, None, None].expand(-1, 1, company.shape[-1]))[:, 0]
