"""A map put to use: only times change, sound keeps its pitch, and what the map does not know is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmcli.aligners.output import apply, stretch
from mmcli.artifacts.formats import features
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.cli import app
from mmcli.errors import MediaError, UsageError

LATE = TimeMap([[10.0, 0.0], [70.0, 60.0]], model="offset", offset_s=10.0, rate=1.0)
BENT = TimeMap([[0.0, 0.0], [10.0, 8.0], [20.0, 20.0]])

SRT = b"\xef\xbb\xbf1\r\n00:00:01,500 --> 00:00:03,000 X1:10 X2:20\r\n<i>caf\xc3\xa9</i>\r\nat 00:00:09,000\r\n\r\n"
VTT = b"WEBVTT - notes\n\nNOTE 00:01.000 stays\n\nid-7\n00:01.500 --> 01:00:03.000 align:start\nhi\n"
ASS = (
    b"[Events]\nComment: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{note}\n"
    b"Dialogue: 0,0:00:01.50,0:00:03.00,Default,,0:00:09.00\n"
)
GRID = (
    b'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = 3 \ntiers? <exists> \nsize = 2 \n'
    b'item []: \n    item [1]: \n        class = "IntervalTier" \n        name = "a ""1.5"" b" \n        xmin = 0 \n'
    b"        xmax = 3 \n        intervals: size = 2 \n        intervals [1]: \n            xmin = 0 \n"
    b'            xmax = 1.5 \n            text = "xmin = 7" \n        intervals [2]: \n            xmin = 1.5 \n'
    b'            xmax = 3 \n            text = "8\n9.5" \n    item [2]: \n        class = "TextTier" \n'
    b'        name = "p" \n        xmin = 0 \n        xmax = 3 \n        points: size = 1 \n        points [1]: \n'
    b'            number = 2 \n            mark = "120" \n'
)
SHORT = (
    b'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n3\n<exists>\n1\n"IntervalTier"\n"w"\n0\n3\n2\n'
    b'0\n1\n"4"\n1\n3\n"caf\xc3\xa9"\n'
)


def later(data: bytes, *times: bytes) -> bytes:
    """Ten seconds added where ``time`` stands after ``= ``, in whole lines."""
    for time in times:
        data = data.replace(b"= " + time + b" \n", b"= %.6f \n" % (float(time) + 10))
    return data


@pytest.mark.parametrize(
    ("suffix", "data", "wanted"),
    [
        (".srt", SRT, SRT.replace(b"00:00:01,500 --> 00:00:03,000", b"00:00:11,500 --> 00:00:13,000")),
        (".vtt", VTT, VTT.replace(b"00:01.500 --> 01:00:03.000", b"00:11.500 --> 01:00:13.000")),
        (
            ".ass",
            ASS,
            ASS.replace(b"0:00:01.00,0:00:02.00", b"0:00:11.00,0:00:12.00").replace(
                b"0:00:01.50,0:00:03.00", b"0:00:11.50,0:00:13.00"
            ),
        ),
        (".csv", b'time,x\n1.5,"a, b"\n', b'time,x\n11.500000,"a, b"\n'),
        (
            ".csv",
            b'note,t\r\n"a, ""b""\nc",1.5\r\nx,"2"\r\ny,\r\n',
            b'note,t\r\n"a, ""b""\nc",11.500000\r\nx,"12.000000"\r\ny,\r\n',
        ),
        (".tsv", b"label\tstart\tend\na,b\t1\t2", b"label\tstart\tend\na,b\t11.000000\t12.000000"),
        (".textgrid", GRID, later(GRID, b"0", b"1.5", b"3").replace(b"number = 2", b"number = 12.000000")),
        (
            ".textgrid",
            SHORT,
            b'File type = "ooTextFile"\nObject class = "TextGrid"\n\n10.000000\n13.000000\n<exists>\n1\n'
            b'"IntervalTier"\n"w"\n10.000000\n13.000000\n2\n10.000000\n11.000000\n"4"\n11.000000\n13.000000\n"caf\xc3\xa9"\n',
        ),
        (
            ".vtt",
            b"WEBVTT\n\n00:01.000 --> 00:03.000\na <00:02.000>b <c>00:02.500</c>\n",
            b"WEBVTT\n\n00:11.000 --> 00:13.000\na <00:12.000>b <c>00:02.500</c>\n",
        ),
    ],
)
def test_only_times_change_and_all_else_stays_byte_for_byte(suffix: str, data: bytes, wanted: bytes) -> None:
    assert apply.retimed(data, suffix, apply.Clock(LATE), "a") == wanted


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf_16_comes_back_as_utf_16(order: str) -> None:
    mark = "\ufeff".encode(order)
    wanted = apply.retimed(SHORT, ".textgrid", apply.Clock(LATE), "a").decode().encode(order)
    assert apply.retimed(mark + SHORT.decode().encode(order), ".textgrid", apply.Clock(LATE), "a") == mark + wanted


def test_there_and_back_again_gives_the_same_subtitle(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_bytes(SRT)
    apply.warp_file(tmp_path / "a.srt", LATE, tmp_path / "b.srt")
    apply.warp_file(tmp_path / "b.srt", LATE, tmp_path / "c.srt", inverse=True)
    assert (tmp_path / "c.srt").read_bytes() == SRT


def test_times_beyond_the_map_keep_their_distance_and_are_counted() -> None:
    clock = apply.Clock(BENT)
    assert clock.all(np.array([4.0, 25.0])).tolist() == [5.0, 25.0]
    assert (clock.told, clock.guessed) == (2, 1)


def test_features_get_new_times_and_lose_their_rate(tmp_path: Path) -> None:
    made = Features(np.zeros((5, 2), np.float32), np.arange(5.0) * 4, {"rate_hz": 0.25})
    features.save(tmp_path / "a.npz", made)
    apply.warp_file(tmp_path / "a.npz", BENT, tmp_path / "b.npz")
    again = features.load(tmp_path / "b.npz")
    assert again.times == pytest.approx([0.0, 5.0, 10.0, 10.0 + 10 * 4 / 12, 10.0 + 10 * 8 / 12])
    assert "rate_hz" not in again.meta


def test_stretched_sound_keeps_its_pitch_and_ends_where_the_map_ends() -> None:
    rate = 16000
    tone = np.sin(2 * np.pi * 440 * np.arange(rate * 20) / rate).astype(np.float32)
    out = stretch.retimed(tone, rate, BENT)
    assert len(out) == 20 * rate
    for part in (out[rate : 9 * rate], out[11 * rate : 19 * rate]):
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        assert np.argmax(spectrum) * rate / len(part) == pytest.approx(440, abs=3)
        assert np.sqrt(np.mean(part**2)) == pytest.approx(np.sqrt(0.5), rel=0.1)


def test_clicks_land_where_the_map_says() -> None:
    rate = 16000
    noise = 0.001 * np.random.default_rng(0).standard_normal(rate * 20).astype(np.float32)
    for at in (2, 6, 14):
        noise[at * rate : at * rate + 160] += 0.5
    out = np.abs(stretch.retimed(noise, rate, BENT))
    for at in (2.0, 6.0, 14.0):
        wanted = float(BENT.to_reference(at))
        near = out[int((wanted - 0.1) * rate) : int((wanted + 0.1) * rate)]
        assert np.argmax(near) / rate - 0.1 == pytest.approx(0.0, abs=0.025)


def test_a_clock_that_drifts_is_resampled_to_the_sample() -> None:
    rate = 8000
    m = TimeMap([[1.0, 0.0], [11.0, 9.999]], model="affine", offset_s=1.0, rate=1.0001)
    tone = np.sin(2 * np.pi * 200 * np.arange(rate * 5) / rate).astype(np.float32)
    out = stretch.retimed(tone, rate, m)
    t = np.arange(2 * rate, 5 * rate) / rate
    assert out[2 * rate : 5 * rate] == pytest.approx(np.sin(2 * np.pi * 200 * (t - 1) / 1.0001), abs=0.01)


BAD = [
    (".textgrid", b"xmin = 0\nxmax = 3\n"),
    (".textgrid", SHORT[:-20]),
    (".textgrid", SHORT.replace(b"<exists>\n1", b"<exists>\n99999999999")),
    (".textgrid", SHORT.replace(b"<exists>\n1", b"<exists>\n1e999")),
    (".textgrid", b"\xff\xfe" + SHORT.decode().encode("utf-16-le")[:-1]),
    (".csv", b""),
    (".csv", b"time\nx\n"),
    (".ass", b"[Events]\n"),
]


def test_what_holds_no_times_is_refused(tmp_path: Path) -> None:
    for suffix, data in ((".srt", b"no cues\n"), (".csv", b"a,b\n1,2\n"), (".srt", "1".encode("utf-16")), *BAD):
        with pytest.raises(MediaError):
            apply.retimed(data, suffix, apply.Clock(LATE), "a")
    (tmp_path / "a.srt").write_bytes(SRT)
    with pytest.raises(UsageError, match="stays srt"):
        apply.warp_file(tmp_path / "a.srt", LATE, tmp_path / "b.csv")
    (tmp_path / "a.xyz").write_bytes(b"x")
    with pytest.raises(UsageError):
        apply.warp_file(tmp_path / "a.xyz", LATE, tmp_path / "b.xyz")


def test_the_command(sample_data: Path, tmp_path: Path) -> None:
    folder = sample_data / "reading"
    pair = [str(folder / "reading.flac"), str(folder / "reading_shifted.ogg")]
    assert app.run(["align", *pair, "-o", str(tmp_path / "m.json"), "-q"]) == 0
    (tmp_path / "a.srt").write_bytes(SRT)
    warp = ["warp", str(tmp_path / "a.srt"), "--map", str(tmp_path / "m.json"), "-o", str(tmp_path / "b.srt"), "-q"]
    assert app.run(warp) == 0
    assert b"00:00:02,870 --> 00:00:04,370" in (tmp_path / "b.srt").read_bytes()


@pytest.mark.parametrize("m", [LATE, BENT], ids=["resampled", "stretched"])
def test_channels_stay_channels_and_move_alike(tmp_path: Path, m: TimeMap) -> None:
    import soundfile

    t = np.arange(12 * 8000) / 8000
    left, right = 0.5 * np.sin(2 * np.pi * 300 * t), 0.25 * np.sin(2 * np.pi * 600 * t)
    soundfile.write(tmp_path / "a.wav", np.column_stack([left, right]), 8000)
    soundfile.write(tmp_path / "left.wav", np.column_stack([left, left]), 8000)
    soundfile.write(tmp_path / "mono.wav", left, 8000)
    for name in ("a", "left", "mono"):
        apply.warp_file(tmp_path / f"{name}.wav", m, tmp_path / f"{name}2.wav")
    out, rate = soundfile.read(tmp_path / "a2.wav")
    assert (out.shape[1], rate) == (2, 8000)
    middle = out[len(out) * 2 // 3 : len(out) * 2 // 3 + 8000]
    for k, hz in ((0, 300), (1, 600)):
        assert np.abs(np.fft.rfft(middle[:, k])).argmax() == pytest.approx(hz, abs=3)
    same, _ = soundfile.read(tmp_path / "left2.wav")
    mono, _ = soundfile.read(tmp_path / "mono2.wav")
    assert np.array_equal(same[:, 0], same[:, 1])
    assert same[:, 0] == pytest.approx(mono, abs=1e-3)
