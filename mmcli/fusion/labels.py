"""What the label column means: classes, numbers, or sets of classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.registry import nearest

TYPES = ("auto", "classes", "numbers", "sets")
SEPARATOR = "|"


def read(
    labels: Sequence[str | None], kind: str = "auto", splits: Sequence[str] = ()
) -> tuple[np.ndarray | None, str | None, list[str] | None]:
    """The label array, the task, and the classes.

    ``classes``: unicode ``(items,)``, task ``classify``. ``numbers``: float64 ``(items,)``, task ``regress``. ``sets``,
    classes joined by ``|``: bool ``(items, classes)``, task ``multilabel``. ``auto`` takes sets where some label has a
    ``|``, numbers where every label is one and some are not whole, else classes. No labels at all: three times None.

    Rows of the test split may lack a label: ``""``, NaN, or the empty set. Raises :class:`InputError` where others do,
    or a number is asked for and there is none.
    """
    if kind not in TYPES:
        raise UsageError(f"unknown label type {kind!r}", hint="one of: " + ", ".join(TYPES))
    given = [text for text in labels if text is not None]
    if not given:
        return None, None, None
    if kind == "auto" and any(SEPARATOR in text for text in given):
        kind = "sets"
    if kind != "sets":
        _refuse_unlabelled(labels, splits)
    numbers = [_number(text) for text in given]
    if kind == "auto":
        whole = all(n is not None and n == int(n) for n in numbers)
        kind = "numbers" if None not in numbers and not whole else "classes"
    if kind == "numbers":
        for text, number in zip(given, numbers, strict=True):
            if number is None:
                raise InputError(f"label {text!r} is not a number")
        values = [np.nan if text is None else float(text) for text in labels]
        return np.array(values, dtype=np.float64), "regress", None
    if kind == "classes":
        return np.array([text or "" for text in labels]), "classify", ordered(given)
    sets = [{part for part in (text or "").split(SEPARATOR) if part} for text in labels]
    classes = ordered([name for present in sets for name in present])
    return np.array([[name in present for name in classes] for present in sets], dtype=bool), "multilabel", classes


def _refuse_unlabelled(labels: Sequence[str | None], splits: Sequence[str]) -> None:
    """A test item without a label is predicted and not scored; of others there is nothing to learn from."""
    sides = splits or ["train"] * len(labels)
    missing = [side for text, side in zip(labels, sides, strict=True) if text is None and side != "test"]
    if missing:
        where = " and ".join(f"{missing.count(side)} in {side}" for side in dict.fromkeys(missing))
        raise InputError(
            f"{len(missing)} of {len(labels)} rows have no label ({where})",
            hint="only rows of the test split may lack one",
        )


def as_numbers(label: np.ndarray) -> np.ndarray | None:
    """Classes that are numbers (a rating from 1 to 5) as these, float64, NaN for ``""``; None where some is none.

    >>> as_numbers(np.array(["3", "", "1.5"])).tolist()
    [3.0, nan, 1.5]
    """
    numbers = [np.nan if text == "" else _number(text) for text in label.tolist()]
    return None if None in numbers else np.array(numbers, dtype=np.float64)


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


# Which rows train, which choose, which judge.
#
# Without a split column the rows are divided 60/20/20 by a digest of their group, or of their id where they have none:
# the same row falls into the same split on every machine and whatever else is in the manifest, and a group is never
# divided.

NAMES = ("train", "val", "test")


def assign(ids: Sequence[str], splits: Sequence[str | None], groups: Sequence[str | None]) -> tuple[list[str], str]:
    """The split of each row, and the rule in words.

    Raises :class:`InputError` where only some rows have a split or one is none of train, val, test, and
    :class:`MismatchError` where a group is on two sides.
    """
    given = [split for split in splits if split is not None]
    if not given:
        digested = [digest_split(group or name) for name, group in zip(ids, groups, strict=True)]
        by = "group" if any(groups) else "id"
        return digested, f"60/20/20 by a digest of the {by}"
    if len(given) < len(splits):
        raise InputError(f"{len(splits) - len(given)} of {len(splits)} rows have no split", hint="name all or none")
    for name, split in zip(ids, given, strict=True):
        if split not in NAMES:
            raise InputError(f"row {name!r} has split {split!r}", hint=nearest(split, NAMES))
    refuse_leaks(given, groups)
    return given, "as given"


def digest_split(key: str) -> str:
    """``train`` for 60 % of all keys, ``val`` and ``test`` for 20 % each.

    >>> digest_split("speaker-1")
    'test'
    """
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return "train" if share < 0.6 else "val" if share < 0.8 else "test"


def refuse_leaks(splits: Sequence[str], groups: Sequence[str | None]) -> None:
    """A group on both sides of a split would let a model recognise what it is judged on."""
    seen: dict[str, str] = {}
    for split, group in zip(splits, groups, strict=True):
        if group and seen.setdefault(group, split) != split:
            raise MismatchError(
                f"group {group!r} is in {seen[group]!r} and in {split!r}", hint="put every group into one split"
            )
