"""Arrays put away on disk while a run lasts, and read back: what memory has no room for, and nobody's output."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True)
class Scratch:
    """Flat arrays by name, in a ``folder`` that is the caller's to delete.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scratch = Scratch(Path(folder))
    ...     scratch.append("a", np.arange(2, dtype=np.int32))
    ...     scratch.append("a", np.arange(3, dtype=np.int32))
    ...     scratch.take("a", np.int32).tolist(), scratch.take("b", np.int32).tolist()
    ([0, 1, 0, 1, 2], [])
    """

    folder: Path

    def put(self, name: str, values: NDArray[Any]) -> None:
        """Put an array away, in place of what had the name."""
        values.tofile(self.folder / name)

    def append(self, name: str, values: NDArray[Any]) -> None:
        """Put an array behind what has the name."""
        with (self.folder / name).open("ab") as file:
            values.tofile(file)

    def take(self, name: str, dtype: DTypeLike) -> NDArray[Any]:
        """What was put away, flat; empty where nothing was."""
        path = self.folder / name
        return np.fromfile(path, dtype) if path.exists() else np.zeros(0, dtype)

    def drop(self, name: str) -> None:
        """Forget an array."""
        (self.folder / name).unlink(missing_ok=True)


def npy(path: Path, values: NDArray[Any]) -> None:
    """Put an array away under a name that a manifest of the same run gives, with its shape.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     npy(Path(folder, "a.npy"), np.eye(2))
    ...     np.load(Path(folder, "a.npy")).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    np.save(path, values, allow_pickle=False)


def mapped(blocks: Iterable[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    """Blocks behind one another as one flat array of ``dtype`` that is read from a file without a name: the file goes
    with the array.

    >>> mapped([np.zeros(2), np.ones(1)], np.float16).tolist()
    [0.0, 0.0, 1.0]
    """
    with tempfile.TemporaryFile() as file:
        size = 0
        for block in blocks:
            file.write(block.astype(dtype).tobytes())
            size += len(block)
        file.flush()
        return np.memmap(file, dtype, "r", shape=(size,)) if size else np.zeros(0, dtype)
