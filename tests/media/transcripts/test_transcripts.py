"""Texts with times of other programs: read as their own libraries read them, and refused where they are damaged."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import soundfile
from pympi.Elan import Eaf, to_eaf

from mmcli.artifacts.formats import alignment
from mmcli.cli import app
from mmcli.errors import InputError, MediaError, MmcliError
from mmcli.media import intervals, modality_of, open_clip, transcripts

WHISPER = {
    "text": "Hello there. Good bye.",
    "language": "en",
    "segments": [
        {"id": 0, "start": 0.5, "end": 1.75, "text": " Hello there.", "words": [
            {"word": " Hello", "start": 0.5, "end": 1.0, "probability": 0.9},
            {"word": " there.", "start": 1.0, "end": 1.75}]},
        {"id": 1, "start": 2.0, "end": 3.25, "text": " Good bye.", "words": [
            {"word": "Good"}, {"word": "bye.", "start": 2.5, "end": 3.25}]},
    ],
}  # fmt: skip
CTM = ";; by hand\ntalk 1 0.50 0.25 hello 0.9\ntalk A 1.00 0.50 there\n"
RTTM = """SPKR-INFO talk 1 <NA> <NA> <NA> unknown anna <NA>
SPEAKER talk 1 0.5 2.0 <NA> <NA> anna <NA> <NA>
SPEAKER talk 1 3 1.5 <NA> <NA> ben <NA> <NA>
"""
SBV = "0:00:01.000,0:00:03.500\nla\nlo\n\n1:00:04.000,1:00:06.25\nha\n"
SUB = "{1}{1}23.976\n{24}{72}{y:i}la|lo\n{120}{144}ha\n"
SMI = """<SAMI><HEAD><TITLE>x</TITLE></HEAD><BODY>
<SYNC Start=1000><P Class=ENCC>la<br>l&ouml;<P Class=FRCC>le
<SYNC Start=2500><P Class=ENCC>&nbsp;
<SYNC Start=4000><P Class=ENCC>ha<P Class=FRCC>hu</BODY></SAMI>"""
TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xml:lang="en"
 ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001" ttp:tickRate="10000000">
<head><metadata>no cue</metadata></head><body><div begin="10s"><p begin="00:00:01.500" end="3s">la<br/>
<span>lo</span></p><p begin="00:00:02:12" dur="10000000t">ha</p></div>
<div xml:lang="fr"><p begin="48f" end="4000ms">le</p></div></body></tt>"""
LRC = "[ar:nobody]\n[00:02.00][00:06.00]la <00:02.50>la\n[00:04.00]lo\n[00:05.50]\n"


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_whisper_is_read_as_pysubs2_reads_it(tmp_path: Path) -> None:
    path = written(tmp_path, "talk.json", json.dumps(WHISPER))
    ours = open_clip(path, "subtitle").cues
    theirs = [(e.start / 1000, e.end / 1000, e.text.strip()) for e in pysubs2.load_from_whisper(WHISPER)]
    assert list(ours) == theirs
    assert modality_of(path) == "subtitle"
    assert intervals.read(f"{path}#words") == [(0.5, 1.0, "Hello"), (1.0, 1.75, "there."), (2.5, 3.25, "bye.")]


def test_whisper_cpp_counts_milliseconds(tmp_path: Path) -> None:
    content = {"systeminfo": "x", "transcription": [{"offsets": {"from": 1500, "to": 2750}, "text": " Hi."}]}
    assert open_clip(written(tmp_path, "a.json", json.dumps(content)), "subtitle").cues == [(1.5, 2.75, "Hi.")]


def test_a_json_of_ours_is_no_transcript(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    alignment.save(
        path,
        alignment.Alignment(model="offset", knots=np.array([[1.0, 0.0], [2.0, 1.0]]), offset_s=1.0, rate=1.0, ppm=0.0),
    )
    assert transcripts.format_of(path) is None
    with pytest.raises(MediaError):
        modality_of(written(tmp_path, "other.json", '{"a": 1}'))


def test_eaf_is_read_as_pympi_wrote_it(tmp_path: Path) -> None:
    file = Eaf()
    file.remove_tier("default")
    file.add_linguistic_type("said", "Symbolic_Association")
    file.add_tier("words")
    file.add_tier("gloss", ling="said", parent="words")
    rows = [(500, 1000, "käse"), (1000, 2250, "& brot")]
    for start, end, text in rows:
        file.add_annotation("words", start, end, text)
    file.add_ref_annotation("gloss", "words", 700, "cheese")
    to_eaf(str(tmp_path / "a.eaf"), file)
    tiers = intervals.read_tiers(str(tmp_path / "a.eaf"))
    assert tiers["words"] == [(a / 1000, b / 1000, text) for a, b, text in rows]
    assert tiers["gloss"] == [(0.5, 1.0, "cheese")]
    assert len(open_clip(tmp_path / "a.eaf", "subtitle").cues) == 2


def test_an_eaf_slot_without_a_time_lies_between_its_neighbours() -> None:
    slots = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="t{k}"{v}/>' for k, v in enumerate((' TIME_VALUE="0"', "", ' TIME_VALUE="3000"'))
    )
    ends = 'ANNOTATION_ID="a" TIME_SLOT_REF1="t0" TIME_SLOT_REF2="t1"'
    one = f"<ALIGNABLE_ANNOTATION {ends}><ANNOTATION_VALUE>x</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"
    tier = f'<TIER TIER_ID="w"><ANNOTATION>{one}</ANNOTATION></TIER>'
    text = f"<ANNOTATION_DOCUMENT><TIME_ORDER>{slots}</TIME_ORDER>{tier}</ANNOTATION_DOCUMENT>"
    assert transcripts.registry.load("eaf").tiers(text, "x.eaf") == {"w": [(0.0, 1.5, "x")]}


