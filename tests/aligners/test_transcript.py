"""Text against speech: lines and words in order, what is not spoken, numbers, words that no dictionary has."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmcli.aligners import _words, pair
from mmcli.errors import MismatchError


def starts(segments: list[dict[str, object]], kind: str) -> list[float | None]:
    return [s["start"] for s in segments if s["kind"] == kind]  # type: ignore[misc]


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


def test_a_line_that_nobody_speaks_is_marked_and_moves_no_other(sample_data: Path, tmp_path: Path) -> None:
    folder = sample_data / "reading"
    text = (folder / "transcript.txt").read_text().splitlines()
    before = pair.align_files(folder / "reading.flac", folder / "transcript.txt").segments
    text.insert(2, "this sentence is never spoken by anybody in the recording")
    (tmp_path / "more.txt").write_text("\n".join(text))
    after = pair.align_files(folder / "reading.flac", tmp_path / "more.txt").segments
    assert before is not None
    assert after is not None
    lines = [s for s in after if s["kind"] == "line"]
    assert [s["spoken"] for s in lines] == [True, True, False, True, True, True]
    kept = [s for s in starts(after, "line") if s is not None]
    assert kept == pytest.approx(starts(before, "line"), abs=0.05)


def test_another_text_is_refused(sample_data: Path, tmp_path: Path) -> None:
    other = "zoological gardens everywhere\n" * 12 + "twenty thousand fishermen\n" * 12
    (tmp_path / "other.txt").write_text(other)
    with pytest.raises(MismatchError, match="is not what is spoken"):
        pair.align_files(sample_data / "reading" / "reading.flac", tmp_path / "other.txt")


def test_punctuation_stays_in_the_words_and_numbers_are_spelled_out() -> None:
    (line,) = _words.lines("“In 1905, it’s £2,500!”")
    assert [w.text for w in line.words] == ["“In", "1905,", "it’s", "£2,500!”"]
    assert line.words[3].spoken == ("two", "thousand", "five", "hundred")


def test_every_word_gets_sounds() -> None:
    for word in ("x", "zzyzx", "thee", "feed'st", "rhythm"):
        assert _words.sounded_out(word)
