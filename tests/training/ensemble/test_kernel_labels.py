"""Kernel machines on items with several labels: what is absent is below a half, and not only lower than the rest."""

from __future__ import annotations

import numpy as np

from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.use import run

from ...evaluation.conftest import made


def test_labels_that_are_not_there_are_not_predicted(tmp_path):
    """Each item has one label for sure and each other in a fifth of the cases: nobody has all of them."""
    data = made(240, task="multilabel")
    config = TrainConfig(task="multilabel", fusion="auto", candidates="kernels", seed=0, device="cpu")
    run.train(data, config, tmp_path / "m.pt")
    rows = data.rows("test")
    found = predictor.load(tmp_path / "m.pt").predict(data, rows)
    truth = data.label[rows]

    assert abs(found.probabilities.mean() - truth.mean()) < 0.1
    assert (found.labels == truth).mean() > 0.75
    assert found.labels.mean() < 0.6
    assert np.isfinite(found.probabilities).all()
