"""Rows that come one after another through a pipe: each is answered before the next is read.

Rows of raw media (files, or text in the row) are read by the model's own extractors as they come; a row that cannot be
read is told and passed over, and the stream goes on. Rows of features are a manifest as ``mmcli extract`` writes it,
which is read to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from mmcli.artifacts.formats import manifest
from mmcli.batch.plan import inputs, raw
from mmcli.errors import ArtifactError, MmcliError


class Rows:
    """The rows of a stream, the first of them looked at: ``raw`` says whether there is anything to extract from.

    Raises :class:`ArtifactError` where the stream is no manifest.
    """

    def __init__(self, stream: BinaryIO, source: str = "standard input") -> None:
        self._reader = manifest.iter_rows(stream, source)
        self._source = source
        self._item = inputs.reading_rows(self._reader.root)
        first = next(self._reader, None)
        if first is None:
            raise ArtifactError("holds no rows", source=source)
        self._first: manifest.Row | None = first
        nothing = not first.cells and first.error is None
        self.raw = nothing or any(_is_raw(column, value) for column, value in first.cells.items())

    def whole(self) -> manifest.Manifest:
        """All rows, once the stream has ended."""
        rows = [row for row in (self._first, *self._reader) if row is not None]
        return manifest.Manifest(rows, self._reader.root, self._source, self._reader.columns)

    def chunks(self, modalities: Mapping[str, Mapping[str, Any]], name: str = "model") -> Iterator[raw.Chunk]:
        """A chunk for every row, as :func:`mmcli.batch.plan.raw.chunks` makes them of many."""
        model = raw.Model(modalities, name)
        number = 0
        while True:
            number += 1
            try:
                row, self._first = self._first or next(self._reader), None
            except StopIteration:
                return
            except ArtifactError as problem:
                yield raw.Chunk(None, [(f"row {number}", problem.what)])
                continue
            try:
                made = raw.planned([self._item(row)], model)
            except MmcliError as problem:
                yield raw.Chunk(None, [(row.id, str(problem).replace("\n", "; "))])
                continue
            yield raw.chunk(list(zip(made.items, raw.cells(made), strict=True)), model)


def _is_raw(column: str, value: str) -> bool:
    """Whether a cell names something to extract from: not features, not a map (:mod:`mmcli.batch.plan.inputs`)."""
    kind = manifest.split_column(column)[0]
    path, _, row = value.partition("#")
    if not value or kind in ("map", "table"):
        return False
    if kind == "series":
        return bool(row) or not path.endswith(".npz")
    return kind not in manifest.MODALITIES or not (row or path.endswith((".npz", ".npy")))
