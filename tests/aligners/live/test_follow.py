"""`mmcli follow` through real pipes: planted places, any cut of the bytes, faults, signals, and the map at the end."""

from __future__ import annotations

import io
import itertools
import json
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmcli.aligners.live import ear, session, track
from mmcli.artifacts.formats import alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.cli.app import run
from mmcli.media import stream
from mmcli.media.clips import AudioClip

RATE = 22_050


def voice(seconds: float, seed: int) -> np.ndarray:
    """Syllables of changing colour: noise through two moving bands, no two stretches alike."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    out = np.zeros(len(t))
    at = 0.0
    while at < seconds:
        length = rng.uniform(0.08, 0.3)
        w = (t >= at) & (t < at + length)
        x = t[w] - at
        shape = np.sin(np.pi * x / length) ** 0.5
        for f in rng.uniform(150, 3500, 4):
            out[w] += shape * np.sin(2 * np.pi * (f * x + rng.uniform(-400, 400) * x * x)) * rng.uniform(0.2, 1)
        at += length + rng.uniform(0.0, 0.05)
    return (0.2 * out + 1e-3 * rng.normal(size=len(out))).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("follow")
    piece = voice(40, 1)
    soundfile.write(where / "ref.wav", piece, RATE)
    soundfile.write(where / "other.wav", voice(20, 2), RATE)
    jumped = np.concatenate([piece[: 10 * RATE], piece[25 * RATE : 38 * RATE]])
    soundfile.write(where / "jumped.wav", jumped, RATE)
    return where


def pcm(samples: np.ndarray) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def follow(folder, data: bytes, *options: str, code: int = 0, reference: str = "ref.wav"):
    done = subprocess.run(
        [sys.executable, "-m", "mmcli", "follow", str(folder / reference), "-", *options],
        input=data,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


RAW = ("--raw", "s16le", "--rate", str(RATE))


def test_a_part_that_is_played_is_placed_and_a_jump_is_said_and_becomes_a_break(folder, capsys):
    path = folder / "map.json"
    assert run(["follow", str(folder / "ref.wav"), str(folder / "jumped.wav"), "-o", str(path)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    truth = [x["t"] if x["t"] < 10 else x["t"] + 15 for x in lines]
    error = np.abs([x["position"] - y for x, y in zip(lines, truth, strict=True)])
    assert np.median(error) < 0.01
    t = np.array([x["t"] for x in lines])
    assert error[t < 9.8].max() < 0.1
    assert error[t > 13].max() < 0.1  # back within three seconds
    assert [x["t"] < 13 for x in lines if x["jump"]] == [True]
    inside = [x["halfwidth"] >= e for x, e in zip(lines, error, strict=True) if x["t"] > 13 or x["t"] < 9.8]
    assert np.mean(inside) > 0.85
    made = alignment.load(path)
    assert {b["side"] for b in made.breaks} >= {"reference"}
    at = TimeMap(made).to_reference([5.0, 20.0])
    assert at == pytest.approx([5.0, 35.0], abs=0.03)


def test_raw_wav_and_opus_from_a_pipe_give_the_same_place(folder):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    part = piece[5 * RATE : 17 * RATE]
    wav, ogg = io.BytesIO(), io.BytesIO()
    soundfile.write(wav, part, RATE, format="WAV")
    soundfile.write(ogg, part, RATE, format="OGG", subtype="VORBIS")
    forms = {
        "raw": (pcm(part), RAW),
        "float, two channels": (
            np.repeat(part, 2).astype("<f4").tobytes(),
            ("--raw", "f32le", "--rate", "22050", "--channels", "2"),
        ),
        "wav": (wav.getvalue(), ()),
        "ogg": (ogg.getvalue(), ()),
    }
    for form, (data, options) in forms.items():
        lines, _ = follow(folder, data, *options, "--start", "any", "--every", "2")
        assert lines[-1]["position"] - lines[-1]["t"] == pytest.approx(5.0, abs=0.05), form
        assert lines[-1]["state"] == "playing"


@pytest.fixture(scope="module")
def heard(folder):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    return session.Session(folder / "ref.wav", session.Options()).heard, pcm(piece[: 3 * RATE])


@given(cuts=st.lists(st.integers(1, 3 * RATE * 2 - 1), max_size=12), rate=st.sampled_from([RATE, 16_000]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_bytes_in_any_pieces_give_the_same_frames(heard, cuts, rate):
    reference, data = heard

    def frames(pieces):
        it = iter([*pieces, b""])
        _, samples = stream.raw(lambda _: next(it), "s16le", rate, 1, "x")
        listening = reference.ear()
        got = [f for piece in stream.at_rate(samples, rate, ear.RATE) for f in listening.feed(piece)]
        return b"".join(f.values.tobytes() for f in got), [f.time for f in got]

    edges = [0, *sorted(set(cuts)), len(data)]
    assert frames([data[a:b] for a, b in itertools.pairwise(edges)]) == frames([data])


def test_silence_holds_the_position_and_it_goes_on_at_once(folder):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    silent = np.zeros(8 * RATE, np.float32)
    lines, _ = follow(folder, pcm(np.concatenate([piece[: 12 * RATE], silent, piece[12 * RATE : 24 * RATE]])), *RAW)
    quiet = [x for x in lines if 12.3 < x["t"] < 19.9]
    assert max(x["position"] for x in quiet) - min(x["position"] for x in quiet) < 0.5
    assert {x["state"] for x in quiet if x["t"] > 13} == {"quiet"}
    after = [abs(x["position"] - (x["t"] - 8)) for x in lines if x["t"] > 20.5]
    assert max(after) < 0.1


@pytest.mark.parametrize("seconds", [1.5, 4.0])
def test_a_pause_of_the_piece_may_take_longer_or_shorter_and_is_no_jump(folder, tmp_path, seconds):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    rng = np.random.default_rng(4)

    def paused(pause: float) -> np.ndarray:
        hush = rng.normal(size=int(pause * RATE)).astype(np.float32) * 1e-4
        return np.concatenate([piece[: 8 * RATE], hush, piece[8 * RATE : 14 * RATE]])

    soundfile.write(tmp_path / "ref.wav", paused(2.5), RATE)
    followed = session.Session(tmp_path / "ref.wav", session.Options())
    shown = list(followed.follow([paused(seconds)]))
    assert not any(x.jump for x in shown)
    error = np.array([x.position - x.t - (2.5 - seconds) for x in shown if x.t > 8 + seconds + 0.3])
    assert np.abs(error).max() < 0.1
    if seconds < 2.5:  # it is gone through, and nothing tells how fast
        width = [x.halfwidth for x in shown if 8.1 < x.t < 8 + seconds]
        assert width[-1] > width[0] + 0.05


def test_a_stranger_is_lost_within_ten_seconds_and_strict_says_so(folder):
    other, _ = soundfile.read(folder / "other.wav", dtype="float32")
    lines, said = follow(folder, pcm(other), *RAW, "--strict", "--start", "any", code=4)
    assert {x["state"] for x in lines if x["t"] > 10} == {"lost"}
    assert "lost throughout" in said
    assert all(x["halfwidth"] is None for x in lines if x["state"] == "lost")


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        (b"\0" * 44_101, RAW, "byte 44101"),
        (
            np.array([0.0] * 5000 + [np.nan] + [0.0] * 9, "<f4").tobytes(),
            ("--raw", "f32le", "--rate", "22050"),
            "byte 20000",
        ),
        (b"this is no sound at all" * 400, (), "byte"),
        (b"", RAW, "too short"),
    ],
)
def test_what_cannot_be_used_ends_with_4_and_says_where(folder, data, options, reason):
    _, said = follow(folder, data, *options, code=4)
    assert reason in said.splitlines()[-1] or reason in said
    assert "Traceback" not in said


def test_a_wav_that_ends_before_its_header_says_ends_with_4_and_the_byte(folder):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    wav = io.BytesIO()
    soundfile.write(wav, piece[: 6 * RATE], RATE, format="WAV")
    lines, said = follow(folder, wav.getvalue()[:200_000], code=4)
    assert lines
    assert "byte 200000" in said


def test_a_reference_without_sound_is_refused_by_name(tmp_path, capsys):
    (tmp_path / "words.txt").write_text("to be or not to be")
    assert run(["follow", str(tmp_path / "words.txt"), "-", *RAW]) == 4
    assert "words.txt: a file of kind text cannot be followed" in capsys.readouterr().err


def test_wrong_options_are_usage(folder, capsys):
    for options in (["--raw", "s16le"], ["--rate", "8000"], ["--raw", "mp3", "--rate", "8000"], ["--lag", "9"]):
        assert run(["follow", str(folder / "ref.wav"), "-", *options]) == 2
    assert run(["follow", str(folder / "ref.wav"), str(folder / "other.wav"), "--raw", "s16le", "--rate", "8000"]) == 2
    assert run(["follow", str(folder / "ref.wav"), str(folder / "other.wav"), "--start", "end"]) == 2
    capsys.readouterr()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_the_map_of_what_was_followed(folder, tmp_path, number, code):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    path = tmp_path / "map.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "mmcli", "follow", str(folder / "ref.wav"), "-", *RAW, "-o", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(pcm(piece[: 8 * RATE]))
    process.stdin.flush()  # and then it stalls
    read = [process.stdout.readline() for _ in range(300)]
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert json.loads(read[-1])["position"] == pytest.approx(json.loads(read[-1])["t"], abs=0.1)
    assert TimeMap(alignment.load(path)).to_reference([4.0]) == pytest.approx([4.0], abs=0.05)


def test_a_source_that_stalls_loses_nothing_and_one_that_dies_leaves_the_map(folder, tmp_path):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    data, path, page = pcm(piece[: 8 * RATE]), tmp_path / "map.json", tmp_path / "page.html"
    command = [sys.executable, "-m", "mmcli", "follow", str(folder / "ref.wav"), "-", *RAW, "-o", str(path)]
    process = subprocess.Popen(
        [*command, "--page", str(page)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # else lines that were read ahead are lost to communicate()
    )
    process.stdin.write(data[: len(data) // 2])
    process.stdin.flush()
    read = [process.stdout.readline() for _ in range(150)]
    time.sleep(0.7)  # a stall is no error, and nothing is late for it
    out, err = process.communicate(data[len(data) // 2 :] + b"x", timeout=60)  # and then it dies inside a sample
    assert process.returncode == 4, err
    lines = [json.loads(line) for line in [*read, *out.splitlines()]]
    whole, _ = follow(folder, data, *RAW)
    assert lines == whole[: len(lines)]
    assert len(lines) > 380
    assert f"ends at byte {len(data) + 1}" in err.decode()
    assert TimeMap(alignment.load(path)).to_reference([6.0]) == pytest.approx([6.0], abs=0.05)
    assert "</html>" in page.read_text()


def test_a_closed_pipe_is_quiet(folder):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    process = subprocess.Popen(
        [sys.executable, "-m", "mmcli", "follow", str(folder / "ref.wav"), "-", *RAW],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    def feed():
        try:
            process.stdin.write(pcm(piece))
            process.stdin.close()
        except BrokenPipeError:
            return

    feeding = threading.Thread(target=feed)
    feeding.start()
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 141
    assert process.stderr.read() == b""
    feeding.join()


def test_frames_that_are_too_late_are_left_out_and_counted(folder):
    piece, _ = soundfile.read(folder / "ref.wav", dtype="float32")
    followed = session.Session(folder / "ref.wav", session.Options())
    late = dict.fromkeys(range(300, 330), 1.0)
    shown = list(followed.follow([piece[: 15 * RATE]], lambda at: late.get(int(at * 50), 0.0)))
    assert followed.skipped == 30
    assert [x.skipped for x in shown if x.skipped] == [30]
    assert abs(shown[-1].position - shown[-1].t) < 0.05


def test_a_file_is_read_at_its_pace():
    clock = [0.0]
    pieces = list(session.paced([1, 2, 3], lambda _: 0.02, time.monotonic))
    assert pieces == [1, 2, 3]
    late = session.Late(lambda: clock[0])
    assert late(0.0) == 0.0
    clock[0] = 2.0
    assert late(0.5) == pytest.approx(1.5)
    late.waited = True  # it had to be waited for: nothing is late
    assert late(0.6) == pytest.approx(0.0)


def test_of_a_repeat_the_map_holds_one_playing():
    x = np.concatenate([np.arange(0, 6, 0.02), np.arange(3, 9, 0.02)])
    rows = track.longest_rise(x)
    assert (np.diff(x[rows]) > 0).all()
    assert len(rows) >= 440


def test_features_are_followed_frame_by_frame(folder, tmp_path, capsys):
    for name in ("ref", "jumped"):
        assert (
            run(["extract", str(folder / f"{name}.wav"), "-o", str(tmp_path / f"{name}.npz"), "--audio", "mfcc", "-q"])
            == 0
        )
    capsys.readouterr()
    assert run(["follow", str(tmp_path / "ref.npz"), str(tmp_path / "jumped.npz"), "--every", "1"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[5]["position"] == pytest.approx(lines[5]["t"], abs=0.1)
    assert lines[-1]["position"] == pytest.approx(lines[-1]["t"] + 15, abs=0.1)
    assert run(["follow", str(tmp_path / "ref.npz"), "-", *RAW]) == 2


def test_an_ear_hears_nothing_of_what_comes_later():
    piece = voice(4, 3)
    reference = ear.reference(AudioClip.from_array(piece, RATE), notes=False)
    whole = [f.values for f in reference.ear().feed(piece)]
    part = [f.values for f in reference.ear().feed(piece[: 2 * RATE])]
    assert all(np.array_equal(a, b) for a, b in zip(part, whole, strict=False))
    assert len(part) == (2 * RATE - 1024) // 441 + 1
