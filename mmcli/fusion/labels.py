"""What the label column means: classes, numbers, or sets of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmcli.errors import InputError, UsageError

TYPES = ("auto", "classes", "numbers", "sets")
SEPARATOR = "|"


def read(labels: Sequence[str | None], kind: str = "auto") -> tuple[np.ndarray | None, str | None, list[str] | None]:
    """The label array, the task, and the classes.

    ``classes``: unicode ``(items,)``, task ``classify``. ``numbers``: float64 ``(items,)``, task ``regress``. ``sets``,
    classes joined by ``|``: bool ``(items, classes)``, task ``multilabel``. ``auto`` takes numbers where every label is
    one and some are not whole, else classes. No labels at all: three times None.

    Raises :class:`InputError` where only some rows have a label, or a number is asked for and there is none.
    """
    if kind not in TYPES:
        raise UsageError(f"unknown label type {kind!r}", hint="one of: " + ", ".join(TYPES))
    given = [text for text in labels if text is not None]
    if not given:
        return None, None, None
    if len(given) < len(labels) and kind != "sets":
        raise InputError(f"{len(labels) - len(given)} of {len(labels)} rows have no label", hint="label all or none")
    numbers = [_number(text) for text in given]
    if kind == "auto":
        whole = all(n is not None and n == int(n) for n in numbers)
        kind = "numbers" if None not in numbers and not whole else "classes"
    if kind == "numbers":
        for text, number in zip(given, numbers, strict=True):
            if number is None:
                raise InputError(f"label {text!r} is not a number")
        return np.array(numbers, dtype=np.float64), "regress", None
    if kind == "classes":
        return np.array(given), "classify", ordered(given)
    sets = [{part for part in (text or "").split(SEPARATOR) if part} for text in labels]
    classes = ordered([name for found in sets for name in found])
    return np.array([[name in found for name in classes] for found in sets], dtype=bool), "multilabel", classes


def ordered(names: Sequence[str]) -> list[str]:
    """Distinct class names: by value where all are numbers, else alphabetically.

    >>> ordered(["10", "9", "9"])
    ['9', '10']
    """
    distinct = set(names)
    if all(_number(name) is not None for name in distinct):
        return sorted(distinct, key=lambda name: (float(name), name))
    return sorted(distinct)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
