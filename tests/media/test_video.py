"""Video: frames with their own times, upright, from every container."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmcli.errors import MediaError
from mmcli.media import AudioClip, MediaOptions, VideoClip, open_clip

from .conftest import numbered_frames, peak_hz, tone, write_video


def video(path: Path, **options: object) -> VideoClip:
    clip = open_clip(path, "video", options=MediaOptions(**options))
    assert isinstance(clip, VideoClip)
    return clip


def numbers(frames: list[tuple[float, np.ndarray]]) -> list[int]:
    """Which of the numbered frames these are, read from their grey."""
    return [round((float(f[-4:, -4:].mean()) - 20) / 8) for _, f in frames]


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm"])
def test_all_frames_come_in_order_with_their_times(tmp_path, kind):
    clip = video(write_video(tmp_path / f"v.{kind}", numbered_frames(20)))
    frames = list(clip.frames())

    assert (clip.width, clip.height, clip.rate_hz) == (64, 48, 10.0)
    assert clip.duration_s == pytest.approx(2.0, abs=0.01)
    assert numbers(frames) == list(range(20))
    assert [t for t, _ in frames] == pytest.approx(np.arange(20) / 10, abs=0.001)
    assert frames[0][1].shape == (48, 64, 3)
    assert frames[0][1].dtype == np.uint8
    assert frames[0][1][4, 4].min() > 230


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_a_chosen_rate_gives_the_first_frame_at_or_after_each_tick_with_its_own_time(tmp_path, kind):
    frames = list(video(write_video(tmp_path / f"v.{kind}", numbered_frames(20))).frames(rate=3.0))

    assert numbers(frames) == [0, 4, 7, 10, 14, 17]
    assert [t for t, _ in frames] == pytest.approx([0.0, 0.4, 0.7, 1.0, 1.4, 1.7], abs=0.001)


def test_a_rate_above_the_native_one_repeats_nothing(tmp_path):
    assert len(list(video(write_video(tmp_path / "v.mp4", numbered_frames(5))).frames(rate=100.0))) == 5


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm"])
def test_a_segment_holds_its_frames_counted_from_its_start(tmp_path, kind):
    clip = video(write_video(tmp_path / f"v.{kind}", numbered_frames(20)), start=0.7, end=1.2)
    frames = list(clip.frames())

    assert numbers(frames) == [7, 8, 9, 10, 11]
    assert [t for t, _ in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=0.001)
    assert clip.duration_s == pytest.approx(0.5)


@pytest.mark.parametrize(("turn", "corner"), [(90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_a_turned_recording_is_shown_upright(tmp_path, turn, corner):
    """The display matrix in the track header (ISO 14496-12, 8.3.2) turns the picture clockwise by ``turn`` degrees."""
    path = write_video(tmp_path / "v.mp4", numbered_frames(3))
    data = bytearray(path.read_bytes())
    one = 1 << 16
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[turn]
    at = data.index(b"tkhd") + 4 + 40
    for offset, value in ((0, a), (4, b), (12, c), (16, d)):
        data[at + offset : at + offset + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    clip = video(path)
    _, frame = next(iter(clip.frames()))

    assert frame.shape == ((64, 48, 3) if turn in (90, 270) else (48, 64, 3))
    assert (clip.height, clip.width) == frame.shape[:2]
    assert frame[corner].min() > 230  # the white corner, top left as stored


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm"])
def test_the_sound_track_of_a_video_opens_as_audio(tmp_path, kind):
    path = write_video(tmp_path / f"v.{kind}", numbered_frames(20), sound=(tone(48000, 2.0, 2), 48000))
    clip = open_clip(path, "audio")

    assert video(path).has_audio
    assert isinstance(clip, AudioClip)
    assert clip.channels == 2
    assert peak_hz(clip.samples(), clip.rate) == pytest.approx(440.0, abs=0.1)
    assert len(clip.samples()) / clip.rate == pytest.approx(2.0, abs=0.03)


def test_missing_tracks_are_named(tmp_path, sound):
    with pytest.raises(MediaError, match="has no audio track"):
        open_clip(write_video(tmp_path / "silent.mp4", numbered_frames(3)), "audio")
    with pytest.raises(MediaError, match="has no video track"):
        open_clip(sound("m4a"), "video")
    with pytest.raises(MediaError, match=r"has 1 video track\(s\).*no track 2"):
        video(tmp_path / "silent.mp4", track=2)


def test_an_unfinished_recording_is_named_as_such(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered_frames(5))
    data = path.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: data.index(b"moov") - 4])

    with pytest.raises(MediaError, match="no moov box"):
        video(tmp_path / "cut.mp4")


def test_a_playlist_does_not_make_the_decoder_open_what_it_lists(tmp_path):
    write_video(tmp_path / "v.mp4", numbered_frames(3))
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile v.mp4\n")
    (tmp_path / "list.mkv").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nv.mp4\n#EXT-X-ENDLIST\n")
    for name in ("list.mp4", "list.mkv"):
        with pytest.raises(MediaError):
            video(tmp_path / name)
