"""Word edges: pauses belong to no word, the closure of a stop to the word that the decoder gave it to."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.aligners.speech import edges

RATE = 16000


def sound(*loud: tuple[float, float], seconds: float = 4.0) -> np.ndarray:
    """Noise that is loud in the given stretches and 50 dB softer elsewhere."""
    samples = np.random.default_rng(0).standard_normal(int(seconds * RATE)) * 3e-4
    for start, end in loud:
        samples[int(start * RATE) : int(end * RATE)] *= 300
    return samples


def test_a_word_that_was_given_the_pause_before_it_begins_with_its_sound() -> None:
    level = edges.levels(sound((1.0, 1.4), (1.6, 2.0)), RATE)
    found = edges.drawn_in([(0.93, 1.4), (1.5, 2.1)], level)
    assert np.ravel(found).tolist() == pytest.approx([1.0, 1.4, 1.6, 2.0], abs=0.015)


def test_quiet_too_short_for_a_pause_stays_with_its_word() -> None:
    level = edges.levels(sound((1.0, 1.4), (1.46, 2.0)), RATE)
    found = edges.drawn_in([(1.0, 1.4), (1.4, 2.0)], level)
    assert found[0][1] == 1.4
    assert found[1][0] == 1.4


def test_an_edge_moves_by_a_fifth_of_a_second_at_most_and_silence_moves_none() -> None:
    level = edges.levels(sound((2.0, 2.4)), RATE)
    assert edges.drawn_in([(1.5, 2.4)], level)[0][0] == pytest.approx(1.7)
    assert edges.drawn_in([(0.2, 0.9)], np.full(800, -80.0)) == [(0.2, 0.9)]


def test_a_short_first_word_stands_behind_the_longer_pause():
    lines = [[(0.5, 1.0)], [(1.02, 1.06), (1.6, 2.0), (2.0, 2.3)]]
    assert edges.led_in(lines) == [lines[0], [(1.6, 1.64), (1.64, 2.0), (2.0, 2.3)]]


def test_a_first_word_stays_that_a_pause_goes_before_or_that_is_no_article():
    for first in ((1.4, 1.44), (1.02, 1.3)):
        lines = [[(0.5, 1.0)], [first, (1.6, 2.0)]]
        assert edges.led_in(lines) == lines
    assert edges.led_in([[], [(1.0, 1.04)], []]) == [[], [(1.0, 1.04)], []]
