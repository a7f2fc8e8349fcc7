"""Films on another clock: the bytes of every packet stay, their times follow the map, and everyone reads the result."""

from __future__ import annotations

import hashlib
import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.aligners.output import apply
from mmcli.artifacts.formats import alignment
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.cli import app
from mmcli.errors import MediaError, MmcliError, UsageError
from mmcli.media import open_clip

OFFSET = TimeMap([[1.37, 0.0], [6.37, 5.0]], model="offset", offset_s=1.37, rate=1.0)
DRIFT = TimeMap([[0.5, 0.0], [5.501, 5.0]], model="affine", offset_s=0.5, rate=1.0002)
SPED = TimeMap([[0.0, 0.0], [25.0, 24.0]], model="affine", offset_s=0.0, rate=25 / 24)
BENT = TimeMap([[1.0, 0.0], [3.0, 1.5], [6.0, 5.5]])
KINDS = ("mp4", "mkv", "webm")


def packets(path: Path, kind: str = "video") -> list[tuple[bytes, float, float | None]]:
    """Digest, showing time and decoding time of the packets of a track, in the order of the file."""
    import av

    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)
        return [
            (
                hashlib.sha256(bytes(p)).digest(),
                float(p.pts * p.time_base),
                None if p.dts is None else float(p.dts * p.time_base),
            )
            for p in container.demux(stream)
            if p.size
        ]


