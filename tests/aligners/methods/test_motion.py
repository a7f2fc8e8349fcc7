"""A film without sound finds its place in a sound by what is seen to happen, or is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mmcli.aligners import pair
from mmcli.aligners.methods import motion
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.cli import app
from mmcli.errors import MismatchError, UsageError
from mmcli.media.clips import AudioClip, VideoClip

RATE, FPS = 16_000, 24


def beats(seed: int, seconds: float, a_second: float = 1.0) -> np.ndarray:
    """Moments at irregular distances of 0.2 s and more."""
    gaps = 0.2 + np.random.default_rng(seed).exponential(1 / a_second, int(seconds * 4))
    times = np.cumsum(gaps)
    return times[times < seconds - 0.3]


def struck(times: np.ndarray, seconds: float, seed: int = 0) -> np.ndarray:
    """A decaying tone at each moment, in noise; float32 (n,)."""
    rng = np.random.default_rng(seed)
    out = 0.02 * rng.standard_normal(int(seconds * RATE))
    t = np.arange(int(0.15 * RATE)) / RATE
    for at in times:
        k = int(at * RATE)
        out[k : k + len(t)] += rng.uniform(0.3, 1) * np.exp(-30 * t) * np.sin(2 * np.pi * rng.uniform(200, 900) * t)
    return out.astype(np.float32)


def pictures(times: np.ndarray, seconds: float, kind: str, seed: int = 0) -> np.ndarray:
    """A screen that flashes, or a square that jumps, at each moment; uint8 (frames, h, w, 3), with noise."""
    rng = np.random.default_rng(seed)
    frames = np.full((int(seconds * FPS), 36, 64, 3), 60.0)
    place, drift = np.array([10.0, 10.0]), rng.standard_normal(2) * 0.3
    for k, frame in enumerate(frames):
        t = k / FPS
        before = times[times <= t]
        if kind == "flash":
            frame += 150 * np.exp(-8 * (t - before[-1])) if len(before) else 0.0
        else:
            if len(before) and before[-1] > t - 1 / FPS:
                place, drift = rng.uniform([4, 4], [24, 54]), rng.standard_normal(2) * 0.3
            place = np.clip(place + drift, 0, [27, 55])
            row, column = place.astype(int)
            frame[row : row + 8, column : column + 8] = 220
        frame += rng.normal(0, 3, (36, 64, 1))
    return np.clip(frames, 0, 255).astype(np.uint8)


def film(path: Path, frames: np.ndarray) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["flash", "jump"])
def test_a_film_of_what_is_heard_is_put_within_a_frame(seed: int, kind: str) -> None:
    times, offset = beats(seed, 40.0), 1.0 + seed
    video = VideoClip.from_array(pictures(times - offset, 24.0, kind, seed), rate_hz=FPS)
    sound = AudioClip.from_array(struck(times, 40.0, seed), RATE)
    found = motion.align(sound, video)
    assert found.model == "offset"
    assert found.offset_s == pytest.approx(offset, abs=1 / FPS)
    turned = motion.align(video, sound)
    assert turned.offset_s == pytest.approx(-offset, abs=1 / FPS)


@pytest.mark.parametrize("seed", range(10))
def test_a_film_of_something_else_is_refused(seed: int) -> None:
    video = VideoClip.from_array(pictures(beats(seed, 24.0), 24.0, "jump" if seed % 2 else "flash", seed), rate_hz=FPS)
    sound = AudioClip.from_array(struck(beats(seed + 100, 40.0), 40.0), RATE)
    with pytest.raises(MismatchError, match=r"z = -?\d"):
        motion.align(sound, video)
    forced = motion.align(sound, video, motion.Config(force=True))
    assert forced.quality["verdict"] == "no match (forced)"


def test_a_steady_beat_has_no_one_place() -> None:
    steady = np.arange(0.5, 39.5, 0.5)
    video = VideoClip.from_array(pictures(steady[steady < 20], 20.0, "flash"), rate_hz=FPS)
    sound = AudioClip.from_array(struck(steady, 40.0), RATE)
    with pytest.raises(MismatchError):
        motion.align(sound, video)


def test_a_film_that_was_sped_up_is_put_at_its_named_rate() -> None:
    """24 frames a second shown at 25: a second of the film lasts 25/24 of the sound's."""
    times = beats(4, 60.0)
    video = VideoClip.from_array(pictures((times - 3.0) * 24 / 25, 40.0, "flash"), rate_hz=FPS)
    sound = AudioClip.from_array(struck(times, 60.0), RATE)
    found = motion.align(sound, video)
    assert found.rate == pytest.approx(25 / 24)
    assert "rate 25/24" in found.quality["reason"]
    t = np.arange(0.0, 40.0)
    assert np.abs(TimeMap(found).to_reference(t) - (3.0 + t * 25 / 24)).max() < 1 / FPS


def test_two_still_sides_are_refused() -> None:
    video = VideoClip.from_array(np.full((120, 16, 16, 3), 7, np.uint8), rate_hz=FPS)
    sound = AudioClip.from_array(np.full(RATE * 10, 0.1, np.float32), RATE)
    with pytest.raises(MismatchError):
        motion.align(sound, video)


def test_the_command_takes_a_silent_film_on_either_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import soundfile

    times = beats(1, 30.0)
    film(tmp_path / "v.mp4", pictures(times - 2.5, 20.0, "flash"))
    soundfile.write(tmp_path / "a.wav", struck(times, 30.0), RATE)
    soundfile.write(tmp_path / "other.wav", struck(beats(77, 30.0), 30.0), RATE)
    out = str(tmp_path / "m.json")
    assert app.run(["align", str(tmp_path / "a.wav"), str(tmp_path / "v.mp4"), "-o", out, "-q"]) == 0
    found = pair.align_files(tmp_path / "v.mp4", tmp_path / "a.wav")
    assert found.offset_s == pytest.approx(-2.5, abs=1 / FPS)
    assert None not in (found.reference["sha256"], found.query["sha256"])
    assert app.run(["align", str(tmp_path / "other.wav"), str(tmp_path / "v.mp4"), "-o", str(tmp_path / "n.json")]) == 4
    assert not (tmp_path / "n.json").exists()
    assert "z = " in capsys.readouterr().err
    with pytest.raises(UsageError, match="pictures and sound"):
        pair.align_files(tmp_path / "a.wav", tmp_path / "v.mp4", method="dtw")
