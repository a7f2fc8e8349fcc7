"""Words: UTF-8 and nothing else; cues with their times."""

from __future__ import annotations

import contextlib

import pytest

from mmcli.errors import MediaError
from mmcli.media import MediaOptions, SubtitleClip, TextClip, open_clip


def text(path):
    clip = open_clip(path, "text")
    assert isinstance(clip, TextClip)
    return clip.text


def cues(path, **options):
    clip = open_clip(path, "subtitle", options=MediaOptions(**options))
    assert isinstance(clip, SubtitleClip)
    return clip.cues


def test_utf8_is_read_with_and_without_a_mark(tmp_path):
    (tmp_path / "plain.txt").write_bytes("Grüße, 世界\r\nzwei\rdrei\n".encode())
    (tmp_path / "mark.txt").write_bytes(b"\xef\xbb\xbf" + "Grüße".encode())

    assert text(tmp_path / "plain.txt") == "Grüße, 世界\nzwei\ndrei\n"
    assert text(tmp_path / "mark.txt") == "Grüße"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("naïve".encode("latin-1"), "not UTF-8: byte 0xef in line 1"),
        ("one\ntwo\nna\u00efve".encode("cp1252"), "in line 3"),
        (b"\xff\xfew\x00o", "damaged: it is no UTF-16 after its mark"),
        ("words".encode("utf-16-le"), "NUL"),
        (b" \n\t", "holds no text"),
        (b"\x89PNG\r\n\x1a\n....", "holds png"),
    ],
)
def test_everything_else_is_refused_with_its_reason(tmp_path, data, said):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(MediaError, match=said):
        text(tmp_path / "a.txt")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-be"])
def test_utf_16_and_32_are_read_where_their_mark_says_so(tmp_path, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "a.txt").write_bytes((mark + "Grüße, 世界\r\n").encode(encoding))

    assert text(tmp_path / "a.txt") == "Grüße, 世界\n"


SRT = "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>\nthere\n\n2\n00:00:03,000 --> 00:00:04,000\nAgain\n"
VTT = "WEBVTT\n\n00:01.000 --> 00:02.500\nHello\nthere\n\n00:03.000 --> 00:04.000\nAgain\n"
ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not shown\n"
    "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,Again\n"
    "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\b1}Hello{\\b0}\\Nthere\n"
)


@pytest.mark.parametrize(("suffix", "data"), [("srt", SRT), ("vtt", VTT), ("ass", ASS)])
def test_cues_come_sorted_and_without_markup(tmp_path, suffix, data):
    (tmp_path / f"a.{suffix}").write_text(data)

    assert cues(tmp_path / f"a.{suffix}") == [(1.0, 2.5, "Hello\nthere"), (3.0, 4.0, "Again")]


def test_a_segment_cuts_cues_and_counts_from_its_start(tmp_path):
    (tmp_path / "a.srt").write_text(SRT)

    assert cues(tmp_path / "a.srt", start=2.0, end=3.5) == [(0.0, 0.5, "Hello\nthere"), (1.0, 1.5, "Again")]


def test_files_without_cues_are_refused(tmp_path):
    (tmp_path / "a.srt").write_text("just words\n")
    with pytest.raises(MediaError):
        cues(tmp_path / "a.srt")


POLISH = "Zażółć gęślą jaźń, rzekł król i poszedł w świat szukać szczęścia.\n"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-16", "Zażółć gęślą jaźń"),
        ("cp1250", POLISH.strip()),
        ("cp1251", "Съешь же ещё этих мягких французских булок"),
    ],
)
def test_subtitles_in_older_encodings_are_told_apart(tmp_path, encoding, words):
    cues = "".join(f"{k}\n00:00:{k:02},000 --> 00:00:{k:02},900\n{words}\n\n" for k in range(1, 9))
    (tmp_path / "a.srt").write_bytes(cues.encode(encoding))

    assert open_clip(tmp_path / "a.srt", "subtitle").cues[0] == (1.0, 1.9, words)


@pytest.mark.parametrize(
    "bomb", ["\n" * 200_000, "{" * 200_000, "<" * 200_000, "{\\" * 90_000, "a\n" * 90_000, "1\n\n" * 60_000]
)
@pytest.mark.parametrize("suffix", ["srt", "vtt", "ass"])
def test_a_cue_of_any_length_takes_time_in_proportion(tmp_path, suffix, bomb):
    """The patterns of the parser take the square of a cue: 40 kB took 28 s."""
    import time

    data = {"srt": SRT, "vtt": VTT, "ass": ASS}[suffix]
    (tmp_path / f"a.{suffix}").write_text(data.replace("there", "there" + bomb))
    began = time.process_time()
    with contextlib.suppress(MediaError):
        open_clip(tmp_path / f"a.{suffix}", "subtitle")

    assert time.process_time() - began < 5.0
