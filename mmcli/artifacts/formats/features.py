"""Features of one item and one modality: values on a clock. Schema ``mmcli/features@1``, an npz of three arrays.

``values`` float32 ``(frames, ...)``, ``times`` float64 ``(frames,)`` in seconds, the centre of each frame, strictly
increasing (a static item has one frame at 0.0; tokens count 0, 1, 2, ...), and ``meta``, one JSON string.

``meta["kind"]`` says what the values are, and with it their shape:

=========== ===================================================================================
image       one frame of (height, width, channels) in [0, 1]
frames      (frames, height, width, channels): video
spectrogram (frames, bands)
sequence    (frames, dims)
tokens      (frames, 1): integer ids, 0 is padding, 1 unknown, all below ``vocabulary_size``
vector      one frame of (dims,)
=========== ===================================================================================
"""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.io import atomic, jsonfile, npz, provenance
from mmcli.errors import ArtifactError

SCHEMA = "mmcli/features@1"
KINDS = ("image", "frames", "spectrogram", "sequence", "tokens", "vector")
MAX_BYTES = 16 << 30
_AT_ONCE = 8 << 20  # bytes of a file that are put together in memory and written by one call
_AXES = {"image": 4, "frames": 4, "spectrogram": 2, "sequence": 2, "tokens": 2, "vector": 2}
_SPECS = {"values": npz.Spec("<f4", 1, 6), "times": npz.Spec("<f8", 1, 1), "meta": npz.Spec("U", 0, 0)}

REQUIRED = {"schema": jsonfile.exactly(SCHEMA), "mmcli": jsonfile.TEXT}
OPTIONAL = {
    "modality": jsonfile.TEXT,
    "extractor": jsonfile.TEXT,
    "kind": jsonfile.one_of(*KINDS),
    "config": jsonfile.OBJECT,
    "config_sha256": jsonfile.SHA256,
    "source": jsonfile.NAMED,  # {name, size, sha256}
    "inputs": jsonfile.ALL_NAMED,  # [{name, sha256}]: the artifacts this was made from
    "rate_hz": jsonfile.nullable(jsonfile.POSITIVE),  # frames a second
    "hop_s": jsonfile.nullable(jsonfile.POSITIVE),
    "sample_rate_hz": jsonfile.nullable(jsonfile.POSITIVE),
    "seed": jsonfile.nullable(jsonfile.INTEGER),
    "fitted_sha256": jsonfile.nullable(jsonfile.SHA256),
    "columns": jsonfile.TEXTS,  # names of the dims
    "classes": jsonfile.TEXTS,
    "vocabulary_size": jsonfile.COUNT,
    "strategy": jsonfile.ANY,
    "streams": jsonfile.ANY,
    "method": jsonfile.ANY,
    "notes": jsonfile.TEXTS,
    "segment": jsonfile.OBJECT,  # {start, end} in seconds of the source
}


@dataclass(frozen=True, eq=False, repr=False)
class Features:
    """Values on a clock, checked on construction.

    ``values``: float32 ``(frames, ...)``, finite, C-contiguous. ``times``: float64 ``(frames,)``, seconds, strictly
    increasing. ``meta``: see the module; ``schema`` and ``mmcli`` are filled in where they are absent.

    Raises :class:`ArtifactError` where the arrays or the meta do not follow the schema.

    >>> one = Features(np.zeros((1, 3), np.float32), np.zeros(1), {"kind": "vector"})
    >>> one.frames, one.width
    (1, 3)
    """

    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.float64]
    meta: dict[str, Any]

    def __post_init__(self) -> None:
        whole = {"schema": SCHEMA, "mmcli": provenance.version} | self.meta
        object.__setattr__(self, "values", np.ascontiguousarray(self.values))
        object.__setattr__(self, "times", np.ascontiguousarray(self.times))
        object.__setattr__(self, "meta", whole)
        _check(self.values, self.times, whole, "features")

    @property
    def frames(self) -> int:
        """The number of frames."""
        return int(self.values.shape[0])

    @property
    def width(self) -> int:
        """The numbers in one frame: the product of the axes after the first."""
        return math.prod(self.values.shape[1:])

    def to_pandas(self) -> Any:
        """A data frame of one row a frame, ``time`` in seconds first. Needs pandas."""
        from mmcli.artifacts.formats import tables

        return tables.frame_of(self)

    def to_torch(self) -> Any:
        """The values as a tensor of their own. Needs torch."""
        from mmcli.artifacts.formats import tables

        return tables.torch().tensor(self.values)

    def __repr__(self) -> str:
        """What it is of, its shape, and when."""
        shape = " x ".join(map(str, self.values.shape))
        name = ".".join(filter(None, (self.meta.get("modality"), self.meta.get("extractor")))) or "values"
        return f"<Features {name}: {shape}, {self.times[0]:.2f} to {self.times[-1]:.2f} s>"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        from mmcli.artifacts.formats import tables

        facts = {k: self.meta.get(k) for k in ("modality", "extractor", "kind", "hop_s", "rate_hz")}
        rows: list[tuple[str, object]] = [(k, v) for k, v in facts.items() if v is not None]
        where = f"{self.times[0]:.3f} to {self.times[-1]:.3f} s"
        return tables.html([*rows, ("shape", self.values.shape), ("times", where)], "features")

    def flat(self) -> npt.NDArray[np.float32]:
        """The values as ``(frames, width)``; a view, nothing is copied."""
        return self.values.reshape(self.frames, self.width)


