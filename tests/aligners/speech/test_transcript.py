"""Text against speech: lines and words in order, text nobody speaks, speech without text, long files, strangers."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmcli.aligners import pair
from mmcli.aligners.core import limits
from mmcli.aligners.speech import language, phones, transcript
from mmcli.aligners.speech.words import lines as lines_of
from mmcli.aligners.speech.words import sounded_out
from mmcli.errors import InputError, MismatchError
from mmcli.media import open_clip
from mmcli.media.clips import AudioClip

RATE = 16_000
STRANGE = "the quarterly revenue of the company exceeded every forecast"


def starts(segments: list[dict[str, object]], kind: str) -> list[float | None]:
    return [s["start"] for s in segments if s["kind"] == kind]  # type: ignore[misc]


def clip(samples: np.ndarray) -> AudioClip:
    return AudioClip.from_array(np.ascontiguousarray(samples), RATE)


@pytest.fixture(autouse=True, scope="module")
def heard_once() -> Iterator[None]:
    """The sounds of a recording, which take most of the time, are read once for all tests here."""
    known: dict[bytes, phones.Heard] = {}

    def hear(samples: np.ndarray, name: str) -> phones.Heard:
        key = hashlib.sha256(samples.tobytes()).digest()
        if key not in known:
            known[key] = original(samples, name)
        return known[key]

    original = phones.hear
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phones, "hear", hear)
        yield


@pytest.fixture(scope="module")
def text(sample_data: Path) -> list[str]:
    return (sample_data / "reading" / "transcript.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def begins(speech: np.ndarray, text: list[str]) -> list[float]:
    """When each line of the reading begins; the first test here holds it against the pauses."""
    return line_starts(transcript.align(clip(speech), "\n".join(text), "transcript.txt"))


def line_starts(found: transcript.Reading) -> list[float]:
    return [s if s is not None else float("nan") for s in starts(transcript.segments_of(found), "line")]


def test_lines_begin_where_the_pauses_end(sample_data: Path) -> None:
    """The reading is five utterances joined with pauses of half a second; each line begins after one."""
    folder = sample_data / "reading"
    found = pair.align_files(folder / "reading.flac", folder / "transcript.txt")
    assert found.segments is not None
    words = [s for s in found.segments if s["kind"] == "word"]
    assert len(words) == len((folder / "transcript.txt").read_text().split())
    assert all(s["spoken"] for s in found.segments)
    assert np.all(np.diff([s["start"] for s in words]) > 0)
    pauses = [b["start"] - a["end"] for a, b in pairwise(words)]
    lines = starts(found.segments, "line")
    longest = sorted(words[k + 1]["start"] for k in np.argsort(pauses)[-4:])
    assert longest == lines[1:]
    assert found.quality["verdict"] == "match"


def test_a_line_that_nobody_speaks_is_marked_and_moves_no_other(
    speech: np.ndarray, text: list[str], begins: list[float]
) -> None:
    for k in (0, 2, 5):
        more = [*text[:k], STRANGE, *text[k:]]
        found = transcript.align(clip(speech), "\n".join(more), "more.txt")
        lines = [s for s in transcript.segments_of(found) if s["kind"] == "line"]
        assert [s["spoken"] for s in lines] == [j != k for j in range(6)]
        assert [s["start"] for s in lines if s["spoken"]] == pytest.approx(begins, abs=0.05)


@pytest.mark.parametrize("k", range(5))
def test_speech_that_is_not_in_the_text_moves_no_line(
    speech: np.ndarray, text: list[str], begins: list[float], k: int
) -> None:
    """One line of five is missing from the text; a neighbour used to be thrown up to 5.4 s away."""
    found = transcript.align(clip(speech), "\n".join(text[:k] + text[k + 1 :]), "less.txt")
    assert line_starts(found) == pytest.approx(begins[:k] + begins[k + 1 :], abs=0.05)


def test_windows_pass_long_speech_that_is_not_in_the_text(
    speech: np.ndarray, text: list[str], begins: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of fifteen seconds, and as much strange speech in the middle: one window holds nothing to build on."""
    monkeypatch.setattr(transcript, "WINDOW", 1500)
    monkeypatch.setattr(transcript, "TAIL", 300)
    cut, strange = round((begins[2] - 0.2) * RATE), speech[: -15 * RATE : -1]
    found = transcript.align(
        clip(np.concatenate([speech[:cut], strange, speech[cut:]])), "\n".join(text), "transcript.txt"
    )
    expected = begins[:2] + [b + len(strange) / RATE for b in begins[2:]]
    assert line_starts(found) == pytest.approx(expected, abs=0.1)


def test_a_voice_in_noise_is_found(speech: np.ndarray, text: list[str], begins: list[float]) -> None:
    """White noise at 10 dB: a search by beams lost its end here and had to begin again."""
    level = np.sqrt(np.mean(speech**2) / 10)
    noisy = speech + level * np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    found = transcript.align(clip(noisy), "\n".join(text), "transcript.txt")
    assert line_starts(found) == pytest.approx(begins, abs=0.1)


def test_another_text_is_refused_with_the_numbers(sample_data: Path, tmp_path: Path) -> None:
    other = "zoological gardens everywhere\n" * 12 + "twenty thousand fishermen\n" * 12
    (tmp_path / "other.txt").write_text(other)
    with pytest.raises(MismatchError, match="is not what is spoken") as refused:
        pair.align_files(sample_data / "reading" / "reading.flac", tmp_path / "other.txt")
    evidence = refused.value.evidence
    assert evidence is not None
    if "candidates" in evidence:  # some of its words are found
        assert evidence["value"] < evidence["limit"]
        assert {"gain", "forwards"} <= set(evidence["candidates"][0]["evidence"])
    else:
        assert evidence["statistic"] == transcript.STATISTIC
    assert refused.value.exit_code == 4


