"""Predictions as JSON objects, one an item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmcli.training.fit.predictor import Predictions


def lines(found: Predictions) -> Iterator[dict[str, Any]]:
    """``{id, prediction, probabilities, present}``; regression has no probabilities, multilabel a list of classes."""
    labels = found.labels.tolist()
    for i, item in enumerate(found.id.tolist()):
        answer: Any = labels[i]
        if found.task == "multilabel":
            answer = [name for name, there in zip(found.classes or [], answer, strict=True) if there]
        line: dict[str, Any] = {"id": item, "prediction": answer}
        if found.probabilities is not None:
            names = found.classes or []
            line["probabilities"] = {n: round(float(p), 6) for n, p in zip(names, found.probabilities[i], strict=True)}
        line["present"] = [name for name, there in found.present.items() if there[i]]
        yield line
