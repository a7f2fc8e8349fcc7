"""What an evaluation found. Schema ``mmcli/report@1``, json, sealed with ``content_sha256``.

``metrics`` {name: {value, interval: [low, high], n}}; ``verdict`` {text, ...numbers}; ``items`` one object an item: id,
label, prediction, probabilities, group, present. The other keys hold what their part of the evaluation says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.artifacts.io import atomic, jsonfile, provenance, reading, schema
from mmcli.errors import ArtifactError

SCHEMA = "mmcli/report@1"

_REQUIRED = {"schema": schema.exactly(SCHEMA), "mmcli": schema.TEXT, "metrics": schema.OBJECT}
_OPTIONAL = {
    "task": schema.nullable(schema.TEXT),
    "split": schema.nullable(schema.TEXT),
    "classes": schema.nullable(schema.TEXTS),
    "verdict": schema.OBJECT,
    "baselines": schema.ANY,
    "modalities": schema.ANY,
    "items": schema.OBJECTS,
    "integrity": schema.OBJECT,
    "robustness": schema.ANY,
    "reproduce": schema.ANY,
    "confusion": schema.ANY,
    "per_class": schema.ANY,
    "curves": schema.ANY,
    "calibration": schema.ANY,
    "slices": schema.ANY,
    "explanation": schema.ANY,
    "compare": schema.ANY,
    "folds": schema.ANY,
    "cost": schema.ANY,
    "model": schema.OBJECT,
    "dataset": schema.OBJECT,
    "inputs": schema.ALL_NAMED,
    "config": schema.OBJECT,
    "config_sha256": schema.SHA256,
    "seed": schema.nullable(schema.INTEGER),
    "notes": schema.TEXTS,
}
_METRIC_REQUIRED = {"value": schema.nullable(schema.NUMBER)}
_METRIC_OPTIONAL = {
    "interval": schema.nullable(schema.NUMBERS),
    "n": schema.nullable(schema.COUNT),
    "method": schema.TEXT,
    "level": schema.NUMBER,
    "unit": schema.TEXT,
    "note": schema.TEXT,
}
_ITEM_REQUIRED = {"id": schema.TEXT}
_ITEM_OPTIONAL = {
    "label": schema.ANY,
    "prediction": schema.ANY,
    "probabilities": schema.ANY,
    "group": schema.nullable(schema.TEXT),
    "present": schema.ANY,
    "split": schema.TEXT,
    "error": schema.ANY,
    "loss": schema.nullable(schema.NUMBER),
    "correct": schema.nullable(schema.BOOLEAN),
    "explanation": schema.ANY,
    "shapley": schema.ANY,
    "ranks": schema.ANY,
}


def load(path: Path | str) -> dict[str, Any]:
    """Read a report (``-``: standard input): the object without its seal."""
    return loads(reading.read_bytes(path, jsonfile.MAX_BYTES), reading.named(path))


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
    schema.check(content, _REQUIRED, _OPTIONAL, what="the report", source=name)
    for metric, entry in content["metrics"].items():
        what = f"metric {metric[:60]}"
        schema.check(entry, _METRIC_REQUIRED, _METRIC_OPTIONAL, what=what, source=name)
        interval = entry.get("interval")
        if interval is not None and (len(interval) != 2 or interval[0] > interval[1]):
            raise ArtifactError(f"{what}: interval is {interval}; [low, high] is needed", source=name)
    if "verdict" in content and not isinstance(content["verdict"].get("text"), str):
        raise ArtifactError("the verdict has no text", source=name)
    ids: set[str] = set()
    for item in content.get("items", []):
        schema.check(item, _ITEM_REQUIRED, _ITEM_OPTIONAL, what="an item", source=name)
        if item["id"] in ids:
            raise ArtifactError(f"the item {item['id'][:60]!r} stands twice", source=name)
        ids.add(item["id"])
    return content