def test_a_refused_text_leaves_no_file_and_exit_code_4(sample_data: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("seven thousand penguins walked\nover the frozen river yesterday\n" * 6)
    out = tmp_path / "map.json"
    arguments = ["align", str(sample_data / "reading" / "reading.flac"), str(tmp_path / "other.txt"), "-o", str(out)]
    done = subprocess.run([sys.executable, "-m", "mmcli", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "is not what is spoken" in done.stderr
    assert "belong together" in done.stderr
    assert not out.exists()


def test_words_out_of_order_do_not_match(speech: np.ndarray, text: list[str]) -> None:
    """All words are spoken, but not so: the order is what is tested."""
    shuffled = " ".join(text).split()[::-1]
    backwards = "\n".join(" ".join(shuffled[k : k + 8]) for k in range(0, len(shuffled), 8))
    with pytest.raises(MismatchError):
        transcript.align(clip(speech), backwards, "backwards.txt")


def test_a_stranger_can_be_forced_where_something_is_found(speech: np.ndarray, text: list[str]) -> None:
    some = "\n".join([STRANGE, "please remember to switch off the lights", "yes indeed"] * 4 + text[4:])
    try:
        found = transcript.align(clip(speech), some, "some.txt", force=True)
    except MismatchError as error:
        pytest.fail(f"the last line is spoken: {error}")
    assert found.verdict in ("match", "unsure", "no match (forced)")
    assert any(w.start is not None for w in found.words[-1])


def test_silence_and_a_click_are_refused() -> None:
    with pytest.raises(MismatchError):
        transcript.align(clip(np.zeros(3 * RATE, np.float32)), "good day to you all", "a.txt")
    with pytest.raises(InputError, match="too short"):
        transcript.align(clip(np.zeros(400, np.float32)), "good day", "a.txt")


def test_words_that_no_dictionary_has_are_sounded_out_and_named(speech: np.ndarray, text: list[str]) -> None:
    changed = [line.replace("dashwood", "dashwuud").replace("amiable", "amiabel") for line in text]
    found = transcript.align(clip(speech), "\n".join(changed), "a.txt")
    assert found.guessed == ["dashwuud", "amiabel"]
    assert all(w.start is not None for row in found.words for w in row)


def test_punctuation_stays_in_the_words_and_numbers_are_spelled_out() -> None:
    (line,) = lines_of("“In 1905, it’s £2,500!”")
    assert [w.text for w in line.words] == ["“In", "1905,", "it’s", "£2,500!”"]
    assert line.words[3].spoken == ("two", "thousand", "five", "hundred", "pounds")
    (line,) = lines_of("The 21st, 3rd of 100%: R&D — $12.50")
    spoken = ["the", "twenty first", "third", "of", "one hundred percent", "r and d", "twelve point five zero dollars"]
    assert [" ".join(w.spoken) for w in line.words] == spoken


def test_a_number_lasts_from_its_first_word_to_its_last(sample_data: Path) -> None:
    """Four spoken digits are one written number, read digit by digit because it begins with a zero."""
    folder = sample_data / "digits"
    with (folder / "manifest.csv").open(newline="") as file:
        rows = {row["label"]: folder / row["audio"] for row in csv.DictReader(file)}
    parts = [open_clip(rows[name], "audio").samples(RATE) for name in ("zero", "four", "two", "nine", "one", "six")]
    found = transcript.align(clip(np.concatenate(parts)), "(0429)\none six", "a.txt")
    (number,), rest = found.words
    ends = np.cumsum([len(p) / RATE for p in parts])
    assert found.lines[0].words[0].text == "(0429)"
    assert number.start is not None
    assert number.end is not None
    assert rest[0].start is not None
    assert number.start < ends[0]
    assert number.end == pytest.approx(ends[3], abs=0.3)
    assert rest[0].start >= number.end


def test_every_word_gets_sounds() -> None:
    known = set(phones.names())
    for word in ("x", "zzyzx", "thee", "feed'st", "rhythm"):
        assert set(sounded_out(word).split()) <= known
        assert sounded_out(word)


def test_phrases_end_at_punctuation_or_after_a_dozen_words() -> None:
    lines = lines_of("one two three, four five six\n" + "seven " * 30)
    script = transcript.written(lines, lambda w: phones.dictionary()[w])
    assert script.phrases.tolist() == [0, 3, 6, 18, 30, 36]
    columns, words, phrases = script.backwards(0, 2)
    assert phrases.tolist() == [0, 3, 6]
    assert columns[: words[1]].tolist() == phones.columns(phones.dictionary()["six"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("and mister john dashwood had then leisure to consider", "en"),
        ("zero four nine one\ntwo two", "en"),
        ("Es war einmal ein kleines Mädchen, das hatte jedermann lieb.", "de"),
        ("Une pièce de monnaie américaine de un dollar, avec une figure.", "fr"),
        ("Una moneda estadounidense de un dólar con la figura de la reina.", "es"),
        ("Один доллар с портретом, и это была монета.", "ru"),
        ("Един долар от българската страна", "bg"),
        ("Μια μοναχική πολική αρκούδα", "el"),
    ],
)
def test_the_language_of_a_text_is_told(text: str, code: str) -> None:
    assert language.detect(text, "a.txt") == code


def test_a_language_that_is_not_known_is_refused_with_the_share_of_strange_words() -> None:
    with pytest.raises(MismatchError) as refused:
        language.detect("mae hen wlad fy nhadau yn annwyl mi gwlad beirdd chantorion enwogion fri", "a.txt")
    assert refused.value.evidence is not None
    assert refused.value.evidence["value"] > limits.STRANGE.value  # type: ignore[operator]
