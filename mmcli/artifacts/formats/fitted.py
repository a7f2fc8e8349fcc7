"""What an extractor learned from the training rows (a vocabulary, idf). Schema ``mmcli/fitted@1``, json, sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.artifacts.io import atomic, jsonfile, provenance
from mmcli.errors import ArtifactError

SCHEMA = "mmcli/fitted@1"

_REQUIRED = {
    "schema": jsonfile.exactly(SCHEMA),
    "mmcli": jsonfile.TEXT,
    "extractor": jsonfile.TEXT,
    "config": jsonfile.OBJECT,
    "config_sha256": jsonfile.SHA256,
    "state": jsonfile.OBJECT,
}
_OPTIONAL = {"modality": jsonfile.TEXT, "inputs": jsonfile.ALL_NAMED, "notes": jsonfile.TEXTS}


def load(path: Path | str) -> dict[str, Any]:
    """Read a fitted state (``-``: standard input): the object without its seal."""
    return loads(provenance.read_bytes(path, jsonfile.MAX_BYTES), provenance.named(path))


def loads(data: bytes, name: str) -> dict[str, Any]:
    """The fitted state in the bytes of a file; ``name`` is for messages."""
    content = jsonfile.opened(jsonfile.parse(data, name), name, sealed=True)
    jsonfile.check(content, _REQUIRED, _OPTIONAL, what="the fitted state", source=name)
    if content["config_sha256"] != provenance.config_sha256(content["config"]):
        raise ArtifactError("config does not match its config_sha256", source=name)
    return content


def save(path: Path | str, fitted: dict[str, Any]) -> str:
    """Write a fitted state (``-``: standard output); returns the file's SHA-256."""
    return atomic.write_bytes(path, dumps(fitted))


def dumps(fitted: dict[str, Any]) -> bytes:
    """The bytes of a fitted file; ``schema``, ``mmcli`` and ``config_sha256`` are filled in where they are absent."""
    whole: dict[str, Any] = {"schema": SCHEMA, "mmcli": provenance.version} | fitted
    whole.setdefault("config_sha256", provenance.config_sha256(whole.get("config", {})))
    data = jsonfile.dumps_sealed(whole, "fitted state")
    loads(data, "fitted state")  # checked in the form a reader will see
    return data
