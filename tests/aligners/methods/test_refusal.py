"""A small truth table of pairs that belong together and pairs that do not; the large one is a benchmark."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmcli.aligners import pair
from mmcli.aligners.core import limits, odds
from mmcli.aligners.methods import auto, subtitles
from mmcli.aligners.subtitles import activity
from mmcli.errors import MismatchError
from mmcli.media import open_clip
from mmcli.media.clips import AudioClip

RATE = 16000


def clip(samples: np.ndarray) -> AudioClip:
    return AudioClip.from_array(np.ascontiguousarray(samples), RATE)


def noisy(samples: np.ndarray, snr_db: float) -> np.ndarray:
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64)) / 10 ** (snr_db / 10))
    return (samples + level * np.random.default_rng(0).standard_normal(len(samples))).astype(np.float32)


def digits(sample_data: Path, first: int) -> np.ndarray:
    """Thirty items of the digits in a row."""
    names = sorted((sample_data / "digits/audio").glob("*.ogg"))[first : first + 30]
    return np.concatenate([open_clip(n, "audio").samples(RATE) for n in names])


@pytest.mark.parametrize("name", ["reading_retimed.ogg", "reading_shifted.ogg"])
def test_a_copy_in_noise_is_accepted(speech: np.ndarray, sample_data: Path, name: str) -> None:
    copy = open_clip(sample_data / "reading" / name, "audio").samples(RATE)
    assert auto.align(clip(speech), clip(noisy(copy, 10))).quality["verdict"] == "match"


@pytest.mark.parametrize("other", ["digits", "other digits", "film"])
def test_a_stranger_is_refused(speech: np.ndarray, sample_data: Path, other: str) -> None:
    x = digits(sample_data, 300) if other == "other digits" else speech
    y = {
        "digits": lambda: digits(sample_data, 0),
        "other digits": lambda: digits(sample_data, 0),
        "film": lambda: open_clip(sample_data / "clip/bunny.mp4", "audio").samples(RATE),
    }[other]()
    with pytest.raises(MismatchError):
        auto.align(clip(x), clip(y))


@pytest.mark.needs("espeak-ng")
def test_a_synthetic_voice_that_reads_the_same_text_is_accepted(sample_data: Path, tmp_path: Path) -> None:
    """A person and espeak-ng share neither spectra nor pitch; what is said is the same, and in another order not."""
    subprocess.run(
        ["espeak-ng", "-s", "140", "-f", str(sample_data / "reading/transcript.txt"), "-w", str(tmp_path / "b.wav")],
        check=True,
    )
    person, voice = open_clip(sample_data / "reading/reading.flac", "audio"), open_clip(tmp_path / "b.wav", "audio")
    found = auto.align(person, voice)
    assert "taken for two voices" in found.quality["reason"]

    said = voice.samples(RATE)
    half = len(said) // 2
    with pytest.raises(MismatchError, match="match"):
        auto.align(person, clip(np.concatenate([said[half:], said[:half]])[::-1]))


def test_one_of_two_ratios_alone_does_not_accept(speech: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece backwards had spectra at 0.73 of chance, pitch classes at 1.07: the smaller one accepted it."""
    ratios = iter([0.73, 1.07])
    monkeypatch.setattr(auto, "_tested", lambda view, opened: SimpleNamespace(ratio=next(ratios), covered=1.0))
    with pytest.raises(MismatchError) as refused:
        auto.align(clip(speech), clip(speech[::-1]))
    assert refused.value.evidence is not None
    warped = next(c for c in refused.value.evidence["candidates"] if c["decision"] == "warp")
    assert warped["evidence"]["spectra"] == 0.73
    assert warped["probability"] < limits.NO.value


def test_a_subtitle_that_lacks_every_second_cue_stands_out_and_a_foreign_one_does_not() -> None:
    """What is spoken far behind a cue counted against it: with cues missing, the right one looked like any."""

    def programme(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        pauses, lengths = rng.uniform(0.3, 1.0, 18), rng.uniform(1.0, 6.0, 18)
        starts = np.cumsum(pauses + np.concatenate([[0.0], lengths[:-1]]))
        return np.column_stack([starts, starts + lengths])

    cues = programme(2)
    heard = activity.of_cues([(s, e) for s, e in cues], float(cues.max()))
    assert belongs(heard, cues[::2]) == "match"
    assert belongs(heard, programme(22)) != "match"
    assert belongs(heard, cues.max() - cues[::-1, ::-1]) != "match"


def test_cues_joined_two_by_two_stand_out_and_so_do_those_with_a_break() -> None:
    rng = np.random.default_rng(3)
    pauses, lengths = rng.uniform(0.4, 2.0, 28), rng.uniform(1.0, 4.0, 28)
    starts = np.cumsum(pauses + np.concatenate([[0.0], lengths[:-1]]))
    cues = np.column_stack([starts, starts + lengths])
    heard = activity.of_cues([(s, e) for s, e in cues], float(cues.max()))
    joined = np.column_stack([cues[:-1:2, 0], cues[1::2, 1]])
    assert belongs(heard, joined) == "match"
    broken = cues.copy()
    broken[14:] += 30.0
    assert belongs(heard, broken) == "match"
    assert belongs(heard, joined.max() - joined[::-1, ::-1]) != "match"


def belongs(heard: np.ndarray, cues: np.ndarray) -> str:
    """The verdict on cues (k, 2) against a curve of speech activity."""
    listed = [(float(s), float(e), "") for s, e in cues]
    return odds.verdict(subtitles.placed(heard, listed, name="a.srt", force=True).probability)


def test_a_refusal_names_the_file_whatever_was_compared(tmp_path: Path) -> None:
    """Frames do not know what they were made from: of two series and of two films the message named none."""
    for seed, name in enumerate(("a.csv", "b.csv")):
        rows = np.random.default_rng(seed).standard_normal((400, 3)).cumsum(axis=0)
        table = np.column_stack([np.arange(400) / 50, rows])
        np.savetxt(tmp_path / name, table, delimiter=",", header="time,x,y,z", comments="")
    with pytest.raises(MismatchError) as refused:
        pair.align_files(tmp_path / "a.csv", tmp_path / "b.csv")
    assert str(refused.value).startswith("b.csv: does not match the reference")
