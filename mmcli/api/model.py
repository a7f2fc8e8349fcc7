"""A trained model as an object, and ``mmcli.train``."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmcli.api import given
from mmcli.api.fuse import fuse
from mmcli.api.report import Report
from mmcli.artifacts.io import atomic
from mmcli.cli.given import as_judged, source
from mmcli.errors import UsageError
from mmcli.registry import nearest
from mmcli.training.fit import predictor
from mmcli.training.fit.predictor import Predictions, Predictor, lines

MANIFESTS = (".csv", ".tsv", ".jsonl", ".ndjson")


class Answers:
    """What a model says of items, in their order; iterates over ``{id, prediction, probabilities, present}``."""

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions
        self.id = predictions.id
        self.labels = predictions.labels
        self.probabilities = predictions.probabilities

    def __len__(self) -> int:
        return len(self.id)

    def __iter__(self) -> Any:
        return lines(self.predictions)

    def to_pandas(self) -> Any:
        """One row an item: id, prediction and the probability of each class. Needs pandas."""
        from mmcli.artifacts.formats.tables import pandas

        table = pandas().DataFrame({"id": self.id, "prediction": list(self.labels)})
        if self.probabilities is not None:
            for k, name in enumerate(self.predictions.classes or []):
                table[f"p({name})"] = self.probabilities[:, k]
        return table

    def to_torch(self) -> Any:
        """Probabilities ``(items, classes)``, or values ``(items,)``, as a float64 tensor."""
        import torch

        return torch.tensor(self.predictions.values if self.probabilities is None else self.probabilities)

    def _repr_html_(self) -> str:
        """The first ten as a table for notebooks."""
        from mmcli.artifacts.formats import tables

        rows = list(zip(self.id[:10].tolist(), self.labels[:10].tolist(), strict=True))
        return tables.html([*rows, *([("...", f"{len(self)} items")] if len(self) > 10 else [])], "answers")

    def __repr__(self) -> str:
        return f"<Answers: {len(self)} items, task {self.predictions.task}>"


class Model:
    """What `mmcli train` writes: it answers, and it is judged. ``net`` is the network as a torch module."""

    def __init__(self, loaded: Predictor, file: Path | bytes = b"") -> None:
        self.loaded = loaded
        self.file = file
        self.net = loaded.net
        self.task = loaded.task
        self.classes = loaded.classes
        self.modalities = list(loaded.modalities)

    def predict(self, data: Any) -> Answers:
        """The answers for all items of a data set: a path or a Dataset; or of new ones, a manifest of features or
        arrays by modality, as :func:`mmcli.fuse` takes them. Their values are put on the scale of the training items.

        Raises MismatchError where a stream is not what the model was trained on.
        """
        if isinstance(data, Mapping) or (given.is_path(data) and Path(data).suffix.lower() in MANIFESTS):
            data = fuse(data, normalise="none")
        return Answers(self.loaded.predict(given.data_set(data)))

    def save(self, path: str | Path) -> None:
        """Write the model as `mmcli train` does. Raises OutputError where that cannot be."""
        atomic.write_bytes(path, self.file if isinstance(self.file, bytes) else self.file.read_bytes())

    def evaluate(self, data: Any, *, split: str = "test", explain: int = 0) -> Report:
        """The report of the model on a split, as `mmcli evaluate` writes it.

        Raises UsageError for a split without items, MismatchError for a data set of other streams.
        """
        from mmcli.evaluation.judge import verdict
        from mmcli.evaluation.report import report

        judged = as_judged(self.loaded)
        request = report.Request(split=split, explain=explain, inputs=_sources(data))
        return Report(report.evaluate(judged, given.data_set(data), request, opponents=verdict.kept(judged)))

    def export(self, path: str | Path) -> None:
        """The model as a file that runs without mmcli: ``.ts`` (TorchScript) or ``.onnx``, checked to answer alike.

        Raises UsageError for another suffix and for models that are no single network, MissingError without the
        packages of `mmcli[onnx]`. What the file takes and gives: :mod:`mmcli.training.fit.export`.
        """
        from mmcli.training.fit import export

        export.export(self.loaded, path)

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        from mmcli.artifacts.formats import tables

        rows = [("task", self.task), ("classes", ", ".join(self.classes or [])), ("from", ", ".join(self.modalities))]
        return tables.html([row for row in rows if row[1]], "model")

    def __repr__(self) -> str:
        known = f", {len(self.classes)} classes" if self.classes else ""
        return f"<Model {Path(self.loaded.name).name}: {self.task}{known}, from {', '.join(self.modalities)}>"


def load(path: str | Path, device: str = "cpu") -> Model:
    """The model in a file. Raises ArtifactError where it is damaged, MismatchError for encoders without answers."""
    return Model(predictor.load(path, device), Path(path))


def train(
    data: Any,
    output: str | Path | None = None,
    *,
    fusion: str = "concat",
    report: Callable[[dict[str, Any]], None] | None = None,
    **fields: Any,
) -> Model:
    """Train a model on a data set, a path or a Dataset, as `mmcli train` does.

    ``output``: the file to write (None: none is kept); ``fusion``: a block's name, or ``auto``; further fields are
    those of TrainConfig (``seed=1``, ``epochs=20``, ``task="regress"``). ``report`` is called after every epoch with
    its figures.

    Warns where the training items are too few to believe the model. Raises UsageError for an unknown field,
    MismatchError where a group lies in the training split and another.
    """
    from mmcli.models import blocks
    from mmcli.training import warnings as told
    from mmcli.training.config import TrainConfig
    from mmcli.training.use import run

    if fusion not in (known := ["auto", *blocks.registry.names()]):
        raise UsageError(f"unknown fusion block {fusion!r}", hint=nearest(fusion, known))
    config = given.configured(TrainConfig, {"fusion": fusion, **fields}, "training")
    items = given.data_set(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt" if output is None else Path(output)
        run.train(items, config, path, inputs=_sources(data), report=report)
        model = Model(predictor.load(path), path if output is not None else path.read_bytes())
    for said in told.about(items, model.loaded.config):
        warnings.warn(said, stacklevel=2)
    return model


def evaluate(model: Any, data: Any, *, split: str = "test", explain: int = 0) -> Report:
    """The report of a model, a path or a :class:`Model`, on a split of a data set; see :meth:`Model.evaluate`."""
    judge = load(model) if given.is_path(model) else model
    if not isinstance(judge, Model):
        raise UsageError(f"{type(model).__name__} is no model", hint="a path, or what mmcli.load and mmcli.train give")
    return judge.evaluate(data, split=split, explain=explain)


def _sources(data: Any) -> tuple[dict[str, Any], ...]:
    return (source(Path(data)),) if given.is_path(data) else ()
