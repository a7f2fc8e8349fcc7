"""A file's own clock: what a decoder guesses is not believed, what is lost moves nothing, what is cut is named."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mmcli.errors import MediaError
from mmcli.media import MediaOptions, announced, matroska, open_clip
from mmcli.media.clock import placed
from mmcli.media.probe import describe

from .conftest import numbered_frames, tone, write_sound, write_video

pytestmark = pytest.mark.needs("ffmpeg")
RATE = 48_000


def swelling(seconds: float = 3.0, rate: int = RATE) -> np.ndarray:
    """Noise whose loudness tells the place, float32 (n, 1)."""
    n = round(seconds * rate)
    return (np.random.default_rng(3).normal(size=n) * np.linspace(0.02, 0.2, n))[:, None].astype(np.float32)


def ffmpeg(*words: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-nostdin", *map(str, words)], check=True, timeout=60)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "noise.wav", swelling(), RATE, "wav")


def heard(path: Path, **options: object) -> np.ndarray:
    samples: np.ndarray = open_clip(path, "audio", options=MediaOptions(**options)).samples()
    return samples


def lag(there: np.ndarray, here: np.ndarray, at: float, reach: float = 0.03) -> float:
    """Seconds that the sound of ``here`` at a time lies after that of ``there``."""
    width, slack, begin = round(0.1 * RATE), round(reach * RATE), round(at * RATE)
    piece = there[begin : begin + width]
    return (int(np.argmax(np.correlate(here[begin - slack : begin + width + slack], piece, "valid"))) - slack) / RATE


@pytest.mark.parametrize("rate", [("-q:a", 7), ("-b:a", "64k")])
def test_mp3_without_a_tag_is_as_long_as_its_frames(tmp_path, noise, rate):
    ffmpeg("-i", noise, "-af", "adelay=2000", "-c:a", "libmp3lame", *rate, "-write_xing", 0, tmp_path / "a.mp3")
    clip = open_clip(tmp_path / "a.mp3", "audio")

    assert clip.duration_s == pytest.approx(5.0, abs=0.08)
    assert len(clip.samples()) / RATE == pytest.approx(clip.duration_s, abs=0.001)


@pytest.mark.parametrize(("codec", "suffix"), [("libmp3lame", "mp3"), ("libvorbis", "ogg"), ("libopus", "opus")])
def test_files_joined_end_to_end_are_read_to_the_end(tmp_path, noise, codec, suffix):
    ffmpeg("-i", noise, "-c:a", codec, "-f", suffix.replace("opus", "ogg"), tmp_path / "one")
    (tmp_path / f"a.{suffix}").write_bytes((tmp_path / "one").read_bytes() * 2)
    samples = heard(tmp_path / f"a.{suffix}")

    assert len(samples) / RATE == pytest.approx(6.0, abs=0.12)
    level = [float(np.sqrt(np.mean(part**2))) for part in np.array_split(samples, 6)]
    assert level[0] < level[2] > level[3] < level[5]


def test_flac_of_unknown_length_and_flac_cut_out_of_another_hold_what_they_hold(tmp_path, noise):
    ffmpeg("-i", noise, "-c:a", "flac", tmp_path / "whole.flac")
    data = bytearray((tmp_path / "whole.flac").read_bytes())
    data[21] &= 0xF0  # STREAMINFO, RFC 9639, 8.2: 36 bits of total samples
    data[22:26] = bytes(4)
    (tmp_path / "piped.flac").write_bytes(data)
    ffmpeg("-ss", 1, "-i", tmp_path / "whole.flac", "-c", "copy", tmp_path / "cut.flac")

    assert len(heard(tmp_path / "piped.flac")) == 3 * RATE
    cut = heard(tmp_path / "cut.flac")
    assert len(cut) / RATE == pytest.approx(2.0, abs=0.1)
    np.testing.assert_array_equal(cut[-1000:], heard(noise)[-1000:])


def test_matroska_without_a_duration_is_as_long_as_its_packets(tmp_path, noise):
    with (tmp_path / "live.mkv").open("wb") as file:
        words = ["-v", "error", "-i", str(noise), "-c:a", "libmp3lame", "-q:a", "7", "-f", "matroska", "-"]
        subprocess.run(["ffmpeg", *words], stdout=file, check=True, timeout=60)

    assert open_clip(tmp_path / "live.mkv", "audio").duration_s == pytest.approx(3.0, abs=0.06)
    assert len(heard(tmp_path / "live.mkv")) / RATE == pytest.approx(3.0, abs=0.06)


@pytest.mark.parametrize("suffix", ["aiff", "caf", "w64", "rf64", "au", "avi", "wav", "mka"])
def test_files_that_announce_more_than_they_hold_are_truncated(tmp_path, noise, suffix):
    words = {"rf64": ["-rf64", "always", "-f", "wav"]}.get(suffix, [])
    path = tmp_path / f"a.{suffix}"
    ffmpeg("-i", noise, *words, path)
    heard(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])

    with pytest.raises(MediaError, match=r"is truncated: .* bytes of what it announces are missing"):
        heard(path)


@pytest.mark.parametrize("length", [2.5, 5, 10, 20])
@pytest.mark.parametrize("suffix", ["mp4", "webm", "mkv"])
def test_a_lost_packet_moves_nothing_after_it(tmp_path, noise, suffix, length):
    opus = ["-i", noise, "-c:a", "libopus", "-strict", "-2", "-frame_duration", length, "-application", "lowdelay"]
    ffmpeg(*opus, tmp_path / f"whole.{suffix}")
    ffmpeg(*opus, "-bsf:a", "noise=drop=eq(n\\,100)", tmp_path / f"lost.{suffix}")
    whole, lost = heard(tmp_path / f"whole.{suffix}"), heard(tmp_path / f"lost.{suffix}")

    assert len(lost) == pytest.approx(len(whole), abs=0.001 * RATE)
    assert abs(lag(whole, lost, 100 * length / 1000 + 0.3)) <= 0.001
    assert abs(lag(whole, lost, 0.1)) <= 0.001


def test_frames_follow_their_times_and_no_single_stray_time():
    class Frame:
        sample_rate, samples, time_base = 1000, 10, Fraction(1, 1000)

        def __init__(self, pts: int | None) -> None:
            self.pts = pts

    def positions(*times: int | None) -> list[int]:
        return [position for position, _ in placed(iter([Frame(t) for t in times]), 0.0, Path("x"))]

    assert positions(0, 10, 20, 50, 60) == [0, 10, 20, 50, 60]  # a gap stays one
    assert positions(0, 11, 20, 31, 39, 50) == [0, 10, 20, 30, 40, 50]  # rounding is none
    assert positions(0, 10, 25, 30, 40) == [0, 10, 20, 30, 40]  # one stray time
    assert positions(0, 10, 20, None, 40) == [0, 10, 20, 30, 40]
    assert positions(500, 510, 520, 0, 10, 20) == [500, 510, 520, 530, 540, 550]  # the clock begins anew


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_the_track_flagged_as_default_is_taken_and_said(tmp_path, noise, suffix):
    path = tmp_path / f"two.{suffix}"
    flags = ["-disposition:a:0", 0, "-disposition:a:1", "default", "-metadata:s:a:1", "language=deu"]
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "anullsrc=r=48000:d=2",
        "-i",
        noise,
        "-map",
        "0:a",
        "-map",
        "1:a",
        "-c:a",
        "aac",
        *flags,
        path,
    )
    clip = open_clip(path, "audio")

    assert np.abs(clip.samples()).max() > 0.1
    assert clip.remarks == ["sound track 1 of 2 is taken (counted from 0)"]
    assert np.abs(heard(path, track=0)).max() < 1e-3
    facts = describe(path)
    assert facts["modality"] == "audio"
    assert [t["taken"] for t in facts["tracks"]] == [False, True]
    assert facts["tracks"][1]["language"] in ("deu", "ger")
    assert facts["tracks"][0]["end_s"] == pytest.approx(2.0, abs=0.03)


def test_an_avi_with_reordered_frames_gives_all_of_them_in_order(tmp_path):
    write_video(tmp_path / "a.mp4", numbered_frames(24))
    ffmpeg("-i", tmp_path / "a.mp4", "-c:v", "libx264", "-bf", 3, "-qp", 5, tmp_path / "b.avi")
    frames = list(open_clip(tmp_path / "b.avi", "video").frames())

    assert [round((float(f[-4:, -4:].mean()) - 20) / 8) for _, f in frames] == list(range(24))
    assert np.diff([t for t, _ in frames]) == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize(("codec", "suffix"), [("aac", "mp4"), ("libopus", "webm"), ("flac", "mkv"), ("aac", "mov")])
def test_a_container_of_sound_alone_is_a_sound(tmp_path, noise, codec, suffix):
    from mmcli.media import modality_of

    ffmpeg("-i", noise, "-c:a", codec, tmp_path / f"a.{suffix}")
    assert modality_of(tmp_path / f"a.{suffix}") == "audio"
    write_video(tmp_path / "v.mkv", numbered_frames(3), sound=(tone(RATE, 0.3), RATE))
    assert modality_of(tmp_path / "v.mkv") == "video"


def test_a_channel_recorded_upside_down_is_named_and_the_other_is_read(tmp_path):
    left = swelling()
    noise = np.random.default_rng(0).normal(size=left.shape).astype(np.float32) * 1e-4
    clip = open_clip(write_sound(tmp_path / "a.wav", np.hstack([left, -left + noise]), RATE, "wav"), "audio")

    np.testing.assert_allclose(clip.samples(), left[:, 0], atol=4e-5)
    assert "upside down" in clip.remarks[0]
    plain = open_clip(write_sound(tmp_path / "b.wav", np.hstack([left, left]), RATE, "wav"), "audio")
    np.testing.assert_allclose(plain.samples(), left[:, 0], atol=4e-5)
    assert plain.remarks == []


@pytest.mark.needs("mkvmerge")
@pytest.mark.parametrize("name", ["late.webm", "late.mkv", "again.mkv"])
def test_a_tag_that_is_older_than_the_file_is_not_believed(tmp_path, noise, name):
    """mkvmerge leaves ffmpeg's DURATION in a webm and writes statistics into an mkv; ffmpeg copies those along, and
    writes the end of the track beside them."""
    ffmpeg("-i", noise, "-c:a", "libopus", tmp_path / "s.mkv")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=5:r=10", "-c:v", "libvpx", tmp_path / "p.webm")
    for made in ("late.webm", "late.mkv"):
        words = ["-q", "-o", tmp_path / made, tmp_path / "p.webm", "-y", "0:730", tmp_path / "s.mkv"]
        subprocess.run(["mkvmerge", *map(str, words)], check=True, timeout=60)
    ffmpeg("-i", tmp_path / "late.mkv", "-map", "0", "-c", "copy", tmp_path / "again.mkv")

    clip = open_clip(tmp_path / name, "audio")

    assert clip.duration_s == pytest.approx(3.73, abs=0.03)
    assert len(clip.samples()) / RATE == pytest.approx(3.73, abs=0.03)
    assert open_clip(tmp_path / name, "video").duration_s == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize("pictures", [False, True])
def test_whether_matroska_has_pictures_is_read_behind_its_table_of_contents(tmp_path, noise, pictures):
    film = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1:r=10", "-c:v", "libvpx") if pictures else ()
    ffmpeg(*film[:4], "-i", noise, *film[4:], "-c:a", "libopus", tmp_path / "a.mkv")

    assert announced.has_pictures(tmp_path / "a.mkv", "mkv") is pictures
    assert matroska.info(tmp_path / "a.mkv").writer.startswith("Lavf")


def test_a_transport_stream_whose_clock_begins_anew_is_read_from_its_beginning(tmp_path, noise):
    """Its 33 bits end after 26.5 hours, here after 1.7 s; libav then tells a negative start."""
    film = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=3:r=10")
    ffmpeg(*film, "-i", noise, "-c:v", "mpeg2video", "-c:a", "mp2", "-output_ts_offset", 95441.0, tmp_path / "a.ts")
    sound, pictures = heard(tmp_path / "a.ts"), open_clip(tmp_path / "a.ts", "video")
    times = [time for time, _ in pictures.frames()]

    assert len(sound) / RATE == pytest.approx(3.0, abs=0.05)
    assert lag(swelling()[:, 0], sound, 0.5, 0.1) == pytest.approx(lag(swelling()[:, 0], sound, 2.5, 0.1), abs=1e-3)
    assert (len(times), times[0]) == (30, pytest.approx(0.0, abs=0.1))
    assert np.diff(times) == pytest.approx(0.1, abs=1e-3)


def test_a_part_of_another_layout_behind_an_ogg_file_is_named(tmp_path, noise):
    ffmpeg("-i", noise, "-c:a", "libopus", tmp_path / "a.opus")
    ffmpeg("-i", noise, "-ac", 2, "-c:a", "libopus", tmp_path / "b.opus")
    (tmp_path / "ab.opus").write_bytes((tmp_path / "a.opus").read_bytes() + (tmp_path / "b.opus").read_bytes())

    with pytest.raises(MediaError, match="changes its rate, channels or codec on the way"):
        heard(tmp_path / "ab.opus")
