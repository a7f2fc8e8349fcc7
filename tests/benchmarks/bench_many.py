"""Many cameras and recorders on one clock: right, wrong and left out against what was planted, and the cost.

    python tests/benchmarks/bench_many.py FOLDER... [--clips 40] [--minutes 10] [--seed 0] [--keep FOLDER]

Recordings under FOLDER (wav, ogg, mp3, flac), each once and in an order of their own, make scenes that lie one after
another. A clip hears a stretch of one scene through a room, with noise, a gain, a low-pass, a clock and a codec of its
own (flac, ogg, mp3, wav); of ten clips one is silent, one a stranger (sound that no scene has), and one has a loop that
repeats. Neighbours overlap by 10 to 90 %. What is printed is counted over pairs of clips that share 20 s and more of a
scene (right within 20 ms at the middle of both), and over clips that share nothing (told apart or not).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, fftconvolve, sosfilt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from mmcli.aligners.many import shoot
from mmcli.errors import MmcliError
from mmcli.media import open_clip

RATE = 16_000
SNR_DB = 20.0, 8.0, 0.0, -6.0
CODECS = ".flac", ".ogg", ".mp3", ".wav"
RIGHT_S = 0.02
SHARED_S = 20.0


def material(folders: list[Path], seconds: float, draw: np.random.Generator) -> np.ndarray:
    """Recordings one after another until there is enough, each at the same loudness."""
    files = sorted(p for f in folders for p in f.rglob("*") if p.suffix in (".wav", ".ogg", ".mp3", ".flac"))
    parts, length = [], 0.0
    for k in draw.permutation(len(files)):
        try:
            samples = open_clip(files[k], "audio").samples(RATE)[: 240 * RATE]
        except MmcliError:  # a file without sound
            continue
        level = float(np.sqrt(np.mean(samples**2)))
        if len(samples) < RATE or level < 1e-4:
            continue
        parts.append(0.05 * samples / level)
        length += len(samples) / RATE
        if length >= seconds:
            return np.concatenate(parts)
    raise SystemExit(f"{length:.0f} s of sound are there, {seconds:.0f} are needed")


def recorded(scene: np.ndarray, start: float, length: float, ppm: float, draw: np.random.Generator, snr: float):
    """What a recorder hears of a scene from ``start``: its time t lies at ``start + t * (1 + ppm / 1e6)``."""
    at = (start + np.arange(int(length * RATE)) / RATE * (1 + ppm * 1e-6)) * RATE
    low = int(at[0])
    heard = np.interp(at - low, np.arange(int(at[-1]) + 2 - low), scene[low : int(at[-1]) + 2])
    decay = float(draw.uniform(0.05, 0.4))
    tail = draw.standard_normal(int(decay * 2 * RATE)) * np.exp(-np.arange(int(decay * 2 * RATE)) / (decay * RATE / 3))
    tail *= draw.uniform(0.3, 1.0) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    heard = fftconvolve(heard, tail)[: len(at)]
    heard = sosfilt(butter(2, float(draw.uniform(2500, 7500)), fs=RATE, output="sos"), heard)
    noise = draw.standard_normal(len(at))
    noise = sosfilt(butter(1, float(draw.uniform(300, 6000)), fs=RATE, output="sos"), noise)
    noise *= np.sqrt(np.mean(heard**2) / np.mean(noise**2)) * 10 ** (-snr / 20)
    out = heard + noise
    return (out * 10 ** draw.uniform(-2.0, 0.0) / np.abs(out).max()).astype(np.float32)


def save(path: Path, samples: np.ndarray) -> None:
    """Write a clip a minute at a time: libsndfile falls over long blocks of Vorbis."""
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for start in range(0, len(samples), 60 * RATE):
            file.write(samples[start : start + 60 * RATE])


def made(folder: Path, folders: list[Path], clips: int, minutes: float, seed: int):
    """Write the clips; returns (path, scene or None, start, ppm) of each."""
    draw = np.random.default_rng(seed)
    length = minutes * 60.0
    scenes = 3
    usual = clips - 2 * (clips // 10)
    each = -(-usual // scenes)
    span = length * (1 + 0.5 * each) + 60
    sound = material(folders, scenes * span + (clips // 10) * length + 10, draw)
    loop = sound[-8 * RATE :]
    out = []
    for k in range(usual):
        scene, number = divmod(k, each)
        begin = scene * span + number * length * 0.5 + draw.uniform(0, 0.4) * length * 0.4
        ppm = float(draw.uniform(-80, 80))
        heard = recorded(sound, begin, length, ppm, draw, SNR_DB[k % len(SNR_DB)])
        if k % 10 == 9:  # a loop from a speaker in the room, for a third of it
            times = int(length / 3 / 8)
            heard[: times * len(loop)] += 0.3 * np.abs(heard).max() * np.tile(loop / np.abs(loop).max(), times)
        path = folder / f"scene{scene}_{number:02d}{CODECS[(k + k // len(SNR_DB)) % len(CODECS)]}"
        save(path, np.clip(heard, -1, 1))
        out.append((path, scene, begin, ppm))
    for k in range(clips // 10):
        path = folder / f"silent{k}.flac"
        soundfile.write(path, np.zeros(int(length * RATE), np.float32), RATE)
        out.append((path, None, 0.0, 0.0))
        path = folder / f"stranger{k}.flac"
        begin = scenes * span + k * length
        soundfile.write(path, recorded(sound, begin, length - 1, 0.0, draw, 15.0), RATE)
        out.append((path, None, 0.0, 0.0))
    return out


def main() -> None:
    """Make, align, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        truth = made(folder, given.folders, given.clips, given.minutes, given.seed)
        began = time.process_time()
        result = shoot.place([t[0] for t in truth])
        print(f"{given.clips} clips of {given.minutes:g} minutes: {time.process_time() - began:.1f} s of CPU")
        places = {clip.path: clip for clip in result.clips}
        length, counts, errors = given.minutes * 60, dict.fromkeys(("right", "wrong", "apart"), 0), []
        for a, b in combinations(truth, 2):
            if a[1] is None or a[1] != b[1]:
                continue
            start, end = max(a[2], b[2]), min(a[2], b[2]) + length
            if end - start < SHARED_S:
                continue
            x, y = places[a[0]], places[b[0]]
            if x.group != y.group:
                counts["apart"] += 1
                continue
            middle = (start + end) / 2
            on = [c.start_s + c.rate * (middle - t[2]) / (1 + t[3] * 1e-6) for c, t in ((x, a), (y, b))]
            errors.append(abs(on[0] - on[1]))
            counts["right" if errors[-1] <= RIGHT_S else "wrong"] += 1
        spans = {t[0]: t for t in truth}
        true, false = [], []
        for m in result.edges:
            a, b = (spans[result.clips[k].path] for k in (m.edge.a, m.edge.b))
            right = a[1] is not None and a[1] == b[1] and abs(m.edge.offset_s - (b[2] - a[2])) < 0.5
            (true if right else false).append((round(m.edge.share, 2), m.edge.windows))
        print(f"measured, share and windows: right {sorted(true)[:8]}, wrong {sorted(false)[-12:]} of {len(false)}")
        strangers = [places[t[0]].group for t in truth if t[1] is None]
        joined = sum(sum(c.group == g for c in result.clips) > 1 for g in strangers)
        mixed = len({(places[t[0]].group, t[1]) for t in truth if t[1] is not None})
        print(f"pairs that share {SHARED_S:g} s: {counts}; median error {np.median(errors) * 1e3:.2f} ms, "
              f"worst {max(errors) * 1e3:.1f}")  # fmt: skip
        print(f"strangers and silent clips joined to others: {joined} of {len(strangers)}")
        groups = {c.group for c in result.clips}
        print(f"groups {len(groups)}, of (group, scene) {mixed}; edges {len(result.edges)}, set aside "
              f"{sum(not e.kept for e in result.edges)}")  # fmt: skip


if __name__ == "__main__":
    main()
