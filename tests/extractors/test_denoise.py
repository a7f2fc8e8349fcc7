"""Spectral gating: how much quieter noise gets, how little else changes, and that it passes through in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mmcli import extractors
from mmcli.artifacts.formats import features
from mmcli.errors import UsageError
from mmcli.extractors import denoise, sound
from mmcli.media import open_clip
from mmcli.media.clips import AudioClip

RATE = 16_000


def cut(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return iter(np.split(samples, range(size, len(samples), size)))


def gated(samples: np.ndarray, depth_db: float = 20.0, size: int = 100_000) -> np.ndarray:
    samples = samples.astype(np.float32)
    found = denoise.denoised(lambda: cut(samples, size), RATE, depth_db)
    return np.concatenate(list(found()))


def notes(seconds: float = 6.0) -> np.ndarray:
    """Tones with two harmonics and pauses between them."""
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = 200.0 + 100.0 * np.floor(t % 3.0)
    loud = (t % 1.0) < 0.6
    return loud * sum(0.2 / k * np.sin(2 * np.pi * k * pitch * t) for k in (1, 2, 3))


def snr(signal: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10(np.square(signal).sum() / np.square(found - signal).sum()))


def noise(count: int, level: float, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(count)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1])
def test_a_mix_gains_eight_decibels_of_signal_to_noise(level: float) -> None:
    """Tones in white noise at 22, 8 and 2 dB: measured 10.6, 8.9 and 10.6 dB better."""
    signal = notes()
    mixed = signal + noise(len(signal), level)
    assert snr(signal, gated(mixed)) > snr(signal, mixed) + 8.0


def test_speech_in_noise_gains(sample_data: Path) -> None:
    """White noise 10 dB below a reading voice, turned down by 12 dB: measured 5.7 dB better."""
    clip = open_clip(sample_data / "reading" / "reading.flac", "audio")
    speech = clip.samples(RATE)
    level = np.sqrt(np.square(speech).mean()) * 10 ** (-10 / 20)
    mixed = speech + noise(len(speech), level)
    assert snr(speech, gated(mixed, 12.0)) > snr(speech, mixed) + 5.0


def test_noise_alone_is_turned_down_by_what_was_asked_for() -> None:
    hiss = noise(RATE * 10, 0.02)
    for depth in (6.0, 12.0, 20.0):
        change = 10 * np.log10(np.square(gated(hiss, depth)).mean() / np.square(hiss).mean())
        assert change == pytest.approx(-depth, abs=0.12 * depth)


def test_what_stands_far_above_the_noise_stays() -> None:
    signal = notes() + noise(int(6.0 * RATE), 0.0003)
    assert snr(signal, gated(signal)) > 45.0


def test_an_open_gate_gives_the_samples_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Analysis and synthesis alone, for lengths around those of a frame and a hop."""
    monkeypatch.setattr(denoise, "_turned_down", lambda spectra, *_: spectra)
    for count in (1, 2, 127, 128, 129, 511, 512, 513, 5_000, 70_001):
        samples = noise(count, 0.3).astype(np.float32)
        assert np.abs(gated(samples, size=1000) - samples).max() < 1e-6


@pytest.mark.parametrize("size", [1, 77, 512, 40_000])
def test_blocks_of_any_size_give_the_same_samples(size: int) -> None:
    samples = (notes(1.0) + noise(RATE, 0.05))[: 9_001 if size == 1 else None]
    assert np.array_equal(gated(samples, size=size), gated(samples))


def test_silence_stays_silent_and_as_long_as_it_was() -> None:
    assert np.array_equal(gated(np.zeros(5_000)), np.zeros(5_000))
    half = np.concatenate([np.zeros(RATE), noise(RATE, 0.02)])  # digital silence is no noise floor
    found = gated(half)
    assert len(found) == len(half)
    assert np.square(found[RATE + 1000 :]).mean() < 0.05 * 0.02**2


def test_an_extractor_takes_it_as_a_setting() -> None:
    clip = AudioClip.from_array((notes() + noise(int(6.0 * RATE), 0.03)).astype(np.float32), RATE)
    module = extractors.load("logmel")
    plain = module.extract(clip)
    clean = module.extract(clip, module.Config(denoise_db=20.0))

    assert clean.meta["config"]["denoise_db"] == 20.0
    pause = (plain.times % 1.0 > 0.7) & (plain.times % 1.0 < 0.9)
    assert (plain.values - clean.values)[pause].mean() == pytest.approx(20.0, abs=3.0)
    with pytest.raises(UsageError, match="denoise_db"):
        module.Config(denoise_db=0.0)


def test_the_block_size_changes_no_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = AudioClip.from_array((notes() + noise(int(6.0 * RATE), 0.03)).astype(np.float32), RATE)
    module = extractors.load("mfcc")
    config = module.Config(denoise_db=20.0, trim_db=30.0, loudness_lufs=-23.0)
    whole = features.dumps(module.extract(clip, config))
    monkeypatch.setattr(sound, "BLOCK_S", 0.77)
    assert features.dumps(module.extract(clip, config)) == whole
