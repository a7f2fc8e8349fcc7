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
