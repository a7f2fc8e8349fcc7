"""Write the golden files of the extractors: what the named libraries give for fixed input, call by call.

    python tests/golden/extractors/make_golden.py

Run it only to add a case or to move to another version of a library, and read the difference. The tests compare within
1e-5 of the largest value (relative), the accuracy of float32 sums.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
RATE = 22_050


def sound() -> np.ndarray:
    """1.3 s: silence, a chirp, a decaying chord slightly out of tune, noise; int16."""
    t = np.arange(int(1.3 * RATE)) / RATE
    chirp = 0.3 * np.sin(2 * np.pi * (150 + 900 * t) * t) * ((t > 0.1) & (t < 0.6))
    chord = sum(np.sin(2 * np.pi * 1.01 * f * t) for f in (261.63, 329.63, 392.0)) * np.exp(-4 * (t - 0.6)) * (t > 0.6)
    noise = 0.02 * np.random.default_rng(1).standard_normal(len(t)) * (t > 0.9)
    return np.round(32767 * np.clip(chirp + 0.2 * chord + noise, -1, 1)).astype(np.int16)


TEXTS = ["odd, and larger than four", "odd and prime", "even; smaller than four", "Prime and PRIME and even"]

# Case: extractor and its fields
FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "logmel": ("logmel", {"sample_rate": "native"}),
    "mfcc": ("mfcc", {"sample_rate": "native", "deltas": 2}),
    "mfcc_plain": (
        "mfcc",
        {"sample_rate": "native", "coefficients": 20, "bands": 40, "low_hz": 60.0, "high_hz": 7000.0},
    ),
    "chroma": ("chroma", {}),
    "onset": ("onset", {"sample_rate": "native"}),
    "cqt": ("chroma", {"kind": "cqt"}),
    "cens": ("chroma", {"kind": "cens"}),
    "rms": ("rms", {"sample_rate": "native"}),
    "spectral": ("spectral", {"sample_rate": "native"}),
    "f0": ("f0", {"sample_rate": "native"}),
    "trimmed": ("logmel", {"sample_rate": "native", "trim_db": 30.0, "pre_emphasis": 0.97}),
}


def calls() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Case: the library's call for the same thing."""
    import librosa
    from librosa import feature

    stft = {"n_fft": 1024, "win_length": 551, "hop_length": 220}  # 25 ms and 10 ms at 22,050 Hz

    def deltas(y: np.ndarray) -> np.ndarray:
        m = feature.mfcc(y=y, sr=RATE, n_mfcc=13, n_mels=64, **stft)
        return np.concatenate([m, feature.delta(m), feature.delta(m, order=2)]).T

    def logmel(y: np.ndarray) -> np.ndarray:
        return librosa.power_to_db(feature.melspectrogram(y=y, sr=RATE, n_mels=64, **stft), top_db=None).T

    def onset(y: np.ndarray) -> np.ndarray:
        curve = librosa.onset.onset_strength(y=y, sr=RATE, n_fft=2048, win_length=1411, hop_length=220, n_mels=128)
        return curve[:, None]

    def spectral(y: np.ndarray) -> np.ndarray:
        same = {"y": y, "sr": RATE, "n_fft": 2048, "win_length": 1411, "hop_length": 220}
        flat = {k: v for k, v in same.items() if k != "sr"}
        parts = [
            feature.spectral_centroid(**same),
            feature.spectral_bandwidth(**same),
            feature.spectral_rolloff(**same),
            feature.spectral_flatness(**flat),
            feature.spectral_contrast(**same),
        ]
        crossings = feature.zero_crossing_rate(y, frame_length=1411, hop_length=220)
        return np.concatenate([*parts, crossings[:, : parts[0].shape[1]]]).T

    def trimmed(y: np.ndarray) -> np.ndarray:
        kept, _ = librosa.effects.trim(y, top_db=30)
        return logmel(librosa.effects.preemphasis(kept, coef=0.97, zi=np.zeros(1, np.float32)))

    return {
        "cqt": lambda y: feature.chroma_cqt(y=y, sr=RATE, hop_length=441).T,
        "cens": lambda y: feature.chroma_cens(y=y, sr=RATE, hop_length=441).T,
        "rms": lambda y: feature.rms(y=y, frame_length=1411, hop_length=220).T,
        "spectral": spectral,
        "f0": lambda y: librosa.yin(y, fmin=65, fmax=1000, sr=RATE, frame_length=1411, hop_length=220)[:, None],
        "trimmed": trimmed,
        "logmel": logmel,
        "mfcc": deltas,
        "mfcc_plain": lambda y: feature.mfcc(y=y, sr=RATE, n_mfcc=20, n_mels=40, fmin=60, fmax=7000, **stft).T,
        "chroma": lambda y: feature.chroma_stft(y=y, sr=RATE, n_fft=2048, win_length=1984, hop_length=441).T,
        "onset": onset,
    }


def main() -> None:
    """Write one npz for sound, with the input, and one for text."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    samples = sound()
    y = samples.astype(np.float32) / np.float32(32768)
    found = {name: call(y).astype(np.float32) for name, call in calls().items()}
    np.savez_compressed(HERE / "sound.npz", samples=samples, **found)
    tfidf = TfidfVectorizer(token_pattern=r"\w+").fit_transform(TEXTS).toarray()
    np.savez_compressed(HERE / "text.npz", tfidf=tfidf.astype(np.float32))


if __name__ == "__main__":
    main()
