"""A data set larger than the memory: a folder of shards. Schema ``mmcli/shards@1``.

Each shard is a data set of its own (:mod:`mmcli.artifacts.formats.dataset`, npz) with some of the items, in order.
``index.json`` names the shards with size, SHA-256, items by split and rows by stream, holds the ``meta`` they share,
and is sealed with a hash of itself. It is written last: a folder without it is unfinished and is refused.

Opening reads every shard once, from first byte to last, one at a time: what holds for a data set in one file is checked
for each, and that it is the one the index names. After that rows are read from their place in the file when they are
asked for. A shard that is replaced meanwhile is refused then.
"""

from __future__ import annotations

import os
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.formats import dataset as datasets
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import atomic, jsonfile, lazy, npz, provenance
from mmcli.errors import ArtifactError, InputError, MissingError, OutputError, UsageError

SCHEMA = "mmcli/shards@1"
INDEX = "index.json"
SHARD_BYTES = 256 * 10**6
MOST_SHARDS = 100_000
MOST_OPEN = 64
_SHARD = re.compile(r"shard-[0-9]{5}\.npz")
_INDEX = {
    "schema": jsonfile.exactly(SCHEMA),
    "mmcli": jsonfile.TEXT,
    "items": jsonfile.COUNT,
    "splits": jsonfile.OBJECT,
    "meta": jsonfile.OBJECT,
    "shards": jsonfile.OBJECTS,
}
_ENTRY = {
    "name": jsonfile.TEXT,
    "size": jsonfile.COUNT,
    "sha256": jsonfile.SHA256,
    "items": jsonfile.COUNT,
    "splits": jsonfile.OBJECT,
    "rows": jsonfile.OBJECT,
}


def is_folder(path: Path | str) -> bool:
    """Whether a path is a folder of shards, finished or not, and no folder of anything else."""
    folder = Path(path)
    if not folder.is_dir():
        return False
    if (folder / _name(0)).exists():
        return True
    index = folder / INDEX
    return index.is_file() and SCHEMA.encode() in _start(index)


def save(folder: Path | str, dataset: Dataset, shard_bytes: int = SHARD_BYTES) -> str:
    """Write a data set as a folder of shards of about ``shard_bytes``; returns the SHA-256 of its index.

    One shard is held at a time where the data set is lazy. The folder is made; one that holds anything but an earlier
    data set is an :class:`OutputError`. Raises :class:`UsageError` for what a shard cannot say (pools of partners).
    """
    folder = Path(folder)
    for name, stream in dataset.streams.items():
        if stream.partners is not None:
            raise UsageError(f"{name} borrows from items of other shards", hint="write one file: -o DATASET.npz")
    parts = list(_parts(dataset, shard_bytes))
    if len(parts) > MOST_SHARDS:
        raise UsageError(f"{len(parts):,} shards; at most {MOST_SHARDS:,}", hint="larger ones: --shard-size")
    _refuse_others(folder)
    atomic.make_folder(folder)
    atomic.sweep(folder)
    atomic.remove(folder / INDEX)  # from here on the folder is unfinished
    entries = []
    for number, items in enumerate(parts):
        part = dataset.select(items).held()
        digest = datasets.save(folder / _name(number), part)
        entries.append(_entry(number, folder, digest, part))
        del part  # before the next one is made
    for path in sorted(folder.glob("shard-*.npz"))[len(parts) :]:
        atomic.remove(path)
    content = {
        "schema": SCHEMA,
        "mmcli": provenance.version,
        "items": dataset.items,
        "splits": _counts(dataset.split),
        "meta": dataset.meta | {"streams": {name: stream.meta for name, stream in dataset.streams.items()}},
        "shards": entries,
    }
    return atomic.write_bytes(folder / INDEX, jsonfile.dumps_sealed(content, str(folder)))