def load(path: Path | str) -> Features:
    """Read a features file (``-``: standard input)."""
    if str(path) == provenance.STDIN:
        return loads(provenance.read_bytes(path, MAX_BYTES), provenance.named(path))
    with provenance.opened(path) as (stream, size):
        return _read(stream, size, str(path))


def loads(data: bytes, name: str) -> Features:
    """The features in the bytes of a file; ``name`` is for messages."""
    return _read(io.BytesIO(data), len(data), name)


def save(path: Path | str, features: Features) -> str:
    """Write a features file (``-``: standard output); returns the file's SHA-256."""
    arrays = _arrays(features)
    if npz.size_of(arrays) <= _AT_ONCE:
        return atomic.write_bytes(path, npz.dumps(arrays))
    return atomic.write_with(path, lambda stream: npz.write(stream, arrays))


def dumps(features: Features) -> bytes:
    """The bytes of a features file."""
    return npz.dumps(_arrays(features))


def _arrays(features: Features) -> dict[str, npt.NDArray[Any]]:
    _check(features.values, features.times, features.meta, "features")  # arrays can be written to after construction
    try:
        meta = provenance.canonical_json(features.meta)
    except (ValueError, TypeError) as problem:
        raise ArtifactError(f"meta is no JSON ({problem})", source="features") from problem
    return {"values": features.values, "times": features.times, "meta": npz.text_scalar(meta)}


def _read(stream: BinaryIO, size: int, name: str) -> Features:
    arrays = npz.read(stream, size, name, _specs, max_bytes=MAX_BYTES)
    meta = jsonfile.parse(str(arrays["meta"]), name)
    _check(arrays["values"], arrays["times"], meta, name)
    features = object.__new__(Features)  # checked above, under the file's name
    for field, value in (("values", arrays["values"]), ("times", arrays["times"]), ("meta", meta)):
        object.__setattr__(features, field, value)
    return features


def _specs(keys: Collection[str]) -> Mapping[str, npz.Spec]:
    return _SPECS


def _check(values: npt.NDArray[Any], times: npt.NDArray[Any], meta: dict[str, Any], name: str) -> None:
    jsonfile.check(meta, REQUIRED, OPTIONAL, what="meta", source=name)
    check_arrays(values, times, name)
    kind = meta.get("kind")
    if kind is not None:
        check_kind(kind, values.shape, name)
    if kind == "tokens":
        check_tokens(values, meta.get("vocabulary_size"), name)
    columns = meta.get("columns")
    if columns is not None and len(columns) != math.prod(values.shape[1:]):
        raise ArtifactError(f"meta names {len(columns)} columns for values of shape {values.shape}", source=name)


def check_arrays(values: npt.NDArray[Any], times: npt.NDArray[Any], name: str) -> None:
    """Types, shapes, finite values, increasing times: what holds for every item."""
    if values.dtype != np.float32 or times.dtype != np.float64:
        types = f"values are {values.dtype} and times {times.dtype}"
        raise ArtifactError(f"{types}; float32 and float64 are needed", source=name)
    if not 1 <= values.ndim <= 6 or times.ndim != 1 or values.shape[0] != times.shape[0]:
        raise ArtifactError(f"values of shape {values.shape} do not go with times of shape {times.shape}", source=name)
    if values.size == 0:
        raise ArtifactError(f"values of shape {values.shape} hold nothing", source=name)
    check_finite(values, "values", name)
    check_finite(times, "times", name)
    if times.size > 1 and not bool(np.all(times[1:] > times[:-1])):
        at = int(np.argmin(times[1:] > times[:-1])) + 1
        raise ArtifactError(f"times do not increase at frame {at}: {times[at - 1]}, then {times[at]}", source=name)


def check_finite(array: npt.NDArray[Any], what: str, name: str) -> None:
    """Refuse NaN and infinity, naming the first frame that has one; blocks keep the memory small."""
    for start in range(0, array.shape[0], step := max(1, (4 << 20) // max(1, array[0].size if array.size else 1))):
        finite = np.isfinite(array[start : start + step])
        if not bool(finite.all()):
            frame = start + int(np.argmin(finite.reshape(finite.shape[0], -1).all(axis=1)))
            raise ArtifactError(f"{what} hold NaN or infinity at frame {frame}", source=name)


def check_kind(kind: str, shape: tuple[int, ...], name: str) -> None:
    """The shape that goes with a kind."""
    single = kind in ("image", "vector")
    if len(shape) != _AXES[kind] or (single and shape[0] != 1) or (kind == "tokens" and shape[1] != 1):
        raise ArtifactError(f"values of shape {shape} are no {kind}", source=name)


def check_tokens(values: npt.NDArray[Any], size: int | None, name: str) -> None:
    """Token ids are integers from 0 to below the vocabulary's size."""
    top = 2**24 if size is None else size  # float32 holds integers up to there
    if bool(np.any((values < 0) | (values >= top) | (values != np.floor(values)))):
        raise ArtifactError(f"values are no token ids below {top}", source=name)
