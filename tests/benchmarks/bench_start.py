"""Processor time of small commands by several installations, interleaved: what starting costs.

    python tests/benchmarks/bench_start.py PYTHON [PYTHON ...] [--rounds 15]

Each PYTHON is one that can import mmcli; the first is what the others are compared to. The least of the rounds is
printed too: noise of other work only ever adds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def recordings(folder: Path) -> None:
    """A second of sound as wav and as mp3 in mp4, and a picture: what the commands read."""
    import soundfile
    from PIL import Image

    t = np.arange(16_000) / 16_000
    soundfile.write(folder / "a.wav", 0.2 * np.sin(2 * np.pi * 440 * t), 16_000)
    soundfile.write(folder / "b.mp3", 0.2 * np.sin(2 * np.pi * 440 * t), 16_000)
    Image.new("RGB", (64, 48), (200, 30, 30)).save(folder / "c.png")


COMMANDS = {
    "--version": ["--version"],
    "extract --help": ["extract", "--help"],
    "extract a.wav": ["extract", "a.wav", "-o", "OUT.npz", "--force"],
    "extract b.mp3": ["extract", "b.mp3", "-o", "OUT.npz", "--force"],
    "extract c.png": ["extract", "c.png", "-o", "OUT.npz", "--force"],
    "info a.wav": ["info", "a.wav"],
}


def spent(python: str, words: list[str], folder: Path) -> float:
    """CPU seconds of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-m", "mmcli", *words], cwd=folder, env=environment, capture_output=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{python} {' '.join(words)}: {done.stderr.decode(errors='replace')[-300:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("python", nargs="+")
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        recordings(folder)
        for name, words in COMMANDS.items():
            times: dict[str, list[float]] = {python: [] for python in asked.python}
            for number in range(asked.rounds + 1):
                for python in asked.python:
                    used = spent(python, [w.replace("OUT", f"out{number}") for w in words], folder)
                    if number:  # the first fills the caches
                        times[python].append(used)
            first = times[asked.python[0]]
            for python, one in times.items():
                ratios = sorted(a / b for a, b in zip(one, first, strict=True))
                print(
                    f"{name:16} {1000 * statistics.median(one):6.0f} ms (least {1000 * min(one):.0f}), "
                    f"{statistics.median(ratios):.3f} of the first ({ratios[0]:.2f} to {ratios[-1]:.2f})  {python}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
