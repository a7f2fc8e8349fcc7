"""What is packed: the items of a folder of features, read one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mmcli.artifacts.formats import features, manifest
from mmcli.artifacts.formats.features import Features


@dataclass(frozen=True)
class Packed:
    """One item: its ``id``, ``split``, ``label`` and ``group`` (empty where it has none) and its streams by column."""

    id: str
    split: str
    label: str
    group: str
    streams: Mapping[str, Features]


class Rows:
    """The items of a folder of features, read one at a time, in the order of its manifest."""

    def __init__(self, folder: Path) -> None:
        self.content = manifest.load(folder / "manifest.jsonl", lenient=True)
        self.streams = [c for c in self.content.columns if any(c in row.cells for row in self.content.rows)]

    def __len__(self) -> int:
        return len(self.content.rows)

    def __iter__(self) -> Iterator[Packed]:
        for row in self.content.rows:
            streams = {name: features.load(self.content.resolve(cell)[0]) for name, cell in row.cells.items()}
            yield Packed(row.id, row.split or "", row.label or "", row.group or "", streams)


def parts(rows: Iterable[Packed], size: int) -> Iterator[tuple[Packed, ...]]:
    """The rows, ``size`` at a time."""
    left = iter(rows)
    while some := tuple(islice(left, size)):
        yield some
