"""Labels as tensors, the loss of each task, and what logits mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError, UsageError


@dataclass
class Target:
    """``values``: class numbers int64 ``(items,)``, standardised float32 ``(items,)`` or bool-like ``(items,
    classes)``.

    ``known`` bool ``(items,)``: items with a label; ``center`` and ``scale`` undo the standardisation of regression.
    """

    task: str
    classes: list[str] | None
    values: Tensor
    known: NDArray[np.bool_]
    center: float = 0.0
    scale: float = 1.0

    @property
    def outputs(self) -> int:
        """Logits an item."""
        return 1 if self.classes is None else len(self.classes)

    def facts(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"center": self.center, "scale": self.scale}


def task_of(dataset: Dataset, wanted: str) -> str:
    """``classify`` for text labels, ``regress`` for numbers, ``multilabel`` for a bool matrix.

    Raises :class:`InputError` without labels and :class:`UsageError` where the labels do not fit the wanted task.
    """
    if dataset.label is None:
        raise InputError("the data set has no labels", hint="give the manifest a label column and run fuse again")
    label = np.asarray(dataset.label)
    found = {"U": "classify", "f": "regress"}.get(label.dtype.kind, "multilabel")
    if wanted not in ("auto", found):
        if wanted == "classify" and found == "regress":
            return wanted  # numbers as class names
        raise UsageError(f"task {wanted} does not fit the labels, which ask for {found}")
    return found


def read(dataset: Dataset, wanted: str, rows: NDArray[np.int64], device: torch.device) -> Target:
    """The labels of a data set; ``rows`` are the training items, which regression is standardised on."""
    task = task_of(dataset, wanted)
    label = np.asarray(dataset.label)
    if task == "regress":
        known = np.isfinite(label)
        seen = label[rows][known[rows]]
        if not len(seen):
            raise InputError("no training item has a label")
        center, scale = float(seen.mean()), float(seen.std()) or 1.0
        values = np.where(known, (np.where(known, label, center) - center) / scale, 0.0)
        return Target(task, None, torch.from_numpy(values.astype(np.float32)).to(device), known, center, scale)
    stored = dataset.meta.get("classes")
    if task == "multilabel":
        names = [str(c) for c in stored or range(label.shape[1])]
        return Target(task, names, torch.from_numpy(label.astype(np.float32)).to(device), np.ones(len(label), bool))
    text = np.array([f"{v:g}" for v in label]) if label.dtype.kind == "f" else label
    known = text != ""
    names = [str(c) for c in stored] if stored and label.dtype.kind == "U" else sorted(set(text[known].tolist()))
    if len(names) < 2:
        raise InputError(f"classification needs at least two classes, found {names}")
    number = {name: i for i, name in enumerate(names)}
    found = np.array([number.get(str(t), -1) for t in text], np.int64)
    known &= found >= 0
    if not known[rows].any():
        raise InputError("no training item has a label")
    return Target(task, names, torch.from_numpy(np.maximum(found, 0)).to(device), known)


def losses(task: str, logits: Tensor, values: Tensor, smoothing: float) -> Tensor:
    """Loss of each item, ``(n,)``: cross-entropy, mean binary cross-entropy, or squared error."""
    if task == "classify":
        return functional.cross_entropy(logits, values, reduction="none", label_smoothing=smoothing)
    if task == "multilabel":
        soft = values * (1.0 - smoothing) + 0.5 * smoothing
        return functional.binary_cross_entropy_with_logits(logits, soft, reduction="none").mean(1)
    return (logits[:, 0] - values).square()


def score(task: str, logits: Tensor, values: Tensor) -> dict[str, float]:
    """A figure for people beside the loss: accuracy (of each label for multilabel), or the mean absolute error."""
    if task == "regress":
        return {"mae": float((logits[:, 0] - values).abs().double().mean())}
    right = logits.argmax(1) == values if task == "classify" else (logits > 0) == (values > 0.5)
    return {"accuracy": float(right.double().mean())}
