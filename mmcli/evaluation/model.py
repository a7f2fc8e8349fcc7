"""A model as evaluation sees it: ours, or anything that predicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmcli.evaluation.mixing import Access
from mmcli.evaluation.protocol import Predict


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a report needs of a model: how it predicts, for which task, and facts worth keeping (JSON-able).

    ``modalities`` are those it reads (empty: all of a data set), ``fusion`` the name of its fusion block; ``access``
    opens the inside of one of our own networks, without it there are no gradients and mixing is slower.
    """

    predict: Predict
    task: str
    classes: list[str] | None = None
    name: str = "model"
    modalities: tuple[str, ...] = ()
    fusion: str | None = None
    access: Access | None = None
    facts: dict[str, Any] = field(default_factory=dict)
