"""What happens to sound on its way: rooms, noise, telephones, codecs, clocks, cuts; each with its exact truth.

Sounds are mono float64 at RATE. A truth is a list of pieces (query from, query to, reference at the first, rate):
between them t_reference = reference + rate * (t_query - from).
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

RATE = 22050
Sound = NDArray[np.float64]
Pieces = list[tuple[float, float, float, float]]


@lru_cache(maxsize=48)
def load(path: str) -> Sound:
    """The first channel of a file at RATE, its peak at 0.7."""
    if Path(path).suffix in (".wav", ".flac", ".ogg", ".mp3"):
        try:
            x, rate = soundfile.read(path, always_2d=True)
            x = x[:, 0]
        except soundfile.LibsndfileError:
            x, rate = _by_ffmpeg(path), RATE
    else:
        x, rate = _by_ffmpeg(path), RATE
    if rate != RATE:
        x = soxr.resample(x, rate, RATE)
    x = np.asarray(x, float)
    return 0.7 * x / max(float(np.abs(x).max(initial=0.0)), 1e-9)


def _by_ffmpeg(path: str) -> Sound:
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"],
        capture_output=True,
        check=True,
    ).stdout
    return np.frombuffer(raw, np.float32).astype(float)


def save(path: Path, x: Sound) -> Path:
    """By the suffix: flac and wav as they are, the others through ffmpeg's codec."""
    x = x / max(1.0, float(np.abs(x).max()) / 0.98)
    if path.suffix in (".flac", ".wav"):
        soundfile.write(path, x, RATE, subtype="PCM_16")
        return path
    return encoded(path, x)


CODECS = {  # suffix and ffmpeg's options: what messengers, podcasts, telephones and cameras use
    "mp3_32k": (".mp3", "-c:a libmp3lame -b:a 32k"),
    "mp3_64k_44": (".mp3", "-ar 44100 -c:a libmp3lame -b:a 64k"),
    "aac_48k": (".m4a", "-c:a aac -b:a 48k"),
    "opus_12k": (".opus", "-ar 48000 -c:a libopus -b:a 12k"),
    "opus_24k": (".webm", "-ar 48000 -c:a libopus -b:a 24k"),
    "vorbis": (".ogg", "-c:a libvorbis -q:a 0"),
    "g711": (".wav", "-ar 8000 -c:a pcm_mulaw"),
    "g722": (".mkv", "-ar 16000 -c:a g722"),
    "adpcm": (".wav", "-ar 11025 -c:a adpcm_ms"),
}


def encoded(path: Path, x: Sound, options: str = "") -> Path:
    """Through ffmpeg, with the options of one of CODECS or the suffix's own."""
    if not options:
        options = next(o for s, o in CODECS.values() if s == path.suffix)
    command = f"ffmpeg -v error -y -f f32le -ar {RATE} -ac 1 -i - -fflags +bitexact -flags:a +bitexact {options}"
    samples = np.clip(x, -1, 1).astype(np.float32).tobytes()
    subprocess.run([*command.split(), str(path)], input=samples, check=True)
    return path


def seconds(x: Sound) -> float:
    """How long."""
    return len(x) / RATE


def cut(x: Sound, start: float, length: float) -> Sound:
    """A part, from ``start`` s."""
    i = round(start * RATE)
    return x[i : i + round(length * RATE)]


def silence(length: float) -> Sound:
    """Digital silence."""
    return np.zeros(round(length * RATE))


