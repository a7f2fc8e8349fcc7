"""Recognise any artifact by what is in it, check all of it, and say what it holds. ``mmcli info`` prints this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.artifacts.formats import manifest_lines, shards
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import jsonfile, provenance
from mmcli.errors import ArtifactError, InputError

_JSON = ("mmcli/alignment@1", "mmcli/report@1", "mmcli/fitted@1")


def recognise(path: Path | str) -> str:
    """The schema of a file, or of a folder of shards, from its first line or its index, without reading its values.

    Raises :class:`InputError` where it is none of ours.
    """
    if shards.is_folder(path):
        return shards.SCHEMA
    with provenance.opened(path) as (stream, _):
        start = stream.readline(manifest_lines.MAX_LINE).removeprefix(b"\xef\xbb\xbf")
    if start.startswith(b"PK"):
        return _archive(path)
    if start.lstrip().startswith(b"{"):
        return _json(path, start)
    if b"id" in [column.strip(b" \"'\r\n") for column in start.replace(b"\t", b",").split(b",")]:
        return manifest_lines.SCHEMA
    raise InputError("is no mmcli artifact", source=path)


def validate(path: Path | str) -> dict[str, Any]:
    """``{schema, summary}`` of an artifact after a complete check; ``summary`` holds plain JSON values.

    Raises :class:`ArtifactError` where anything in it does not follow its schema.
    """
    name = recognise(path)
    summary = {
        "mmcli/features@1": _features,
        "mmcli/alignment@1": _alignment,
        "mmcli/dataset@1": _dataset,
        shards.SCHEMA: _shards,
        "mmcli/checkpoint@1": _checkpoint,
        "mmcli/manifest@1": _manifest,
        "mmcli/report@1": _report,
        "mmcli/fitted@1": _fitted,
    }[name]
    digest = shards.source_of(path)["sha256"] if name == shards.SCHEMA else provenance.sha256_file(path)
    return {"schema": name, "summary": {"sha256": digest} | summary(path)}


def _json(path: Path | str, first_line: bytes) -> str:
    """Rows of a manifest stand one a line; every other artifact is one object with a schema."""
    try:
        content = jsonfile.parse(first_line, str(path))
    except ArtifactError:
        content = jsonfile.load(path)
    if "schema" not in content and ("id" in content or "mmcli" in content):
        return manifest_lines.SCHEMA
    if content.get("schema") == shards.SCHEMA:
        raise ArtifactError("is the index of a data set in shards", source=path, hint="name its folder")
    if content.get("schema") not in _JSON:
        found = str(content.get("schema"))[:60]
        raise ArtifactError(f"has schema {found!r}; known: {', '.join(_JSON)}", source=path)
    return str(content["schema"])


def _archive(path: Path | str) -> str:
    import zipfile

    from mmcli.artifacts.io import npz

    with npz.guarded(str(path)), zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    if {"values.npy", "times.npy"} <= names:
        return "mmcli/features@1"
    if {"id.npy", "split.npy"} <= names:
        return "mmcli/dataset@1"
    if any(name.endswith("/data.pkl") for name in names):
        return "mmcli/checkpoint@1"
    raise InputError("is an archive, but no mmcli artifact", source=path)


def _features(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import features

    found = features.load(path)
    return {
        "frames": found.frames,
        "shape": list(found.values.shape),
        "start_s": float(found.times[0]),
        "end_s": float(found.times[-1]),
        "meta": found.meta,
    }


def _alignment(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import alignment

    found = alignment.load(path)
    return {
        "model": found.model,
        "offset_s": found.offset_s,
        "rate": found.rate,
        "ppm": found.ppm,
        "knots": len(found.knots),
        "breaks": len(found.breaks),
        **({} if found.ambiguous is None else {"ambiguous": found.ambiguous}),
        "path": None if found.path is None else len(found.path),
        "quality": found.quality,
        "method": found.method,
        "reference": found.reference,
        "query": found.query,
        "sealed": jsonfile.SEAL in jsonfile.load(path),
    }


def _dataset(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import dataset

    return _of_dataset(dataset.load(path))


def _shards(path: Path | str) -> dict[str, Any]:
    index = shards.index_of(path)
    sizes = [entry["size"] for entry in index["shards"]]
    return {"shards": len(sizes), "bytes": sum(sizes), **_of_dataset(shards.load(path))}


def _of_dataset(found: Dataset) -> dict[str, Any]:
    splits = found.split.tolist()
    streams = {
        name: {
            "rows": int(stream.offsets[-1]),
            "shape": list(stream.values.shape[1:]),
            "present": int(stream.present.sum()),
            "kind": stream.meta.get("kind"),
        }
        for name, stream in found.streams.items()
    }
    return {
        "items": found.items,
        "splits": {split: splits.count(split) for split in sorted(set(splits))},
        "task": found.meta["task"],
        "classes": found.meta.get("classes"),
        "groups": len(set(found.group.tolist())),
        "streams": streams,
        "meta": {key: value for key, value in found.meta.items() if key not in ("streams", "normalisers")},
    }


def _checkpoint(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import checkpoint

    found = checkpoint.load(path)
    trained = found.config["training"]
    settings = trained.get("config")
    return {
        "task": found.config["task"],
        **({"objective": settings["objective"]} if isinstance(settings, dict) and "objective" in settings else {}),
        **({"init": trained["init"]} if "init" in trained else {}),
        "classes": found.config["classes"],
        "modalities": sorted(found.config["modalities"]),
        **({"privacy": found.config["privacy"]} if "privacy" in found.config else {}),
        "tensors": len(found.tensors),
        "parameters": sum(tensor.numel() for tensor in found.tensors.values()),
        "model": found.config["model"],
    }


def _manifest(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import manifest

    found = manifest.load(path)
    splits = [row.split or "" for row in found.rows]
    return {
        "rows": len(found.rows),
        "columns": found.columns,
        "splits": {split: splits.count(split) for split in sorted(set(splits))},
        "errors": sum(row.error is not None for row in found.rows),
    }


def _report(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import report

    found = report.load(path)
    verdict = found.get("verdict")
    return {
        "metrics": found["metrics"],
        "verdict": None if verdict is None else verdict["text"],
        "items": len(found.get("items", [])),
        **({"privacy": found["privacy"]} if "privacy" in found else {}),
    }


def _fitted(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import fitted

    found = fitted.load(path)
    return {"extractor": found["extractor"], "config": found["config"], "state": sorted(found["state"])}
