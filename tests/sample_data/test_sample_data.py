"""What sample_data promises: small, complete, decodable, split by voice, sentences that never give the digit away."""

from __future__ import annotations

import collections
import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2] / "sample_data"
DIGITS = ROOT / "digits"
READING = ROOT / "reading"
MEDIA = {".png", ".ogg", ".flac", ".mp4"}
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

# The reader of the sentences: written apart from the table that the sentences were made from.
MEANING = {
    r"(an )?odd( number)?": {d for d in range(10) if d % 2 == 1},
    r"(an )?even( number)?": {d for d in range(10) if d % 2 == 0},
    r"(a )?prime( number)?": {d for d in range(2, 10) if all(d % k for k in range(2, d))},
    r"a perfect square|the square of a whole number": {d for d in range(10) if int(d**0.5) ** 2 == d},
    r"written with a closed loop|round somewhere, with a loop that closes": {0, 6, 8, 9},
    r"written without any loop|drawn with no closed loop": {1, 2, 3, 5, 7},
    r"made of straight strokes|drawn with straight lines only": {1, 4, 7},
}


def rows() -> list[dict[str, str]]:
    with (DIGITS / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def meaning(clue: str) -> set[int]:
    bound = re.fullmatch(r"(larger|more|smaller|less) than (\w+)", clue)
    if bound:
        k = NAMES.index(bound[2])
        return {d for d in range(10) if (d > k if bound[1] in ("larger", "more") else d < k)}
    [digits] = [digits for pattern, digits in MEANING.items() if re.fullmatch(pattern, clue)]
    return digits


def digits_left_open(text: str) -> set[int]:
    """The digits that a sentence of two clues fits and does not name."""
    first, second = text.split(", and ")
    named = {NAMES.index(word) for word in re.findall(r"\w+", text) if word in NAMES}
    return (meaning(first) & meaning(second)) - named


RANKED = {"movies", "stamps"}  # the data of recommend.sh, held by test_recommend.py


def test_everything_but_what_is_ranked_is_at_most_four_megabytes() -> None:
    files = [path for path in ROOT.rglob("*") if not {"__pycache__", *RANKED} & set(path.parts)]
    assert sum(path.stat().st_size for path in files) <= 4_000_000


def test_manifest_has_400_items_balanced_over_digits_voices_and_splits() -> None:
    table = rows()
    assert len({row["id"] for row in table}) == len(table) == 400
    assert collections.Counter(row["label"] for row in table) == dict.fromkeys(NAMES, 40)
    assert collections.Counter((row["group"], row["label"]) for row in table) == {
        (f"voice-{v:02d}", name): 4 for v in range(10) for name in NAMES
    }
    splits_of = collections.defaultdict(set)
    for row in table:
        splits_of[row["group"]].add(row["split"])
    assert all(len(splits) == 1 for splits in splits_of.values()), "a voice stands on both sides of a split"
    assert collections.Counter(split for [split] in splits_of.values()) == {"train": 6, "val": 2, "test": 2}


def test_one_item_in_ten_of_each_split_lacks_exactly_one_modality() -> None:
    lacking: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    for row in rows():
        absent = [name for name in ("image", "audio", "text_value") if not row[name]]
        assert len(absent) <= 1
        lacking[row["split"]] += len(absent)
        kinds.update(absent)
    assert lacking == {"train": 24, "val": 8, "test": 8}
    assert set(kinds.values()) <= {13, 14}


def test_paths_stay_inside_and_every_file_is_used_once() -> None:
    named = [row[column] for row in rows() for column in ("image", "audio") if row[column]]
    assert len(set(named)) == len(named)
    for path in named:
        assert re.fullmatch(r"(image|audio)/item-\d{3}\.(png|ogg)", path)
    on_disk = {path.relative_to(DIGITS).as_posix() for path in DIGITS.rglob("*") if path.is_file()}
    assert on_disk == {"manifest.csv", *named}


def test_no_drawing_is_used_twice() -> None:
    digests = collections.Counter(hashlib.sha256(path.read_bytes()).digest() for path in DIGITS.glob("image/*.png"))
    assert max(digests.values()) == 1


def test_sentences_are_true_never_name_the_digit_and_leave_two_or_three_open() -> None:
    for row in rows():
        text = row["text_value"]
        if text:
            assert row["label"] not in text
            assert not re.search(r"\d", text)
            left = digits_left_open(text)
            assert NAMES.index(row["label"]) in left, (row["id"], text)
            assert 2 <= len(left) <= 3, (row["id"], text, left)


def test_no_sentence_is_said_of_one_digit_only_as_often_as_to_give_it_away() -> None:
    """Guessing the digit most often said with each sentence (known in hindsight) stays far from certain."""
    said: dict[frozenset[int], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row in rows():
        if row["text_value"]:
            said[frozenset(digits_left_open(row["text_value"]))][row["label"]] += 1
    right = sum(max(counts.values()) for counts in said.values())
    assert right / sum(sum(counts.values()) for counts in said.values()) < 0.65


@pytest.mark.parametrize("suffix", sorted(MEDIA))
def test_every_media_file_decodes(suffix: str) -> None:
    import av
    import soundfile
    from PIL import Image

    paths = sorted(ROOT.rglob(f"*{suffix}"))
    assert paths
    for path in paths:
        if suffix == ".png":
            with Image.open(path) as image:
                if path.parent.name == "image" and not RANKED & set(path.parts):
                    assert (image.size, image.mode) == ((32, 32), "L")
                assert np.asarray(image).std() > 0
        elif suffix == ".mp4":
            with av.open(str(path)) as container:
                frames = sum(1 for _ in container.decode(video=0))
            with av.open(str(path)) as container:
                sound = sum(frame.samples for frame in container.decode(audio=0)) / 48000
            assert frames == 132
            assert sound == pytest.approx(frames / 25, abs=0.1)
        else:
            samples, rate = soundfile.read(path)
            assert np.isfinite(samples).all()
            assert samples.std() > 0
            if RANKED & set(path.parts):
                assert rate == 8000
                assert len(samples) <= 1.7 * rate
                continue
            assert (rate, len(samples)) == (8000, 6400) if path.parent.name == "audio" else rate == 16000


def log_mel(samples: np.ndarray) -> np.ndarray:
    """One row a millisecond: log power in 24 bands of 20 ms windows (16 kHz)."""
    padded = np.pad(samples, (160, 320))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 320)[::16] * np.hanning(320)
    power = np.abs(np.fft.rfft(windows, 512, axis=1)) ** 2
    pitch = np.log(np.maximum(np.fft.rfftfreq(512, 1 / 16000), 1))
    bands = np.exp(-0.5 * ((pitch - np.linspace(np.log(150), np.log(7000), 24)[:, None]) / 0.15) ** 2)
    return np.asarray(np.log(power @ bands.T + 1e-3))


def test_truth_holds_within_10_ms_wherever_there_is_speech() -> None:
    import soundfile

    knots = np.array(json.loads((READING / "truth.json").read_text(encoding="utf-8"))["knots"])
    assert (np.diff(knots, axis=0) > 0).all()
    pace = np.diff(knots[:, 0]) / np.diff(knots[:, 1])
    assert 0.84 < pace.min() < 0.9 < 1.1 < pace.max() < 1.16
    reading, _ = soundfile.read(READING / "reading.flac")
    reference, query = log_mel(reading), log_mel(soundfile.read(READING / "reading_retimed.ogg")[0])
    assert knots[0].tolist() == [0, 0]
    assert knots[-1] == pytest.approx([len(reading) / 16000, len(query) / 1000], abs=0.05)
    late = []
    for start in range(0, len(reference) - 500, 250):
        here = np.arange(start, start + 500)
        if np.sqrt(np.mean(reading[16 * start : 16 * start + 8000] ** 2)) < 0.02:
            continue  # a gap: nothing to compare
        window = reference[here] - reference[here].mean(0)
        there = np.interp(here / 1000, *knots.T) * 1000
        scores = []
        for lag in range(-50, 51):
            other = query[np.clip(np.round(there + lag).astype(int), 0, len(query) - 1)]
            scores.append(float((window * (other - other.mean(0))).sum() / other.std()))
        late.append(int(np.argmax(scores)) - 50)
    assert len(late) > 60
    assert np.abs(late).max() <= 10, late
    assert np.abs(late).mean() <= 2


def test_shifted_copy_starts_where_its_truth_says() -> None:
    import soundfile

    truth = json.loads((READING / "truth_shifted.json").read_text(encoding="utf-8"))
    reading, _ = soundfile.read(READING / "reading.flac")
    shifted, _ = soundfile.read(READING / "reading_shifted.ogg")
    spectrum = np.fft.rfft(reading, 2**20) * np.conj(np.fft.rfft(shifted, 2**20))
    found = int(np.argmax(np.fft.irfft(spectrum))) / 16000
    assert truth["offset_s"] == 1.37
    assert found == pytest.approx(truth["offset_s"], abs=1e-4)


def test_truths_are_maps_that_mmcli_reads() -> None:
    from mmcli.artifacts.formats import alignment
    from mmcli.artifacts.formats.timemap import TimeMap

    knots = json.loads((READING / "truth.json").read_text(encoding="utf-8"))["knots"]
    retimed = TimeMap(alignment.load(READING / "truth.json"))
    assert retimed.to_query(np.array([knots[10][0]])) == pytest.approx([knots[10][1]], abs=1e-9)
    shifted = TimeMap(alignment.load(READING / "truth_shifted.json"))
    assert shifted.to_query(np.array([5.0])) == pytest.approx([5.0 - 1.37], abs=1e-9)


@pytest.mark.parametrize("name", ["truth.json", "truth_shifted.json"])
def test_truths_name_their_files_by_content(name: str) -> None:
    truth = json.loads((READING / name).read_text(encoding="utf-8"))
    for side in ("reference", "query"):
        content = (READING / truth[side]["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == truth[side]["sha256"]


def test_transcript_is_what_is_said() -> None:
    text = (READING / "transcript.txt").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 5
    assert "had he married a more amiable woman he might" in text
    assert re.fullmatch(r"[a-z \n]+", text)


def test_licence_names_every_media_file_and_every_voice() -> None:
    licence = (ROOT / "LICENSE-DATA").read_text(encoding="utf-8")
    patterns = re.findall(r"[a-z]+/[\w*/]+\.[a-z0-9]+", licence)
    for path in ROOT.rglob("*"):
        if path.suffix in MEDIA:
            assert any(path.match(pattern) for pattern in patterns), path
    for row in rows():
        assert re.search(rf"{row['group']}\s+{row['split']}\b", licence)
    for origin in ("scikit-learn", "espeak-ng", "LibriVox", "pocketsphinx-testdata", "Blender Foundation", "CC BY 3.0"):
        assert origin in licence
