"""Cues against speech activity: every way in which a subtitle is usually wrong, and those that must be refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmcli.aligners import pair
from mmcli.aligners.subtitles import activity, curve, places
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.errors import MismatchError
from mmcli.media.clips import AudioClip

RATE = 8000


def programme(seed: int, cues: int = 24) -> np.ndarray:
    """Start and end of cues, float64 (cues, 2), seconds."""
    rng = np.random.default_rng(seed)
    pauses, lengths = rng.uniform(0.4, 3.0, cues), rng.uniform(0.8, 4.0, cues)
    starts = np.cumsum(pauses + np.concatenate([[0.0], lengths[:-1]]))
    return np.column_stack([starts, starts + lengths])


def sound(cues: np.ndarray) -> AudioClip:
    """Noise that is loud inside the cues and soft outside."""
    n = int((cues[-1, 1] + 3) * RATE)
    t = np.arange(n) / RATE
    inside = (np.searchsorted(cues[:, 0], t, side="right") - np.searchsorted(cues[:, 1], t, side="right")) > 0
    samples = np.random.default_rng(9).standard_normal(n) * np.where(inside, 0.1, 0.001)
    return AudioClip.from_array(samples.astype(np.float32), RATE)


def srt(path: Path, cues: np.ndarray) -> Path:
    def stamp(s: float) -> str:
        ms = round(s * 1000)
        return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    blocks = [f"{k}\n{stamp(s)} --> {stamp(e)}\nline {k}\n" for k, (s, e) in enumerate(cues, 1) if s >= 0]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("subtitles")
    cues = programme(1)
    import soundfile

    clip = sound(cues)
    soundfile.write(folder / "programme.wav", clip.samples(), RATE)
    return folder, folder / "programme.wav", cues


@pytest.mark.parametrize(
    ("name", "factor", "shift", "model"),
    [("late", 1.0, 41.7, "offset"), ("television", 25 / 24, 0.0, "affine"), ("slow", 1.005, 2.0, "affine")],
)
def test_a_shifted_or_stretched_subtitle_is_put_right(
    files: tuple[Path, Path, np.ndarray], name: str, factor: float, shift: float, model: str
) -> None:
    folder, media, cues = files
    found = pair.align_files(media, srt(folder / f"{name}.srt", cues * factor + shift))
    assert found.model == model
    mapped = TimeMap(found).to_reference(cues[:, 0] * factor + shift)
    assert np.abs(mapped - cues[:, 0]).max() < 0.03
    if name == "television":
        assert found.rate == 24 / 25
        assert "24/25" in found.quality["reason"]


def test_a_break_is_found_between_the_cues(files: tuple[Path, Path, np.ndarray]) -> None:
    folder, media, cues = files
    query = cues.copy()
    query[12:] += 60.0
    found = pair.align_files(media, srt(folder / "break.srt", query))
    assert found.model == "piecewise"
    assert [b["side"] for b in found.breaks] == ["query"]
    mapped = TimeMap(found).to_reference(query[:, 0])
    assert np.nanmax(np.abs(mapped - cues[:, 0])) < 0.03
    assert np.isfinite(mapped).sum() >= len(cues) - 1


def test_a_break_may_lie_inside_a_cue(files: tuple[Path, Path, np.ndarray]) -> None:
    """The cue runs on until after the inserted material: its end is late by all of it."""
    folder, media, cues = files
    query = cues.copy()
    query[12:] += 60.0
    query[11, 1] += 60.0
    found = pair.align_files(media, srt(folder / "inside.srt", query))
    assert found.model == "piecewise"
    mapped = TimeMap(found).to_reference(query[:, 0])
    assert np.nanmax(np.abs(mapped - cues[:, 0])) < 0.03
    assert np.isfinite(mapped).all()


@pytest.mark.parametrize("other", ["reversed", "foreign"])
def test_a_wrong_subtitle_is_refused(files: tuple[Path, Path, np.ndarray], other: str) -> None:
    folder, media, cues = files
    wrong = cues[-1, 1] + 1 - cues[::-1, ::-1] if other == "reversed" else programme(7)
    with pytest.raises(MismatchError) as refused:
        pair.align_files(media, srt(folder / f"{other}.srt", wrong))
    assert "above all other places" in refused.value.what
    assert refused.value.evidence is not None
    assert refused.value.evidence["value"] < 0.85


def test_a_recording_too_short_for_the_cues_is_refused(files: tuple[Path, Path, np.ndarray]) -> None:
    folder, _, cues = files
    heard = activity.of_cues([(0.5, 1.0)], 3.0)
    with pytest.raises(MismatchError, match="too short for 24 cues"):
        curve.place(heard, cues, name="film.srt")
    brief = srt(folder / "brief.srt", cues[:1])
    brief.write_text(brief.read_text() + "\n".join(f"{k}\n00:00:0{k},000 --> 00:00:0{k},500\nx\n" for k in range(2, 7)))
    with pytest.raises(MismatchError):
        pair.align_files(brief, srt(folder / "whole.srt", cues + 100.0))


def test_a_cue_that_ends_before_it_starts_is_named_and_worked_round(files: tuple[Path, Path, np.ndarray]) -> None:
    folder, media, cues = files
    late = cues + 9.0
    late[7, 1] = late[7, 0] - 2.0
    found = pair.align_files(media, srt(folder / "damaged.srt", late))
    assert found.offset_s == pytest.approx(-9.0, abs=0.02)
    assert f"the cue at {late[7, 0]:.3f} s ended before it began".replace("0 s", " s")[:15] in found.quality["reason"]


def test_cues_of_another_cut_and_rate_are_placed_piece_by_piece(files: tuple[Path, Path, np.ndarray]) -> None:
    """Eight cues a piece are too few to be found one by one: together with a rate they were wandering."""
    folder, media, cues = files
    late = cues.copy()
    late[8:] += 20.0
    late[16:] += 11.0
    found = pair.align_files(media, srt(folder / "cut.srt", late * 24 / 25))
    assert found.model == "piecewise"
    mapped = TimeMap(found).to_reference(late[:, 0] * 24 / 25)
    assert np.nanmax(np.abs(mapped - cues[:, 0])) < 0.05
    assert np.isfinite(mapped).sum() >= len(cues) - 2


@pytest.mark.parametrize(("rate", "offset"), [(1.0, -5.0), (25 / 24, 31.3), (24 / 1.001 / 25, 12.0)])
@pytest.mark.parametrize("hand", [0.05, 0.2, 0.4])
def test_a_hand_that_is_not_steady_changes_no_rate(hand: float, rate: float, offset: float) -> None:
    """Every start and end is off by up to so much, and a seventh of the cues is missing: rates of one in a thousand
    were found, and offsets of 175 ms."""
    cues = programme(2, 90)
    rng = np.random.default_rng(2)
    kept = cues[rng.random(len(cues)) > 1 / 7]
    shown = kept + rng.uniform(-hand, hand, kept.shape)
    shown[:, 1] = np.maximum(shown[:, 1], shown[:, 0] + 0.15)
    heard = activity.of_cues([(s, e) for s, e in cues], float(cues.max()) + 2.0)
    placed = curve.place(heard, (shown - offset) / rate)
    assert placed.rate == rate
    assert [lag for _, _, lag in placed.pieces] == [pytest.approx(offset, abs=0.05)]


def test_captions_without_pauses_are_placed_by_their_starts() -> None:
    """Each is shown until the next one: their curve is flat, and said nothing (27 of 27 real pairs were refused)."""
    spoken = programme(5, cues=40)
    shown = spoken[::2].copy()  # two sentences a caption
    shown[:-1, 1] = shown[1:, 0]
    placed = curve.place(activity.of_cues(spoken.tolist(), float(spoken.max()) + 5.0), shown + 17.0)
    assert placed.rate == 1.0
    assert [lag for _, _, lag in placed.pieces] == [pytest.approx(-17.0, abs=0.1)]
    assert placed.standing.nats > placed.standing.rival + 10.0
    assert placed.standing.nats > placed.standing.curve + 30.0


def test_a_line_begins_after_a_long_pause_rather_than_a_short_one() -> None:
    begins, ends = np.array([1.0, 3.0, 4.0, 5.0]), np.array([2.0, 3.9, 4.9, 6.0])
    weights = places.after_pauses(begins, ends)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[0] == weights[1] == pytest.approx(np.sqrt(10.0) * weights[2])


def test_pieces_are_no_further_ahead_than_of_no_place_at_all() -> None:
    """Cues backwards were accepted in two pieces: 5 nats, where any single place had less than none."""
    standing = places.Standing(5.0, -3.0, 5.0, 5.0)
    whole = curve.ByCurve(1.0, None, [(0, 9, 0.0)], 0.1, 9, 0.1, 0.6, standing)
    parted = curve.ByCurve(1.0, None, [(0, 4, 0.0), (4, 9, 7.0)], 0.1, 9, 0.1, 0.6, standing)
    assert (whole.evidence["ahead"], parted.evidence["ahead"]) == (8.0, 5.0)


def test_two_subtitles_and_a_subtitle_as_reference(files: tuple[Path, Path, np.ndarray]) -> None:
    folder, media, cues = files
    a, b = srt(folder / "a.srt", cues), srt(folder / "b.srt", cues + 12.5)
    assert pair.align_files(a, b).offset_s == pytest.approx(-12.5, abs=0.01)
    assert pair.align_files(b, media).offset_s == pytest.approx(12.5, abs=0.02)
    quick = srt(folder / "quick.srt", cues * 24 / 25)
    for sides, rate, name in (((media, quick), 25 / 24, "25/24"), ((quick, media), 24 / 25, "24/25")):
        found = pair.align_files(*sides)
        assert found.rate == pytest.approx(rate, abs=1e-9)
        assert found.quality["reason"].endswith(f"rate {name}")


def test_activity_follows_the_level_of_its_surroundings() -> None:
    cues = programme(3, cues=12)
    clip = sound(cues)
    samples = clip.samples() * np.linspace(0.02, 1.0, len(clip.samples())).astype(np.float32)
    begins, _ = activity.edges(activity.of_sound(AudioClip.from_array(samples, RATE)))
    distance = np.abs(begins[:, None] - cues[None, :, 0]).min(axis=0)
    assert np.median(distance) < 0.03
