"""One side of a pair of files: what it is, and what can be compared of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.aligners.core import inputs
from mmcli.aligners.core.inputs import Input
from mmcli.artifacts.formats import features as features_file
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.media.clips import AudioClip, SubtitleClip, TextClip, VideoClip


@dataclass(frozen=True)
class Side:
    """A file of the pair."""

    path: Path
    role: str  # "reference" or "query"
    rate: float | None = None  # Hz, of a series without a time column
    missing: str = "refuse"  # what becomes of gaps in a series: or "interpolate"
    time_unit: str | None = None  # of a time column
    track: int | None = None  # of several tracks or streams, counted from 0

    @cached_property
    def modality(self) -> str:
        """audio, video, score (MIDI), features, series, subtitle, text, image."""
        from mmcli.media import modality_of

        return "score" if self.path.suffix.lower() in (".mid", ".midi") else modality_of(self.path)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What can be compared of it, the best first: see :data:`.inputs.Kind`; its modality where nothing can."""
        if self.modality in ("audio", "score"):
            return ("audio",)
        if self.modality == "video":
            return ("audio", "video") if self.has_sound else ("video",)
        return ("features",) if self.has_frames else (self.modality,)

    def input(self, kind: str) -> Input:
        """The side as one of its ``kinds``."""
        match kind:
            case "audio":
                return self.sound
            case "features":
                return self.features
            case _:
                clip: VideoClip | TextClip | SubtitleClip = self._clip(kind)
                return clip

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
            series: Features = extractors.load("series.raw").extract(clip)
            if clip.remarks:
                series.meta["notes"] = clip.remarks
            return series
        raise MismatchError(f"a file of kind {self.modality} holds no frames", source=self.path.name)

    @cached_property
    def sound(self) -> AudioClip:
        """The sound of an audio or video file, or of a score as plain tones."""
        if self.modality == "score":
            from mmcli.media import midi

            return sounded(midi.read(self.path))
        clip: AudioClip = self._clip("audio")
        return clip

    @cached_property
    def cues(self) -> list[tuple[float, float, str]]:
        """The cues of a subtitle: (start, end, text) in seconds."""
        return list(self._clip("subtitle").cues)

    @property
    def has_sound(self) -> bool:
        """Whether it is an audio file, a score, or a video file with a sound track."""
        if self.modality == "video":
            return bool(self._clip("video").has_audio)
        return self.modality in ("audio", "score")

    @cached_property
    def pictures(self) -> Features:
        """The signatures of the frames of a video."""
        return signatures(self._clip("video"))

    @property
    def remarks(self) -> list[str]:
        """What a user of its times would want to know: jumps of stamps, channels that cancel each other."""
        if self.has_frames:
            return [str(note) for note in self.features.meta.get("notes", [])]
        return list(self.sound.remarks) if self.modality == "audio" else []

    @property
    def has_frames(self) -> bool:
        """Whether it is a features file or a numeric series."""
        return self.modality in ("features", "series")

    def about(self) -> dict[str, Any]:
        """Name, sha256 of the file itself and duration in seconds."""
        if self.has_frames:
            duration = inputs.about(self.features)["duration_s"]
        elif self.modality == "text":
            duration = None
        elif self.modality == "subtitle":
            duration = max(end for _, end, _ in self.cues)
        else:
            duration = float((self.sound if self.has_sound else self._clip("video")).duration_s)
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
        features: Features = module.extract(self._clip(modality))
        return features

    def _clip(self, modality: str) -> Any:
        from mmcli.media import MediaOptions, open_clip

        series: dict[str, Any] = {}
        if modality == "series":
            series = {"rate": self.rate, "missing": self.missing, "time_unit": self.time_unit}
        return open_clip(self.path, modality, options=MediaOptions(track=self.track, **series))


# What two copies of a moving picture share: a coarse grey image of every frame.

ROWS, COLUMNS = 9, 16


def signatures(video: VideoClip) -> Features:
    """Grey images of 9 x 16 fields of a video clip, float32 (frames, 144), each with mean 0: brightness and size of the
    copy do not matter, and every frame keeps its own presentation time."""
    times, rows = [], []
    for time, picture in video.frames():
        grey = picture[:, :, :3].mean(axis=2, dtype=np.float32)
        field = _fields(grey)
        rows.append((field - field.mean()).ravel())
        times.append(time)
    values = np.ascontiguousarray(np.array(rows, dtype=np.float32))
    return Features(values=values, times=np.array(times, dtype=np.float64), meta={"modality": "video"})


def _fields(grey: Any) -> Any:
    """Means over a grid of fields that covers the picture; parts of a field at the edges are left out."""
    h, w = grey.shape
    row = np.linspace(0, h, ROWS + 1).astype(np.int64)
    column = np.linspace(0, w, COLUMNS + 1).astype(np.int64)
    summed = np.add.reduceat(np.add.reduceat(grey, row[:-1], axis=0), column[:-1], axis=1)
    return summed / np.outer(np.diff(row), np.diff(column))


# A score as sound, plain enough to be compared with any rendition: decaying harmonics, no drums.

RATE = 22_050
HARMONICS = 6
DECAY_S = 0.6  # after which a note has fallen to a third
ATTACK_S = 0.004  # as of a struck or plucked note: with a slow one, maps led to 6 ms before the sound set in
RELEASE_S = 0.05
TAIL_S = 0.5
HELD_S = 8.0  # after which a held note has fallen by 116 dB
MAX_NOTE_S = 100_000.0  # of notes in all, one after another: minutes of work


def sounded(score: Any) -> AudioClip:
    """An AudioClip of the notes of a :class:`mmcli.media.midi.Score`, at 22,050 Hz.

    Amplitudes of harmonics fall as 1/k; drums are left out. Raises InputError where nothing else is there.
    """
    from mmcli.media.midi import DRUMS

    tonal = np.flatnonzero(score.channel != DRUMS)
    if len(tonal) == 0:
        raise InputError("holds nothing but drums", source=score.name)
    lengths = np.minimum(score.end - score.start, HELD_S)
    if float(lengths[tonal].sum()) > MAX_NOTE_S:
        raise InputError(
            f"holds {lengths[tonal].sum():,.0f} s of notes, more than {MAX_NOTE_S:,.0f}", source=score.name
        )
    out = np.zeros(int((score.duration_s + TAIL_S) * RATE) + 1, dtype=np.float32)
    for i in tonal.tolist():
        first = int(score.start[i] * RATE)
        held = max(float(lengths[i]), 0.05)
        t = np.arange(int((held + RELEASE_S) * RATE)) / RATE
        t = t[: len(out) - first]
        f = 440.0 * 2 ** ((int(score.pitch[i]) - 69) / 12)
        wave = np.zeros(len(t))
        for k in range(1, HARMONICS + 1):
            if k * f < RATE / 2:
                wave += np.sin(2 * np.pi * k * f * t) / k
        envelope = np.exp(-t / DECAY_S) * np.minimum(t / ATTACK_S, 1.0)
        envelope *= np.clip((held + RELEASE_S - t) / RELEASE_S, 0, 1)
        out[first : first + len(t)] += (wave * envelope * (int(score.velocity[i]) / 127)).astype(np.float32)
    peak = float(np.abs(out).max())
    return AudioClip.from_array(out / peak if peak > 0 else out, RATE, name=score.name)