def level(x: Sound) -> float:
    """Root mean square of what sounds: of the loudest half of 50 ms frames."""
    n = max(1, len(x) // 1102)
    frames = np.sort(np.square(x[: n * (len(x) // n)].reshape(n, -1)).mean(1))
    return float(np.sqrt(frames[n // 2 :].mean())) + 1e-9


def in_room(x: Sound, room: Sound, wet: float = 1.0) -> Sound:
    """Convolved with a measured room whose direct sound comes at once; ``wet`` scales what follows it."""
    at = int(np.argmax(np.abs(room)))
    h = room[at : at + 3 * RATE].copy()
    direct = round(0.003 * RATE)
    h[direct:] *= wet
    y = fftconvolve(x, h)[: len(x)]
    return 0.7 * y / max(float(np.abs(y).max()), 1e-9)


def with_noise(x: Sound, noise: Sound, snr_db: float) -> Sound:
    """Noise under it, repeated where it is shorter."""
    n = np.resize(noise, len(x))
    return x + n * level(x) / level(n) * 10 ** (-snr_db / 20)


def hiss(rng: np.random.Generator, length: int, tilt: float = 1.0) -> Sound:
    """Noise whose power falls by ``tilt`` octave powers: 0 white, 1 pink, 2 brown."""
    f = np.fft.rfftfreq(length, 1 / RATE)
    f[0] = f[1]
    s = np.fft.rfft(rng.standard_normal(length)) / np.maximum(f, 20) ** (tilt / 2)
    y = np.fft.irfft(s, length)
    return np.asarray(0.2 * y / np.abs(y).max())


def like(rng: np.random.Generator, noise: Sound, length: int) -> Sound:
    """Noise of a recorded one's spectrum that never comes back: its phases drawn anew."""
    n = min(len(noise), 1 << 15)
    power = np.mean([np.abs(np.fft.rfft(noise[i : i + n])) ** 2 for i in range(0, len(noise) - n + 1, n)], axis=0)
    f = np.fft.rfftfreq(length, 1 / RATE)
    shape = np.sqrt(np.interp(f, np.fft.rfftfreq(n, 1 / RATE), power))
    y = np.fft.irfft(shape * np.fft.rfft(rng.standard_normal(length)), length)
    return np.asarray(0.2 * y / np.abs(y).max())


def telephone(x: Sound) -> Sound:
    """300 to 3,400 Hz, companded a little."""
    y = sosfilt(butter(4, [300, 3400], "bandpass", fs=RATE, output="sos"), x)
    return np.asarray(np.tanh(2.5 * y / max(float(np.abs(y).max()), 1e-9)) * 0.5)


def on_clock(x: Sound, rate: float) -> Sound:
    """Recorded by a clock by which t_reference = rate * t_query."""
    return np.asarray(soxr.resample(x, RATE * rate, RATE)) if rate != 1.0 else x


def spliced(x: Sound, edits: Sequence[tuple[float, float, Sound | None]]) -> tuple[Sound, Pieces]:
    """Edits at (time of x, seconds dropped there, sound put in their place): the sound and its pieces."""
    parts, pieces, at, done = [], [], 0.0, 0.0
    for when, dropped, new in sorted(edits, key=lambda e: e[0]):
        parts.append(cut(x, at, when - at))
        length = seconds(parts[-1])
        pieces.append((done, done + length, at, 1.0))
        done += length
        if new is not None:
            parts.append(new)
            done += seconds(new)
        at = when + dropped
    parts.append(x[round(at * RATE) :])
    pieces.append((done, done + seconds(parts[-1]), at, 1.0))
    return np.concatenate(parts), pieces


def points(pieces: Pieces, step: float = 0.5, margin: float = 0.06) -> list[list[float]]:
    """[t_reference, t_query] along the pieces, none within ``margin`` of their ends."""
    total = sum(b - a for a, b, _, _ in pieces)
    step = max(step, total / 240)
    rows = []
    for a, b, ref, rate in pieces:
        n = max(1, int((b - a - 2 * margin) / step) + 1)
        rows += [
            [round(ref + rate * (t - a), 6), round(t, 6)]
            for t in np.linspace(a + margin, b - margin, n)
            if b - a > 2 * margin
        ]
    return rows


def voiced(x: Sound, least_gap: float = 0.25) -> list[tuple[float, float]]:
    """Where it sounds: (start, end) of stretches over -33 dB of the loudest and 8 dB over the floor where there is one,
    pauses below ``least_gap`` bridged."""
    n = len(x) // 220
    if not n:
        return []
    db = 10 * np.log10(np.square(x[: n * 220].reshape(n, 220)).mean(1) + 1e-12)
    floor = float(np.percentile(db, 5))
    on = np.flatnonzero(db > max(db.max() - 33, floor + 8 if floor < db.max() - 18 else -np.inf))
    breaks = np.flatnonzero(np.diff(on) > least_gap * RATE / 220)
    starts, ends = on[np.r_[0, breaks + 1]], on[np.r_[breaks, len(on) - 1]] + 1
    return [(a * 220 / RATE, b * 220 / RATE) for a, b in zip(starts, ends, strict=True) if b - a >= 8]
