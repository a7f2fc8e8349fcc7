"""A trained model: tensors and one JSON object. Schema ``mmcli/checkpoint@1``, pt.

The file is ``torch.save({"config": JSON text, "tensors": {name: tensor}})``, read with ``weights_only=True``, always.
torch does not compare checksums (a flipped bit in a weight loads silently) and reads archives by rules of its own (a
member marked as a folder leaves its tensor as it was in memory). So it never sees the file: the members are read here,
their checksums compared, the pickle looked through for anything but dicts, text, numbers and tensors, and torch gets a
fresh archive of them. Afterwards each tensor has to be dense, finite and alone in its storage, so that nothing is
larger than the file it came from.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import stream
from mmcli.artifacts.io import atomic, jsonfile, npz, provenance
from mmcli.errors import ArtifactError

if TYPE_CHECKING:
    import torch

SCHEMA = "mmcli/checkpoint@1"
MAX_BYTES = 8 << 30
MAX_PICKLE = 64 << 20
MAX_MEMBERS = 100_000
_PICKLE, _VERSION, _BYTE_ORDER = "archive/data.pkl", "archive/version", "archive/byteorder"
_DATA = "archive/data/"
_MEMBER = re.compile(
    r"archive/(data\.pkl|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id|data/[0-9]+)"
)
_HINT = "mmcli train DATASET.npz -o MODEL.pt makes one"

_REQUIRED = {
    "schema": jsonfile.exactly(SCHEMA),
    "mmcli": jsonfile.TEXT,
    "task": jsonfile.TEXT,
    "model": jsonfile.OBJECT,
    "classes": jsonfile.nullable(jsonfile.TEXTS),
    "modalities": jsonfile.OBJECT,
    "training": jsonfile.OBJECT,
}
_OPTIONAL = {
    "candidates": jsonfile.ANY,
    "privacy": jsonfile.OBJECT,
    "inputs": jsonfile.ALL_NAMED,
    "config": jsonfile.OBJECT,
    "config_sha256": jsonfile.SHA256,
    "calibration": jsonfile.OBJECT,
    "notes": jsonfile.TEXTS,
}
_MODALITY = stream.META | {"shape": jsonfile.LIST}

_DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_GLOBALS = {
    "torch._utils _rebuild_tensor_v2",
    "collections OrderedDict",
    *(f"torch {name}Storage" for name in _STORAGES),
}
# What torch.save writes for nested dicts of text and dense tensors, and nothing that could build more.
_OPCODES = {
    *("PROTO", "STOP", "MARK", "GLOBAL", "BINPERSID", "REDUCE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "NEWTRUE", "NEWFALSE", "NONE"),
}

Expected = Callable[[dict[str, Any]], Mapping[str, tuple[int, ...]]]


@dataclass(eq=False)
class Checkpoint:
    """``tensors`` by name, on the CPU; ``config`` the JSON object, ``schema`` and ``mmcli`` filled in where absent."""

    tensors: dict[str, torch.Tensor]
    config: dict[str, Any]

    def __post_init__(self) -> None:
        self.config = {"schema": SCHEMA, "mmcli": provenance.version} | self.config
        _check_config(self.config, "checkpoint")


def load(path: Path | str, expected: Expected | None = None) -> Checkpoint:
    """Read a checkpoint (``-``: standard input).

    ``expected`` is given the config and names the tensors and shapes that the model of that config has; a file with
    other ones is refused.
    """
    if str(path) == provenance.STDIN:
        return loads(provenance.read_bytes(path, MAX_BYTES), provenance.named(path), expected)
    with provenance.opened(path) as (stream, size):
        return _read(stream, size, str(path), expected)


def loads(data: bytes, name: str, expected: Expected | None = None) -> Checkpoint:
    """The checkpoint in the bytes of a file; ``name`` is for messages."""
    return _read(io.BytesIO(data), len(data), name, expected)


def save(path: Path | str, checkpoint: Checkpoint) -> str:
    """Write a checkpoint (``-``: standard output); returns the file's SHA-256."""
    return atomic.write_bytes(path, dumps(checkpoint))


def dumps(checkpoint: Checkpoint) -> bytes:
    """The bytes of a checkpoint file: the same for the same tensors, wherever they are and whatever they share."""
    import torch

    _check_config(checkpoint.config, "checkpoint")
    tensors = {}
    for name, tensor in checkpoint.tensors.items():
        if tensor.layout != torch.strided:
            raise ArtifactError(f"tensor {name[:60]!r} is {tensor.layout}; dense ones are kept", source="checkpoint")
        tensors[name] = tensor.detach().to("cpu").contiguous().clone()  # a copy of its own: no views, nothing shared
    _check_tensors(tensors, "checkpoint")
    try:
        config = provenance.canonical_json(checkpoint.config)
    except (ValueError, TypeError) as problem:
        raise ArtifactError(f"config is no JSON ({problem})", source="checkpoint") from problem
    memory = io.BytesIO()  # a file object: torch puts the name of a path into the bytes
    torch.save({"config": config, "tensors": tensors}, memory)
    return memory.getvalue()


