"""Predictions as JSON objects, one an item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import MismatchError
from mmcli.training import world
from mmcli.training.config import CONTRASTIVE
from mmcli.training.fit.objective import logits_of
from mmcli.training.fit.predictor import Predictions, Predictor, expected


def lines(predictions: Predictions) -> Iterator[dict[str, Any]]:
    """``{id, prediction, probabilities, present}``; regression has no probabilities, multilabel a list of classes."""
    labels = predictions.labels.tolist()
    for i, item in enumerate(predictions.id.tolist()):
        answer: Any = labels[i]
        if predictions.task == "multilabel":
            answer = [name for name, there in zip(predictions.classes or [], answer, strict=True) if there]
        line: dict[str, Any] = {"id": item, "prediction": answer}
        if predictions.probabilities is not None:
            names = predictions.classes or []
            line["probabilities"] = {
                n: round(float(p), 6) for n, p in zip(names, predictions.probabilities[i], strict=True)
            }
        line["present"] = [name for name, there in predictions.present.items() if there[i]]
        yield line


# Encoders that were trained on pairs, as what they are: points of items in the space that the modalities share.


class Encoders(Predictor):
    """A checkpoint of ``mmcli train --objective contrastive``. Raises :class:`MismatchError` for any other."""

    def __init__(self, trained: Checkpoint, name: str = "model", device: str = "cpu") -> None:
        if trained.config["task"] != CONTRASTIVE:
            raise MismatchError(
                "has no space that its modalities share",
                source=name,
                hint="mmcli train DATASET.npz --objective contrastive -o MODEL.pt makes one",
            )
        # The class below refuses encoders where answers are wanted; none are wanted here.
        super().__init__(Checkpoint(trained.tensors, {**trained.config, "task": "points"}), name, device)

    def points(
        self, dataset: Dataset, rows: NDArray[np.int64]
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.bool_]]]:
        """Of each modality the points ``(n, width)`` of the items, of unit length, and which items have it ``(n,)``."""
        chosen = dataset.select(rows)
        data = self.packed(chosen)
        every = np.arange(len(rows), dtype=np.int64)
        with world.deterministic(1, self.device):
            given = logits_of(self.net, data, every).double().cpu().numpy()
        names = [shape.name for shape in self.shapes]
        vectors = {name: np.asarray(given[:, m], np.float64) for m, name in enumerate(names)}
        present = {name: np.linalg.norm(values, axis=1) > 0 for name, values in vectors.items()}
        return vectors, present


def load(path: Path | str, device: str = "cpu") -> Encoders:
    """The encoders in a checkpoint file. Raises :class:`ArtifactError` where it is damaged or cannot be built."""
    return Encoders(checkpoint.load(path, expected), Path(path).name, device)
