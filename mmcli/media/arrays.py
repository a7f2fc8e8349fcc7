"""Rows of array files, opened once: ``x.npy#3``, ``x.npz:vision#3``, ``x.h5:/train/text#3``.

A row of ``(rows, width)`` is one frame, a row of ``(rows, frames, width)`` a sequence. An npy file is mapped and read
where it is asked for; a member of an npz is held, of a few files at a time; HDF5 is read row by row (extra: ``hdf5``).
"""

from __future__ import annotations

import functools
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError, MissingError, UsageError
from mmcli.media import files, limits, npy

HDF5 = (".h5", ".hdf5")
HELD = 8  # files that are open at once


def row_of(path: Path, member: str | None, row: int) -> NDArray[Any]:
    """One row of an array, ``(frames, width)`` of the file's own type; what was opened once stays open.

    Raises :class:`MediaError` where the file holds no such row.
    """
    try:
        info = path.stat()
    except OSError:
        raise MissingError("no such file", source=path) from None
    array = _opened(str(path), member, info.st_size, info.st_mtime_ns)
    if not 0 <= row < len(array):
        raise MediaError(f"has {len(array)} rows, counted from 0: there is no row {row}", source=path)
    values: NDArray[Any] = np.asarray(array[row])
    return values[None] if values.ndim == 1 else values


def takes(path: Path, member: str | None) -> bool:
    """Whether rows of a file are picked here: of an npz without a member's name only where there is one array."""
    suffix = path.suffix.lower()
    if suffix != ".npz":
        return suffix in (".npy", *HDF5)
    info = path.stat() if path.exists() else None
    return member is not None or info is None or _alone(str(path), info.st_size, info.st_mtime_ns)


@functools.lru_cache(maxsize=HELD)
def _alone(name: str, size: int, mtime_ns: int) -> bool:
    try:
        with zipfile.ZipFile(name) as archive:
            return len(archive.namelist()) == 1
    except (zipfile.BadZipFile, OSError):
        return False


@functools.lru_cache(maxsize=HELD)
def _opened(name: str, member: str | None, size: int, mtime_ns: int) -> Any:
    path = files.regular(name, "series")
    suffix = path.suffix.lower()
    if suffix in HDF5:
        array = _of_hdf5(path, member)
    elif suffix == ".npz":
        array = _of_npz(path, member)
    elif member is not None:
        raise MediaError(f"is no archive, so it has no member {member!r}", source=path)
    else:
        with path.open("rb") as file:
            array = npy.mapped(file, size, path)
    if len(array.shape) not in (2, 3) or getattr(array.dtype, "names", None):
        raise MediaError(
            f"has shape {tuple(array.shape)}: a row is picked from (rows, width) or (rows, frames, width)", source=path
        )
    return array


def _of_npz(path: Path, member: str | None) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            if member is None and len(names) == 1:
                (member,) = names
            if member not in names:
                there = ", ".join(names[:12])
                asked = "several members" if member is None else f"no member {member!r}"
                raise MediaError(f"has {asked}: {there}", source=path, hint=f"{path.name}:{names[:1][0]}#ROW")
            info = archive.getinfo(f"{member}.npy")
            most = max(limits.NPZ_FLOOR_BYTES, limits.MAX_NPZ_RATIO * path.stat().st_size)
            if info.file_size > most or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise MediaError(f"{member!r} unpacks to far more than its file: refused", source=path)
            with archive.open(info) as file:
                return npy.read(file, info.file_size, path, None)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError, IndexError) as error:
        raise MediaError(f"is damaged: {error}", source=path) from error


def _of_hdf5(path: Path, member: str | None) -> Any:
    try:
        import h5py
    except ImportError:
        raise UsageError("HDF5 needs h5py", source=path, hint="pip install mmcli[hdf5]") from None
    try:
        file = h5py.File(path, "r")
        array = file.get(member or "/")
    except OSError as error:
        raise MediaError(f"is no HDF5 that can be read ({error})", source=path) from error
    own = isinstance(array, h5py.Dataset) and array.file.id == file.id  # a link may lead into another file
    if own and array.dtype.kind in "fiub" and not array.is_virtual and not array.external:
        most = max(limits.NPZ_FLOOR_BYTES, limits.MAX_NPZ_RATIO * path.stat().st_size)
        row, chunk = math.prod(array.shape[1:]) * 8, math.prod(array.chunks or (0,)) * array.dtype.itemsize
        if max(row, chunk) > most:
            raise MediaError(f"{member!r} unpacks to far more than its file: refused", source=path)
        return array
    names: list[str] = []
    file.visititems(lambda name, thing: names.append(f"/{name}") if isinstance(thing, h5py.Dataset) else None)
    there = ", ".join(names[:12]) or "nothing"
    raise MediaError(f"holds no array of numbers {member or ''}; it holds {there}", source=path)
