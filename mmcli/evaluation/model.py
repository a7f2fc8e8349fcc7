"""A model as evaluation sees it: a callable that predicts items of a data set, ours or anybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset

if TYPE_CHECKING:
    from torch import nn

    from mmcli.models.nets.network import Batch

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Predictions(Protocol):
    """The answer for ``n`` items, in the order asked for."""

    @property
    def probabilities(self) -> Array | None:
        """``(n, classes)``: of one class per item, or of each label on its own; None for regression."""

    @property
    def values(self) -> Array | None:
        """``(n,)`` for regression, in the unit of the labels; None otherwise."""


class Predict(Protocol):
    """Predicts the items ``indices`` of a data set from the modalities that are marked present, whichever they are."""

    def __call__(self, dataset: Dataset, indices: Indices) -> Predictions:
        """The predictions, one per index."""


@dataclass(frozen=True)
class Access:
    """The inside of one of our own models: the module, its input in batches, and what logits mean."""

    model: nn.Module
    batches: Callable[[Dataset, Indices], Iterable[Batch]]
    meaning: Callable[[Array], tuple[Array | None, Array | None]]


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a report needs of a model: how it predicts, for which task, and facts worth keeping (JSON-able).

    ``modalities`` are those it reads (empty: all of a data set), ``fusion`` the name of its fusion block; ``access``
    opens the inside of one of our own networks, without it there are no gradients and mixing is slower. ``in_groups``:
    an answer depends on the other items of its group, so ``predict`` has to be asked with the whole data set.
    """

    predict: Predict
    task: str
    classes: list[str] | None = None
    name: str = "model"
    modalities: tuple[str, ...] = ()
    fusion: str | None = None
    access: Access | None = None
    in_groups: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
