"""Recognise any artifact by what is in it, check all of it, and say what it holds. ``mmcli info`` prints this."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mmcli.artifacts.formats import events, manifest, manifest_foreign, manifest_lines, shards
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import encoding, jsonfile, provenance
from mmcli.errors import ArtifactError, InputError

_JSON = ("mmcli/alignment@1", "mmcli/report@1", "mmcli/fitted@1")


def recognise(path: Path | str) -> str:
    """The schema of a file, or of a folder of shards, from its first line or its index, without reading its values.

    Raises :class:`InputError` where it is none of ours.
    """
    if shards.is_folder(path):
        return shards.SCHEMA
    if str(path) != provenance.STDIN and manifest_foreign.takes(Path(path)):
        return manifest.SCHEMA
    with provenance.opened(path) as (stream, _):
        start = stream.read(2)
        if start != b"PK":
            stream.seek(0)
            start = _first_line(stream, path)
    if start == b"PK":
        return _archive(path)
    if start.lstrip().startswith(b"{") and not start.lstrip()[1:2].isdigit():  # {25}{75} is a subtitle
        return _json(path, start)
    titles = manifest_lines.titles(start)
    if "id" in titles:
        return manifest.SCHEMA
    if {"user", "item"} <= events.columns_of(titles).keys():
        return events.SCHEMA
    if manifest_lines.resembles(titles):
        raise ArtifactError("looks like a manifest, but it has no column id", source=path)
    raise InputError("is no mmcli artifact", source=path)


def _first_line(stream: BinaryIO, path: Path | str) -> bytes:
    try:
        return encoding.as_utf8(stream).readline(manifest.MAX_LINE)
    except UnicodeError as problem:
        raise InputError("is no text", source=path) from problem


def validate(path: Path | str, kinds: Mapping[str, str] | None = None) -> dict[str, Any]:
    """``{schema, summary}`` of an artifact after a complete check; ``summary`` holds plain JSON values. ``kinds`` as of
    :func:`mmcli.artifacts.formats.manifest.load`.

    Raises :class:`ArtifactError` where anything in it does not follow its schema.
    """
    name = recognise(path)
    summary = {
        "mmcli/features@1": _features,
        "mmcli/alignment@1": _alignment,
        "mmcli/dataset@1": _dataset,
        shards.SCHEMA: _shards,
        "mmcli/checkpoint@1": _checkpoint,
        "mmcli/manifest@1": lambda path: _manifest(path, kinds),
        "mmcli/report@1": _report,
        "mmcli/fitted@1": _fitted,
        events.SCHEMA: _events,
    }[name]
    if name == manifest.SCHEMA and not Path(path).is_file() and str(path) != provenance.STDIN:
        return {"schema": name, "summary": summary(path)}  # a folder, or numbered files: no content has one digest
    digest = shards.source_of(path)["sha256"] if name == shards.SCHEMA else provenance.sha256_file(path)
    return {"schema": name, "summary": {"sha256": digest} | summary(path)}


def _json(path: Path | str, first_line: bytes) -> str:
    """Rows of a manifest stand one a line; every other artifact is one object with a schema."""
    try:
        content = jsonfile.parse(first_line, str(path))
    except ArtifactError:
        content = jsonfile.load(path)
    if content.get("schema") == events.SCHEMA or {"user", "item"} <= content.keys():
        return events.SCHEMA
    if "schema" not in content and ("id" in content or "mmcli" in content):
        return manifest.SCHEMA
    if "schema" not in content and manifest_lines.resembles([*content, "id"]):
        raise ArtifactError("looks like a manifest, but its first line has no id", source=path)
    if content.get("schema") == shards.SCHEMA:
        raise ArtifactError("is the index of a data set in shards", source=path, hint="name its folder")
    if content.get("schema") not in _JSON:
        schema = str(content.get("schema"))[:60]
        raise ArtifactError(f"has schema {schema!r}; known: {', '.join(_JSON)}", source=path)
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

    item = features.load(path)
    return {
        "frames": item.frames,
        "shape": list(item.values.shape),
        "start_s": float(item.times[0]),
        "end_s": float(item.times[-1]),
        "meta": item.meta,
    }


def _alignment(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import alignment

    clock_map = alignment.load(path)
    return {
        "model": clock_map.model,
        "offset_s": clock_map.offset_s,
        "rate": clock_map.rate,
        "ppm": clock_map.ppm,
        "knots": len(clock_map.knots),
        "breaks": len(clock_map.breaks),
        **({} if clock_map.ambiguous is None else {"ambiguous": clock_map.ambiguous}),
        "path": None if clock_map.path is None else len(clock_map.path),
        "quality": clock_map.quality,
        "method": clock_map.method,
        "reference": clock_map.reference,
        "query": clock_map.query,
        "sealed": jsonfile.SEAL in jsonfile.load(path),
    }


def _dataset(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import dataset

    return _items_of(dataset.load(path))


def _shards(path: Path | str) -> dict[str, Any]:
    index = shards.index_of(path)
    sizes = [entry["size"] for entry in index["shards"]]
    return {"shards": len(sizes), "bytes": sum(sizes), **_items_of(shards.load(path))}


def _items_of(data: Dataset) -> dict[str, Any]:
    splits = data.split.tolist()
    streams = {
        name: {
            "rows": int(stream.offsets[-1]),
            "shape": list(stream.values.shape[1:]),
            "present": int(stream.present.sum()),
            "kind": stream.meta.get("kind"),
        }
        for name, stream in data.streams.items()
    }
    return {
        "items": data.items,
        "splits": {split: splits.count(split) for split in sorted(set(splits))},
        "task": data.meta["task"],
        "classes": data.meta.get("classes"),
        "groups": len(set(data.group.tolist())),
        "streams": streams,
        **({"in_order": len(data.meta["order"])} if data.meta.get("order") else {}),
        "meta": {key: value for key, value in data.meta.items() if key not in ("streams", "normalisers", "order")},
    }


def _checkpoint(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import checkpoint

    model = checkpoint.load(path)
    trained = model.config["training"]
    settings = trained.get("config")
    if model.config["task"] == "rank":
        return _recommender(model.config, sum(tensor.numel() for tensor in model.tensors.values()))
    return {
        "task": model.config["task"],
        **({"objective": settings["objective"]} if isinstance(settings, dict) and "objective" in settings else {}),
        **({"init": trained["init"]} if "init" in trained else {}),
        "classes": model.config["classes"],
        "modalities": sorted(model.config["modalities"]),
        **({"privacy": model.config["privacy"]} if "privacy" in model.config else {}),
        "tensors": len(model.tensors),
        "parameters": sum(tensor.numel() for tensor in model.tensors.values()),
        **_context(model.config["model"].get("context")),
        "stream": _streamed(model.config["model"]),
        "model": model.config["model"],
    }


def _context(part: Any) -> dict[str, str]:
    """Among which others the model reads an item, where it does."""
    if not isinstance(part, dict):
        return {}
    causal = isinstance(part.get("config"), dict) and part["config"].get("causal")
    company = ", none later than the item's own" if causal else ", earlier and later"
    return {"reads": f"the turns of a group{company} ({part.get('name')})"}


ACROSS = ("crossmodal", "bottleneck")  # blocks in which modalities look at one another before they are pooled


def _streamed(model: dict[str, Any]) -> str:
    """What `predict --stream` does with a modality that arrives."""
    members = model.get("members")
    said = [m.get("model") for m in members if isinstance(m, dict)] if isinstance(members, list) else [model]
    blocks = [
        m.get("fusion", {}).get("name") for m in said if isinstance(m, dict) and isinstance(m.get("fusion"), dict)
    ]
    if "context" in model:
        return "not for --stream: an item is read among the others of its group"
    across = sorted({block for block in blocks if block in ACROSS})
    if across:
        return f"every answer is computed anew from all modalities ({', '.join(across)})"
    return "each modality is encoded once, when it arrives"


def _recommender(config: dict[str, Any], numbers: int) -> dict[str, Any]:
    model, trained = config["model"], config["training"]
    recipe = model.get("recipe", {})
    return {
        "task": "rank",
        "method": "+".join(part["method"] for part in recipe.get("parts", [])),
        "new_items_by": recipe.get("weights"),
        **{key: trained.get(key) for key in ("events", "users", "items", "known", "positive", "held_out")},
        "parameters": numbers,
        "parts": recipe.get("parts"),
    }


def _events(path: Path | str) -> dict[str, Any]:
    table = events.load(path)
    days = None if table.time is None or not len(table) else float(table.time.max() - table.time.min()) / 86400
    return {
        "events": len(table),
        "users": len(table.users),
        "items": len(table.items),
        "values": table.kind,
        "days": days,
        "splits": None
        if table.split is None
        else {name: int((table.split == i).sum()) for i, name in enumerate(events.SPLITS) if name},
        "notes": table.notes,
    }


def _manifest(path: Path | str, kinds: Mapping[str, str] | None) -> dict[str, Any]:
    listed = manifest.load(path, kinds=kinds)
    splits = [row.split or "" for row in listed.rows]
    return {
        "rows": len(listed.rows),
        "columns": listed.columns,
        "splits": {split: splits.count(split) for split in sorted(set(splits))},
        "errors": sum(row.error is not None for row in listed.rows),
    }


def _report(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import report

    content = report.load(path)
    verdict = content.get("verdict")
    return {
        "metrics": content["metrics"],
        "verdict": None if verdict is None else verdict["text"],
        "items": len(content.get("items", [])),
        **({"privacy": content["privacy"]} if "privacy" in content else {}),
    }


def _fitted(path: Path | str) -> dict[str, Any]:
    from mmcli.artifacts.formats import fitted

    state = fitted.load(path)
    return {"extractor": state["extractor"], "config": state["config"], "state": sorted(state["state"])}
