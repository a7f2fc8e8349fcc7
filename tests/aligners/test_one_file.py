"""An aligner is one file: the help names it, and it runs, with nothing else edited."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmcli.artifacts.formats import alignment

from ..scratch import copied, mmcli

ALIGNER = '''
"""The starts of both stand on each other: no search."""

from dataclasses import dataclass

import numpy as np

from mmcli.artifacts.formats.alignment import Alignment

ACCEPTS = (("features", "features"),)


@dataclass(frozen=True)
class Config:
    """``shift_s``: seconds by which the query starts later."""

    shift_s: float = 0.0


def align(x, y, config=Config()) -> Alignment:
    knots = np.array([[config.shift_s, 0.0], [config.shift_s + 9.0, 9.0]])
    return Alignment("offset", knots, offset_s=config.shift_s, rate=1.0, ppm=0.0, cost=0.0)
'''


def test_a_new_aligner_is_one_file(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    (copy / "aligners" / "methods" / "together.py").write_text(ALIGNER)
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).standard_normal((10, 3)))

    assert "subtitles, together, transcript" in " ".join(mmcli(copy, "align", "--help").split())
    mmcli(
        *(copy, "align", "a.npy", "b.npy", "--rate", "1", "-o", "map.json"),
        *("--method", "together", "--set", "together.shift_s=1.5"),
    )

    assert alignment.load(tmp_path / "map.json").offset_s == 1.5
