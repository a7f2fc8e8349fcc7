"""What reading a file has to keep, whatever stands in it: every function reads a path and checks what it got."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.errors import MmcliError


def finite(values: Any) -> None:
    assert np.isfinite(values).all(), "not finite"


def subtitle(path: Path) -> None:
    from mmcli.media import open_clip

    clip: Any = open_clip(path, "subtitle")
    last = -1.0
    for start, end, words in clip.cues:
        assert last <= start <= end < math.inf, (last, start, end)
        assert words.strip(), "a cue of no words"
        last = start


def intervals(path: Path) -> None:
    from mmcli.media import intervals

    for rows in intervals.read_tiers(str(path)).values():
        assert rows
        for start, end, label in rows:
            assert 0 <= start < end < math.inf
            assert label.strip() == label != ""


def series(path: Path) -> None:
    from mmcli.media import MediaOptions, open_clip

    clip: Any = open_clip(path, "series", options=MediaOptions(rate=10.0))
    assert clip.values.ndim == 2
    assert len(clip.values) == len(clip.times) > 0
    assert len(clip.columns) == clip.values.shape[1]
    assert (np.diff(clip.times) > 0).all()
    finite(clip.values)
    finite(clip.times)


def text(path: Path) -> None:
    from mmcli.media import open_clip

    clip: Any = open_clip(path, "text")
    assert clip.text.strip()


def image(path: Path) -> None:
    from mmcli.media import open_clip

    clip: Any = open_clip(path, "image")
    assert clip.pixels.ndim == 3
    assert clip.pixels.size > 0
    assert 0.0 <= clip.pixels.min() <= clip.pixels.max() <= 1.0


def sound(path: Path) -> None:
    from mmcli.media import open_clip

    clip: Any = open_clip(path, "audio")
    count = 0
    for block in clip.blocks(8000, 0.3):
        finite(block)
        count += len(block)
    assert count > 0


def film(path: Path) -> None:
    from mmcli.media import open_clip

    clip: Any = open_clip(path, "video")
    last = -1.0
    for time, frame in clip.frames(5.0):
        assert time > last
        assert frame.ndim == 3
        last = time


def score(path: Path) -> None:
    from mmcli.media import midi

    score = midi.read(path)
    assert len(score.start) > 0
    assert (score.start >= 0).all()
    assert (score.start <= score.end).all()
    finite(score.end)


def map(path: Path) -> None:
    from mmcli.aligners.output import formats
    from mmcli.artifacts.formats import alignment

    loaded = alignment.load(path)
    again = alignment.loads(alignment.dumps(loaded), "again")
    assert alignment.dumps(again) == alignment.dumps(loaded)
    for form in formats.FORMATS:
        try:
            formats.render(loaded, form)
        except MmcliError:
            continue


def manifest(path: Path) -> None:
    from mmcli.artifacts.formats import manifest

    loaded = manifest.load(path)
    again = manifest.loads(manifest.dumps(loaded.rows), "again.jsonl")
    assert again.rows == loaded.rows
