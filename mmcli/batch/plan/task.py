"""What a worker does with one input: open it once, run every stream over it, write a features file for each.

An output that is there already is kept where it opens, passes its schema, and was made from this content with this
configuration by this version.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmcli import extractors
from mmcli.artifacts import foreign
from mmcli.artifacts.formats import alignment, features, fitted, packed
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import provenance, remote
from mmcli.errors import InputError, MediaError, MmcliError, UsageError
from mmcli.extractors import weights
from mmcli.media import (
    AudioClip,
    Clip,
    MediaOptions,
    SeriesClip,
    SubtitleClip,
    TableClip,
    TextClip,
    VideoClip,
    modality_of,
    open_clip,
)
from mmcli.media.kept import KeptClip

# Bytes from which sound and film are opened before they are hashed: a header that cannot be right is known at once.
SNIFFED = 64 << 20


def prepare(setup: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Load the extractors and their states once; the setup is as :mod:`mmcli.batch.jobs.extract` makes it."""
    streams = {key: _loaded(one, setup["device"]) for key, one in setup["streams"].items()}

    def do(payload: dict[str, Any]) -> dict[str, Any]:
        if payload["as"] in ("features", "map"):
            return _copied(payload)
        return _extracted(payload, setup["media"], streams)

    return do


def _loaded(stream: dict[str, Any], device: str) -> _Loaded:
    """An extractor with its state; the model of an encoder is loaded, so that what is wrong with it shows at once."""
    module = extractors.registry(stream["modality"]).load(stream["name"])
    config = extractors.configured(module, stream["config"])
    if getattr(module, "NEEDS_FILE", False):
        weights.device = device
        if stream["weights"] is not None:
            weights.places.setdefault(config.sha256, Path(stream["weights"]))
        module.ready(config)
    state = fitted.load(stream["state_path"])["state"] if stream["state_path"] else None
    return _Loaded(module, config, state, stream["state_sha256"])


@dataclasses.dataclass(frozen=True)
class _Loaded:
    module: Any
    config: Any
    state: dict[str, Any] | None
    state_sha256: str | None

    @functools.cached_property
    def config_sha256(self) -> str:
        return provenance.config_sha256(provenance.config_dict(self.config))


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Errors inside say in which stage they happened."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, "stage"):
            error.stage = name  # type: ignore[attr-defined]
        raise


def _extracted(payload: dict[str, Any], media: dict[str, Any], streams: dict[str, _Loaded]) -> dict[str, Any]:
    """``{status, source, outputs}``: the source's content hash, and whether each output was made or kept."""
    with ExitStack() as copies:
        return _made(payload, media, {key: streams[key] for key in payload["outputs"]}, copies)


def _made(
    payload: dict[str, Any], media: dict[str, Any], used: dict[str, _Loaded], copies: ExitStack
) -> dict[str, Any]:
    options = _options(payload, media, used)
    made = 0
    with stage("decode"):
        if payload["known"] is None or payload.get("inside") is not None:
            payload = near(payload, copies)
            if payload["as"] in ("audio", "video") and (payload["size"] or 0) > SNIFFED:
                open_cell(payload, options)
        source = _source(payload)
    clip: Clip | None = None
    for key, target in payload["outputs"].items():
        stream = used[key]
        notes = _notes(payload, media)
        if not payload["force"] and _is_current(target, stream, source, payload, notes):
            continue
        if clip is None:
            with stage("decode"):
                payload = near(payload, copies)
                clip = open_cell(payload, options)
            if isinstance(clip, AudioClip) and len(payload["outputs"]) > 1:
                clip = KeptClip.keeping(clip)  # several extractors, one decode
            if clip is not None:
                clip.__dict__["source"] = source  # known: not to be read a second time
            else:
                return {"status": "absent", "source": source, "seconds": 0.0}
        with stage("extract"):
            output = extractors.run(stream.module, clip, stream.config, stream.state)
            output = _with_origin(output, stream, source, payload, [*notes, *getattr(clip, "remarks", [])])
        with stage("write"):
            _save(target, output)
        made += 1
    seconds = float(getattr(clip, "duration_s", 0.0) or 0.0)
    return {"status": "done" if made else "kept", "source": source, "seconds": seconds}


def near(payload: dict[str, Any], copies: ExitStack) -> dict[str, Any]:
    """The payload with a copy of an input from a store, or of one inside a tar file or a table, which ``copies``
    removes."""
    if payload.get("inside") is not None:
        member, row = payload["inside"]
        copy = copies.enter_context(foreign.fetched(Path(payload["path"]), member, row))
        return {**payload, "path": str(copy), "inside": None, "known": None, "size": copy.stat().st_size}
    if not remote.is_url(payload["path"]):
        return payload
    return {**payload, "path": str(copies.enter_context(remote.fetched(payload["path"])))}


