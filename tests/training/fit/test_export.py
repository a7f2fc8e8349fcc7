"""A model that was exported answers as it does here, for items of any length and with modalities missing."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmcli.errors import UsageError
from mmcli.models import blocks, encoders
from mmcli.training.fit import export

from ...contract.test_models import SHAPES, network, part, three, values_of

BLOCKS = blocks.registry.names()


def model(net, shapes, task="classify", **target):
    config = {"training": {"target": target}, "model": {"fusion": {"name": "concat"}}}
    return SimpleNamespace(net=net.eval(), shapes=shapes, task=task, config=config)


def answers(path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What the file says, asked as somebody without mmcli asks."""
    if path.suffix == ".ts":
        return torch.jit.load(path)(*(torch.from_numpy(value) for value in inputs.values())).detach().numpy()
    import onnxruntime

    return onnxruntime.InferenceSession(path).run(None, inputs)[0]


@pytest.mark.parametrize("suffix", [".ts", ".onnx"])
@pytest.mark.parametrize("name", encoders.registry.names())
def test_every_encoder_answers_alike_at_other_lengths(name, suffix, tmp_path):
    shape = SHAPES[encoders.registry.load(name).KINDS[0]]
    net = network([part("m", name, shape)]).eval()
    export.export(model(net, [shape]), tmp_path / f"m{suffix}")
    values = values_of(dataclasses.replace(shape, steps=1 if shape.steps == 1 else shape.steps + 4), 6, seed=3)
    steps = np.array([1, 1, values.shape[1], 1, 0, 1], np.int64)
    mask = torch.arange(values.shape[1]) < torch.from_numpy(steps)[:, None]
    own = net({"m": (values, mask, torch.from_numpy(steps > 0))}).softmax(1).detach().numpy()
    got = answers(tmp_path / f"m{suffix}", {"m": values.numpy(), "m.steps": steps})
    assert got == pytest.approx(own, abs=1e-4)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_answers_alike_or_is_refused(block, tmp_path):
    net, _ = three(block)
    kinds = {"a": "vector", "b": "sequence", "c": "tokens"}
    given = model(net, [dataclasses.replace(SHAPES[kind], name=name) for name, kind in kinds.items()])
    given.config["model"]["fusion"]["name"] = block
    for suffix in (".ts", ".onnx"):
        if block in export.FIXED:
            with pytest.raises(UsageError, match="cannot be exported"):
                export.export(given, tmp_path / f"m{suffix}")
        else:
            export.export(given, tmp_path / f"m{suffix}")  # which asks it with modalities missing


def test_a_regression_gives_values_on_the_scale_of_the_labels(tmp_path):
    shape = SHAPES["vector"]
    net = network([part("m", "mlp", shape)], outputs=1)
    export.export(model(net, [shape], "regress", scale=7.0, center=100.0), tmp_path / "m.ts")
    values = values_of(shape, 4)
    logits = net({"m": (values, torch.ones(4, 1, dtype=torch.bool), torch.ones(4, dtype=torch.bool))})
    got = answers(tmp_path / "m.ts", {"m": values.numpy(), "m.steps": np.ones(4, np.int64)})
    assert got == pytest.approx(7 * logits[:, 0].detach().numpy() + 100, abs=1e-3)


def test_what_would_not_agree_is_not_written(tmp_path, monkeypatch):
    shape = SHAPES["vector"]
    given = model(network([part("m", "mlp", shape)]), [shape])
    wrong = model(network([part("m", "mlp", shape)]), [shape])
    torch.nn.init.normal_(wrong.net.head.direct.weight)
    script = export._script
    monkeypatch.setattr(export, "_script", lambda whole, items: script(export.Answering(wrong).eval(), items))
    with pytest.raises(UsageError, match="does not give this model's answers"):
        export.export(given, tmp_path / "m.ts")
    assert not list(tmp_path.iterdir())


def test_other_suffixes_and_machines_are_refused(tmp_path):
    given = model(network([part("m", "mlp", SHAPES["vector"])]), [SHAPES["vector"]])
    with pytest.raises(UsageError, match=r"\.ts or \.onnx"):
        export.export(given, tmp_path / "m.h5")
    given.net = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match="single network"):
        export.export(given, tmp_path / "m.ts")
