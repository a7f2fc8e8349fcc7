"""Checkpoints: the same bytes for the same weights, and only weights that fit their config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fuzz_seeds
import pytest

from mmcli.artifacts.formats import checkpoint
from mmcli.errors import ArtifactError

torch = pytest.importorskip("torch")


def shapes(_: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {"head.weight": (2, 3), "head.steps": (), "empty": (0, 3)}


def test_the_model_of_the_config_says_which_tensors_there_are(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    checkpoint.save(path, fuzz_seeds.checkpoint_value())

    assert checkpoint.load(path, shapes).tensors.keys() == shapes({}).keys()
    with pytest.raises(ArtifactError, match="has shape \\(2, 3\\); its config makes it \\(3, 2\\)"):
        checkpoint.load(path, lambda config: shapes(config) | {"head.weight": (3, 2)})
    with pytest.raises(ArtifactError, match="'more' does not go with the model"):
        checkpoint.load(path, lambda config: shapes(config) | {"more": (1,)})


def test_bytes_depend_on_values_alone(tmp_path: Path) -> None:
    """Not on the file's name, on views and sharing, on gradients, or on what was saved before."""
    one = fuzz_seeds.checkpoint_value()
    plain = checkpoint.dumps(one)
    large = torch.zeros(10, 3)
    large[4:6] = one.tensors["head.weight"]
    other = checkpoint.Checkpoint(one.tensors | {"head.weight": large[4:6].clone().requires_grad_()[:]}, one.config)

    assert checkpoint.dumps(other) == plain
    checkpoint.save(tmp_path / "a.pt", one)
    checkpoint.save(tmp_path / "another name.pt", one)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "another name.pt").read_bytes() == plain


def test_tied_weights_are_written_apart() -> None:
    one = fuzz_seeds.checkpoint_value()
    one.tensors["tied"] = one.tensors["head.weight"]

    again = checkpoint.loads(checkpoint.dumps(one), "x")

    assert torch.equal(again.tensors["tied"], again.tensors["head.weight"])


def test_what_training_must_not_keep_is_not_written() -> None:
    one = fuzz_seeds.checkpoint_value()
    for wrong in (torch.tensor([float("nan")]), torch.ones(2, dtype=torch.complex64), torch.eye(2).to_sparse()):
        with pytest.raises(ArtifactError):
            checkpoint.dumps(checkpoint.Checkpoint({"w": wrong}, one.config))
    with pytest.raises(ArtifactError, match="unknown key 'path'"):
        checkpoint.Checkpoint({}, one.config | {"path": "/home"})


def test_torch_itself_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    checkpoint.save(path, fuzz_seeds.checkpoint_value())

    content = torch.load(path, weights_only=True)

    assert sorted(content) == ["config", "tensors"]