def test_ctm_rttm_and_lrc(tmp_path: Path) -> None:
    assert intervals.read(str(written(tmp_path, "a.ctm", CTM))) == [(0.5, 0.75, "hello"), (1.0, 1.5, "there")]
    assert intervals.read(str(written(tmp_path, "a.rttm", RTTM))) == [(0.5, 2.5, "anna"), (3.0, 4.5, "ben")]
    assert open_clip(written(tmp_path, "a.lrc", LRC), "subtitle").cues == [
        (2.0, 4.0, "la la"),
        (4.0, 5.5, "lo"),
        (6.0, 7.0, "la la"),
    ]
    later = written(tmp_path, "b.lrc", "[offset:+500]\n[00:02.00]a\n[00:03.00]\n")
    assert open_clip(later, "subtitle").cues == [(1.5, 2.5, "a")]


def test_captions_of_youtube(tmp_path: Path) -> None:
    path = written(tmp_path, "a.sbv", SBV)
    assert open_clip(path, "subtitle").cues == [(1.0, 3.5, "la lo"), (3604.0, 3606.25, "ha")]
    assert modality_of(path) == "subtitle"


def test_microdvd_is_read_as_pysubs2_reads_it(tmp_path: Path) -> None:
    ours = open_clip(written(tmp_path, "a.sub", SUB), "subtitle").cues
    theirs = [(e.start / 1000, e.end / 1000, " ".join(e.plaintext.split())) for e in pysubs2.SSAFile.from_string(SUB)]
    assert [words for *_, words in ours] == [words for *_, words in theirs]
    assert np.allclose([times for *times, _ in ours], [times for *times, _ in theirs], atol=0.001)
    with pytest.raises(MediaError, match="frames a second") as raised:  # a guessed rate moves all of it
        open_clip(written(tmp_path, "b.sub", "{25}{75}la\n"), "subtitle")
    assert "{1}{1}25" in str(raised.value.hint)


def test_microdvd_is_not_taken_for_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["info", str(written(tmp_path, "a.sub", SUB))]) == 0
    assert "subtitle" in capsys.readouterr().out


def test_a_sync_of_sami_lasts_until_the_next_of_its_language(tmp_path: Path) -> None:
    tiers = intervals.read_tiers(str(written(tmp_path, "a.smi", SMI)))
    assert tiers == {"ENCC": [(1.0, 2.5, "la lö"), (4.0, 5.0, "ha")], "FRCC": [(1.0, 4.0, "le"), (4.0, 5.0, "hu")]}


def test_times_of_ttml_are_frames_ticks_and_clocks_within_what_they_stand_in(tmp_path: Path) -> None:
    tiers = intervals.read_tiers(str(written(tmp_path, "a.ttml", TTML)))
    frame = 1001 / 24000
    assert tiers["en"] == [
        (11.5, 13.0, "la lo"),
        (pytest.approx(12 + 12 * frame), pytest.approx(13 + 12 * frame), "ha"),
    ]
    assert tiers["fr"] == [(pytest.approx(48 * frame), 4.0, "le")]


def test_ttml_is_read_as_pysubs2_wrote_it(tmp_path: Path) -> None:
    file = pysubs2.SSAFile()
    for k in range(20):
        file.append(pysubs2.SSAEvent(start=1000 * k + 7, end=1000 * k + 900, text=f"cue {k}"))
    ours = open_clip(written(tmp_path, "a.dfxp", file.to_string("ttml")), "subtitle").cues
    assert ours == [(k + 0.007, pytest.approx(k + 0.9), f"cue {k}") for k in range(20)]


