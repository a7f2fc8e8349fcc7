"""Frames that are words or lines: what every stream did while each was spoken.

The spans come from the segments of a transcript's alignment, in reference time; a stream is pooled over each. Of a
manifest every row has its own transcript and its own spans: the column ``map.MODALITY`` names the alignment of the
row's transcript with its recording, as ``mmcli align`` writes it. Every stream with a clock is pooled over each word,
so that frame k of all of them is what went on while word k was spoken. Pictures, vectors and tokens have no clock and
stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.formats import alignment, manifest
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.fusion.grid import Clock
from mmcli.registry import nearest

KINDS = ("word", "line")
POOLS = ("mean", "max", "last")
NO_CLOCK = ("image", "vector", "tokens")
RATES = ("rate_hz", "hop_s", "sample_rate_hz")  # how often frames come; words come at no rate


def spoken_windows(alignment: Alignment, kind: str, source: object = None) -> np.ndarray:
    """The spoken segments of one kind, float64 ``(n, 2)`` start and end in seconds, by their start.

    Raises :class:`InputError` where the alignment has none.
    """
    spans = [
        (float(s["start"]), float(s["end"]))
        for s in alignment.segments or []
        if s.get("kind") == kind and s.get("spoken", True) and s["end"] > s["start"]
    ]
    if not spans:
        raise InputError(f"holds no {kind} segments", source=source, hint="align the sound with its transcript")
    ordered = np.array(sorted(spans))
    centre = ordered.mean(axis=1)
    return np.asarray(ordered[np.concatenate([[True], np.diff(centre) > 0])])


def pool_over(
    values: np.ndarray, times: np.ndarray, spans: np.ndarray, *, to_own_clock: Clock | None = None, how: str = "mean"
) -> tuple[np.ndarray, np.ndarray]:
    """The frames of ``values`` float ``(frames, width)`` inside each span, pooled (mean, max or last).

    Returns float64 ``(n, width)`` and bool ``(n,)``: a span whose ends the map does not know, or that lies outside the
    stream, is undefined. A span between two frames takes the nearest one; a static stream holds everywhere.

    >>> pool_over(np.arange(4.0)[:, None], np.arange(4.0), np.array([[0.5, 2.5], [8.0, 9.0]]))
    (array([[1.5],
           [0. ]]), array([ True, False]))
    """
    wide = np.asarray(values, dtype=np.float64)
    if len(times) == 1:
        return np.repeat(wide, len(spans), axis=0), np.ones(len(spans), bool)
    own = spans if to_own_clock is None else to_own_clock(spans)
    hop = float(np.median(np.diff(times)))
    known = np.isfinite(own).all(axis=1) & (own[:, 1] >= times[0] - hop / 2) & (own[:, 0] <= times[-1] + hop / 2)
    pooled = np.zeros((len(spans), wide.shape[1]))
    for row in np.flatnonzero(known):
        low, high = np.searchsorted(times, own[row, 0]), np.searchsorted(times, own[row, 1], side="right")
        if high <= low:
            low = int(np.abs(times - own[row].mean()).argmin())
            high = low + 1
        frames = wide[low:high]
        pooled[row] = frames.max(axis=0) if how == "max" else frames[-1] if how == "last" else frames.mean(axis=0)
    return pooled, known


@dataclass(frozen=True)
class Words:
    """``modality`` whose maps hold the transcripts; ``kind`` word or line; ``how`` frames are pooled."""

    modality: str
    kind: str = "word"
    how: str = "mean"

    def __post_init__(self) -> None:
        """Refuse what is no kind of span or pooling."""
        if self.kind not in KINDS:
            raise UsageError(f"unknown span kind {self.kind!r}", hint="one of: " + ", ".join(KINDS))
        if self.how not in POOLS:
            raise UsageError(f"spans are pooled by {', '.join(POOLS)}, not {self.how!r}")

    @property
    def column(self) -> str:
        """The manifest's column of transcript maps."""
        return f"map.{self.modality}"

    def refuse(self, columns: list[str], names: Mapping[str, str], reference: str) -> None:
        """Raises :class:`UsageError` where the manifest has no such maps, or they are on no recording's clock."""
        if self.column not in columns:
            maps = [column.removeprefix("map.") for column in columns if column.startswith("map.")]
            hint = nearest(self.modality, maps) if maps else "mmcli align RECORDING TRANSCRIPT -o MAP.json makes one"
            raise UsageError(f"--spans {self.modality}: the manifest has no column {self.column!r}", hint=hint)
        if manifest.split_column(names[reference])[0] == self.modality:
            hint = "name the recording that it was aligned with: --reference MODALITY"
            raise UsageError(f"the words of {self.modality!r} are on the clock of a recording", hint=hint)

    def facts(self) -> dict[str, Any]:
        """What a stream keeps of it, beside the modalities of the transcripts and of the recordings."""
        return {"kind": self.kind, "pool": self.how}

    def pooled(self, root: Path, row: manifest.Row, features: Features, is_reference: bool) -> Features:
        """The features, on the clock of the reference, with one frame a word; times are the middles of the words."""
        if features.meta.get("kind") in NO_CLOCK:
            return features
        cell = row.cells.get(self.column)
        if not cell:
            raise InputError(f"has no {self.column}, so its words are unknown", source=row.id)
        path, _ = manifest.resolve(root, cell)
        said = alignment.load(path)
        if is_reference:
            _refuse_other(said, features, row, path)
        windows = spoken_windows(said, self.kind, path)
        values, known = pool_over(features.flat(), features.times, windows, how=self.how)
        if not known.any():
            raise InputError(f"no {self.kind} of {path.name} lies inside its features", source=row.id)
        meta = {key: value for key, value in features.meta.items() if key not in RATES} | {"kind": "sequence"}
        return Features(values[known].astype(np.float32), windows.mean(axis=1)[known], meta)


def as_trained(modalities: Mapping[str, Mapping[str, Any]]) -> tuple[Words | None, str | None]:
    """How the frames of a model's modalities became words, and the reference they were on; None where they did not."""
    for meta in modalities.values():
        known = meta.get("spans") or {}
        if isinstance(known.get("modality"), str):
            return Words(known["modality"], known["kind"], known["pool"]), known.get("reference")
    return None, None


def _refuse_other(said: Alignment, features: Features, row: manifest.Row, path: Path) -> None:
    """Spans are times in the recording that the transcript was aligned with, which has to be the reference."""
    own, meant = (features.meta.get("source") or {}).get("sha256"), said.reference.get("sha256")
    if own and meant and own != meant:
        raise MismatchError(
            f"row {row.id!r}: the transcript in {path.name} was aligned with {said.reference.get('name')!r}, which is "
            "not what the reference modality was extracted from",
            hint="--reference names the modality of that recording",
        )
