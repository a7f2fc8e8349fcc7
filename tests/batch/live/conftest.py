"""Models that rows are streamed to, each trained once, when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from mmcli.artifacts.formats import dataset
from mmcli.cli.app import run

from .rows import data_set


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """sequence.npz and vector.npz: two modalities, one with holes."""
    where = tmp_path_factory.mktemp("stream")
    for kind in ("sequence", "vector"):
        dataset.save(where / f"{kind}.npz", data_set(kind))
    return where


@pytest.fixture(scope="session")
def model(folder) -> Callable[[str], Path]:
    """The model of a kind of data and a fusion: ``model("vector.concat")``."""

    @cache
    def trained(name: str) -> Path:
        kind, fusion = name.split(".")
        path = folder / f"{name}.pt"
        how = ["auto", "--set", "train.candidates=kernels"] if fusion == "kernels" else [fusion, "--epochs", "2"]
        assert run(["train", str(folder / f"{kind}.npz"), "-o", str(path), "-q", "--fusion", *how]) == 0
        return path

    return trained
