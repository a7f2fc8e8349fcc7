"""Writes the pictures here. heic has no encoder among our dependencies: ``heif-enc`` of libheif makes it.

python tests/golden/pictures/make_golden.py
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def quadrants(height: int = 32, width: int = 48) -> np.ndarray:
    """Red, green; blue, white: uint8 ``(height, width, 3)``. What is turned or mirrored shows it."""
    red, green, blue, white = (np.broadcast_to(c, (height // 2, width // 2, 3)) for c in COLOURS.values())
    return np.block([[[red], [green]], [[blue], [white]]]).astype(np.uint8)


if __name__ == "__main__":
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "quadrants.png")
        Image.fromarray(quadrants()).save(source)
        subprocess.run(["heif-enc", "-q", "80", str(source), "-o", str(here / "quadrants.heic")], check=True)
        Image.fromarray(quadrants()[:, :, 1]).save(source)
        subprocess.run(["heif-enc", "-q", "80", str(source), "-o", str(here / "grey.heic")], check=True)
