"""An alignment, the map between the clocks of two files. Schema ``mmcli/alignment@1``, json.

Direction: ``t_reference = offset_s + rate * t_query``; ``ppm = (rate - 1) * 1e6``. ``knots`` are pairs
``[t_reference, t_query]`` in seconds. ``breaks`` are stretches of one file without a partner in the other; nothing is
interpolated across one. Outside the knots the map is undefined, except for ``offset`` and ``affine``, whose two knots
are the ends of the overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.io import atomic, jsonfile, provenance
from mmcli.errors import ArtifactError

SCHEMA = "mmcli/alignment@1"
MODELS = ("offset", "affine", "piecewise", "warp")
SIDES = ("reference", "query")
LINE_TOLERANCE_S = 0.002  # how far the knots of offset and affine may lie from their line, for maps written by hand
PPM_TOLERANCE = 0.01

_END = {
    "name": jsonfile.TEXT,
    "sha256": jsonfile.nullable(jsonfile.SHA256),
    "duration_s": jsonfile.nullable(jsonfile.NOT_NEGATIVE),
}
_REQUIRED = {
    "schema": jsonfile.exactly(SCHEMA),
    "mmcli": jsonfile.TEXT,
    "model": jsonfile.one_of(*MODELS),
    "offset_s": jsonfile.nullable(jsonfile.NUMBER),
    "rate": jsonfile.nullable(jsonfile.POSITIVE),
    "ppm": jsonfile.nullable(jsonfile.NUMBER),
    "knots": jsonfile.LIST,
    "breaks": jsonfile.OBJECTS,
    "confidence_s": jsonfile.nullable(jsonfile.NUMBERS),
    "quality": jsonfile.OBJECT,
    "method": jsonfile.OBJECT,
    "cost": jsonfile.nullable(jsonfile.NUMBER),
    "reference": jsonfile.OBJECT,
    "query": jsonfile.OBJECT,
}
_OPTIONAL = {
    "segments": jsonfile.OBJECTS,
    "matches": jsonfile.OBJECTS,
    "runner_up": jsonfile.OBJECT,
    "ambiguous": jsonfile.OBJECT,
    "exact": jsonfile.BOOLEAN,
    "bound": jsonfile.NOT_NEGATIVE,
    "path": jsonfile.LIST,
}
_BREAK = {"side": jsonfile.one_of(*SIDES), "start": jsonfile.NUMBER, "end": jsonfile.NUMBER}
_AMBIGUOUS = {"side": jsonfile.one_of(*SIDES), "shift_s": jsonfile.NUMBER, "share": jsonfile.NOT_NEGATIVE}
_QUALITY = {"ratio": jsonfile.nullable(jsonfile.NUMBER), "verdict": jsonfile.TEXT, "reason": jsonfile.TEXT}
_QUALITY_TOO = {  # optional, since 0.2
    "probability": jsonfile.NOT_NEGATIVE,
    "rate_name": jsonfile.TEXT,
    "candidates": jsonfile.OBJECTS,
}
_METHOD = {"name": jsonfile.TEXT, "config": jsonfile.OBJECT}
_SEGMENT = {
    "kind": jsonfile.one_of("line", "word"),
    "text": jsonfile.TEXT,
    "start": jsonfile.nullable(jsonfile.NUMBER),
    "end": jsonfile.nullable(jsonfile.NUMBER),
    "score": jsonfile.nullable(jsonfile.NUMBER),
    "spoken": jsonfile.BOOLEAN,
}


def _nobody() -> dict[str, Any]:
    return {"name": "array", "sha256": None, "duration_s": None}


@dataclass(frozen=True, eq=False, repr=False)
class Alignment:
    """The map and how it was found; fields are named as the keys of the file, checked on construction.

    ``knots``: float64 ``(k, 2)``, seconds, column 0 reference, column 1 query; at least two rows, or none where a
    text was aligned (``segments``). ``path``: int64 ``(k, 2)`` frame pairs, column 0 reference, or None.
    ``offset_s``, ``rate`` and ``ppm`` are numbers for ``offset`` and ``affine``, None otherwise. ``confidence_s``:
    per knot the half-width of the 90 % interval in seconds, or None. ``ambiguous``: {side, shift_s, share}, where one
    side repeats itself: the whole map moved by so many seconds of that side fits nearly as well.

    Raises :class:`ArtifactError` where a field does not follow the schema.

    >>> line = Alignment(model="offset", knots=np.array([[1.5, 0.0], [9.5, 8.0]]), offset_s=1.5, rate=1.0, ppm=0.0)
    >>> loads(dumps(line), "line.json").offset_s
    1.5
    """

    model: str
    knots: npt.NDArray[np.float64]
    breaks: list[dict[str, Any]] = field(default_factory=list)
    offset_s: float | None = None
    rate: float | None = None
    ppm: float | None = None
    confidence_s: list[float] | None = None
    quality: dict[str, Any] = field(default_factory=lambda: {"ratio": None, "verdict": "not judged", "reason": ""})
    method: dict[str, Any] = field(default_factory=lambda: {"name": "by hand", "config": {}})
    cost: float | None = None
    reference: dict[str, Any] = field(default_factory=_nobody)
    query: dict[str, Any] = field(default_factory=_nobody)
    path: npt.NDArray[np.int64] | None = None
    segments: list[dict[str, Any]] | None = None
    matches: list[dict[str, Any]] | None = None
    runner_up: dict[str, Any] | None = None
    ambiguous: dict[str, Any] | None = None
    exact: bool | None = None
    bound: float | None = None

    def __post_init__(self) -> None:
        _check_value(self, "alignment")

    def to_pandas(self) -> Any:
        """A data frame of one row a knot: t_reference, t_query, confidence_s. Needs pandas."""
        from mmcli.artifacts.formats import tables

        half: Any = self.confidence_s if self.confidence_s is not None else [None] * len(self.knots)
        columns = {"t_reference": self.knots[:, 0], "t_query": self.knots[:, 1], "confidence_s": half}
        return tables.pandas().DataFrame(columns)

    def _facts(self) -> list[tuple[str, object]]:
        facts: list[tuple[str, object]] = [("model", self.model)]
        if self.offset_s is not None:
            facts += [("offset", f"{self.offset_s:+.4f} s"), ("rate", f"{self.rate:.6f}")]
        else:
            facts += [("knots", len(self.knots)), ("breaks", len(self.breaks))]
        return [*facts, ("match", self.quality["verdict"])]

    def __repr__(self) -> str:
        """What it maps, how, and how sure that is."""
        said = ", ".join(f"{name} {value}" for name, value in self._facts())
        return f"<Alignment of {self.query['name']} to {self.reference['name']}: {said}>"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        from mmcli.artifacts.formats import tables

        title = f"{self.query['name']} on the clock of {self.reference['name']}"
        return tables.html([*self._facts(), ("evidence", self.quality["reason"])], title)

    def to_json(self) -> dict[str, Any]:
        """The object of the file, without its seal; keys that are None and optional are left out."""
        content: dict[str, Any] = {"schema": SCHEMA, "mmcli": provenance.version}
        for key in _REQUIRED:
            if key not in content:
                content[key] = getattr(self, key)
        content["knots"] = self.knots.tolist()
        for key in _OPTIONAL:
            if (value := getattr(self, key)) is not None:
                content[key] = value.tolist() if isinstance(value, np.ndarray) else value
        return content


def load(path: Path | str) -> Alignment:
    """Read an alignment (``-``: standard input)."""
    return loads(provenance.read_bytes(path, jsonfile.MAX_BYTES), provenance.named(path))


def loads(data: bytes, name: str) -> Alignment:
    """The alignment in the bytes of a file; ``name`` is for messages."""
    content = jsonfile.opened(jsonfile.parse(data, name), name, sealed=False)
    return from_json(content, name)


def save(path: Path | str, alignment: Alignment) -> str:
    """Write an alignment (``-``: standard output); returns the file's SHA-256."""
    return atomic.write_bytes(path, dumps(alignment))


