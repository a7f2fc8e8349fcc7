"""How exactly a place can be said: to a sample where one arrival stands out, to the reach of a room otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import fftconvolve

from mmcli.aligners.linear import fit, phase
from mmcli.aligners.methods import auto
from mmcli.artifacts.formats.features import Features
from mmcli.media.clips import AudioClip

RATE = 16000


def sides(speech: np.ndarray, answer: np.ndarray) -> tuple[fit.Material, fit.Material]:
    """A recording, and what a room that answers a click so makes of it from 3 s on."""
    heard = fftconvolve(speech, answer)[3 * RATE : len(speech)].astype(np.float32)
    return fit.materials(AudioClip.from_array(speech, RATE), AudioClip.from_array(heard, RATE))


def placed(speech: np.ndarray) -> list[np.ndarray]:
    end = len(speech) / RATE
    return [np.array([[3.0, 0.0], [end, end - 3.0]])]


def test_a_plain_copy_is_placed_to_a_sample(speech: np.ndarray) -> None:
    assert phase.spread(*sides(speech, np.ones(1)), placed(speech)) == pytest.approx(1 / RATE)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_reflection_as_strong_as_the_direct_sound_reaches_as_far_as_it_is_late(speech: np.ndarray, sign: int) -> None:
    answer = np.zeros(200)
    answer[0], answer[48] = 1.0, 1.2 * sign  # 3 ms later, and stronger
    reach = phase.spread(*sides(speech, answer), placed(speech))
    assert reach == pytest.approx(0.003, abs=2 / RATE)
    clip = AudioClip.from_array(speech, RATE)
    copy = AudioClip.from_array(fftconvolve(speech, answer)[3 * RATE : len(speech)].astype(np.float32), RATE)
    found = auto.align(clip, copy)
    assert found.offset_s is not None
    assert found.confidence_s is not None
    assert abs(found.offset_s - 3.0) <= min(found.confidence_s)  # either arrival may be the moment
    assert max(found.confidence_s) < 0.005


def test_what_is_not_heard_about_a_place_says_nothing(speech: np.ndarray) -> None:
    x, y = sides(speech, np.ones(1))
    elsewhere = [s + np.array([[1.0, 0.0], [-1.0, -2.0]]) for s in placed(speech)]
    assert phase.spread(x, y, elsewhere) is None


@pytest.mark.parametrize(("modality", "least"), [("video", 0.04), ("series", 0.0)])
def test_a_picture_is_of_any_moment_that_it_is_shown_for(modality: str, least: float) -> None:
    values = np.random.default_rng(0).standard_normal((400, 16)).cumsum(axis=0).astype(np.float32)
    x, y = (
        Features(values=v, times=0.04 * np.arange(len(v)), meta={"modality": modality}) for v in (values, values[50:])
    )
    found = auto.align(x, y)
    assert found.offset_s == pytest.approx(2.0, abs=0.01)
    assert found.confidence_s is not None
    assert min(found.confidence_s) >= least
    assert max(found.confidence_s) < 0.04 or least > 0
