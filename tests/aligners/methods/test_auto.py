"""The model that is chosen, the breaks that are found, the pairs that are refused, and the intervals' promise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soxr

from mmcli.aligners import pair
from mmcli.aligners.core import limits, sides
from mmcli.aligners.linear import rates
from mmcli.aligners.methods import auto
from mmcli.aligners.output import stretch
from mmcli.artifacts.formats import alignment
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.errors import MismatchError
from mmcli.media import midi, open_clip
from mmcli.media.clips import AudioClip

RATE = 16000


def clip(samples: np.ndarray) -> AudioClip:
    return AudioClip.from_array(samples, RATE)


def noise(n: int, level: float, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def test_a_cut_piece_is_an_offset_and_the_drift_of_a_clock_a_rate(speech: np.ndarray) -> None:
    part = auto.align(clip(speech), clip(speech[5 * RATE : 15 * RATE]))
    assert part.model == "offset"
    assert part.offset_s == pytest.approx(5.0, abs=1e-3)
    drifting = auto.align(clip(speech), clip(soxr.resample(speech, RATE * 1.0003, RATE)))
    assert drifting.model == "affine"
    assert drifting.ppm == pytest.approx(300, abs=10)


def test_a_query_around_the_reference_is_searched_the_other_way(speech: np.ndarray) -> None:
    found = auto.align(clip(speech[8 * RATE : 17 * RATE]), clip(speech + noise(len(speech), 0.002)))
    assert found.model == "offset"
    assert found.offset_s == pytest.approx(-8.0, abs=1e-3)


@pytest.mark.parametrize("name", ["25/24", "23.976/25", "1000/1001"])
def test_a_known_rate_is_named_and_taken_exactly(speech: np.ndarray, name: str) -> None:
    rate = rates.NAMED[name]
    found = auto.align(clip(speech), clip(soxr.resample(speech, RATE * rate, RATE)))
    assert found.model == "affine"
    assert found.rate == rate
    assert f"rate {name}" in found.quality["reason"]


@pytest.mark.parametrize("ppm", [900, 1300])
def test_a_rate_near_a_known_one_keeps_its_own_value(speech: np.ndarray, ppm: int) -> None:
    """100 ppm beside 1001/1000 are a third of a second an hour, and 2.6 ms in this file."""
    found = auto.align(clip(speech), clip(soxr.resample(speech, RATE * (1 + ppm * 1e-6), RATE)))
    assert found.ppm == pytest.approx(ppm, abs=15)
    assert "rate" not in found.quality["reason"]


@pytest.mark.parametrize("seed", [2, 5, 8])
def test_a_slope_that_chance_explains_is_no_known_rate(speech: np.ndarray, seed: int) -> None:
    """Pieces of 1.5 s, each some milliseconds early or late, by chance the last ones late: it looked like 1001/1000."""
    late = np.random.default_rng(seed).normal(0, 0.006 * RATE, 16).astype(np.int64)
    pieces = np.array_split(np.arange(RATE, len(speech) - RATE), len(late))
    moved = np.concatenate([speech[p + shift] for p, shift in zip(pieces, late.tolist(), strict=True)])
    found = auto.align(clip(speech), clip(moved))
    assert "rate" not in found.quality["reason"]
    off = np.abs(TimeMap(found).to_reference([1.0, 12.0, 23.0]) - [2.0, 13.0, 24.0])
    assert (off < 0.02).all()
    assert max(found.confidence_s) > 0.003


def test_the_kind_of_a_pair_can_be_told(sample_data: Path) -> None:
    folder = sample_data / "reading"
    clips = [open_clip(folder / n, "audio") for n in ("reading.flac", "reading_retimed.ogg")]
    said = {"same": "taken for one recording twice", "rendition": "taken for two renditions"}
    found = {kind: auto.align(*clips, auto.Config(kind=kind)) for kind in said}  # type: ignore[arg-type]
    for kind, words in said.items():
        assert words in found[kind].quality["reason"]
    width = {kind: np.mean(f.confidence_s or 0.0) for kind, f in found.items()}
    assert width["rendition"] > 1.2 * width["same"]


def test_two_renditions_of_a_piece_meet_note_for_note_within_their_interval() -> None:
    """Other tempo and loudness, a room, soft noise: without the onsets of single semitones notes went astray."""
    rng = np.random.default_rng(3)
    n = 90
    start = 0.4 + np.cumsum(rng.choice([0.125, 0.25], n))
    pitch = 60 + rng.choice([-12, -7, -5, 0, 2, 4, 5, 7, 9, 12], n)
    pace = np.exp(np.interp(start, np.linspace(0, start[-1], 9), rng.uniform(-0.3, 0.3, 9)) + rng.normal(0, 0.15, n))
    played = 0.9 + np.concatenate([[0.0], np.cumsum(np.diff(start) * pace[1:])])

    def tones(at: np.ndarray, held: float, velocity: np.ndarray) -> np.ndarray:
        score = midi.Score("piece", at, at + held, pitch, velocity, np.zeros(n, dtype=np.int64))
        return np.asarray(sides.sounded(score).samples(RATE))

    query = tones(start, 0.2, np.full(n, 80))
    loud = tones(played, 0.8, rng.integers(40, 110, n))
    echo = 0.6 * rng.standard_normal(RATE) * np.exp(-np.arange(RATE) / (0.2 * RATE)) / 40
    echo[0] = 1.0
    heard = np.convolve(loud, echo)[: len(loud)].astype(np.float32)
    found = auto.align(clip(heard + noise(len(heard), 0.01)), clip(query), auto.Config(kind="rendition"))
    error = np.abs(TimeMap(found).to_reference(start) - played)
    half = np.interp(played, found.knots[:, 0], np.array(found.confidence_s))
    assert np.nanmean(error) < 0.011
    assert np.nanmax(error) < 0.06
    assert np.mean(error <= half) >= 0.8


@pytest.mark.parametrize("pace", [0.55, 1.7])
def test_a_rendition_at_another_pace_is_whole_and_not_a_part(pace: float) -> None:
    """A side much shorter than the other was always taken for a part of it: slow performances of scores were lost."""
    rng = np.random.default_rng(4)
    start = 0.4 + np.cumsum(rng.choice([0.15, 0.3, 0.45], 70))
    pitch = 60 + rng.choice([-12, -7, -5, 0, 2, 4, 5, 7, 9, 12], 70)

    def tones(at: np.ndarray, velocity: np.ndarray) -> AudioClip:
        score = midi.Score("piece", at, at + 0.3 / pace, pitch, velocity, np.zeros(70, dtype=np.int64))
        return clip(np.asarray(sides.sounded(score).samples(RATE)))

    played = start / pace + rng.normal(0, 0.01, 70)
    found = auto.align(tones(played, rng.integers(40, 110, 70)), tones(start, np.full(70, 80)))
    error = np.abs(TimeMap(found).to_reference(start) - played)
    assert np.nanmean(error) < 0.02
    assert np.isfinite(error).all()


def test_a_part_of_a_rendition_is_found_as_a_part() -> None:
    """The last third of the score against the whole performance."""
    rng = np.random.default_rng(4)
    start = 0.4 + np.cumsum(rng.choice([0.15, 0.3, 0.45], 90))
    pitch = 60 + rng.choice([-12, -7, -5, 0, 2, 4, 5, 7, 9, 12], 90)
    zeros = np.zeros(90, dtype=np.int64)
    played = 1.2 * start + rng.normal(0, 0.01, 90)
    whole = sides.sounded(midi.Score("whole", played, played + 0.3, pitch, zeros + 80, zeros))
    late = start[60:] - start[60] + 0.3
    part = sides.sounded(midi.Score("part", late, late + 0.3, pitch[60:], zeros[60:] + 90, zeros[60:]))
    found = auto.align(whole, part, auto.Config(kind="rendition"))
    assert np.nanmean(np.abs(TimeMap(found).to_reference(late) - played[60:])) < 0.02


def test_a_cut_and_an_insertion_are_listed_as_breaks(speech: np.ndarray) -> None:
    a, b, c = 9 * RATE, 13 * RATE, 19 * RATE
    query = np.concatenate([speech[:a], speech[b:c], noise(3 * RATE, 0.05), speech[c:]])
    found = auto.align(clip(speech), clip(query))
    assert found.model == "piecewise"
    assert [g["side"] for g in found.breaks] == ["reference", "query"]
    assert [g["start"] for g in found.breaks] == pytest.approx([9.0, 15.0], abs=0.1)
    assert [g["end"] for g in found.breaks] == pytest.approx([13.0, 18.0], abs=0.1)
    assert np.isnan(TimeMap(found).to_query(11.0))
    assert TimeMap(found).to_query(22.0) == pytest.approx(21.0, abs=0.002)


def test_a_soft_noisy_stretch_beside_a_cut_keeps_its_partner(sample_data: Path) -> None:
    """Such frames agree less than loud ones; they were taken for a stretch without partner, ten seconds of them."""
    names = sorted((sample_data / "digits/audio").glob("*.ogg"))[:40]
    words = np.concatenate([open_clip(n, "audio").samples(RATE) for n in names])
    query = np.concatenate([words[: int(12.8 * RATE)], words[int(18.8 * RATE) :]])
    level = 0.1 * float(np.sqrt(np.mean(query.astype(np.float64) ** 2)))
    found = auto.align(clip(words), clip(query + noise(len(query), level, seed=2)))
    assert found.model == "piecewise"
    assert [g["side"] for g in found.breaks] == ["reference"]
    assert found.breaks[0]["end"] - found.breaks[0]["start"] == pytest.approx(6.0, abs=0.02)
    assert found.breaks[0]["start"] == pytest.approx(12.8, abs=0.1)


def test_a_reference_that_repeats_itself_makes_the_map_ambiguous(speech: np.ndarray) -> None:
    part = speech[: 12 * RATE]
    twice = np.concatenate([part, speech[12 * RATE : 18 * RATE], part])
    query = clip(part + noise(len(part), 0.002))
    with pytest.raises(MismatchError, match="fits nearly as well"):
        auto.align(clip(twice), query)
    found = auto.align(clip(twice), query, auto.Config(force=True))
    assert found.ambiguous is not None
    assert found.ambiguous["side"] == "reference"
    assert abs(found.ambiguous["shift_s"]) == pytest.approx(18.0, abs=0.02)
    assert "ambiguous" in found.quality["reason"]
    turned = auto.align(query, clip(twice), auto.Config(force=True))
    assert turned.ambiguous is not None
    assert turned.ambiguous["side"] == "query"


def test_a_repeat_of_a_part_of_the_query_leaves_the_map_certain(speech: np.ndarray) -> None:
    twice = np.concatenate([speech[: 12 * RATE], speech[: 12 * RATE], speech[12 * RATE :]])
    assert auto.align(clip(twice), clip(speech[2 * RATE :])).ambiguous is None


def test_a_retimed_copy_is_a_warp_within_its_interval(sample_data: Path) -> None:
    folder = sample_data / "reading"
    clips = [open_clip(folder / n, "audio") for n in ("reading.flac", "reading_retimed.ogg")]
    found = auto.align(*clips)
    assert found.model == "warp"
    assert found.runner_up is not None
    assert found.runner_up["model"] in ("offset", "affine", "piecewise")
    truth = TimeMap(np.array(json.loads((folder / "truth.json").read_text())["knots"]))
    t = np.arange(0.2, 26.5, 0.1)
    error = np.abs(TimeMap(found).to_query(t) - truth.to_query(t))
    assert error.mean() < 0.004
    half = np.interp(t, found.knots[:, 0], np.array(found.confidence_s))
    assert 0.85 <= np.mean(error <= half) <= 1.0
    assert 2 * half.mean() < 0.045


def test_a_retimed_copy_is_no_row_of_pieces(sample_data: Path) -> None:
    """Digits at a pace that wanders by 15 %: pieces hold two seconds each, and most of it is heard beside them."""
    files = sorted((sample_data / "digits" / "audio").glob("*.ogg"))[:40]
    x = np.concatenate([open_clip(f, "audio").samples(RATE) for f in files])
    t = np.arange(0.0, len(x) / RATE, 0.25)
    anchors = np.arange(0.0, len(x) / RATE + 4.0, 3.0)
    pace = np.interp(t, anchors, np.random.default_rng(109).uniform(-0.15, 0.15, len(anchors)))
    at = np.concatenate([[0.0], np.cumsum(0.25 * np.exp(pace[:-1]))])
    y = stretch.retimed(x, RATE, TimeMap(np.column_stack([at, t])))
    found = auto.align(clip(x), clip(y))
    assert found.model == "warp"
    assert found.quality["verdict"] == "match"
    shown = slice(4, -4)
    assert np.median(np.abs(TimeMap(found).to_reference(at[shown]) - t[shown])) < 0.02


def test_strangers_and_the_time_reversed_are_refused_with_the_evidence(speech: np.ndarray) -> None:
    for other in (speech[::-1], noise(len(speech), 0.1)):
        with pytest.raises(MismatchError) as refused:
            auto.align(clip(speech), clip(np.ascontiguousarray(other)))
        assert refused.value.evidence["statistic"] == "probability"
        assert refused.value.evidence["value"] < 0.15
        assert refused.value.hint == "--force makes a map all the same"


def test_force_makes_a_map_and_says_that_it_does_not_match(speech: np.ndarray) -> None:
    found = auto.align(clip(speech), clip(speech[::-1].copy()), auto.Config(force=True))
    assert found.quality["verdict"] == "no match (forced)"
    assert found.quality["probability"] < limits.NO.value


def test_series_of_another_source_are_refused() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 3)).cumsum(axis=0)
    warped = x[np.clip((np.arange(360) * 0.9 + 8 * np.sin(np.arange(360) / 40)).astype(int), 0, 299)]
    assert auto.align(x, warped).quality["verdict"] == "match"
    with pytest.raises(MismatchError):
        auto.align(rng.standard_normal((300, 3)), rng.standard_normal((300, 3)))


@pytest.mark.parametrize("hop", [0.001, 0.01, 0.1, 1.0, 3600.0])
def test_of_a_series_at_any_rate_a_cut_is_an_offset_and_a_wandering_pace_a_warp(hop: float) -> None:
    """Its steps are what it has, not seconds: a reading an hour is as good as a thousand a second."""
    rng = np.random.default_rng(0)
    bump = np.hanning(15) / np.hanning(15).sum()
    source = np.column_stack([np.convolve(rng.standard_normal(1900), bump, "same") for _ in range(3)])
    q = np.arange(1000)
    wandering = 50 + q + 20 * np.sin(q / 130)
    known = {"offset": 97.0 + q, "warp": wandering}

    def series(at: np.ndarray) -> Features:
        values = np.column_stack([np.interp(at, np.arange(len(source)), c) for c in source.T])
        values += 0.05 * rng.standard_normal(values.shape)
        return Features(values=values.astype(np.float32), times=np.arange(len(at)) * float(hop), meta={})

    reference = series(np.arange(1500.0))
    for model, truth in known.items():
        found = auto.align(reference, series(truth))
        assert found.model == model
        error = np.abs(TimeMap(found).to_reference(q * hop) / hop - truth)
        assert np.nanpercentile(error, 95) < 2
        if model == "offset":
            assert found.confidence_s is not None
            assert np.abs(np.array(found.confidence_s)).max() < hop


def test_features_of_a_retimed_recording_are_no_line(sample_data: Path) -> None:
    """Windows of ten seconds agree with a line across the warp: what lies inside them does not."""
    reading = sample_data / "reading"
    found = pair.align_files(reading / "reading.flac", reading / "reading_retimed.ogg", feature="mfcc")
    assert found.model == "warp"
    assert found.runner_up is not None
    assert found.runner_up["model"] in ("offset", "affine", "piecewise")
    truth = TimeMap(alignment.load(reading / "truth.json"))
    t = np.arange(1.0, 26.0, 0.1)
    assert np.nanmean(np.abs(TimeMap(found).to_reference(t) - truth.to_reference(t))) < 0.03
