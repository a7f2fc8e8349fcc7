"""The preparation of sound: what it promises, and that the time axis survives it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from mmcli import extractors
from mmcli.errors import InputError, UsageError
from mmcli.extractors import sound, spectrum
from mmcli.extractors.audio import mfcc
from mmcli.media.clips import AudioClip

RATE = 16_000


def tone(before_s: float, long_s: float, after_s: float, hz: float = 500.0) -> AudioClip:
    t = np.arange(int(long_s * RATE)) / RATE
    sound = 0.5 * np.sin(2 * np.pi * hz * t)
    parts = [np.zeros(int(before_s * RATE)), sound, np.zeros(int(after_s * RATE))]
    return AudioClip.from_array(np.concatenate(parts), RATE)


def test_trimmed_sound_keeps_the_times_of_the_recording() -> None:
    found = extractors.load("rms").extract(tone(1.0, 0.5, 2.0), extractors.load("rms").Config(trim_db=40.0))
    assert found.times[0] == pytest.approx(1.0, abs=0.08)
    assert found.times[-1] == pytest.approx(1.5, abs=0.08)
    assert np.median(found.values) > 0.3


def test_silence_is_not_trimmed_to_nothing() -> None:
    clip = AudioClip.from_array(np.zeros(RATE), RATE)
    for name in ("logmel", "mfcc"):
        module = extractors.load(name)
        whole = module.extract(clip)
        kept = module.extract(clip, module.Config(trim_db=20.0, loudness_lufs=-23.0))
        assert kept.frames == whole.frames


@pytest.mark.parametrize("target", [-30.0, -16.0])
def test_two_levels_of_one_sound_become_one(target: float) -> None:
    config = extractors.load("logmel").Config(loudness_lufs=target)
    loud, quiet = tone(0.2, 1.0, 0.2), tone(0.2, 1.0, 0.2)
    samples = quiet.samples() * np.float32(0.05)
    quiet = dataclasses.replace(quiet, decode=lambda: [samples])
    for clip in (loud, quiet):
        assert sound.loudness(sound.prepare(clip, config)) == pytest.approx(target, abs=0.01)


def test_loudness_does_not_depend_on_the_blocks() -> None:
    samples = np.random.default_rng(0).standard_normal(RATE * 3).astype(np.float32) * np.float32(0.1)

    def cut(size: int) -> float:
        def blocks() -> Iterator[np.ndarray]:
            return (samples[i : i + size] for i in range(0, len(samples), size))

        return sound.loudness(sound.Sound(RATE, 3.0, 0.0, blocks))

    assert cut(777) == pytest.approx(cut(RATE * 3), abs=1e-9)


def test_frames_equal_a_padded_signal_cut_naively() -> None:
    """The slow twin: pad, then slice frame by frame."""
    rng = np.random.default_rng(1)
    for n, n_fft, hop in ((1, 8, 3), (7, 8, 3), (100, 16, 5), (1000, 64, 64), (513, 32, 40)):
        x = rng.standard_normal(n).astype(np.float32)
        padded = np.pad(x, n_fft // 2)
        slow = [padded[i : i + n_fft] for i in range(0, len(padded) - n_fft + 1, hop)]
        for size in (1, 3, 1000):
            blocks = [x[i : i + size] for i in range(0, n, size)]
            found = np.concatenate([f.copy() for f in spectrum.frames(blocks, n_fft, hop, group=4)])
            assert np.array_equal(found, np.array(slow))


def test_a_wrong_guess_of_the_length_costs_nothing() -> None:
    parts = [np.ones((3, 2), np.float32) * i for i in range(5)]
    for guess in (0, 1, 14, 15, 100):
        assert np.array_equal(spectrum.gather(iter(parts), guess), np.concatenate(parts))


def test_the_second_pass_is_made_only_where_the_first_could_not_be_kept() -> None:
    calls = []

    def make() -> Iterator[np.ndarray]:
        calls.append(1)
        return iter([np.full((10, 1), float(i)) for i in range(5)])

    peak, again = spectrum.with_peak(make, keep=400)
    assert (peak, len(list(again)), len(calls)) == (4.0, 5, 1)
    peak, again = spectrum.with_peak(make, keep=160)
    assert (peak, len(list(again)), len(calls)) == (4.0, 5, 3)


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 9, 30])
def test_the_derivative_of_a_parabola_is_planted(frames: int) -> None:
    t = np.arange(frames, dtype=np.float64)
    values = (3.0 + 2.0 * t + 0.5 * t**2)[:, np.newaxis]
    second = mfcc.delta(values, 2)
    assert np.allclose(second, 1.0 if frames > 2 else 0.0, atol=1e-4)


def test_mel_bands_above_the_rate_are_refused() -> None:
    module = extractors.load("logmel")
    clip = AudioClip.from_array(np.ones(800), 8000)
    with pytest.raises(UsageError, match="high_hz"):
        module.extract(clip, module.Config(sample_rate="native", high_hz=5000.0))


def test_a_pitch_is_found_and_silence_has_none() -> None:
    module = extractors.load("f0")
    found = module.extract(tone(0.5, 0.5, 0.5, hz=150.0))
    voiced = (found.times > 0.6) & (found.times < 0.9)
    assert np.abs(found.values[voiced, 0] - 150).max() < 1.0
    assert (found.values[found.times < 0.4] == (0.0, 1.0)).all()


def test_cqt_refuses_what_does_not_fit() -> None:
    module = extractors.load("chroma")
    clip = dataclasses.replace(tone(0, 0.1, 0), duration_s=7200.0)
    with pytest.raises(InputError, match="longer than"):
        module.extract(clip, module.Config(kind="cqt"))
