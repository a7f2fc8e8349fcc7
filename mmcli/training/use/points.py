"""Encoders that were trained on pairs, as what they are: points of items in the space that the modalities share."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import MismatchError
from mmcli.training.config import CONTRASTIVE
from mmcli.training.fit.predictor import LoadedModel, expected


class Points(NamedTuple):
    """Of each modality ``vectors`` float64 ``(n, width)``, of unit length or zero, and ``present`` bool ``(n,)``."""

    vectors: dict[str, NDArray[np.float64]]
    present: dict[str, NDArray[np.bool_]]


class Encoders(LoadedModel):
    """A checkpoint of ``mmcli train --objective contrastive``. Raises :class:`MismatchError` for any other."""

    def __init__(self, trained: Checkpoint, name: str = "model", device: str = "cpu") -> None:
        if trained.config["task"] != CONTRASTIVE:
            raise MismatchError(
                "has no space that its modalities share",
                source=name,
                hint="mmcli train DATASET.npz --objective contrastive -o MODEL.pt makes one",
            )
        super().__init__(trained, name, device)

    def points(self, dataset: Dataset, rows: NDArray[np.int64]) -> Points:
        """The points of the items ``rows``, in that order."""
        given = self.outputs(self.packed(dataset.select(rows)), np.arange(len(rows), dtype=np.int64))
        vectors = {shape.name: np.asarray(given[:, m], np.float64) for m, shape in enumerate(self.shapes)}
        return Points(vectors, {name: np.linalg.norm(values, axis=1) > 0 for name, values in vectors.items()})


def load(path: Path | str, device: str = "cpu") -> Encoders:
    """The encoders in a checkpoint file. Raises :class:`ArtifactError` where it is damaged or cannot be built."""
    return Encoders(checkpoint.load(path, expected), Path(path).name, device)