def load(folder: Path | str) -> Dataset:
    """The data set in a folder, checked; its values and times are :class:`mmcli.artifacts.io.lazy.Rows`.

    Raises :class:`ArtifactError`, naming the shard, where one is missing, damaged or another than the index says.
    """
    folder = Path(folder)
    index = index_of(folder)
    parts: list[Dataset] = []
    files = _Files()
    for entry in index["shards"]:
        parts.append(_opened(folder / entry["name"], entry, index["meta"], files))
    return _joined(parts, files, index, str(folder))


def index_of(folder: Path | str) -> dict[str, Any]:
    """The index of a folder, checked. Raises :class:`ArtifactError` where it is missing, damaged or edited."""
    path = Path(folder) / INDEX
    if not path.is_file():
        hint = "fuse writes it last: run the same mmcli fuse again"
        raise ArtifactError(f"has no {INDEX}: no data set, or one that was not finished", source=folder, hint=hint)
    index = jsonfile.opened(jsonfile.load(path), str(path), sealed=True)
    jsonfile.check(index, _INDEX, {}, what="index", source=str(path))
    for number, entry in enumerate(index["shards"]):
        jsonfile.check(entry, _ENTRY, {}, what=f"shard {number}", source=str(path))
        if entry["name"] != _name(number):
            raise ArtifactError(f"names {entry['name'][:60]!r} as shard {number}", source=path)
    if not 0 < len(index["shards"]) <= MOST_SHARDS:
        raise ArtifactError(f"names {len(index['shards'])} shards", source=path)
    return index


def source_of(folder: Path | str) -> dict[str, Any]:
    """``{name, size, sha256}``: all bytes of the shards, and the digest of the index, which holds theirs."""
    index = index_of(folder)
    size = sum(entry["size"] for entry in index["shards"])
    facts = provenance.source_of(Path(folder) / INDEX)
    return {"name": Path(folder).resolve().name, "size": size, "sha256": facts["sha256"]}


def _name(number: int) -> str:
    return f"shard-{number:05d}.npz"


def _start(path: Path) -> bytes:
    try:
        with provenance.opened(path) as (stream, _):
            return stream.read(1000)
    except InputError:
        return b""


def _parts(dataset: Dataset, most: int) -> Iterator[npt.NDArray[np.int64]]:
    """Consecutive items whose rows take at most ``most`` bytes together; at least one."""
    sizes = np.zeros(dataset.items, np.int64)
    for stream in dataset.streams.values():
        sizes += stream.lengths * (4 * stream.width + 8)
    start, held = 0, 0
    for item, size in enumerate(sizes.tolist()):
        if item > start and held + size > most:
            yield np.arange(start, item, dtype=np.int64)
            start, held = item, 0
        held += size
    yield np.arange(start, dataset.items, dtype=np.int64)


def _refuse_others(folder: Path) -> None:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        own = _SHARD.fullmatch(path.name) or path.name.startswith(atomic.PREFIX)
        if path.name == INDEX:
            own = SCHEMA.encode() in _start(path)
        if not own:
            hint = "name a folder of its own"
            raise OutputError(f"holds {path.name!r}, which is of no data set", source=folder, hint=hint)


def _entry(number: int, folder: Path, digest: str, part: Dataset) -> dict[str, Any]:
    return {
        "name": _name(number),
        "size": (folder / _name(number)).stat().st_size,
        "sha256": digest,
        "items": part.items,
        "splits": _counts(part.split),
        "rows": {name: int(stream.offsets[-1]) for name, stream in part.streams.items()},
    }


def _counts(split: npt.NDArray[np.str_]) -> dict[str, int]:
    return dict(sorted(Counter(split.tolist()).items()))


