"""What is said about paths that are no media files, whatever modality was asked for."""

from __future__ import annotations

import os
import socket

import numpy as np
import pytest

from mmcli.errors import MediaError, MissingError, MmcliError, UsageError
from mmcli.media import MediaOptions, modality_of, open_clip
from mmcli.media.probe import describe

from .conftest import numbered_frames, tone, write_video

MODALITIES = ("audio", "video", "image", "text", "series", "subtitle")


@pytest.mark.parametrize("modality", MODALITIES)
def test_paths_that_are_no_files_end_in_one_line_at_once(tmp_path, modality):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    for name, kind, said in (
        ("absent", MissingError, "no such file"),
        ("fifo", MediaError, "is a FIFO"),
        ("empty", MediaError, "is empty"),
        (".", MediaError, "is a folder"),
        ("socket", MediaError, "is a socket"),
        ("/dev/zero", MediaError, "is a device"),
        ("a\0b", MediaError, "cannot be opened"),
    ):
        with pytest.raises(kind, match=said) as caught:
            open_clip(tmp_path / name, modality)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("modality", MODALITIES)
def test_files_of_another_kind_are_refused_in_at_most_two_lines(tmp_path, modality):
    (tmp_path / "noise").write_bytes(np.random.default_rng(0).bytes(4000))
    (tmp_path / "zeros").write_bytes(bytes(4000))
    (tmp_path / "page").write_text("<html>not media</html>" if modality != "text" else "\0")
    for name in ("noise", "zeros", "page"):
        with pytest.raises(MediaError) as caught:
            open_clip(tmp_path / name, modality)
        assert str(caught.value).count("\n") <= 1


def test_a_wrong_extension_is_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 2)))
    (tmp_path / "a.npy").rename(tmp_path / "a.wav")
    with pytest.raises(MediaError, match="used as audio, but holds npy"):
        open_clip(tmp_path / "a.wav", "audio")


def test_sound_of_another_format_than_its_suffix_is_read_by_its_content(sound):
    path = sound("flac")
    path = path.rename(path.with_suffix(".wav"))

    assert open_clip(path, "audio").duration_s == 1.0


@pytest.mark.parametrize("rate", [np.nan, np.inf])
def test_sound_with_nan_or_inf_is_refused(tmp_path, rate):
    import soundfile

    data = tone(8000, 1.0)
    data[4000] = rate
    soundfile.write(tmp_path / "a.wav", data, 8000, subtype="FLOAT")
    with pytest.raises(MediaError, match=r"NaN or Inf near 0\.50 s"):
        open_clip(tmp_path / "a.wav", "audio").samples()


def test_sound_of_no_samples_is_refused(tmp_path):
    import soundfile

    for kind in ("wav", "flac"):
        soundfile.write(tmp_path / f"a.{kind}", np.zeros((0, 1)), 8000)
        with pytest.raises(MediaError):
            open_clip(tmp_path / f"a.{kind}", "audio").samples()


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "opus", "m4a", "mkv", "webm"])
def test_truncated_sound_is_refused(sound, kind):
    path = sound(kind, rate=48000, seconds=3.0)
    data = path.read_bytes()
    for part in (0.2, 0.5, 0.8):
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(MediaError, match=r"truncated|damaged|no index"):
            open_clip(path, "audio").samples()


def test_the_modality_is_told_by_suffix_then_by_content(tmp_path, sound):
    flac = sound("flac")
    write_video(tmp_path / "v.mkv", numbered_frames(2))
    np.savez(tmp_path / "plain.npz", a=np.zeros(3))
    np.savez(tmp_path / "ours.npz", values=np.zeros((1, 2)), times=np.zeros(1), meta=np.array("{}"))
    (tmp_path / "a.srt").write_text("x")

    assert modality_of(flac) == "audio"
    assert modality_of(flac.rename(tmp_path / "nosuffix")) == "audio"
    assert modality_of(tmp_path / "v.mkv") == "video"
    assert modality_of(tmp_path / "plain.npz") == "series"
    assert modality_of(tmp_path / "ours.npz") == "features"
    assert modality_of(tmp_path / "a.srt") == "subtitle"
    (tmp_path / "what.xyz").write_bytes(b"???")
    with pytest.raises(MediaError, match="neither its suffix nor its first bytes"):
        modality_of(tmp_path / "what.xyz")


def test_options_that_make_no_sense_are_usage_errors():
    for options in ({"start": 2.0, "end": 1.0}, {"start": -1.0}, {"end": np.nan}, {"rate": 0.0}, {"track": -1}):
        with pytest.raises(UsageError):
            MediaOptions(**options)
    with pytest.raises(UsageError, match="no file holds the modality 'smell'"):
        open_clip("x", "smell")


