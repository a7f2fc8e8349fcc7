"""A cell of the matrix, the sources that all of them are made of, and how one is made."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LEN_S = 4.0
FAIR = 0.001  # s
TOOLS = ("ffmpeg", "ffprobe", "sox", "mkvmerge")


@dataclass(frozen=True)
class Cell:
    """``make`` writes ``$O``; ``kind`` is what is compared; ``cut``: a part of the file is missing on purpose."""

    name: str
    suffix: str
    make: str
    kind: str = "audio"
    cut: bool = False
    fair: float = FAIR  # s
    also: tuple[float, ...] = ()  # a length that is fair too, where ffmpeg is known to be wrong


FF = "ffmpeg -v error -y -nostdin"
IN = f"{FF} -i $D/s.wav"
CUT = "; python3 -c \"import os;p='$O';os.truncate(p,int(os.path.getsize(p)*0.6))\""
JOIN = "cat $D/x $D/y > $O"


def sources(folder: Path) -> None:
    """Noise that swells and fades, so that every stretch of it is known by its shape; and pictures that differ."""
    import soundfile

    rng = np.random.default_rng(14)
    for name, rate, channels in (("s", 48000, 1), ("t", 44100, 2), ("u", 8000, 1), ("v", 22050, 1)):
        n = round(LEN_S * rate)
        noise = rng.normal(size=(n, channels))
        noise = np.cumsum(noise, axis=0) - np.linspace(0, 1, n)[:, None] * noise.sum(axis=0)
        noise -= np.stack([np.convolve(c, np.ones(64) / 64, "same") for c in noise.T], axis=1)
        swell = 0.35 + 0.3 * np.sin(2 * np.pi * 1.7 * np.arange(n) / rate)
        noise = noise / np.abs(noise).max() * swell[:, None]
        soundfile.write(folder / f"{name}.wav", noise, rate, subtype="PCM_16")
    quiet = np.concatenate([np.zeros(48000 * 3), soundfile.read(folder / "s.wav")[0]])
    soundfile.write(folder / "q.wav", quiet, 48000, subtype="PCM_16")
    for name, rate in (("p", "25"), ("n", "30000/1001")):
        size = "testsrc2=s=128x96:d=4:r=" + rate
        run(f"{FF} -f lavfi -i {size} -c:v ffv1 $D/{name}.nut", folder, folder / "none")


def run(script: str, folder: Path, out: Path) -> None:
    subprocess.run(
        ["sh", "-ec", script], env={"D": str(folder), "O": str(out), "PATH": "/usr/bin:/bin"}, check=True,
        capture_output=True, timeout=900,
    )  # fmt: skip