def _save(target: str, output: Features) -> None:
    if remote.is_url(target):
        remote.write(target, features.dumps(output))
    else:
        features.save(target, output)


def _old(target: str) -> Features | None:
    """What lies at an output's place; None for nothing, and for what is damaged: it is made anew."""
    if not remote.is_url(target):
        if not Path(target).exists():
            return None
        try:
            return features.load(target)
        except MmcliError:
            return None
    data = remote.read(target)
    try:
        return None if data is None else features.loads(data, target)
    except MmcliError:
        return None


def one(payload: dict[str, Any], media: dict[str, Any], stream: dict[str, Any], device: str = "cpu") -> Features:
    """The features of one input and one stream, in this process, nothing written."""
    loaded = _loaded(stream, device)
    with ExitStack() as copies:
        payload = near(payload, copies)
        clip = open_cell(payload, _options(payload, media, {"": loaded}))
        if clip is None:
            raise MediaError("has no sound", source=payload["path"])
        output = extractors.run(loaded.module, clip, loaded.config, loaded.state)
        notes = [*_notes(payload, media), *getattr(clip, "remarks", [])]
        return _with_origin(output, loaded, _source(payload), payload, notes)


def _options(payload: dict[str, Any], media: dict[str, Any], used: dict[str, _Loaded]) -> MediaOptions:
    rates = {getattr(s.config, "rate", None) for s in used.values()} if payload["as"] == "series" else {None}
    return MediaOptions(
        start=payload["start"],
        end=payload["end"],
        row=payload["row"],
        member=payload.get("member"),
        rate=next((r for r in rates if r is not None), None),
        track=media.get("track"),
        channel=media.get("channel"),
        missing=media.get("missing", "refuse"),
        time_unit=media.get("time_unit"),
    )


def _notes(payload: dict[str, Any], media: dict[str, Any]) -> list[str]:
    """What was asked for beyond the configuration and changes the values."""
    notes = []
    if (payload["as"] in ("audio", "video") or _is_recording(payload)) and media.get("track") is not None:
        notes.append(f"track {media['track']}")
    if payload["as"] == "audio" and media.get("channel") is not None:
        notes.append(f"channel {media['channel']}")
    if payload["as"] == "series" and media.get("missing", "refuse") != "refuse":
        notes.append("missing values interpolated")
    if payload["as"] == "series" and media.get("time_unit") is not None:
        notes.append(f"times in {media['time_unit']}")
    if payload["row"] is not None:
        notes.append(_row(payload))
    return notes


def _row(payload: dict[str, Any]) -> str:
    return f"row {payload['row']}" + (f" of {payload['member']}" if payload.get("member") else "")


def _is_recording(payload: dict[str, Any]) -> bool:
    return payload["as"] == "series" and str(payload["path"]).lower().endswith(".xdf")


def _source(payload: dict[str, Any]) -> dict[str, Any]:
    """Name, size and SHA-256 of the content, of a file or of what stands in the row itself."""
    if payload["path"] is not None:
        if payload["known"] is not None:
            return {"name": Path(payload["path"]).name, "size": payload["size"], "sha256": payload["known"]}
        return provenance.source_of(payload["path"]) if payload["row"] is None else _array_of(payload["path"])
    content = payload["text"]
    if content is None:
        content = provenance.canonical_json({"num": payload["numbers"], "cat": payload["categories"]})
    data = content.encode("utf-8")
    return {"name": payload["name"].rpartition("/")[2], "size": len(data), "sha256": provenance.sha256_bytes(data)}


def _array_of(path: str) -> dict[str, Any]:
    """The source of a row: its file, hashed once and not once a row."""
    info = Path(path).stat() if Path(path).exists() else None
    return dict(_hashed(path, info.st_size, info.st_mtime_ns)) if info else provenance.source_of(path)


@functools.lru_cache(maxsize=64)
def _hashed(path: str, size: int, mtime_ns: int) -> dict[str, Any]:
    return provenance.source_of(path)


def open_cell(payload: dict[str, Any], options: MediaOptions) -> Clip | None:
    """The clip of an input; None where a video has no sound and its sound was not asked for by name."""
    kind, path = payload["as"], payload["path"]
    if kind == "table":
        return table_clip(payload)
    if payload["text"] is not None:
        if not payload["text"].strip():
            raise InputError("holds no text", source=payload["name"])
        return TextClip(name=payload["name"], text=payload["text"])
    if kind == "audio" and payload["of"] == "video" and payload["optional"]:
        video = open_clip(path, "video")
        if isinstance(video, VideoClip) and not video.has_audio:
            return None
    clip = open_clip(path, "subtitle" if payload["of"] == "subtitle" else kind, options=options)
    if isinstance(clip, SubtitleClip):
        return TextClip(name=clip.name, path=clip.path, text="\n".join(text for _, _, text in clip.cues))
    return clip


