"""Plain wav files read without a library are read as libsndfile reads them, or left to it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmcli.errors import MediaError, MmcliError
from mmcli.media import MediaOptions, open_clip, wav


def written(path: Path, channels: int = 1, frames: int = 70_001, subtype: str = "PCM_16") -> Path:
    rng = np.random.default_rng(channels)
    soundfile.write(path, rng.uniform(-1, 1, (frames, channels)), 8000, subtype=subtype)
    return path


def looked(path: Path) -> wav.Layout | None:
    data = path.read_bytes()
    return wav.layout(data[: wav.LOOK], len(data))


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_the_samples_are_those_of_libsndfile(tmp_path: Path, channels: int) -> None:
    path = written(tmp_path / "a.wav", channels)
    data, rate = soundfile.read(path, dtype="float32", always_2d=True)

    assert looked(path) == wav.Layout(rate, channels, len(data), 44)
    np.testing.assert_array_equal(open_clip(path, "audio").samples(), data.mean(axis=1, dtype=np.float32))
    last = open_clip(path, "audio", options=MediaOptions(channel=channels - 1, start=1.0, end=2.5))
    np.testing.assert_array_equal(last.samples(), data[8000:20_000, -1])


def test_chunks_before_the_data_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    before, data = path.read_bytes()[:36], path.read_bytes()[36:]
    path.write_bytes(before + b"LIST" + (5).to_bytes(4, "little") + b"notes\0" + data)

    assert looked(path) == wav.Layout(8000, 1, 70_001, 58)
    np.testing.assert_array_equal(open_clip(path, "audio").samples(), soundfile.read(path, dtype="float32")[0])


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM"])
def test_other_codecs_are_left_to_the_library(tmp_path: Path, subtype: str) -> None:
    path = written(tmp_path / "a.wav", subtype=subtype)

    assert looked(path) is None
    assert len(open_clip(path, "audio").samples()) >= 70_001


def test_what_is_cut_short_is_left_to_the_library_which_refuses_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:-1000])

    assert looked(path) is None
    with pytest.raises(MediaError, match="truncated"):
        open_clip(path, "audio")


def test_a_file_that_shrinks_after_it_was_opened_is_truncated(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    clip = open_clip(path, "audio")
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(MediaError, match="truncated"):
        clip.samples()


def test_no_damage_is_read_as_something_else_than_the_library_reads(tmp_path: Path) -> None:
    """2,000 files with one to three bytes of the first 60 changed: the same samples, or not plain."""
    whole = written(tmp_path / "a.wav", channels=2, frames=200).read_bytes()
    path = tmp_path / "b.wav"
    rng = random.Random(0)
    plain = 0
    for _ in range(2000):
        mutant = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            mutant[rng.randrange(60)] = rng.randrange(256)
        path.write_bytes(mutant)
        where = looked(path)
        if where is None:
            continue
        plain += 1
        try:
            found = open_clip(path, "audio").samples()
        except MmcliError:
            continue  # a rate that nothing has
        data, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert (where.rate, where.channels) == (rate, data.shape[1])
        np.testing.assert_array_equal(found, data.mean(axis=1, dtype=np.float32))
    assert plain > 100