def test_describe_gives_the_measures_of_every_kind(tmp_path, sound):
    write_video(tmp_path / "v.mp4", numbered_frames(10), sound=(tone(48000, 1.0), 48000))
    (tmp_path / "t.txt").write_text("two words\n")
    (tmp_path / "s.csv").write_text("t,x\n0,1\n1,2\n")

    assert describe(sound("wav", rate=8000, channels=2)) | {"sha256": "", "size": 0} == {
        "modality": "audio",
        "name": "tone.wav",
        "size": 0,
        "sha256": "",
        "rate_hz": 8000,
        "channels": 2,
        "duration_s": 1.0,
    }
    assert describe(tmp_path / "v.mp4")["has_audio"] is True
    assert describe(tmp_path / "t.txt")["words"] == 2
    assert describe(tmp_path / "s.csv")["rate_hz"] == 1.0


def test_errors_name_the_file_and_travel_between_processes(tmp_path):
    import pickle

    with pytest.raises(MmcliError) as caught:
        open_clip(tmp_path / "absent.wav", "audio")

    assert "absent.wav" in str(pickle.loads(pickle.dumps(caught.value)))


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(
    "suffix",
    ["mts", "ts", "avi", "mpg", "wmv", "flv", "3gp", "mxf", "wma", "ac3", "au", "mp2", "wv", "tta", "w64", "caf"],
)
def test_what_libav_opens_is_opened_whatever_it_is_called(tmp_path, suffix):
    """By its content: the suffix is taken away, or a wrong one is there."""
    import subprocess

    film = suffix in ["mts", "ts", "avi", "mpg", "wmv", "flv", "3gp", "mxf"]
    sound = ["-f", "lavfi", "-i", "sine=f=440:d=1:r=48000"]
    pictures = ["-f", "lavfi", "-i", "testsrc2=s=176x144:r=25:d=1"] if film else []
    more = {"3gp": ["-c:v", "mpeg4", "-c:a", "aac"], "flv": ["-ar", "44100"], "wma": ["-c:a", "wmav2"]}.get(suffix, [])
    form = {"mts": ["-f", "mpegts"]}.get(suffix, [])
    path = tmp_path / f"a.{suffix}"
    subprocess.run(["ffmpeg", "-v", "error", *sound, *pictures, *more, *form, path], check=True, timeout=60)
    unnamed = path.rename(tmp_path / "unnamed")

    assert modality_of(unnamed) == ("video" if film else "audio")
    assert open_clip(unnamed, "audio").duration_s == pytest.approx(1.0, abs=0.1)
    facts = describe(unnamed)
    assert facts["duration_s"] == pytest.approx(1.0, abs=0.1)
    assert not film or {t["kind"] for t in facts["tracks"]} >= {"audio", "video"}


@pytest.mark.parametrize("suffix", ["tiff", "bmp", "avif"])
def test_more_pictures_are_opened(tmp_path, suffix):
    from PIL import Image

    Image.fromarray(np.full((20, 30, 3), 200, np.uint8)).save(tmp_path / f"a.{suffix}")
    clip = open_clip(tmp_path / f"a.{suffix}", "image")
    assert clip.pixels.shape == (20, 30, 3)
    assert clip.pixels.mean() == pytest.approx(200 / 255, abs=0.02)


@pytest.mark.parametrize(
    ("name", "text", "encoding", "said"),
    [
        ("a.csv", "name,audio,label\nx,x.wav,a\n", "utf-8", "it has no column id"),
        ("a.csv", "name;audio;label\nx;x.wav;a\n", "utf-16", "it has no column id"),
        ("a.csv", "id;audio;label\nx;x.wav;a\n", "utf-8", "is used as a series"),
        ("a.tsv", "name\taudio\tlabel\nx\tx.wav\ta\n", "utf-8", "it has no column id"),
    ],
)
def test_a_manifest_that_cannot_be_read_as_one_is_called_one(tmp_path, name, text, encoding, said):
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(MediaError, match=f"looks like a manifest.*{said}"):
        open_clip(tmp_path / name, "series")


def test_an_npz_with_our_member_that_is_none_of_ours_is_an_input_error(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(3), meta=np.array("x"))
    with pytest.raises(MediaError, match="damaged, or made by another program") as caught:
        describe(tmp_path / "a.npz")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("length", [8, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize("name", ["a.m4a", "a.mp4", "unnamed"])
def test_a_box_of_any_length_leads_to_a_refusal(tmp_path, length, name):
    """A mutant of an m4a file: the length of its first long box lay beyond what a file can be asked to seek to."""
    head = (24).to_bytes(4, "big") + b"ftypM4A " + bytes(12)
    (tmp_path / name).write_bytes(head + b"\0\0\0\1free" + length.to_bytes(8, "big") + bytes(400))

    with pytest.raises(MediaError):
        open_clip(tmp_path / name, modality_of(tmp_path / name))
