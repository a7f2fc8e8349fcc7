"""A data set's streams as a model reads them: found by name or extractor, checked, and put on the model's scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import lazy
from mmcli.errors import MismatchError
from mmcli.fusion import normalise


class Shape(Protocol):
    """What a model read of a stream: its kind, and the numbers in one frame."""

    @property
    def kind(self) -> str:
        """What its values are: a vector, an image, a sequence, tokens, ..."""

    @property
    def width(self) -> int:
        """Numbers in one frame."""


def kind_of(stream: Stream) -> str:
    """What the values are: the stored kind, else a vector (one frame an item) or a sequence."""
    kind = str(stream.meta.get("kind") or "")
    static = int(np.diff(stream.offsets).max(initial=1)) <= 1
    if kind == "image" and stream.values.ndim == 4 and static:
        return kind
    if kind == "frames" and stream.values.ndim == 4:
        return kind
    if kind == "tokens" and stream.meta.get("vocabulary_size"):
        return kind
    if kind in ("spectrogram", "sequence") and not static:
        return kind
    return "vector" if static else "sequence"


def called(dataset: Dataset, name: str) -> list[str]:
    """The streams that a person means: the one of that name, those of a modality, or MODALITY.EXTRACTOR.

    A stream is called by its modality alone where that has one column in the manifest; by what made it, as the column
    was called, it is known too, so that a command means the same whether there is one stream of the modality or more.
    """
    if name in dataset.streams:
        return [name]
    modality, _, extractor = name.partition(".")
    if not extractor:
        return [stream for stream in dataset.modalities if stream.partition(".")[0] == modality]
    made_by = dataset.streams[modality].meta.get("extractor") if modality in dataset.streams else None
    return [modality] if made_by == extractor else []


def matching(dataset: Dataset, name: str, meta: Mapping[str, Any]) -> str | None:
    """The data set's stream for one of the model's: by name, else the only one of its modality and extractor."""
    if name in dataset.streams:
        return name
    wanted = (meta.get("modality"), meta.get("extractor"))
    same = [n for n in dataset.modalities if wanted == tuple(dataset.streams[n].meta.get(k) for k in _IDENTITY)]
    return same[0] if len(same) == 1 and all(wanted) else None


_IDENTITY = ("modality", "extractor")


def _rescaled(stream: Stream, from_: Any, to: Any, name: str, source: str) -> Stream:
    """The stream on the scale ``to``; ``from_`` is the normaliser it stands on now."""
    now, wanted = from_ or {"method": "none"}, to or {"method": "none"}
    if now == wanted:
        return stream
    if "center" not in now and now["method"] != "none":
        raise MismatchError(
            f"stream {name!r} was normalised by {now['method']}, the model's by {wanted['method']}",
            source=source,
            hint="run fuse on the features with the model's --normalise",
        )

    def raw(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.asarray(values, np.float64) * np.asarray(now["scale"]) + np.asarray(now["center"]))

    values = lazy.changed(stream.values, raw) if "center" in now else stream.values
    values = normalise.apply_items(values, stream.offsets, wanted)
    return dataclasses.replace(stream, values=values, meta=stream.meta | {"normaliser": wanted})


def _spans(meta: Mapping[str, Any]) -> Any:
    """What of a stream's spans changes its frames; which recordings they were heard in does not."""
    spans = meta.get("spans")
    return {key: spans.get(key) for key in ("kind", "pool")} if isinstance(spans, Mapping) else spans


def fitting(dataset: Dataset, name: str, shape: Shape, meta: Mapping[str, Any], source: str) -> Stream:
    """The stream ``name`` on the scale that a model was trained on; ``shape`` and ``meta`` are what the model read.

    Raises :class:`MismatchError`, which calls the model ``source``, where the stream is not what the model can read.
    """
    stream = dataset.streams[name]
    for key in ("extractor", "config_sha256", "fitted_sha256"):
        ours, theirs = meta.get(key), stream.meta.get(key)
        if ours is not None and theirs is not None and ours != theirs:
            raise MismatchError(
                f"stream {name!r} has another {key} than the model was trained with",
                source=source,
                hint="extract with the model's configuration (mmcli info shows it)",
            )
    if _spans(meta) != _spans(stream.meta):
        ours, theirs = (f"spans {_spans(m)}" if m.get("spans") else "no spans" for m in (meta, stream.meta))
        raise MismatchError(
            f"stream {name!r} has {theirs}, the model was trained on {ours}",
            source=source,
            hint="fuse with the --spans that its data set was made with",
        )
    if stream.width != shape.width or (kind_of(stream) == "tokens") != (shape.kind == "tokens"):
        raise MismatchError(
            f"stream {name!r} holds {kind_of(stream)} frames of {stream.width} numbers; the model was trained on "
            f"{shape.kind} frames of {shape.width}",
            source=source,
        )
    return _rescaled(stream, stream.meta.get("normaliser"), meta.get("normaliser"), name, source)
