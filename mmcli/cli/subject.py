"""A trained model as evaluation sees it. The two rooms do not know each other: here they meet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Items that are encoded or explained at once.
BATCH = 64


def as_judged(found: Any) -> Any:
    """The :class:`mmcli.evaluation.model.Model` of a :class:`mmcli.training.fit.predictor.Predictor`."""
    from mmcli.evaluation.model import Access, Model

    def batches(data: Any, rows: Any) -> Iterator[Any]:
        import numpy as np

        packed = found.packed(data.select(rows))
        for start in range(0, len(rows), BATCH):
            yield packed.batch(np.arange(start, min(start + BATCH, len(rows)), dtype=np.int64))

    model = found.config["model"]
    return Model(
        predict=lambda data, rows: found.predict(data.select(rows)),
        task=found.task,
        classes=found.classes,
        name=Path(found.name).name,
        modalities=tuple(found.modalities),
        fusion=(model.get("fusion") or model)["name"],
        access=Access(found.net, batches, found.meaning),
        facts={"parameters": _parameters(found.net)} | _pool(found.config),
    )


def _parameters(net: Any) -> int:
    """The numbers that answers come from: opponents kept in a pool without a say are not counted.

    Of a network its weights, of a kernel machine what it keeps of its training items and what they weigh.
    """
    from mmcli.models.nets.kernel import Kernel
    from mmcli.models.nets.stack import Stack

    inside = net.speaking() if isinstance(net, Stack) else [net]
    return sum(
        values.numel()
        for part in inside
        for values in (part.buffers() if isinstance(part, Kernel) else part.parameters())
    )


def _pool(config: dict[str, Any]) -> dict[str, Any]:
    """What is known of the candidates that a model was chosen or put together from."""
    facts: dict[str, Any] = {}
    if "members" in config["model"]:
        facts["members"] = [{"title": m.get("title"), "weight": m.get("weight")} for m in config["model"]["members"]]
    if "candidates" in config:
        facts["candidates"] = config["candidates"]
    return facts
