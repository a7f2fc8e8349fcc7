"""Frames that are words, for every row of a manifest: its own transcript, its own windows.

The column ``map.MODALITY`` of a row names the alignment of its transcript with its recording, as ``mmcli align`` writes
it. Every stream with a clock is pooled over each word, so that frame k of all of them is what went on while word k was
spoken. Pictures, vectors and tokens have no clock and stay as they are.
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
from mmcli.fusion import spans
from mmcli.fusion.streams import RATES
from mmcli.registry import nearest

POOLS = ("mean", "max", "last")
NO_CLOCK = ("image", "vector", "tokens")


@dataclass(frozen=True)
class Words:
    """``modality`` whose maps hold the transcripts; ``kind`` word or line; ``how`` frames are pooled."""

    modality: str
    kind: str = "word"
    how: str = "mean"

    def __post_init__(self) -> None:
        """Refuse what is no kind of span or pooling."""
        if self.kind not in spans.KINDS:
            raise UsageError(f"unknown span kind {self.kind!r}", hint="one of: " + ", ".join(spans.KINDS))
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
        """What a stream keeps of it."""
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
        windows = spans.spoken_windows(said, self.kind, path)
        values, known = spans.pool(features.flat(), features.times, windows, how=self.how)
        if not known.any():
            raise InputError(f"no {self.kind} of {path.name} lies inside its features", source=row.id)
        meta = {key: value for key, value in features.meta.items() if key not in RATES} | {"kind": "sequence"}
        return Features(values[known].astype(np.float32), windows.mean(axis=1)[known], meta)


def _refuse_other(said: Alignment, features: Features, row: manifest.Row, path: Path) -> None:
    """Spans are times in the recording that the transcript was aligned with, which has to be the reference."""
    own, meant = (features.meta.get("source") or {}).get("sha256"), said.reference.get("sha256")
    if own and meant and own != meant:
        raise MismatchError(
            f"row {row.id!r}: the transcript in {path.name} was aligned with {said.reference.get('name')!r}, which is "
            "not what the reference modality was extracted from",
            hint="--reference names the modality of that recording",
        )
