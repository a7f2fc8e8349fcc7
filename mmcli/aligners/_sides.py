"""One side of a pair of files: what it is, and what can be compared of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmcli.aligners import _inputs
from mmcli.artifacts import features as features_file
from mmcli.artifacts import provenance
from mmcli.artifacts.features import Features
from mmcli.errors import InputError, MismatchError, UsageError


@dataclass(frozen=True)
class Side:
    """A file of the pair."""

    path: Path
    role: str  # "reference" or "query"
    rate: float | None = None  # Hz, of a series without a time column
    missing: str = "refuse"  # what becomes of gaps in a series: or "interpolate"

    @cached_property
    def modality(self) -> str:
        """audio, video, score (MIDI), features, series, subtitle, text, image."""
        from mmcli.media import modality_of

        return "score" if self.path.suffix.lower() in (".mid", ".midi") else modality_of(self.path)

    @cached_property
    def features(self) -> Features:
        """The features of a features file or a numeric series."""
        if self.modality == "features":
            return features_file.load(self.path)
        if self.modality == "series":
            from mmcli import extractors

            clip = self._clip("series")
            if not clip.timed and len(clip.times) > 1:
                raise InputError("has no time column", source=self.path.name, hint="give its rate in Hz: --rate 100")
            found: Features = extractors.load("series.raw").extract(clip)
            return found
        raise MismatchError(f"a file of kind {self.modality} holds no frames", source=self.path.name)

    @cached_property
    def sound(self) -> Any:
        """The sound of an audio or video file, or of a score as plain tones: an AudioClip."""
        if self.modality == "score":
            from mmcli.aligners import _score
            from mmcli.media import midi

            return _score.sounded(midi.read(self.path))
        return self._clip("audio")

    @cached_property
    def cues(self) -> list[tuple[float, float, str]]:
        """The cues of a subtitle: (start, end, text) in seconds."""
        return list(self._clip("subtitle").cues)

    @property
    def text(self) -> str:
        """The text of a text file."""
        return str(self._clip("text").text)

    @property
    def has_sound(self) -> bool:
        """Whether it is an audio file, a score, or a video file with a sound track."""
        if self.modality == "video":
            return bool(self._clip("video").has_audio)
        return self.modality in ("audio", "score")

    @property
    def is_silent(self) -> bool:
        """Whether it is a video file without a sound track."""
        return self.modality == "video" and not self.has_sound

    @property
    def clip(self) -> Any:
        """The clip of a video file."""
        return self._clip("video")

    @cached_property
    def pictures(self) -> Features:
        """The signatures of the frames of a video."""
        from mmcli.aligners import _pictures

        return _pictures.signatures(self._clip("video"))

    @property
    def has_frames(self) -> bool:
        """Whether it is a features file or a numeric series."""
        return self.modality in ("features", "series")

    def about(self) -> dict[str, Any]:
        """Name, sha256 of the file itself and duration in seconds."""
        if self.has_frames:
            duration = _inputs.about(self.features)["duration_s"]
        elif self.modality == "text":
            return {"name": self.path.name, "sha256": provenance.sha256_file(self.path), "duration_s": None}
        elif self.modality == "subtitle":
            duration = max(end for _, end, _ in self.cues)
        else:
            duration = float(self._timed().duration_s)
        return {"name": self.path.name, "sha256": provenance.sha256_file(self.path), "duration_s": duration}

    def extract(self, extractor: str) -> Features:
        """The features that a named extractor takes from the file."""
        from mmcli import extractors

        modality, _ = extractors.modality_of(extractor)
        if self.has_frames and not (self.modality == "series" and modality == "series"):
            raise UsageError(f"--feature {extractor} needs a media file, {self.path.name} holds features already")
        module = extractors.load(extractor)
        if extractors.is_fitted(module):
            raise UsageError(f"{extractor} is fitted on a data set and says nothing about time", source=self.path.name)
        found: Features = module.extract(self._clip(modality))
        return found

    def _clip(self, modality: str) -> Any:
        from mmcli.media import MediaOptions, open_clip

        series: dict[str, Any] = {"rate": self.rate, "missing": self.missing} if modality == "series" else {}
        return open_clip(self.path, modality, options=MediaOptions(**series))

    def _timed(self) -> Any:
        return self._clip("video") if self.modality == "video" and not self.has_sound else self.sound
