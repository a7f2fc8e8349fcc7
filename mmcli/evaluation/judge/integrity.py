"""Whether the split can be trusted: the same content twice, or one group on both sides.

An item's content is what the model sees of it, so two items are duplicates where all their present modalities are
equal, byte for byte, whatever their ids say; equal hashes of their source files count as well. What is nearly equal in
one modality (:mod:`.near`) is told and leaves the data set clean: whether it is a leak, a person has to say.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

from mmcli.artifacts.formats.dataset import FUSED, Dataset
from mmcli.errors import InputError
from mmcli.evaluation.judge import near

# A report stays readable; the counts are always whole.
SHOWN = 50


def check(dataset: Dataset) -> dict[str, Any]:
    """``{clean, duplicates, group_leaks, near}``, the latter three with counts and the first cases.

    ``duplicates`` between splits are leaks; within one split they are counted too, but leave the data set clean.
    """
    by_content: dict[str, list[int]] = defaultdict(list)
    for item in range(dataset.items):
        by_content[_content(dataset, item)].append(item)
    for item, digest in enumerate(dataset.source):
        if digest:
            by_content[digest].append(item)
    across: dict[tuple[int, ...], None] = {}
    within: dict[tuple[int, ...], None] = {}
    for items in by_content.values():
        if len(items) > 1:
            splits = {str(dataset.split[i]) for i in items}
            (across if len(splits) > 1 else within)[tuple(items)] = None
    splits_of: dict[str, set[str]] = defaultdict(set)
    for group, split in zip(dataset.group.tolist(), dataset.split.tolist(), strict=True):
        if group and split:
            splits_of[group].add(split)
    leaks = {group: sorted(splits) for group, splits in sorted(splits_of.items()) if len(splits) > 1}
    return {
        "clean": not across and not leaks,
        "duplicates": {
            "between_splits": len(across),
            "within_a_split": len(within),
            "cases": [
                [{"id": str(dataset.id[i]), "split": str(dataset.split[i])} for i in items]
                for items in [*across, *within][:SHOWN]
            ],
        },
        "group_leaks": {
            "groups": len(leaks),
            "cases": [{"group": group, "splits": splits} for group, splits in list(leaks.items())[:SHOWN]],
        },
        "near": near.check(dataset),
    }


def notes(checked: dict[str, Any]) -> list[str]:
    """What a report says of what :func:`check` found."""
    unclean = [] if checked["clean"] else ["the splits are not clean: see integrity"]
    return [*unclean, *filter(None, [near.sentence(checked["near"])])]


def refuse(checked: dict[str, Any], source: object) -> None:
    """Raises :class:`InputError` naming the first leak, where :func:`check` found one."""
    if checked["clean"]:
        return
    if checked["duplicates"]["between_splits"]:
        a, b = checked["duplicates"]["cases"][0][:2]
        what = f"item {a['id']!r} ({a['split'] or 'no split'}) equals item {b['id']!r} ({b['split'] or 'no split'})"
    else:
        leak = checked["group_leaks"]["cases"][0]
        what = f"group {leak['group']!r} is in {' and '.join(leak['splits'])}"
    raise InputError(f"leaks between splits: {what}", source=source, hint="evaluate without --strict to see all")


def _content(dataset: Dataset, item: int) -> str:
    """A digest of every present modality's rows and times; unique per item where nothing is present."""
    digest = hashlib.sha256()
    anything = False
    for name in sorted(dataset.streams):
        stream = dataset.streams[name]
        if name == FUSED or not stream.present[item]:
            continue
        values, times = stream.item(item)
        digest.update(f"{name} {values.shape}".encode())
        digest.update(values.tobytes())
        digest.update(times.tobytes())
        anything = True
    return digest.hexdigest() if anything else f"nothing of item {item}"
