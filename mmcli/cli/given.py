"""A data set as it was named on the command line: a file, a folder of shards or standard input; and its source."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmcli.artifacts.formats.dataset import Dataset


def data_set(path: Path) -> tuple[Dataset, dict[str, Any]]:
    """The data set and its source ``{name, size, sha256}``; of standard input the bytes are read once for both."""
    from mmcli.artifacts.formats import dataset
    from mmcli.artifacts.io import provenance

    if str(path) != provenance.STDIN:
        return load(path), source(path)
    data = provenance.read_bytes(path, dataset.MAX_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    return dataset.loads(data, provenance.named(path)), {"name": provenance.STDIN, "size": len(data), "sha256": digest}


def load(path: Path) -> Dataset:
    """The data set in a file, or in a folder of shards, whose rows are read when they are needed."""
    from mmcli.artifacts.formats import dataset, shards

    return shards.load(path) if path.is_dir() else dataset.load(path)


def source(path: Path) -> dict[str, Any]:
    """What is recorded of an input: ``{name, size, sha256}``."""
    from mmcli.artifacts.formats import shards
    from mmcli.artifacts.io import provenance

    return shards.source_of(path) if path.is_dir() else provenance.source_of(path)


# A trained model as evaluation sees it. The two rooms do not know each other: here they meet.

# Items that are encoded or explained at once.
BATCH = 64


def as_judged(predictor: Any) -> Any:
    """The :class:`mmcli.evaluation.model.Model` of a :class:`mmcli.training.fit.predictor.Predictor`."""
    from mmcli.evaluation.model import Access, Model

    model, context = predictor.config["model"], predictor.context
    whole = lambda data, rows: predictor.predict(data, rows)  # noqa: E731
    some = lambda data, rows: predictor.predict(data.select(rows))  # noqa: E731
    return Model(
        predict=some if context is None else whole,
        task=predictor.task,
        classes=predictor.classes,
        name=Path(predictor.name).name,
        modalities=tuple(predictor.modalities),
        fusion=(model.get("fusion") or model)["name"],
        in_groups=context is not None,
        access=Access(predictor.net, lambda data, rows: predictor.batches(data, rows, BATCH), predictor.meaning),
        facts={"parameters": _parameters(predictor.net)} | _pool(predictor.config) | _context(context),
    )


def _context(context: Any) -> dict[str, Any]:
    """How the model reads the turns of a group, where it does."""
    if context is None:
        return {}
    return {"context": {"reader": context["name"], "causal": bool(context["config"].get("causal"))}}


def _parameters(net: Any) -> int:
    """The numbers that answers come from: opponents kept in a pool without a say are not counted.

    Of a network its weights, of a machine that was solved all that it keeps.
    """
    from mmcli.models.nets.described import Machine
    from mmcli.models.nets.factory import Stack

    inside = net.speaking() if isinstance(net, Stack) else [net]
    return sum(
        values.numel()
        for part in inside
        for values in (part.buffers() if isinstance(part, Machine) else part.parameters())
    )


def _pool(config: dict[str, Any]) -> dict[str, Any]:
    """What is known of the candidates that a model was chosen or put together from."""
    facts: dict[str, Any] = {}
    if "members" in config["model"]:
        facts["members"] = [{"title": m.get("title"), "weight": m.get("weight")} for m in config["model"]["members"]]
    if "candidates" in config:
        facts["candidates"] = config["candidates"]
    if promise := config["training"].get("promise"):
        facts["promise"] = promise
    return facts
