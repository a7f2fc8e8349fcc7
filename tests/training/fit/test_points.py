"""Encoders as points: unit length where a modality is there, nothing where it is not, the same in any company."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset as datasets
from mmcli.cli.app import run
from mmcli.training.fit import predictor

from ...evaluation.conftest import made


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    data = made(80, missing=0.2)
    datasets.save(folder / "d.npz", data)
    words = ["train", str(folder / "d.npz"), "--objective", "contrastive", "-o", str(folder / "p.pt")]
    assert run([*words, "--epochs", "2", "-q"]) == 0
    return predictor.load_encoders(folder / "p.pt"), data


def test_points_have_unit_length_where_the_modality_is_there(trained):
    encoders, data = trained
    rows = data.rows("test")
    vectors, present = encoders.points(data, rows)

    for name in ("x", "y"):
        assert present[name].tolist() == data.streams[name].present[rows].tolist()
        assert np.allclose(np.linalg.norm(vectors[name], axis=1), present[name], atol=1e-6)


def test_a_point_does_not_depend_on_the_company(trained):
    encoders, data = trained
    whole, _ = encoders.points(data, np.arange(80))
    some, _ = encoders.points(data, np.array([7, 3, 60]))

    assert np.allclose(some["x"], whole["x"][[7, 3, 60]], atol=1e-6)
