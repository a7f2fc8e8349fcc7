"""Rows that come through a pipe and are read among the others of their group.

A causal model answers each row before the next is read: it is read with the turns of its group so far. One that reads
later turns too answers when the stream has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mmcli.artifacts.formats.features import Features
from mmcli.batch.plan.items import Item
from mmcli.batch.plan.raw import Chunk, Model, Rows, cells, planned
from mmcli.errors import InputError, MmcliError
from mmcli.fusion import turns


def chunks(
    rows: Rows,
    modalities: Mapping[str, Mapping[str, Any]],
    name: str = "model",
    time_unit: str | None = None,
    *,
    causal: bool,
) -> Iterator[Chunk]:
    """The rows of a pipe as data sets of a model's streams: for each row its group so far, of which it alone is asked
    for, or without ``causal`` all rows at the end. A row that comes behind a later turn of its group has failed.
    """
    model = Model(modalities, name, time_unit)
    groups: dict[str, list[tuple[Item, Mapping[str, Features]]]] = {}
    for item, failed in rows.items():
        if item is None:
            yield Chunk(None, failed)
            continue
        own = groups.setdefault(item.group or f"\0{item.id}", [])
        try:
            if causal and own:
                _refuse_earlier(item, own[-1][0])
            made = planned([item], model)
            (its,) = cells(made)
            own.append((made.items[0], model.read(its)))
        except MmcliError as error:
            yield Chunk(None, [(item.id, str(error).replace("\n", "; "))])
            continue
        if causal:
            yield _chunk(own, model, np.array([len(own) - 1]))
    if not causal and (every := [one for own in groups.values() for one in own]):
        yield _chunk(every, model, None)


def _chunk(some: list[tuple[Item, Mapping[str, Features]]], model: Model, asked: Any) -> Chunk:
    items = [item for item, _ in some]
    by_item = {item.id: features for item, features in some}
    return Chunk(model.dataset([item.id for item in items], by_item, items), [], asked)


def _refuse_earlier(item: Item, last: Item) -> None:
    place, before = (turns.place_of(one.id, one.start, one.extra) for one in (item, last))
    if place is None or before is None:
        raise InputError("does not say where it stands in its group", hint=turns.HINT)
    if place <= before:
        raise InputError(f"stands at {place:g} of its group, and {last.id!r} at {before:g} was answered before it")
