"""Recordings of the Lab Streaming Layer, made chunk by chunk and read as pyxdf reads them."""

from __future__ import annotations

import json
import logging
import struct

import numpy as np
import pytest
import soundfile

from mmcli.artifacts.formats import features
from mmcli.cli.app import run
from mmcli.errors import MediaError
from mmcli.media import MediaOptions, modality_of, open_clip

from . import xdf_files as xdf

pyxdf = pytest.importorskip("pyxdf")

RATE, N = 100.0, 400
BEGUN = 5000.0  # seconds since some computer was started
LABELS = ("left", "right")


def values(n: int = N) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)


def recorded(path, stamps: np.ndarray, *more: bytes, form: str = "float32", size: int = 32):
    """A stream of two channels, some samples a chunk, beside markers that began two seconds before it."""
    given = values(len(stamps)) * (1000 if form == "int16" else 1)
    parts = [
        xdf.samples(1, given[k : k + size], stamps[k : k + size], form, every=size) for k in range(0, len(stamps), size)
    ]
    return xdf.write(
        path,
        xdf.header(1, "amplifier", "EEG", form, 2, RATE, LABELS),
        xdf.header(2, "marks", "Markers", "string", 1, 0.0),
        xdf.marker(2, "begin", BEGUN - 2),
        *parts,
        *more,
        xdf.footer(1),
    )


def even(n: int = N) -> np.ndarray:
    return BEGUN + np.arange(n) / RATE


def series(path, track: int | None = None):
    return open_clip(path, "series", options=MediaOptions(track=track))


@pytest.mark.parametrize("form", ["float32", "double64", "int16", "int32"])
def test_a_stream_is_read_as_pyxdf_reads_it_and_stands_on_the_clock_of_all(tmp_path, form):
    path = recorded(tmp_path / "a.xdf", even(), form=form)
    clip = series(path)
    (eeg, _), _ = pyxdf.load_xdf(path)
    np.testing.assert_array_equal(clip.values, eeg["time_series"])
    np.testing.assert_allclose(clip.times, eeg["time_stamps"] - (BEGUN - 2), atol=1e-9)
    assert clip.times[0] == pytest.approx(2.0)  # the markers began before it
    assert (clip.columns, clip.rate_hz, clip.remarks) == (["left", "right"], pytest.approx(RATE), [])


def test_two_computers_are_on_one_clock(tmp_path):
    offsets = [xdf.offset(1, BEGUN + t, 100.0) for t in range(0, 6, 1)]
    path = recorded(tmp_path / "a.xdf", even(), *offsets)
    assert series(path).times[0] == pytest.approx(102.0, abs=1e-4)


def test_jitter_is_evened_out_and_said_where_it_is_large(tmp_path):
    rng = np.random.default_rng(1)
    small, large = even() + rng.normal(size=N) * 1e-3, even() + rng.normal(size=N) * 8e-3
    clip = series(recorded(tmp_path / "a.xdf", small, size=1))
    np.testing.assert_allclose(np.diff(clip.times), 1 / RATE, rtol=2e-3)
    assert clip.remarks == []
    (said,) = series(recorded(tmp_path / "b.xdf", large, size=1)).remarks
    assert "evened out by up to" in said


@pytest.mark.parametrize("jump", [0.3, 12.5, 200_000.0])
def test_a_jump_is_said_and_stays_where_it_is(tmp_path, jump, capsys):
    stamps = even()
    stamps[250:] += jump
    path = recorded(tmp_path / "a.xdf", stamps, size=50)
    clip = series(path)
    assert np.diff(clip.times)[249] == pytest.approx(jump + 0.01, abs=1e-3)
    np.testing.assert_allclose(np.diff(clip.times)[:249], 1 / RATE, rtol=1e-6)
    assert clip.remarks == [f"stamps jump by {jump:.3f} s at 4.490 s"]
    out = tmp_path / "a.npz"
    assert run(["extract", str(path), "-o", str(out)]) == 0
    assert f"a.xdf: stamps jump by {jump:.3f} s at 4.490 s" in capsys.readouterr().err
    assert features.load(out).meta["notes"] == clip.remarks
    assert run(["info", str(path), "--json"]) == 0
    eeg, marks = json.loads(capsys.readouterr().out)["files"][0]["streams"]
    assert (eeg["remarks"], eeg["start_s"], eeg["samples"]) == (clip.remarks, 2.0, N)
    assert (marks["name"], marks["samples"]) == ("marks", 1)


def test_stamps_that_go_back_are_refused_with_the_place(tmp_path):
    stamps = even()
    stamps[250:] -= 1.5
    with pytest.raises(MediaError, match=r"from 4\.490 back to 3\.000 s \(sample 250\)"):
        series(recorded(tmp_path / "a.xdf", stamps, size=50))


