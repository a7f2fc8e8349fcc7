"""Which rows train, which choose, which judge.

Without a split column the rows are divided 60/20/20 by a digest of their group, or of their id where they have none:
the same row falls into the same split on every machine and whatever else is in the manifest, and a group is never
divided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mmcli.errors import InputError, MismatchError
from mmcli.registry import nearest

NAMES = ("train", "val", "test")


def assign(ids: Sequence[str], splits: Sequence[str | None], groups: Sequence[str | None]) -> tuple[list[str], str]:
    """The split of each row, and the rule in words.

    Raises :class:`InputError` where only some rows have a split or one is none of train, val, test, and
    :class:`MismatchError` where a group is on two sides.
    """
    given = [split for split in splits if split is not None]
    if not given:
        found = [digest_split(group or name) for name, group in zip(ids, groups, strict=True)]
        by = "group" if any(groups) else "id"
        return found, f"60/20/20 by a digest of the {by}"
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
