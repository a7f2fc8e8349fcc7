"""Offset and drift, found in sound and in frames, against planted answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr

from mmcli.aligners.linear import consensus, fit, rates, windows
from mmcli.aligners.methods import affine, offset
from mmcli.errors import MismatchError
from mmcli.media import open_clip
from mmcli.media.clips import AudioClip

RATE = 16000


def clip(samples: np.ndarray) -> AudioClip:
    return AudioClip.from_array(samples, RATE)


@pytest.mark.parametrize("shift", [-3.2071, 0.0, 7.5])
def test_a_shifted_noisy_copy_is_found_to_half_a_millisecond(speech: np.ndarray, shift: float) -> None:
    noise = np.random.default_rng(0).standard_normal(len(speech) + RATE * 8).astype(np.float32)
    level = np.sqrt(np.mean(speech**2) / 10)
    n = round(abs(shift) * RATE)
    query = speech[n:] if shift >= 0 else np.concatenate([np.zeros(n, np.float32), speech])
    found = offset.align(clip(speech), clip(query + level * noise[: len(query)]))
    assert found.offset_s == pytest.approx(shift, abs=5e-4)
    assert found.rate == 1.0


@pytest.mark.parametrize("ppm", [145.0, -900.0, 5000.0, 41666.7])
def test_a_drift_is_found_to_a_few_millionths(speech: np.ndarray, ppm: float) -> None:
    """41,667 ppm is 25/24, film at television speed."""
    rate = 1 + ppm * 1e-6
    faster = soxr.resample(np.concatenate([np.zeros(2 * RATE, np.float32), speech]), RATE * rate, RATE)
    found = affine.align(clip(speech), clip(faster))
    assert found.ppm == pytest.approx(ppm, abs=20)
    assert found.offset_s == pytest.approx(-2.0, abs=1e-3)
    assert found.knots[0, 1] == pytest.approx(2.0 / rate, abs=1e-3)


def test_a_shifted_sample_file_is_within_five_milliseconds(sample_data: Path) -> None:
    clips = [open_clip(sample_data / "reading" / n, "audio") for n in ("reading.flac", "reading_shifted.ogg")]
    assert offset.align(*clips).offset_s == pytest.approx(1.37, abs=0.005)


def test_frames_alone_are_found_within_a_frame() -> None:
    x = np.random.default_rng(0).standard_normal((500, 8)).cumsum(axis=0)
    y = x[120:400] + 0.1 * np.random.default_rng(1).standard_normal((280, 8))
    assert offset.align(x, y).offset_s == pytest.approx(120, abs=0.2)


def test_windows_locked_onto_repeats_do_not_bend_the_line() -> None:
    """Two of nine windows 5 s and 8 s away: least squares gave -3,606 ppm for a truth of 145."""
    t = np.arange(9) * 25.0
    lag = 4.204 + 145e-6 * t
    lag[2] += 5.0
    lag[6] -= 8.0
    found = consensus.line(t, lag, np.ones(9), 0.008)
    assert found.slope == pytest.approx(145e-6, abs=1e-9)
    assert found.agree.sum() == 7


def test_phase_sees_a_fraction_of_a_sample() -> None:
    rng = np.random.default_rng(0)
    fine = soxr.resample(rng.standard_normal(40000), 8000, 80000)
    reference, query = fine[0::10], fine[8003::10][:16000]
    at, z = windows.delay(reference, query, 8000.0)
    assert at == pytest.approx(0.1000375, abs=2e-5)
    assert z > 20


def test_phase_of_strangers_does_not_stand_out() -> None:
    rng = np.random.default_rng(0)
    z = [windows.delay(rng.standard_normal(9000), rng.standard_normal(6000), 8000.0)[1] for _ in range(40)]
    assert max(z) < 6.0


def test_silence_and_a_constant_are_refused() -> None:
    with pytest.raises(MismatchError):
        offset.align(np.ones((50, 2)), np.random.default_rng(0).standard_normal((50, 2)).cumsum(axis=0) * 0)


def test_sound_against_frames_is_refused(speech: np.ndarray) -> None:
    with pytest.raises(MismatchError):
        offset.align(clip(speech), np.zeros((50, 2)))


@pytest.mark.parametrize("name", ["25/24", "24/25"])
def test_slow_frames_at_another_rate_are_followed_to_their_rate(name: str) -> None:
    """Frames that change slowly fit nearly as well at a rate that is 1 % off: the rate found is not where the rounds of
    measuring end, but the best."""
    rate = rates.NAMED[name]
    t = np.arange(0, 30, 1 / 24)
    rng = np.random.default_rng(4)
    curves = [np.interp(np.arange(0, 40, 0.01), np.arange(0, 44, 4.0), rng.standard_normal(11)) for _ in range(24)]

    def seen(at: np.ndarray) -> fit.Material:
        values = np.column_stack([np.interp(at, np.arange(0, 40, 0.01), c) for c in curves])
        return fit.Material(values, np.arange(len(at)) / 24, {"name": "curves"})

    x, y = seen(t), seen(3.0 + rate * np.arange(0, 24, 1 / 24))
    found = fit.best_line(x, y, window_s=10.0, step_s=4.0)
    ends = np.array([0.0, 24.0])
    np.testing.assert_allclose(found.offset_s + found.rate * ends, 3.0 + rate * ends, atol=1 / 24)