def dumps(alignment: Alignment) -> bytes:
    """The bytes of an alignment file."""
    _check_value(alignment, "alignment")
    return jsonfile.dumps_sealed(alignment.to_json(), "alignment")


def from_json(content: dict[str, Any], name: str) -> Alignment:
    """The alignment of an object as :meth:`Alignment.to_json` makes it."""
    jsonfile.check(content, _REQUIRED, _OPTIONAL, what="the alignment", source=name)
    fields = {key: value for key, value in content.items() if key not in ("schema", "mmcli")}
    fields["knots"] = _pairs(content["knots"], np.float64, "knots", name)
    if "path" in content:
        fields["path"] = _pairs(content["path"], np.int64, "path", name)
    alignment = object.__new__(Alignment)
    for key in Alignment.__dataclass_fields__:
        object.__setattr__(alignment, key, fields.get(key))
    _check_value(alignment, name)
    return alignment


def _pairs(rows: list[Any], dtype: type[Any], what: str, name: str) -> npt.NDArray[Any]:
    numbers = (int,) if dtype is np.int64 else (int, float)
    for row in rows:
        if type(row) is not list or len(row) != 2 or type(row[0]) not in numbers or type(row[1]) not in numbers:
            raise ArtifactError(f"{what} holds {str(row)[:60]}; pairs of numbers are needed", source=name)
    return np.array(rows, dtype).reshape(-1, 2)


