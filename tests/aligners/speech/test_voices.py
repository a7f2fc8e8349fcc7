"""Other languages: espeak-ng says how a text is spoken, and the English sounds next to that are looked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mmcli.aligners import pair
from mmcli.aligners.core import limits
from mmcli.aligners.speech import language, phones, transcript
from mmcli.errors import InputError, MismatchError, MissingError
from mmcli.media import open_clip
from mmcli.media.clips import AudioClip

RATE = 16_000
TEXT = (
    "Es war einmal ein kleines Mädchen, das hatte jedermann lieb.",
    "Am allerliebsten aber hatte es seine Großmutter.",
    "Sie wusste gar nicht, was sie alles dem Kinde geben sollte.",
    "Einmal schenkte sie ihm 24 rote Käppchen.",
    "Eines Tages sprach die Mutter zu ihm.",
)
OTHER = (
    "Die Eisenbahn verband zwei Städte mit sehr alten Häfen.",
    "Viele Menschen fuhren damals zum ersten Mal nach Norden.",
    "Ein Ingenieur zeichnete jede Brücke mit eigener Hand.",
    "Im Winter fror der Fluss, und niemand konnte arbeiten.",
    "Heute ist davon nur noch ein Bahnhof übrig.",
)


def spoken(lines: tuple[str, ...], voice: str, folder: Path) -> tuple[np.ndarray, list[float]]:
    """The lines read by a voice with pauses of 0.3 s, and when each begins."""
    parts, starts = [], []
    for k, line in enumerate(lines):
        out = folder / f"{k}.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", str(out), line], check=True)
        samples = open_clip(out, "audio").samples(RATE)
        sounding = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
        starts.append(sum(map(len, parts)) / RATE)
        parts += [samples[sounding[0] : sounding[-1]], np.zeros(int(0.3 * RATE), np.float32)]
    return np.concatenate(parts), starts


def begins(found: transcript.Reading) -> list[float]:
    return [s["start"] for s in transcript.segments_of(found) if s["kind"] == "line"]


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, list[float]]:
    return spoken(TEXT, "de", tmp_path_factory.mktemp("german"))


@pytest.mark.needs("espeak-ng")
def test_a_german_text_is_told_and_its_lines_are_found(german: tuple[np.ndarray, list[float]]) -> None:
    samples, starts = german
    found = transcript.align(AudioClip.from_array(samples, RATE), "\n".join(TEXT), "de.txt")
    assert found.language == "de"
    assert begins(found) == pytest.approx(starts, abs=0.05)
    assert [len(row) for row in found.words] == [len(line.split()) for line in TEXT]
    assert found.lines[3].words[4].text == "24"


@pytest.mark.needs("espeak-ng")
def test_speech_that_a_german_text_lacks_moves_no_line(german: tuple[np.ndarray, list[float]]) -> None:
    samples, starts = german
    found = transcript.align(AudioClip.from_array(samples, RATE), "\n".join(TEXT[:2] + TEXT[3:]), "de.txt")
    assert begins(found) == pytest.approx(starts[:2] + starts[3:], abs=0.1)


@pytest.mark.needs("espeak-ng")
def test_another_german_text_is_refused(german: tuple[np.ndarray, list[float]]) -> None:
    with pytest.raises(MismatchError) as refused:
        transcript.align(AudioClip.from_array(german[0], RATE), "\n".join(OTHER), "de.txt")
    assert refused.value.evidence is not None
    assert refused.value.evidence["value"] < limits.MATCH.value


@pytest.mark.needs("espeak-ng")
def test_a_german_text_taken_for_english_is_refused(german: tuple[np.ndarray, list[float]]) -> None:
    with pytest.raises(MismatchError):
        transcript.align(AudioClip.from_array(german[0], RATE), "\n".join(TEXT), "de.txt", language="en")


@pytest.mark.needs("espeak-ng")
def test_english_speech_does_not_match_a_german_text(speech: np.ndarray) -> None:
    with pytest.raises(MismatchError):
        transcript.align(AudioClip.from_array(speech, RATE), "\n".join(TEXT), "de.txt")


@pytest.mark.needs("espeak-ng")
def test_a_language_that_the_program_lacks_is_named() -> None:
    with pytest.raises(InputError, match="does not speak 'xx'"):
        language.lines_in("good day", "xx")


def test_without_the_program_a_line_says_what_to_install(
    sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "de.txt").write_text("\n".join(TEXT))
    with pytest.raises(MissingError, match=r"German \(de\).*espeak-ng.*not installed") as missing:
        pair.align_files(sample_data / "reading" / "reading.flac", tmp_path / "de.txt")
    assert missing.value.hint is not None
    assert "apt-get install espeak-ng" in missing.value.hint


def test_every_sound_of_the_alphabet_has_a_neighbour_that_the_model_knows() -> None:
    known = set(phones.names())
    for sounds in language.NEAREST.values():
        assert set(sounds.split()) <= known
