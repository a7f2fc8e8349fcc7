"""What a model's logits mean, and the line that is printed of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def meaning(task: str, logits: Float64, target: Mapping[str, Any]) -> tuple[Float64 | None, Float64 | None]:
    """Probabilities ``(n, classes)`` or values ``(n,)`` of logits ``(n, outputs)``; the other is None.

    ``target`` holds the center and scale of a regression's values.
    """
    if task == "regress":
        return None, logits[:, 0] * float(target.get("scale", 1.0)) + float(target.get("center", 0.0))
    if task == "multilabel":
        return 1.0 / (1.0 + np.exp(-np.clip(logits, -700, 700))), None
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return cast(Float64, shifted / shifted.sum(1, keepdims=True)), None


def line(
    item: str,
    task: str,
    classes: list[str] | None,
    probabilities: Float64 | None,
    values: Float64 | None,
    present: list[str],
) -> dict[str, Any]:
    """``{id, prediction, probabilities, present}`` of the probabilities ``(1, classes)`` or values ``(1,)`` of an item.

    Regression has no probabilities, multilabel a list of classes.
    """
    if probabilities is None:
        assert values is not None
        return {"id": item, "prediction": float(values[0]), "present": present}
    names, chances = classes or [], probabilities[0].tolist()
    answer: Any = names[int(probabilities[0].argmax())]
    if task == "multilabel":
        answer = [name for name, p in zip(names, chances, strict=True) if p >= 0.5]
    rounded = {name: round(p, 6) for name, p in zip(names, chances, strict=True)}
    return {"id": item, "prediction": answer, "probabilities": rounded, "present": present}
