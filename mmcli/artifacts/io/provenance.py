"""Where a value came from, in a form that is the same on every machine: hashes, names and versions.

Never a time, a host or a folder: two runs with the same input must write the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from mmcli._version import __version__ as version
from mmcli.artifacts.io import reading
from mmcli.errors import printable

__all__ = ["canonical_json", "config_dict", "config_sha256", "sha256_bytes", "sha256_file", "source_of", "version"]


def canonical_json(value: object) -> str:
    """The one ASCII spelling of a JSON value: keys sorted, no spaces, shortest floats.

    numpy scalars and arrays are written as the numbers they hold. Raises ValueError for NaN and infinity, TypeError for
    anything JSON has no word for.

    >>> canonical_json({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1.0}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=plain)


def plain(value: object) -> Any:
    """What ``json.dumps`` calls for values that are not JSON: numpy numbers and arrays become plain ones."""
    tolist = getattr(value, "tolist", None)
    if tolist is None:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return tolist()


def sha256_bytes(data: bytes) -> str:
    """SHA-256 in hexadecimal.

    >>> sha256_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a regular file's content, read in blocks.

    Raises :class:`mmcli.errors.MissingError` or :class:`mmcli.errors.InputError` where it cannot be read.
    """
    with reading.opened(path) as (stream, size):
        return sha256_stream(stream, size)


def config_dict(config: Any) -> dict[str, Any]:
    """The fields of a configuration dataclass as plain JSON (tuples become lists).

    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     bands: int = 40
    ...     range_hz: tuple[float, float] = (0.0, 8000.0)
    >>> config_dict(Config())
    {'bands': 40, 'range_hz': [0.0, 8000.0]}
    """
    result: dict[str, Any] = json.loads(canonical_json(dataclasses.asdict(config)))
    return result


def config_sha256(config: dict[str, Any]) -> str:
    """SHA-256 of the canonical form of a configuration.

    >>> config_sha256({"a": 1, "b": 2}) == config_sha256({"b": 2, "a": 1})
    True
    """
    return sha256_bytes(canonical_json(config).encode("ascii"))


def source_of(path: Path | str) -> dict[str, Any]:
    """``{name, size, sha256}`` of a file: its last path component, never its folder; size in bytes."""
    with reading.opened(path) as (stream, size):
        digest = sha256_stream(stream, size)
    return {"name": printable(os.fsdecode(Path(path).name)), "size": size, "sha256": digest}


def sha256_stream(stream: BinaryIO, size: int) -> str:
    """SHA-256 of what is left of an open file of ``size`` bytes, read in blocks."""
    digest = hashlib.sha256()
    step = min(size + 1, 1 << 20)  # a small file does not pay for a large buffer
    while block := stream.read(step):
        digest.update(block)
    return digest.hexdigest()
