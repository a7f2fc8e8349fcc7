"""Data sets as other programs keep them: tar files of WebDataset, tables and folders of Hugging Face's datasets.

Their items are met as :class:`Entry`; what an item holds is named by a cell ``FILE:MEMBER#ROW``. In a tar file MEMBER
is what a name has after its key (``wav`` of ``a/0001.wav``), ROW the number of the key; in a table a column and a row.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy.typing as npt

from mmcli.artifacts.foreign import tables, tars
from mmcli.artifacts.foreign.entry import Entry
from mmcli.errors import ArtifactError

SUFFIXES = (".tar", *tables.SUFFIXES)


def entries(path: Path, prefix: str) -> Iterator[Entry]:
    """The items of one file, whose cells begin with ``prefix``.

    Raises :class:`ArtifactError` for what is no such file, MissingError for a table without pyarrow.
    """
    return tars.entries(path, prefix) if path.suffix.lower() == ".tar" else tables.entries(path, prefix)


def holds_file(path: Path, member: str, row: int) -> bool:
    """Whether a member is a file of its own, such as a recording, and not an array. Raises ArtifactError."""
    if path.suffix.lower() == ".tar":
        return member in tars.names(path, row) and not member.endswith(".npy")
    return tables.holds_file(path, member)


@contextmanager
def fetched(path: Path, member: str, row: int) -> Iterator[Path]:
    """A copy of a member under a name of its own, for as long as the context lasts. Raises ArtifactError."""
    with TemporaryDirectory(prefix="mmcli-") as folder:
        find = tars.opened if path.suffix.lower() == ".tar" else tables.opened
        name, stream = find(path, member, row)
        with stream:
            target = Path(folder, name)
            with target.open("wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
        yield target


def array_of(path: Path, member: str, row: int) -> npt.NDArray[Any]:
    """The numbers of a member as ``(frames, width)`` float32: one axis is one frame. Raises ArtifactError."""
    array = tars.array_of(path, member, row) if path.suffix.lower() == ".tar" else tables.array_of(path, member, row)
    if array.ndim not in (1, 2) or not array.size:
        what = f"row {row}: {member} has shape {array.shape}; (width,) or (frames, width) is needed"
        raise ArtifactError(what, source=path)
    return array[None] if array.ndim == 1 else array
