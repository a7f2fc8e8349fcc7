"""Sections of two renditions: parts, repeats left out or played again, ends; and what is no rendition at all."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.aligners.methods import auto
from mmcli.aligners.warp import structure
from mmcli.aligners.warp.sections import Sections
from mmcli.errors import MismatchError
from mmcli.media.clips import AudioClip

RATE = 16_000
NOTE_S = 0.4


def unlike(frames: int, seed: int) -> np.ndarray:
    """Frames of length 1 of which no two are alike."""
    return structure.unit(np.random.default_rng(seed).standard_normal((frames, 12)))


def spans(found: structure.Structure) -> list[tuple[list[int], list[int]]]:
    return [(s.path[0].tolist(), s.path[-1].tolist()) for s in found.sections]


def test_all_of_both_is_one_section() -> None:
    x = unlike(150, 0)
    assert spans(structure.find(x, x, 0.1, 0.8)) == [([0, 0], [149, 149])]


def test_a_repeat_that_one_side_leaves_out_parts_two_sections() -> None:
    x = unlike(180, 0)
    played = np.concatenate([x[:120], x[40:]])  # its frames 40 to 119 twice
    found = structure.find(played, x, 0.1, 0.8)
    assert len(found.sections) == 2
    used = np.concatenate([s.path for s in found.sections])
    assert np.array_equal(used[:, 1], np.arange(180))  # every frame of the score has its partner, once


def test_without_jumps_there_is_one_section() -> None:
    x = unlike(180, 0)
    assert len(structure.find(np.concatenate([x[:120], x[40:]]), x, 0.1, 0.8, jumps=False).sections) == 1


def test_an_excerpt_is_found_where_it_lies() -> None:
    x = unlike(200, 0)
    found = structure.find(x, x[70:130], 0.1, 0.8)
    kept = max(found.sections, key=lambda s: s.gain)
    assert kept.path[[0, -1]].tolist() == [[70, 0], [129, 59]]


def test_an_excerpt_that_begins_with_a_repeat_plays_on_and_does_not_jump() -> None:
    """It began at the first time, for nothing as the file begins there too, and jumped behind the second."""
    a, b = unlike(80, 0), unlike(200, 1)
    played = np.concatenate([a, b[:100], a, b[100:], unlike(60, 2)])  # the excerpt is from its second time on
    found = structure.find(played, np.concatenate([a, b[100:160]]), 0.1, 0.8)
    assert [s.path[[0, -1]].tolist() for s in found.sections] == [[[180, 0], [319, 139]]]


def test_nothing_is_played_more_than_three_times_as_fast() -> None:
    """Frames that stand still would gain at every step along them."""
    still = np.repeat(unlike(1, 0), 100, axis=0)
    for section in structure.find(still, still[:20], 0.1, 0.8).sections:
        if len(section.path) > 1:
            steps = np.diff(section.path, axis=0)
            assert steps.min() >= 1
            assert steps.max() <= 3


def tune(notes: list[int], seconds: float, *, bright: float = 1.0) -> AudioClip:
    """Notes of so many seconds each, with partials and a decay."""
    t = np.arange(round(seconds * RATE)) / RATE
    parts = []
    for note in notes:
        f = 220.0 * 2 ** (note / 12)
        wave = sum(np.sin(2 * np.pi * f * k * t) / k**bright for k in range(1, 6))
        parts.append(wave * np.exp(-3 * t))
    return AudioClip.from_array(np.concatenate(parts).astype(np.float32) / 4, rate=RATE, name="tune.wav")


NOTES = np.random.default_rng(5).integers(0, 24, 60).tolist()


def test_a_repeat_left_out_is_a_break_of_the_map() -> None:
    played, written = tune([*NOTES[:40], *NOTES[20:]], NOTE_S), tune(NOTES, 0.3, bright=1.5)
    m = auto.align(played, written, auto.Config(kind="rendition"))
    assert [b["side"] for b in m.breaks] == ["reference"]
    gap = m.breaks[0]
    assert gap["end"] - gap["start"] == pytest.approx(20 * NOTE_S, abs=0.8)
    assert m.quality["candidates"][0]["evidence"]["sections"] == 2.0


def test_a_score_taken_as_it_is_written_has_no_break() -> None:
    played, written = tune([*NOTES[:40], *NOTES[20:]], NOTE_S), tune(NOTES, 0.3, bright=1.5)
    m = auto.align(played, written, auto.Config(kind="rendition", repeats="written", force=True))
    assert m.breaks == []


def test_an_excerpt_of_a_tune_lies_where_it_was_taken() -> None:
    whole, part = tune(NOTES, NOTE_S), tune(NOTES[15:55], 0.33, bright=1.5)
    m = auto.align(whole, part, auto.Config(kind="rendition", force=True))
    middle = np.interp(20 * 0.33, m.knots[:, 1], m.knots[:, 0])
    assert middle == pytest.approx(35 * NOTE_S, abs=0.2)
    assert max(m.confidence_s or [9.0]) < 1.0


def test_another_tune_is_refused() -> None:
    other = np.random.default_rng(6).integers(0, 24, 60).tolist()
    with pytest.raises(MismatchError):
        auto.align(tune(NOTES, NOTE_S), tune(other, 0.35), auto.Config(kind="rendition"))


def test_evidence_of_a_shuffled_tune_is_low() -> None:
    shuffled = np.random.default_rng(8).permutation(NOTES).tolist()
    right = Sections(tune(NOTES, NOTE_S), tune(NOTES, 0.3, bright=1.5)).evidence()
    wrong = Sections(tune(NOTES, NOTE_S), tune(shuffled, 0.3, bright=1.5)).evidence()
    assert right["gain"] > 1.0 > wrong["gain"]
    assert right["agree"] > 0.95 > wrong["agree"]
