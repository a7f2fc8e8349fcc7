"""Planted data sets, made once, and runs that are stopped."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.training.config import TrainConfig
from mmcli.training.use import run


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """The module beside this file."""
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted"] = module
    spec.loader.exec_module(module)
    return module


class StoppedError(Exception):
    """Stands for a kill between two epochs."""


@pytest.fixture
def stopped() -> Callable[[Dataset, TrainConfig, Path, int], None]:
    """Trains as a process that is killed when it reports an epoch."""

    def train(data: Dataset, config: TrainConfig, path: Path, epoch: int) -> None:
        def stop(row: dict[str, Any]) -> None:
            if row["epoch"] == epoch:
                raise StoppedError

        with pytest.raises(StoppedError):
            run.train(data, config, path, report=stop, save_every_s=0.0)

    return train
