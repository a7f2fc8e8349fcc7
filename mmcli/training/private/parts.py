"""What one layer knows of its items' gradients, enough for their norms and for their weighted sum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


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
