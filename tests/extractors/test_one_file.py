"""An extractor is one file: the help names it, and it runs, with nothing else edited."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mmcli.artifacts.formats import features

from ..scratch import copied, mmcli

EXTRACTOR = '''
"""How bright a picture is."""

from dataclasses import dataclass

import numpy as np

from mmcli.extractors.base import Features, ImageClip, still

LONG = "whole"
KIND = "vector"
FITTED = False


@dataclass(frozen=True)
class Config:
    scale: float = 1.0


def extract(clip: ImageClip, config: Config = Config()) -> Features:
    return still(clip, config.scale * clip.pixels.mean(axis=(0, 1)), config, kind=KIND)
'''


def test_a_new_extractor_is_one_file(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    (copy / "extractors" / "image" / "brightness.py").write_text(EXTRACTOR)
    Image.fromarray(np.full((4, 4, 3), [0, 51, 255], np.uint8)).save(tmp_path / "p.png")

    assert "pixels, brightness, checkpoint" in " ".join(mmcli(copy, "extract", "--help").split())
    mmcli(copy, "extract", "p.png", "-o", "p.npz", "--image", "brightness", "--set", "brightness.scale=10")

    written = features.load(tmp_path / "p.npz")
    assert np.allclose(written.values, [[0.0, 2.0, 10.0]])
    assert written.meta["extractor"] == "brightness"
