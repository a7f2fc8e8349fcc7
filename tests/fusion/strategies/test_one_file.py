"""A strategy is one file: the help names it, and it runs, with nothing else edited."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmcli.artifacts.formats import features
from mmcli.artifacts.formats.features import Features

from ...scratch import copied, mmcli

STRATEGY = '''
"""The smallest value of the modalities that are there, column by column."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Config:
    scale: float = 1.0


def fuse(blocks, config, state):
    there = [np.where(blocks.present[m][:, None], values, np.inf) for m, values in blocks.values.items()]
    return (config.scale * np.min(there, axis=0)).astype(np.float32)
'''


def test_a_new_strategy_is_one_file(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    (copy / "fusion" / "strategies" / "smallest.py").write_text(STRATEGY)
    for name, sign in (("a", 1.0), ("b", -1.0)):
        values = sign * np.arange(6, dtype=np.float32)[:, None]
        features.save(tmp_path / f"{name}.npz", Features(values, np.arange(6.0), {"kind": "sequence"}))

    assert "max, mean, smallest, weighted" in " ".join(mmcli(copy, "fuse", "--help").split())
    mmcli(copy, "fuse", "a.npz", "b.npz", "-o", "f.npz", "--strategy", "smallest", "--set", "smallest.scale=2")

    assert np.array_equal(features.load(tmp_path / "f.npz").values[:, 0], -2.0 * np.arange(6))