def _check_value(a: Alignment, name: str) -> None:
    for what, value, wanted, too in (
        ("quality", a.quality, _QUALITY, _QUALITY_TOO),
        ("method", a.method, _METHOD, {}),
    ):
        jsonfile.check(value, wanted, too, what=what, source=name)
    for what, value in (("reference", a.reference), ("query", a.query)):
        jsonfile.check(value, _END, {}, what=what, source=name)
    for value in a.breaks:
        jsonfile.check(value, _BREAK, {}, what="a break", source=name)
        if not value["start"] < value["end"]:
            raise ArtifactError(f"a break ends at {value['end']}, before it starts", source=name)
    for value in a.segments or []:
        jsonfile.check(value, _SEGMENT, {}, what="a segment", source=name)
        _check_span(value, name)
    if a.ambiguous is not None:
        jsonfile.check(a.ambiguous, _AMBIGUOUS, {}, what="ambiguous", source=name)
    for what in ("offset_s", "rate", "ppm", "confidence_s", "cost"):
        _check_field(a, what, _REQUIRED[what], name)
    for what in ("matches", "runner_up", "exact", "bound"):
        if getattr(a, what) is not None:
            _check_field(a, what, _OPTIONAL[what], name)
    _check_knots(a, name)
    _check_line(a, name)
    if a.path is not None:
        _check_path(a.path, name)


def _check_field(a: Alignment, what: str, wanted: jsonfile.Field, name: str) -> None:
    if not wanted.check(getattr(a, what)):
        raise ArtifactError(f"{what} is {str(getattr(a, what))[:60]}; it has to be {wanted.wanted}", source=name)


def _check_span(segment: dict[str, Any], name: str) -> None:
    start, end = segment["start"], segment["end"]
    if (start is None) != (end is None) or (start is None and segment["spoken"]):
        raise ArtifactError("a spoken segment needs start and end", source=name)
    if start is not None and not start <= end:
        raise ArtifactError(f"a segment ends at {end}, before its start {start}", source=name)


def _check_knots(a: Alignment, name: str) -> None:
    knots = a.knots
    if not isinstance(knots, np.ndarray) or knots.dtype != np.float64 or knots.ndim != 2 or knots.shape[1] != 2:
        raise ArtifactError("knots have to be float64 of shape (k, 2)", source=name)
    if len(knots) < 2 and not (len(knots) == 0 and a.segments is not None):
        raise ArtifactError(f"{len(knots)} knots; at least two are needed", source=name)
    if not bool(np.isfinite(knots).all()):
        raise ArtifactError("knots hold NaN or infinity", source=name)
    steps = np.diff(knots, axis=0)
    if bool((steps < 0).any()):
        at = int(np.argmax((steps < 0).any(axis=1))) + 1
        raise ArtifactError(f"knots run backwards at {knots[at].tolist()}", source=name)
    for before in np.flatnonzero((steps == 0).any(axis=1)):
        if not _broken(knots[before], knots[before + 1], a.breaks):
            raise ArtifactError(f"knots stand still at {knots[before + 1].tolist()} without a break there", source=name)
    if a.confidence_s is not None:
        if len(a.confidence_s) != len(knots):
            raise ArtifactError(f"{len(a.confidence_s)} confidences for {len(knots)} knots", source=name)
        if any(value < 0 for value in a.confidence_s):
            raise ArtifactError("a confidence below 0", source=name)


def _broken(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], breaks: list[dict[str, Any]]) -> bool:
    """Whether a break lies between two knots, on the side that moves."""
    for gap in breaks:
        side = SIDES.index(gap["side"])
        if before[side] <= gap["start"] + 1e-9 and gap["end"] <= after[side] + 1e-9:
            return True
    return False


def _check_line(a: Alignment, name: str) -> None:
    if a.model not in MODELS:
        raise ArtifactError(f"model is {a.model!r}; known: {', '.join(MODELS)}", source=name)
    line = (a.offset_s, a.rate, a.ppm)
    if a.model in ("piecewise", "warp"):
        if any(value is not None for value in line):
            raise ArtifactError(f"offset_s, rate and ppm are null for the model {a.model}", source=name)
        return
    if a.offset_s is None or a.rate is None or a.ppm is None:
        raise ArtifactError(f"offset_s, rate and ppm are numbers for the model {a.model}", source=name)
    if a.model == "offset" and a.rate != 1.0:
        raise ArtifactError(f"the model offset has rate {a.rate}", source=name)
    if abs((a.rate - 1) * 1e6 - a.ppm) > PPM_TOLERANCE:
        raise ArtifactError(f"rate {a.rate} and ppm {a.ppm} disagree", source=name)
    off = np.abs(a.offset_s + a.rate * a.knots[:, 1] - a.knots[:, 0])
    if off.size and float(off.max()) > LINE_TOLERANCE_S:
        raise ArtifactError(f"a knot lies {float(off.max()):.3g} s off the line", source=name)


def _check_path(path: npt.NDArray[np.int64], name: str) -> None:
    if not isinstance(path, np.ndarray) or path.dtype != np.int64 or path.ndim != 2 or path.shape[1] != 2:
        raise ArtifactError("path has to be int64 of shape (k, 2)", source=name)
    steps = np.diff(path, axis=0)
    if len(path) == 0 or int(path.min()) < 0 or bool((steps < 0).any()) or bool((steps.sum(axis=1) == 0).any()):
        raise ArtifactError("path is empty, negative, runs backwards or stands still", source=name)
