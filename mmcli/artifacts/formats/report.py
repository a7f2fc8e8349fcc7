"""What an evaluation found. Schema ``mmcli/report@1``, json, sealed with ``content_sha256``.

``metrics`` {name: {value, interval: [low, high], n}}; ``verdict`` {text, ...numbers}; ``items`` one object an item: id,
label, prediction, probabilities, group, present. The other keys hold what their part of the evaluation says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.artifacts.io import atomic, jsonfile, provenance
from mmcli.errors import ArtifactError

SCHEMA = "mmcli/report@1"

_REQUIRED = {"schema": jsonfile.exactly(SCHEMA), "mmcli": jsonfile.TEXT, "metrics": jsonfile.OBJECT}
_OPTIONAL = {
    "task": jsonfile.nullable(jsonfile.TEXT),
    "split": jsonfile.nullable(jsonfile.TEXT),
    "classes": jsonfile.nullable(jsonfile.TEXTS),
    "verdict": jsonfile.OBJECT,
    "baselines": jsonfile.ANY,
    "modalities": jsonfile.ANY,
    "items": jsonfile.OBJECTS,
    "integrity": jsonfile.OBJECT,
    "robustness": jsonfile.ANY,
    "reproduce": jsonfile.ANY,
    "confusion": jsonfile.ANY,
    "per_class": jsonfile.ANY,
    "curves": jsonfile.ANY,
    "calibration": jsonfile.ANY,
    "slices": jsonfile.ANY,
    "explanation": jsonfile.ANY,
    "compare": jsonfile.ANY,
    "folds": jsonfile.ANY,
    "cost": jsonfile.ANY,
    "model": jsonfile.OBJECT,
    "dataset": jsonfile.OBJECT,
    "inputs": jsonfile.ALL_NAMED,
    "config": jsonfile.OBJECT,
    "config_sha256": jsonfile.SHA256,
    "seed": jsonfile.nullable(jsonfile.INTEGER),
    "notes": jsonfile.TEXTS,
    "warm": jsonfile.OBJECT,
    "new": jsonfile.OBJECT,
    "whole": jsonfile.OBJECT,
    "beyond": jsonfile.OBJECT,
    "privacy": jsonfile.OBJECT,
}
_METRIC_REQUIRED = {"value": jsonfile.nullable(jsonfile.NUMBER)}
_METRIC_OPTIONAL = {
    "interval": jsonfile.nullable(jsonfile.NUMBERS),
    "n": jsonfile.nullable(jsonfile.COUNT),
    "method": jsonfile.TEXT,
    "level": jsonfile.NUMBER,
    "unit": jsonfile.TEXT,
    "note": jsonfile.TEXT,
}
_ITEM_REQUIRED = {"id": jsonfile.TEXT}
_ITEM_OPTIONAL = {
    "label": jsonfile.ANY,
    "prediction": jsonfile.ANY,
    "probabilities": jsonfile.ANY,
    "group": jsonfile.nullable(jsonfile.TEXT),
    "present": jsonfile.ANY,
    "split": jsonfile.TEXT,
    "error": jsonfile.ANY,
    "loss": jsonfile.nullable(jsonfile.NUMBER),
    "correct": jsonfile.nullable(jsonfile.BOOLEAN),
    "explanation": jsonfile.ANY,
    "shapley": jsonfile.ANY,
    "ranks": jsonfile.ANY,
}


def load(path: Path | str) -> dict[str, Any]:
    """Read a report (``-``: standard input): the object without its seal."""
    return loads(provenance.read_bytes(path, jsonfile.MAX_BYTES), provenance.named(path))


def loads(data: bytes, name: str) -> dict[str, Any]:
    """The report in the bytes of a file; ``name`` is for messages."""
    return _check(jsonfile.opened(jsonfile.parse(data, name), name, sealed=True), name)


def save(path: Path | str, report: dict[str, Any]) -> str:
    """Write a report (``-``: standard output), ``schema`` and ``mmcli`` filled in; returns the file's SHA-256."""
    return atomic.write_bytes(path, dumps(report))


def dumps(report: dict[str, Any]) -> bytes:
    """The bytes of a report file."""
    whole = {"schema": SCHEMA, "mmcli": provenance.version} | report
    data = jsonfile.dumps_sealed(whole, "report")
    loads(data, "report")  # checked in the form a reader will see
    return data


def _check(content: dict[str, Any], name: str) -> dict[str, Any]:
    jsonfile.check(content, _REQUIRED, _OPTIONAL, what="the report", source=name)
    for metric, entry in content["metrics"].items():
        what = f"metric {metric[:60]}"
        jsonfile.check(entry, _METRIC_REQUIRED, _METRIC_OPTIONAL, what=what, source=name)
        interval = entry.get("interval")
        if interval is not None and (len(interval) != 2 or interval[0] > interval[1]):
            raise ArtifactError(f"{what}: interval is {interval}; [low, high] is needed", source=name)
    if "verdict" in content and not isinstance(content["verdict"].get("text"), str):
        raise ArtifactError("the verdict has no text", source=name)
    ids: set[str] = set()
    for item in content.get("items", []):
        jsonfile.check(item, _ITEM_REQUIRED, _ITEM_OPTIONAL, what="an item", source=name)
        if item["id"] in ids:
            raise ArtifactError(f"the item {item['id'][:60]!r} stands twice", source=name)
        ids.add(item["id"])
    return content
