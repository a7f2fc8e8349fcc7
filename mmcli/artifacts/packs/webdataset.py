"""WebDataset: tar files of AT_ONCE items each, ``OUT-%06d.tar``. An item is a few files with one key, its number.

``KEY.json`` has id, split, label, group and the meta of each stream, ``KEY.STREAM.npy`` the values of a stream,
``KEY.STREAM.times.npy`` the middle of its frames in seconds.
"""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.packing import Packed, Rows, parts
from mmcli.artifacts.io import atomic, provenance
from mmcli.errors import UsageError

SUFFIXES = (".tar",)
AT_ONCE = 1000  # items of a file
PLACE = re.compile(r"%0(\d)d")


def write(path: Path, rows: Rows) -> None:
    """Write the files, each whole or not at all; those that an earlier, longer run left are removed.

    Raises UsageError where the name has no place for a number, OutputError where one cannot be written.
    """
    check(path)
    number = -1
    for number, some in enumerate(parts(rows, AT_ONCE)):
        atomic.write_bytes(path.with_name(path.name % number), _tar(some, number * AT_ONCE))
    while (left := path.with_name(path.name % (number := number + 1))).exists():
        atomic.remove(left)


def check(path: Path) -> None:
    """Raises UsageError where the name is not one with one place for a number."""
    if len(PLACE.findall(path.name)) != 1 or path.name.count("%") != 1:
        raise UsageError("has no place for the number of a file", source=path, hint=f"{path.stem}-%06d.tar")


def _tar(items: tuple[Packed, ...], first: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, item in enumerate(items, first):
            for suffix, data in _members(item):
                about = tarfile.TarInfo(f"{number:09d}.{suffix}")  # time and owner 0: the same bytes whenever
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
    return out.getvalue()


def _members(item: Packed) -> list[tuple[str, bytes]]:
    meta = {name: one.meta for name, one in item.streams.items()}
    own = {"id": item.id, "split": item.split, "label": item.label, "group": item.group, "meta": meta}
    out = [("json", provenance.canonical_json(own).encode())]
    for name, one in item.streams.items():
        out += [(f"{name}.npy", _npy(one.values)), (f"{name}.times.npy", _npy(one.times))]
    return out


def _npy(values: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, values, allow_pickle=False)
    return out.getvalue()