def table_clip(payload: dict[str, Any]) -> TableClip:
    """The row of a table, its numbers read. Raises :class:`InputError` for what is no number."""
    numbers: dict[str, float | None] = {}
    for name, text in payload["numbers"].items():
        try:
            numbers[name] = float(text) if text.strip() else None
        except ValueError:
            raise InputError(f"num.{name} = {text!r} is no number", source=payload["name"]) from None
    categories = {name: text or None for name, text in payload["categories"].items()}
    return TableClip(name=payload["name"], numbers=numbers, categories=categories)


def _with_origin(
    output: Features, stream: _Loaded, source: dict[str, Any], payload: dict[str, Any], notes: list[str]
) -> Features:
    """The features with what they were made from in their meta, which ``save`` checks."""
    meta = output.meta
    meta["source"] = source
    if stream.state_sha256 is not None:
        meta["fitted_sha256"] = stream.state_sha256
    if (segment := _segment(payload)) is not None:
        meta["segment"] = segment
    if notes:
        meta["notes"] = [*meta.get("notes", []), *notes]
    return output


def _segment(payload: dict[str, Any]) -> dict[str, float] | None:
    ends = {name: payload[name] for name in ("start", "end") if payload[name] is not None}
    return ends or None


def _is_current(
    target: str, stream: _Loaded, source: dict[str, Any], payload: dict[str, Any], notes: list[str]
) -> bool:
    old = _old(target)
    return (
        old is not None
        and old.meta["mmcli"] == provenance.version
        and old.meta.get("extractor") == stream.module.__name__.rpartition(".")[2]
        and old.meta.get("config_sha256") == stream.config_sha256
        and old.meta.get("fitted_sha256") == stream.state_sha256
        and (old.meta.get("source") or {}).get("sha256") == source["sha256"]
        and old.meta.get("segment") == _segment(payload)
        and [n for n in notes if n not in old.meta.get("notes", [])] == []
    )


def _copied(payload: dict[str, Any]) -> dict[str, Any]:
    """Features or a map that the user brings: checked, and written into the output folder."""
    ((_, target),) = payload["outputs"].items()
    with ExitStack() as copies:
        return _checked_copy(payload, target, copies)


def _checked_copy(payload: dict[str, Any], target: str, copies: ExitStack) -> dict[str, Any]:
    with stage("decode"):
        payload = near(payload, copies)
        if payload["as"] == "map":
            mapped = alignment.load(payload["path"])
        elif payload["row"] is None and payload["path"].lower().endswith(".npz") and _is_ours(payload["path"]):
            item = features.load(payload["path"])
        else:
            item = brought(payload)
    with stage("write"):
        if payload["as"] != "map":
            _save(target, item)
        elif remote.is_url(target):
            remote.write(target, alignment.dumps(mapped))
        else:
            alignment.save(target, mapped)
    whole = payload["row"] is None
    source = provenance.source_of(payload["path"]) if whole else _array_of(payload["path"])
    return {"status": "done", "source": source, "seconds": 0.0}


def _is_ours(path: str) -> bool:
    return modality_of(path) == "features"


def brought(payload: dict[str, Any]) -> Features:
    """An array, or a row of one, that somebody brings, as features."""
    path, row, member = Path(payload["path"]), payload["row"], payload.get("member")
    if row is not None and member is not None and path.suffix.lower() in packed.SUFFIXES:
        if packed.holds(path, member, row):
            return packed.read(path, member, row)
        values = foreign.array_of(path, member, row)
        return _as_features(payload, values, np.arange(len(values), dtype=np.float64), ())
    clip = open_clip(path, "series", options=MediaOptions(row=row, member=member))
    if not isinstance(clip, SeriesClip):
        raise UsageError("is no array", source=path)
    return _as_features(payload, clip.values, clip.times, clip.columns)


def _as_features(payload: dict[str, Any], values: Any, times: Any, columns: Iterable[str]) -> Features:
    values = np.ascontiguousarray(values, np.float32)
    meta: dict[str, Any] = {
        "modality": payload["column"].partition(".")[0],
        "kind": "vector" if len(values) == 1 else "sequence",
        "source": _source(payload),
    }
    if names := list(columns):
        meta["columns"] = names
    if payload["row"] is not None:
        meta["notes"] = [_row(payload)]
    return Features(values, np.zeros(1) if len(values) == 1 else times, meta)
