"""Rows read from their place in the shards of a data set, with a bounded number of files open."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.io.npz import Place
from mmcli.errors import ArtifactError

MOST_OPEN = 64


class _Shard(NamedTuple):
    path: Path
    identity: tuple[int, ...]
    places: Mapping[str, Place]


class ShardFiles:
    """The shards in order. Each was checked whole; here it has to be the same file still."""

    def __init__(self) -> None:
        self._shards: list[_Shard] = []
        self._open: OrderedDict[int, int] = OrderedDict()  # by shard, the one used last at the end

    def add(self, path: Path, stream: BinaryIO, places: Mapping[str, Place]) -> None:
        """The next shard, as it is open in ``stream``."""
        self._shards.append(_Shard(path, _identity(stream.fileno()), places))

    def reader(self, key: str, lengths: Sequence[npt.NDArray[np.int64]]) -> Callable[[int], npt.NDArray[Any]]:
        """What reads the rows of an item of the array ``key``; ``lengths`` are the rows of the items of each shard."""
        first_item = np.cumsum([0, *map(len, lengths)])
        starts = [np.cumsum([0, *each]) for each in lengths]

        def read(item: int) -> npt.NDArray[Any]:
            shard = int(np.searchsorted(first_item, item, side="right")) - 1
            start, stop = starts[shard][item - first_item[shard] :][:2].tolist()
            return self._rows(shard, key, start, stop)

        return read

    def _rows(self, shard: int, key: str, start: int, stop: int) -> npt.NDArray[Any]:
        place = self._shards[shard].places[key]
        found = np.empty((stop - start, *place.shape[1:]), place.dtype)
        step = found.nbytes // max(1, stop - start)
        rest = memoryview(found.reshape(-1).view(np.uint8).data)
        at = place.offset + start * step
        path = self._shards[shard].path
        try:
            descriptor = self._descriptor(shard)
            while rest:
                got = os.preadv(descriptor, [rest], at)
                if got == 0:
                    raise ArtifactError("ends before its rows do; it was cut short while in use", source=path)
                at, rest = at + got, rest[got:]
        except OSError as problem:
            raise ArtifactError(f"cannot be read ({problem.strerror})", source=path) from problem
        return found

    def _descriptor(self, shard: int) -> int:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        path, identity, _ = self._shards[shard]
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if _identity(descriptor) != identity:
            os.close(descriptor)
            raise ArtifactError("was replaced while the data set was in use", source=path)
        self._open[shard] = descriptor
        if len(self._open) > MOST_OPEN:
            os.close(self._open.popitem(last=False)[1])
        return descriptor

    def __del__(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)


def _identity(descriptor: int) -> tuple[int, ...]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