def test_a_file_of_several_recordings_says_which(tmp_path: Path) -> None:
    path = written(tmp_path, "all.ctm", CTM + "song 1 0 1 la\n")
    with pytest.raises(InputError, match="of 2 recordings"):
        intervals.read(str(path))
    assert intervals.read(f"{path}#song") == [(0.0, 1.0, "la")]
    assert set(intervals.read_recordings(str(path))) == {"talk", "song"}
    with pytest.raises(MediaError, match="of 2 recordings"):
        open_clip(path, "subtitle")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.ctm", "talk 1 x 1 la"),
        ("a.ctm", "talk 1 0 1"),
        ("a.ctm", ";; nothing"),
        ("a.rttm", "SPEAKER talk 1"),
        ("a.rttm", "SPEAKER talk 1 a 1 <NA> <NA> x"),
        ("a.lrc", "no times"),
        ("a.eaf", "<ANNOTATION_DOCUMENT>"),
        ("a.eaf", "<x/>"),
        ("a.eaf", '<!DOCTYPE x [<!ENTITY a "b">]><ANNOTATION_DOCUMENT/>'),
        ("a.json", '{"segments": [1]}'),
        ("a.json", '{"segments": {}}'),
        ("a.json", '{"segments": [{"start": "x", "end": 1, "text": "a"}]}'),
        ("a.json", '{"segments": ['),
        ("a.sbv", "la\n0:00:01.000,0:00:02.000\n"),
        ("a.sbv", "0:00:03.000,0:00:02.000\nla\n"),
        ("a.sub", "\0\0\1\xba picture"),
        ("a.sub", "{1}{1}0\n{1}{2}la"),
        ("a.sub", "{1}{1}25\nla"),
        ("a.smi", "<SAMI><BODY>la</BODY></SAMI>"),
        ("a.smi", "<SAMI><SYNC Start=x><P>la"),
        ("a.ttml", "<tt"),
        ("a.ttml", "<smil/>"),
        ("a.ttml", TTML.replace("48f", "soon")),
        ("a.ttml", TTML.replace("1000 1001", "1000 0")),
        ("a.ttml", TTML.replace("<div begin", '<div timeContainer="seq" begin')),
        ("a.ttml", "<tt><body>" + "<div>" * 60 + '<p begin="1s" end="2s">la</p>' + "</div>" * 60 + "</body></tt>"),
        ("a.ttml", '<tt><body><p begin="1s">' + "<span>" * 5000 + "la" + "</span>" * 5000 + "</p></body></tt>"),
    ],
)
def test_damage_is_one_error_that_names_the_file(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InputError, match=name):
        open_clip(written(tmp_path, name, text), "subtitle")


def test_mutants_never_end_in_another_error(tmp_path: Path) -> None:
    draw = random.Random(1)
    to_eaf(str(tmp_path / "x.eaf"), Eaf())
    seeds = {
        ".json": json.dumps(WHISPER),
        ".ctm": CTM,
        ".rttm": RTTM,
        ".lrc": LRC,
        ".eaf": (tmp_path / "x.eaf").read_text(),
        ".sbv": SBV,
        ".sub": SUB,
        ".smi": SMI,
        ".ttml": TTML,
    }
    for suffix, text in seeds.items():
        for _ in range(60):
            at = draw.randrange(len(text))
            mutant = (
                text[:at] + draw.choice(["", "-", "9" * 30, "\0", '"', "<", "1e999"]) + text[at + draw.randrange(4) :]
            )
            path = tmp_path / f"m{suffix}"
            path.write_text(mutant)
            try:
                cues = open_clip(path, "subtitle").cues
            except MmcliError:
                continue
            assert all(0 <= a <= b < float("inf") for a, b, _ in cues)


def test_a_transcript_is_put_on_the_clock_of_a_film(tmp_path: Path) -> None:
    """By another transcript's words no; by when somebody speaks: noise that comes and goes with the cues."""
    draw, rate, late = np.random.default_rng(3), 8000, 2.4
    starts = np.cumsum(draw.uniform(1.0, 4.0, 30))
    sound = 0.001 * draw.standard_normal(int((starts[-1] + 8) * rate))
    cues = []
    for start in starts.tolist():
        length = float(draw.uniform(0.4, 0.9))
        a, b = int((start + late) * rate), int((start + late + length) * rate)
        sound[a:b] += 0.2 * draw.standard_normal(b - a)
        cues.append({"start": start, "end": start + length, "text": "la la"})
    soundfile.write(tmp_path / "film.wav", sound, rate)
    query = written(tmp_path, "talk.json", json.dumps({"segments": cues}))
    assert app.run(["align", str(tmp_path / "film.wav"), str(query), "-o", str(tmp_path / "fixed.srt"), "--quiet"]) == 0
    fixed = pysubs2.load(str(tmp_path / "fixed.srt"))
    assert fixed[0].start / 1000 == pytest.approx(starts[0] + late, abs=0.1)
    assert len(fixed) == len(cues)