def test_which_of_several_streams_has_to_be_said(tmp_path, capsys):
    more = [xdf.header(7, "band", "EMG", "int16", 1, 50.0)]
    more.append(xdf.samples(7, values(100)[:, :1] * 100, BEGUN + np.arange(100) / 50, "int16"))
    path = recorded(tmp_path / "a.xdf", even(), *more)
    assert run(["extract", str(path), "-o", str(tmp_path / "a.npz")]) == 4
    said = capsys.readouterr().err
    assert "0: amplifier (EEG, 2 x float32, 100 Hz); 2: band (EMG, 1 x int16, 50 Hz)" in said
    assert run(["extract", str(path), "-o", str(tmp_path / "a.npz"), "--track", "2"]) == 0
    assert features.load(tmp_path / "a.npz").values.shape == (100, 1)
    assert run(["extract", str(path), "-o", str(tmp_path / "a.npz"), "--track", "1"]) == 4
    assert "no stream 1" in capsys.readouterr().err


def sounding(path, sound: np.ndarray, rate: int):
    stamps = BEGUN + np.arange(len(sound)) / rate
    parts = [
        xdf.samples(1, sound[k : k + 4096, None], stamps[k : k + 4096], "int16", every=4096)
        for k in range(0, len(sound), 4096)
    ]
    return xdf.write(path, xdf.header(1, "microphone", "Audio", "int16", 1, rate), *parts, xdf.footer(1))


def test_recorded_sound_is_followed_along_a_recording(root, tmp_path, capsys):
    reading = root / "sample_data" / "reading" / "reading.flac"
    sound, rate = soundfile.read(reading, dtype="int16")
    path = sounding(tmp_path / "lab.xdf", sound[5 * rate : 12 * rate], rate)
    assert modality_of(path) == "audio"
    clip = open_clip(path, "audio")
    np.testing.assert_allclose(clip.samples(), sound[5 * rate : 12 * rate] / 32768, atol=1e-7)
    assert run(["follow", str(reading), str(path), "--start", "any", "--every", "1"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["position"] - lines[-1]["t"] == pytest.approx(5.0, abs=0.05)


def test_a_recorded_series_is_followed_along_one(tmp_path, capsys):
    rng = np.random.default_rng(3)
    path = recorded(tmp_path / "a.xdf", even(1500), size=50)
    table = np.c_[np.arange(1500) / RATE, values(1500) + 0.05 * rng.normal(size=(1500, 2))]
    rows = "\n".join(",".join(map(str, row)) for row in table[300:1300])
    (tmp_path / "b.csv").write_text("t,left,right\n" + rows)
    assert run(["follow", str(path), str(tmp_path / "b.csv"), "--start", "any", "--every", "2"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["position"] == pytest.approx(last["t"] + 2.0, abs=0.1)  # the markers began two seconds earlier


def _damaged(good: bytes) -> dict[str, bytes]:
    at = good.index(b"<channel_count>2") + 15
    return {
        "cut off": good[: len(good) // 2],
        "cut in a length": good[:-60],
        "many channels": good[:at] + b"9" + good[at + 1 :],
        "no XML": good.replace(b"</info>", b"</oofn>", 2),
        "entities": good.replace(b"<info><name>amplifier", b"<!DOCTYPE a>  <name>a", 1),
        "samples of nobody": good.replace(b"\x03\x00\x01\x00\x00\x00", b"\x03\x00\x09\x00\x00\x00", 1),
        "too many samples": good.replace(b"\x03\x00\x01\x00\x00\x00\x01\x20", b"\x03\x00\x01\x00\x00\x00\x01\xff", 1),
        "other": b"XDF:" + bytes(200),
    }


def test_damaged_files_are_refused_in_one_line_and_pyxdf_says_nothing_of_its_own(tmp_path, capsys):
    good = recorded(tmp_path / "a.xdf", even()).read_bytes()
    for name, data in _damaged(good).items():
        assert data != good, name
        (tmp_path / "b.xdf").write_bytes(data)
        assert run(["extract", str(tmp_path / "b.xdf"), "-o", str(tmp_path / "b.npz")]) == 4, name
        said = capsys.readouterr().err
        assert said.startswith("mmcli extract: "), name
        assert "Traceback" not in said
        assert "found likely" not in said or "is damaged" in said
        assert not (tmp_path / "b.npz").exists()
    assert logging.getLogger("pyxdf.pyxdf").handlers == []


def test_flipped_bytes_are_read_or_refused_and_never_a_bug(tmp_path):
    good = recorded(tmp_path / "a.xdf", even(60)).read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(150):
        bad = bytearray(good)
        for k in rng.integers(4, len(bad), 2):
            bad[k] ^= 1 << int(rng.integers(8))
        (tmp_path / "b.xdf").write_bytes(bad)
        try:
            clip = series(tmp_path / "b.xdf")
        except MediaError:
            continue
        assert np.isfinite(clip.values).all()
        assert (np.diff(clip.times) > 0).all()


def test_without_pyxdf_the_extra_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "pyxdf", None)
    path = recorded(tmp_path / "a.xdf", even())
    assert run(["extract", str(path), "-o", str(tmp_path / "a.npz")]) == 2
    assert "mmcli[xdf]" in capsys.readouterr().err


def test_a_length_that_claims_all_memory_is_refused(tmp_path):
    path = tmp_path / "a.xdf"
    recorded(path, even())
    huge = b"\x08" + struct.pack("<Q", 1 << 60)
    path.write_bytes(path.read_bytes() + huge + b"\x03\x00")
    with pytest.raises(MediaError, match="cut off or damaged at byte"):
        series(path)
