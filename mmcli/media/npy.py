"""Array files read as what they are, input from anywhere.

The header is measured before it is parsed, only plain numbers are accepted, and the declared shape must fit the bytes
that are there (the format: numpy.lib.format).
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import limits


class Header(NamedTuple):
    """What an npy stream holds, and at which byte its values begin."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    start: int


def header(file: IO[bytes], size: int, path: Path) -> Header:
    """The header of an npy stream of ``size`` bytes. Raises :class:`MediaError` where it does not fit them."""
    start = file.read(10)
    if len(start) < 10 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise MediaError("holds no array that can be read", source=path)
    if start[6] == 1:
        length, offset = int.from_bytes(start[8:10], "little"), 10
    else:
        length, offset = int.from_bytes(start[8:10] + file.read(2), "little"), 12
    if length > limits.MAX_NPY_HEADER:
        raise MediaError(f"declares an array header of {length:,} bytes: refused", source=path)
    text = file.read(length)
    try:
        declared = ast.literal_eval(text.decode("utf-8" if start[6] == 3 else "latin-1"))
        dtype = np.dtype(
            [tuple(f) for f in declared["descr"]] if isinstance(declared["descr"], list) else declared["descr"]
        )
        shape, fortran = tuple(declared["shape"]), bool(declared["fortran_order"])
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError, AttributeError) as error:
        raise MediaError("has an array header that cannot be read", source=path) from error
    fields = [dtype[name] for name in dtype.names] if dtype.names else [dtype]
    if any(f.kind not in "fiub" or f.subdtype is not None or f.itemsize > 8 for f in fields):
        raise MediaError(f"holds {dtype}, not plain numbers", source=path)
    if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in shape):
        raise MediaError("has an array header that cannot be read", source=path)
    count = 1
    for n in shape:
        count *= n
    if count * dtype.itemsize != size - offset - length:
        raise MediaError(
            f"is truncated or damaged: {shape} of {dtype} takes {count * dtype.itemsize:,} bytes, "
            f"{size - offset - length:,} are there",
            source=path,
        )
    return Header(dtype, shape, fortran, offset + length)


def read(file: IO[bytes], size: int, path: Path, row: int | None) -> NDArray[Any]:
    """The array of an npy stream of ``size`` bytes, or one row of it as ``(1, width)``."""
    dtype, shape, fortran, start = header(file, size, path)
    if row is not None:
        if len(shape) != 2 or dtype.names:
            raise MediaError(f"has shape {shape}: a row is picked from (rows, width)", source=path)
        if not 0 <= row < shape[0]:
            raise MediaError(f"has {shape[0]} rows, counted from 0: there is no row {row}", source=path)
        if not fortran:
            file.seek(start + row * shape[1] * dtype.itemsize)
            return np.frombuffer(file.read(shape[1] * dtype.itemsize), dtype=dtype)[None, :]
    count = int(np.prod(shape, dtype=np.int64))
    data = np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype)
    if len(data) != count:
        raise MediaError("is truncated", source=path)
    array = data.reshape(shape, order="F" if fortran else "C")
    return array if row is None else array[row : row + 1]


def mapped(file: IO[bytes], size: int, path: Path) -> NDArray[Any]:
    """The array of an npy file, read from the disk where it is looked at."""
    dtype, shape, fortran, start = header(file, size, path)
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")
