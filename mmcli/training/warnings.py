"""What a person should hear about the training items before they believe the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcli.artifacts.formats.dataset import Dataset

FEW, FEW_OF_A_CLASS = 20, 5  # training items; below, a network learns them by heart


def about(data: Dataset, model: dict[str, Any]) -> list[str]:
    """The sentences about a model, given by its checkpoint's JSON object, and the data set it was trained on."""
    facts, classes = model["training"], list(model.get("classes") or [])
    items = facts["items"]["train"]
    said = []
    if items < max(FEW, FEW_OF_A_CLASS * len(classes)):
        among = f" and {len(classes)} classes" if classes else ""
        said.append(
            f"{items} training items for {facts['parameters']:,} parameters{among}: what the model learned of them may "
            "hold for no other item; see its interval in `mmcli evaluate`"
        )
    if model["task"] == "classify" and data.label is not None and data.label.dtype.kind == "U":
        labels = data.label[data.rows("train")]
        unseen = [name for name in classes if not np.any(labels == name)]
        seen = [name for name in classes if name not in unseen]
        if len(seen) == 1:
            said.append(f"all training items are {seen[0]!r}: the model can learn to say that, and nothing else")
        elif unseen:
            said.append(f"no training item is {_listed(unseen)}: the model cannot know what that looks like")
    return said


def _listed(names: list[str], most: int = 5) -> str:
    """Names in a sentence.

    >>> _listed(["a", "b"]), _listed(list("abcdefg"))
    ("'a' or 'b'", "'a', 'b', 'c', 'd' or 'e' (and 2 more)")
    """
    shown = [repr(name) for name in names[:most]]
    more = f" (and {len(names) - most} more)" if len(names) > most else ""
    return (f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else shown[0]) + more