def film(path: Path, seconds: float = 5.0, rate: int = 24, gop: int = 12, sound: bool = True) -> Path:
    """Coloured frames, with pictures that depend on later ones where the codec has such, and a tone."""
    import av

    webm = path.suffix == ".webm"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libvpx-vp9" if webm else "libx264", rate=rate)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.options = {"cpu-used": "8", "b": "0", "crf": "40", "g": str(gop)} if webm else {"g": str(gop), "bf": "2"}
        audio = container.add_stream("libopus" if webm else "aac", rate=48_000, layout="mono") if sound else None
        for k in range(int(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            if not audio.codec_context.is_open:
                audio.codec_context.open()
            step = audio.codec_context.frame_size
            for k in range(int(seconds * 48_000) // step):
                tone = 0.3 * np.sin(2 * np.pi * 440 * (k * step + np.arange(step)) / 48_000)
                form = audio.codec_context.format.name
                values = tone.astype(np.float32) if form.startswith("flt") else (tone * 32767).astype(np.int16)
                sounds = av.AudioFrame.from_ndarray(values[None], format=form, layout="mono")
                sounds.pts, sounds.sample_rate, sounds.time_base = k * step, 48_000, Fraction(1, 48_000)
                container.mux(audio.encode(sounds))
            container.mux(audio.encode(None))
    return path


def origin(path: Path) -> float:
    """Where the clock of a film starts on the times of its packets."""
    import av

    with av.open(str(path)) as container:
        return max(0.0, container.start_time / 1e6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("m", [OFFSET, DRIFT, SPED, BENT], ids=["offset", "drift", "sped", "bent"])
@pytest.mark.parametrize("inverse", [False, True])
def test_bytes_stay_and_times_follow_the_map_to_a_millisecond(
    tmp_path: Path, kind: str, m: TimeMap, inverse: bool
) -> None:
    source, target = film(tmp_path / f"a.{kind}", sound=False), tmp_path / f"b.{kind}"
    if inverse:  # the file is on the reference's clock: nothing of it may come before the query's beginning
        m = m.invert()
    apply.warp_file(source, m, target, inverse=inverse)
    before, after = packets(source), packets(target)
    assert [p[0] for p in after] == [p[0] for p in before]
    clock = apply.Clock(m, inverse)
    wanted = clock.all(np.array([p[1] for p in before]) - origin(source))
    first = int(np.argmin(wanted))  # stands from the beginning, so that every reader has the clock begin there
    assert after[first][1] == 0.0
    wanted[first] = 0.0
    assert np.abs(np.array([p[1] for p in after]) - wanted).max() <= 0.001
    decoding = [d for _, _, d in after if d is not None]
    assert np.all(np.diff(decoding) > 0)
    assert all(d is None or d <= t + 1e-9 for _, t, d in after)


@pytest.mark.parametrize("kind", KINDS)
def test_sound_goes_with_the_pictures_where_the_pace_is_the_same(tmp_path: Path, kind: str) -> None:
    source, target = film(tmp_path / f"a.{kind}"), tmp_path / f"b.{kind}"
    for m in (OFFSET, DRIFT):
        said = apply.warp_file(source, m, target).remark
        assert "and their sound" in said
        before, after = packets(source, "audio"), packets(target, "audio")
        assert [p[0] for p in after] == [p[0] for p in before]
        wanted = m.to_reference(np.array([p[1] for p in before]) - origin(source))
        assert np.abs(np.array([p[1] for p in after]) - wanted).max() <= 0.001
    assert open_clip(target, "audio").duration_s == pytest.approx(5.5, abs=0.1)


def test_where_the_pace_differs_the_sound_is_left_out_and_said_so(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4")
    said = apply.warp_file(source, SPED, tmp_path / "b.mp4").remark
    assert "the pace changes, so the sound is left out" in said
    clip = open_clip(tmp_path / "b.mp4", "video")
    assert not clip.has_audio
    assert clip.rate_hz == pytest.approx(24 * 24 / 25, rel=1e-3)
    assert clip.duration_s == pytest.approx(5 * 25 / 24, abs=0.01)


def test_the_sound_of_a_film_is_stretched_into_a_wav(tmp_path: Path) -> None:
    apply.warp_file(film(tmp_path / "a.mp4"), SPED, tmp_path / "b.wav")
    clip = open_clip(tmp_path / "b.wav", "audio")
    assert clip.duration_s == pytest.approx(5 * 25 / 24, abs=0.05)
    samples = clip.samples()[24_000:-24_000]
    peak = np.abs(np.fft.rfft(samples)).argmax() * clip.rate / len(samples)
    assert peak == pytest.approx(440, abs=2)


def gap(side: str) -> TimeMap:
    """2 s are shared, 2 s of one side have no partner, the rest is shared."""
    if side == "query":
        return TimeMap([[0, 0], [2, 2], [2, 4], [4, 6]], [{"side": "query", "start": 2, "end": 4}], "piecewise")
    return TimeMap([[0, 0], [2, 2], [4, 2], [8, 6]], [{"side": "reference", "start": 2, "end": 4}], "piecewise")


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_what_was_cut_from_the_reference_is_cut_from_the_film(tmp_path: Path, kind: str) -> None:
    """Groups of pictures in the stretch go, those that others need pass within a tick; sound in it goes."""
    source, target = film(tmp_path / f"a.{kind}", 6.0, gop=12), tmp_path / f"b.{kind}"
    said = apply.warp_file(source, gap("query"), target).remark
    assert "left out: " in said
    before, after = packets(source), packets(target)
    times = np.sort([t for _, t, _ in after])
    assert times[-1] == pytest.approx(4.0 - 1 / 24, abs=0.002)
    assert len(before) - 48 <= len(after) < len(before) - 20  # two seconds, but for the ends of two groups
    frames = dict.fromkeys(round(t, 2) for t, _ in open_clip(target, "video").frames())
    assert len(frames) >= 24 * 4 - 2
    sounds = np.array([t for _, t, _ in packets(target, "audio")])
    assert np.diff(sounds).max() <= 2 * np.median(np.diff(sounds))
    kept = {digest for digest, _, _ in after}
    assert all((digest in kept) for digest, t, _ in before if t < 1.9 or t >= 4.0 + 1 / 24)


def test_what_the_film_lacks_is_a_pause(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 6.0)
    apply.warp_file(source, gap("reference"), tmp_path / "b.mp4")
    times = np.sort([t for _, t, _ in packets(tmp_path / "b.mp4")])
    assert len(times) == 144
    assert np.diff(times).max() == pytest.approx(2 + 1 / 24, abs=0.002)


def test_what_would_come_before_the_beginning_is_not_shown(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 5.0)
    apply.warp_file(source, OFFSET, tmp_path / "b.mp4", inverse=True)
    times = np.sort([t for _, t, _ in packets(tmp_path / "b.mp4")])
    assert times[0] >= 0
    late = times[times > 0.006]  # the picture at 0.005 may be the first, which stands from 0
    assert late == pytest.approx(np.arange(34, 120) / 24 - 1.37, abs=1e-3)


def test_the_same_film_is_written_twice_and_there_and_back_again_it_is_as_it_was(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4")
    for name in ("b.mp4", "c.mp4"):
        apply.warp_file(source, BENT, tmp_path / name)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "c.mp4").read_bytes()
    apply.warp_file(tmp_path / "b.mp4", BENT, tmp_path / "d.mp4", inverse=True)
    times = [[t for _, t, _ in packets(tmp_path / name)] for name in ("a.mp4", "d.mp4")]
    assert times[1] == pytest.approx(times[0], abs=0.001)


def test_we_find_it_where_it_was_put(tmp_path: Path) -> None:
    """A film that was 1.37 s late is not late any more once it is warped, to our own readers too."""
    apply.warp_file(film(tmp_path / "a.mp4", sound=False), OFFSET, tmp_path / "b.mp4")
    frames = list(open_clip(tmp_path / "b.mp4", "video").frames())
    (_, last), (_, wanted) = frames[-1], list(open_clip(tmp_path / "a.mp4", "video").frames())[-1]
    assert np.array_equal(last, wanted)
    assert frames[-1][0] == pytest.approx(5 - 1 / 24 + 1.37, abs=0.001)


@pytest.mark.needs("ffmpeg", "ffprobe")
@pytest.mark.parametrize("kind", KINDS)
def test_ffmpeg_reads_what_was_written(tmp_path: Path, kind: str) -> None:
    source, target = film(tmp_path / f"a.{kind}"), tmp_path / f"b.{kind}"
    apply.warp_file(source, OFFSET, target)
    command = ["ffmpeg", "-v", "error", "-i", str(target), "-vsync", "0", "-f", "rawvideo", "/dev/null", "-y"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # What it writes has whole frames of the nominal rate; that milliseconds do not fit them is not about reading.
    assert [line for line in done.stderr.splitlines() if "non monotonically" not in line] == []
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type,codec_name", "-of", "json", str(target)]
    streams = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["streams"]
    assert [s["codec_type"] for s in streams] == ["video", "audio"]


@pytest.mark.needs("ffmpeg")
def test_subtitles_inside_go_along_where_the_container_takes_them(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv")
    (tmp_path / "s.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\nhello\n")
    inputs = ["-i", str(source), "-i", str(tmp_path / "s.srt")]
    whole = str(tmp_path / "w.mkv")
    subprocess.run(["ffmpeg", "-v", "error", *inputs, "-c", "copy", "-c:s", "srt", whole], check=True)
    apply.warp_file(Path(whole), OFFSET, tmp_path / "o.mkv")
    (cue,) = packets(tmp_path / "o.mkv", "subtitles")
    assert cue[1] == pytest.approx(2.37, abs=0.002)
    assert "mp4 does not take" in apply.warp_file(Path(whole), OFFSET, tmp_path / "o.mp4").remark


def test_a_picture_stays_upright(tmp_path: Path) -> None:
    """The matrix by which a phone turns its pictures is copied."""
    import av

    source = film(tmp_path / "a.mp4", 1.0, sound=False)
    with av.open(str(source)) as old, av.open(str(tmp_path / "t.mp4"), "w") as new:
        track = new.add_stream_from_template(old.streams.video[0])
        if not hasattr(track, "set_display_rotation"):
            pytest.skip("this PyAV cannot turn pictures")
        track.set_display_rotation(90)
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = track
                new.mux(packet)
    apply.warp_file(tmp_path / "t.mp4", OFFSET, tmp_path / "o.mp4")
    clip = open_clip(tmp_path / "o.mp4", "video")
    assert (clip.width, clip.height) == (48, 64)


@pytest.mark.parametrize(
    ("name", "said", "kind"),
    [("b.avi", "not as .avi", UsageError), ("b", "a file of no kind", UsageError), ("b.webm", "h264", UsageError)],
)
def test_what_cannot_be_written_is_said_and_leaves_nothing(
    tmp_path: Path, name: str, said: str, kind: type[MmcliError]
) -> None:
    source = film(tmp_path / "a.mp4", 0.5)
    with pytest.raises(kind, match=said):
        apply.warp_file(source, OFFSET, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("kind", ["mkv", "webm"])
def test_a_film_that_was_cut_off_is_not_passed_on_as_whole(tmp_path: Path, kind: str) -> None:
    data = film(tmp_path / f"a.{kind}", 5.0).read_bytes()
    (tmp_path / f"x.{kind}").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match="is truncated: declares 5"):
        apply.warp_file(tmp_path / f"x.{kind}", OFFSET, tmp_path / f"y.{kind}")


def test_damaged_films_are_refused(tmp_path: Path) -> None:
    data = film(tmp_path / "a.mp4", 2.0).read_bytes()
    for content in (b"", b"nonsense" * 100, data[: len(data) // 2], b"\x89PNG\r\n\x1a\n" + data):
        (tmp_path / "x.mp4").write_bytes(content)
        with pytest.raises(MediaError):
            apply.warp_file(tmp_path / "x.mp4", OFFSET, tmp_path / "y.mp4")
        assert not (tmp_path / "y.mp4").exists()
    far = TimeMap([[0.0, 100.0], [5.0, 105.0]], model="offset", offset_s=-100.0, rate=1.0)
    with pytest.raises(MediaError, match="no picture"):
        apply.warp_file(tmp_path / "a.mp4", far, tmp_path / "y.mp4")


def test_the_command_says_what_became_of_the_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields: dict[str, Any] = {"offset_s": 1.37, "rate": 1.0, "ppm": 0.0}
    alignment.save(tmp_path / "m.json", Alignment(model="offset", knots=OFFSET.knots, **fields))
    source = film(tmp_path / "a.mp4", 1.0)
    assert app.run(["warp", str(source), "--map", str(tmp_path / "m.json"), "-o", str(tmp_path / "b.mkv")]) == 0
    assert "24 pictures and their sound" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_film_holds_it_is_written_or_refused(tmp_path: Path, kind: str) -> None:
    """80 mutants, most of them hit in the head or the index."""
    source = film(tmp_path / f"a.{kind}", 1.0).read_bytes()
    for seed in range(80):
        rng = np.random.default_rng(seed)
        data = bytearray(source)
        for _ in range(int(rng.choice([1, 3, 20]))):
            near = min(len(data), 2000)
            places = [rng.integers(len(data)), rng.integers(near), len(data) - 1 - rng.integers(near)]
            data[int(rng.choice(places))] = int(rng.integers(256))
        path = tmp_path / f"x.{kind}"
        path.write_bytes(data)
        try:
            apply.warp_file(path, BENT if seed % 2 else OFFSET, tmp_path / "y.mkv")
        except MmcliError as error:
            assert "\n" not in error.what  # noqa: PT017 - what was raised is not known before
            continue
        assert len(packets(tmp_path / "y.mkv")) > 0