def _read(stream: BinaryIO, size: int, name: str, expected: Expected | None) -> Checkpoint:
    fresh, sizes = _fresh_archive(stream, size, name)
    content = _unpickled(fresh, name)
    if not isinstance(content, dict) or content.keys() != {"config", "tensors"}:
        raise ArtifactError("is no mmcli checkpoint", source=name, hint=_HINT)
    if type(content["config"]) is not str or type(content["tensors"]) is not dict:
        raise ArtifactError("is no mmcli checkpoint: config or tensors of another type", source=name, hint=_HINT)
    config = jsonfile.parse(content["config"], name)
    _check_config(config, name)
    _check_tensors(content["tensors"], name)
    if sizes != sorted(tensor.untyped_storage().nbytes() for tensor in content["tensors"].values()):
        raise ArtifactError("its tensors are not of the sizes of its data", source=name)  # read past an end, or unused
    if expected is not None:
        _check_shapes(content["tensors"], expected(config), name)
    return Checkpoint(content["tensors"], config)


def _members(stream: BinaryIO, size: int, name: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member, whose checksum holds, and the pickle found to hold nothing but weights."""
    if size > MAX_BYTES:
        raise ArtifactError(f"holds {size:,} bytes; at most {MAX_BYTES:,} are read", source=name)
    with npz.guarded(name), zipfile.ZipFile(stream) as archive:
        members = npz.stored_members(archive, size, name, MAX_MEMBERS)
        for member, entry in members.items():
            if not _MEMBER.fullmatch(member) or (member == _PICKLE and entry.file_size > MAX_PICKLE):
                raise ArtifactError(f"holds {member[:100]!r}: no mmcli checkpoint", source=name, hint=_HINT)
        if not {_PICKLE, _VERSION, _BYTE_ORDER} <= members.keys():
            raise ArtifactError("is no mmcli checkpoint", source=name, hint=_HINT)
        if archive.read(_BYTE_ORDER) != b"little":
            raise ArtifactError("was written on a machine of the other byte order", source=name)
        for member, entry in members.items():
            content = archive.read(entry)  # compares the checksum
            if member == _PICKLE:
                _check_pickle(content, name)
            yield member, content


def _fresh_archive(stream: BinaryIO, size: int, name: str) -> tuple[io.BytesIO, list[int]]:
    """A new archive of the members, and the sizes of its data, ascending."""
    fresh, sizes = io.BytesIO(), []
    with npz.guarded(name), zipfile.ZipFile(fresh, "w") as copy:
        for member, content in _members(stream, size, name):
            copy.writestr(zipfile.ZipInfo(member), content)
            if member.startswith(_DATA):
                sizes.append(len(content))
    fresh.seek(0)
    return fresh, sorted(sizes)


def _check_pickle(data: bytes, name: str) -> None:
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in _OPCODES or (opcode.name == "GLOBAL" and argument not in _GLOBALS):
            what = f"{opcode.name} {argument}" if opcode.name == "GLOBAL" else opcode.name
            raise ArtifactError(f"holds {what[:100]}, which is not for weights", source=name)


def _unpickled(stream: BinaryIO, name: str) -> Any:
    import torch

    damage = (*npz.DAMAGE, pickle.UnpicklingError, AttributeError, AssertionError, MemoryError, RecursionError)
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except damage as problem:
        first = (str(problem) or type(problem).__name__).splitlines()[0][:200]
        raise ArtifactError(f"is damaged or no checkpoint ({first})", source=name) from problem


def _check_config(config: dict[str, Any], name: str) -> None:
    jsonfile.check(config, _REQUIRED, _OPTIONAL, what="config", source=name)
    for modality, meta in config["modalities"].items():
        jsonfile.check(meta, {}, _MODALITY, what=f"modality {modality[:60]}", source=name)


def _check_tensors(tensors: Mapping[Any, Any], name: str) -> None:
    import torch

    allowed = {getattr(torch, dtype) for dtype in _DTYPES}
    storages: set[int] = set()
    for key, tensor in tensors.items():
        if type(key) is not str or type(tensor) is not torch.Tensor:
            raise ArtifactError(f"{str(key)[:60]!r} is no tensor", source=name)
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype not in allowed:
            kind = f"{tensor.layout} {tensor.dtype} on {tensor.device}"
            raise ArtifactError(f"tensor {key[:60]!r} is {kind}", source=name)
        storage = tensor.untyped_storage()
        size = math.prod(tensor.shape) * tensor.itemsize
        if not tensor.is_contiguous() or tensor.storage_offset() or storage.nbytes() != size:
            raise ArtifactError(f"tensor {key[:60]!r} does not fill its storage", source=name)
        if storage.nbytes() and storage.data_ptr() in storages:
            raise ArtifactError(f"tensor {key[:60]!r} shares its storage", source=name)
        storages.add(storage.data_ptr())
        if tensor.dtype == torch.bool:
            if bool((tensor.view(torch.uint8) > 1).any()):
                raise ArtifactError(f"tensor {key[:60]!r} holds bytes that are neither true nor false", source=name)
        elif tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ArtifactError(f"tensor {key[:60]!r} holds NaN or infinity", source=name)


def _check_shapes(tensors: Mapping[str, torch.Tensor], wanted: Mapping[str, tuple[int, ...]], name: str) -> None:
    if tensors.keys() != wanted.keys():
        odd = sorted(tensors.keys() ^ wanted.keys())[0]
        raise ArtifactError(f"tensor {odd[:60]!r} does not go with the model of its config", source=name)
    for key, tensor in tensors.items():
        if tuple(tensor.shape) != tuple(wanted[key]):
            shape = f"tensor {key[:60]!r} has shape {tuple(tensor.shape)}"
            raise ArtifactError(f"{shape}; its config makes it {tuple(wanted[key])}", source=name)


# The same as numpy arrays, for models that are no networks: to import torch takes longer than they do.

_TYPES = {"Float": "<f4", "Double": "<f8", "Half": "<f2", "Long": "<i8", "Int": "<i4", "Short": "<i2", "Char": "i1"}
_TYPES |= {"Byte": "u1", "Bool": "?"}


def load_arrays(path: Path | str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays by name, read-only, and the config, checked as :func:`load` does.

    Raises :class:`ArtifactError`, also for bfloat16, which numpy does not have.
    """
    if str(path) == provenance.STDIN:
        data = provenance.read_bytes(path, MAX_BYTES)
        return _arrays_in(dict(_members(io.BytesIO(data), len(data), provenance.named(path))), str(path))
    with provenance.opened(path) as (stream, size):
        return _arrays_in(dict(_members(stream, size, str(path))), str(path))


def _arrays_in(members: dict[str, bytes], name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    reader = _Plain(members)
    damage = (*npz.DAMAGE, pickle.UnpicklingError, AttributeError, TypeError, MemoryError, RecursionError)
    try:
        content = reader.load()
        config, arrays = content["config"], content["tensors"]
    except damage as problem:
        first = (str(problem) or type(problem).__name__).splitlines()[0][:200]
        raise ArtifactError(f"is damaged or no checkpoint ({first})", source=name) from problem
    if type(config) is not str or type(arrays) is not dict or content.keys() != {"config", "tensors"}:
        raise ArtifactError("is no mmcli checkpoint", source=name)
    if reader.left:
        raise ArtifactError("its tensors are not of the sizes of its data", source=name)
    for key, array in arrays.items():
        if type(key) is not str or not isinstance(array, np.ndarray):
            raise ArtifactError(f"{str(key)[:60]!r} is no tensor", source=name)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ArtifactError(f"tensor {key[:60]!r} holds NaN or infinity", source=name)
    told = jsonfile.parse(config, name)
    _check_config(told, name)
    return arrays, told


class _Plain(pickle.Unpickler):
    """Builds dicts, text and arrays, and knows nothing else; each storage is one array, whole, and is used once."""

    def __init__(self, members: dict[str, bytes]) -> None:
        super().__init__(io.BytesIO(members[_PICKLE]))
        self.left = {name: data for name, data in members.items() if name.startswith(_DATA)}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _array
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name.removesuffix("Storage") in _TYPES:
            return np.dtype(_TYPES[name.removesuffix("Storage")])
        raise pickle.UnpicklingError(f"{module} {name} is not for arrays")

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        _, dtype, key, _, count = pid
        array = np.frombuffer(self.left.pop(f"{_DATA}{key}"), np.uint8 if dtype.kind == "b" else dtype)
        if len(array) != count or (dtype.kind == "b" and array.max(initial=0) > 1):
            raise pickle.UnpicklingError("a storage of another size or type")
        return array.view(dtype)


def _array(storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> Any:
    usual = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    odd = any(n > 1 and own != step for n, own, step in zip(shape, usual, strides, strict=True))  # of one row: any step
    if offset or math.prod(shape) != len(storage) or (len(storage) and odd):
        raise pickle.UnpicklingError("a tensor that does not fill its storage")
    return storage.reshape(shape)