def _opened(path: Path, entry: dict[str, Any], meta: dict[str, Any], files: _Files) -> Dataset:
    """One shard, checked whole, with everything but the rows; ``files`` learns where these are."""
    again = "make the data set again, or bring this shard back"
    try:
        with provenance.opened(path) as (file, size):
            if size != entry["size"]:
                raise ArtifactError(f"has {size:,} bytes, the index says {entry['size']:,}", source=path, hint=again)
            if provenance.sha256_stream(file, size) != entry["sha256"]:
                raise ArtifactError("is not the shard that the index names", source=path, hint=again)
            file.seek(0)
            part = datasets.read(file, size, str(path))
            keys = {(name, key): f"{name}/{key}" for name in part.streams for key in ("values", "times")}
            specs = {key: datasets.ARRAYS[what] for (_, what), key in keys.items()}
            files.add(path, file, npz.places(file, str(path), specs))
    except MissingError as problem:
        raise ArtifactError("is missing, and the index names it", source=path, hint=again) from problem
    if (part.items, _counts(part.split)) != (entry["items"], entry["splits"]):
        raise ArtifactError("has other items than the index says", source=path)
    if part.meta != meta:
        raise ArtifactError("has another meta than the index", source=path)
    if {name: int(stream.offsets[-1]) for name, stream in part.streams.items()} != entry["rows"]:
        raise ArtifactError("has other rows than the index says", source=path)
    if any(stream.partners is not None for stream in part.streams.values()):
        raise ArtifactError("has pools of partners, which do not go into a shard", source=path)
    for stream in part.streams.values():  # what stays in memory of thousands of shards
        stream.values, stream.times = np.zeros((0, *stream.values.shape[1:]), np.float32), np.zeros(0)
        stream.meta = {}
    part.meta = {}
    return part


def _joined(parts: list[Dataset], files: _Files, index: dict[str, Any], name: str) -> Dataset:
    """One data set of the shards' columns, whose rows are read from the files."""
    first = parts[0]
    streams = {}
    for stream_name, example in first.streams.items():
        own = [part.streams[stream_name] for part in parts]
        inner = example.values.shape[1:]
        if any(stream.values.shape[1:] != inner for stream in own):
            raise ArtifactError(f"{stream_name} has frames of several shapes", source=name)
        lengths = np.concatenate([stream.lengths for stream in own])
        values, times = (
            lazy.Rows(files.reader(f"{stream_name}/{key}", [s.lengths for s in own]), lengths, tail, d)
            for key, tail, d in (("values", inner, np.dtype(np.float32)), ("times", (), np.dtype(np.float64)))
        )
        made = None
        if any(stream.made is not None for stream in own):
            made = np.concatenate([np.zeros(s.items, bool) if s.made is None else s.made for s in own])
        present = np.concatenate([stream.present for stream in own])
        meta = index["meta"]["streams"][stream_name]
        streams[stream_name] = Stream(values, lazy.offsets_of(lengths), times, present, made, meta)
    whole = Dataset(
        streams,
        np.concatenate([part.id for part in parts]),
        np.concatenate([part.split for part in parts]),
        np.concatenate([part.group for part in parts]),
        None if first.label is None else np.concatenate([np.asarray(part.label) for part in parts]),
        [digest for part in parts for digest in part.source],
        index["meta"],
    )
    datasets.check_columns(whole, name)
    if (whole.items, _counts(whole.split)) != (index["items"], index["splits"]):
        raise ArtifactError("the shards have other items than the index says", source=name)
    return whole


# Rows read from their place in the shards, with a bounded number of files open.


class _Shard(NamedTuple):
    path: Path
    identity: tuple[int, ...]
    places: Mapping[str, npz.Place]


class _Files:
    """The shards in order. Each was checked whole; here it has to be the same file still."""

    def __init__(self) -> None:
        self._shards: list[_Shard] = []
        self._open: OrderedDict[int, int] = OrderedDict()  # by shard, the one used last at the end

    def add(self, path: Path, stream: BinaryIO, places: Mapping[str, npz.Place]) -> None:
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
        rows = np.empty((stop - start, *place.shape[1:]), place.dtype)
        step = rows.nbytes // max(1, stop - start)
        rest = memoryview(rows.reshape(-1).view(np.uint8).data)
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
        return rows

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
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
