"""Arrays that people bring, straight into a data set: rows of a table, sequences of one frame."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import manifest
from mmcli.errors import MismatchError
from mmcli.fusion.dataset.assemble import Assembled, Plan, assemble


def write(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def fused(path: Path, plan: Plan | None = None) -> Assembled:
    return assemble(manifest.load(path), plan or Plan())


def test_a_sequence_of_one_frame_is_a_sequence(tmp_path: Path) -> None:
    rows: list[list[object]] = []
    for i, frames in enumerate((1, 5, 1, 3)):
        np.save(tmp_path / f"{i}.npy", np.full((frames, 2), i, np.float32))
        rows.append([f"i{i}", "train", "ab"[i % 2], f"{i}.npy"])
    data = fused(write(tmp_path / "m.csv", ["id", "split", "label", "series"], rows)).dataset

    assert data.streams["series"].meta["kind"] == "sequence"
    assert data.streams["series"].lengths.tolist() == [1, 5, 1, 3]


def test_kinds_that_really_differ_name_both_files_and_the_option(tmp_path: Path) -> None:
    from mmcli.artifacts.formats import features
    from mmcli.artifacts.formats.features import Features

    for name, kind in (("a.npz", "sequence"), ("b.npz", "spectrogram")):
        meta = {"modality": "audio", "kind": kind}
        features.save(tmp_path / name, Features(np.ones((2, 3), np.float32), np.arange(2.0), meta))
    path = write(tmp_path / "m.csv", ["id", "split", "audio"], [["a", "train", "a.npz"], ["b", "train", "b.npz"]])

    with pytest.raises(MismatchError, match=r"spectrogram in b\.npz, sequence in a\.npz") as told:
        fused(path)
    assert "--audio" in str(told.value)
