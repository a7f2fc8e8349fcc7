"""Encoders that were trained on pairs, as what they are: points of items in the space that the modalities share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import MismatchError
from mmcli.training import seeding
from mmcli.training.config import CONTRASTIVE
from mmcli.training.fit.answering import logits_of
from mmcli.training.fit.predictor import Predictor, expected


class Encoders(Predictor):
    """A checkpoint of ``mmcli train --objective contrastive``. Raises :class:`MismatchError` for any other."""

    def __init__(self, found: Checkpoint, name: str = "model", device: str = "cpu") -> None:
        if found.config["task"] != CONTRASTIVE:
            raise MismatchError(
                "has no space that its modalities share",
                source=name,
                hint="mmcli train DATASET.npz --objective contrastive -o MODEL.pt makes one",
            )
        # The class below refuses encoders where answers are wanted; none are wanted here.
        super().__init__(Checkpoint(found.tensors, {**found.config, "task": "points"}), name, device)

    def points(
        self, dataset: Dataset, rows: NDArray[np.int64]
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.bool_]]]:
        """Of each modality the points ``(n, width)`` of the items, of unit length, and which items have it ``(n,)``."""
        chosen = dataset.select(rows)
        data = self.packed(chosen)
        every = np.arange(len(rows), dtype=np.int64)
        with seeding.deterministic(1, self.device):
            found = logits_of(self.net, data, every).double().cpu().numpy()
        names = [shape.name for shape in self.shapes]
        vectors = {name: np.asarray(found[:, m], np.float64) for m, name in enumerate(names)}
        present = {name: np.linalg.norm(values, axis=1) > 0 for name, values in vectors.items()}
        return vectors, present


def load(path: Path | str, device: str = "cpu") -> Encoders:
    """The encoders in a checkpoint file. Raises :class:`ArtifactError` where it is damaged or cannot be built."""
    return Encoders(checkpoint.load(path, expected), Path(path).name, device)
