"""The trained encoder of one of our own models, as an extractor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli import extractors
from mmcli.artifacts.formats import checkpoint
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.extractors.learned import checkpoint as adapter
from mmcli.media.clips import AudioClip, TextClip


def part(name: str, encoder: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "encoder": encoder, "config": {"width": 8, **config}}


HEAD = {"outputs": 2, "hidden": 0, "dropout": 0.0}
FUSION = {"name": "concat", "config": {"modalities": 2, "width": 8}}
NETWORK = {
    "name": "network",
    "modalities": [part("audio", "conv1d", inputs=13), part("text", "bilstm", inputs=1, vocabulary=4)],
    "fusion": FUSION,
    "head": HEAD,
    "auxiliary": False,
}
NORMALISER = {"method": "zscore", "center": [1.0] * 13, "scale": [2.0] * 13}
VOCABULARY = {"tokens": ["on", "off"]}


def write(path: Path, model: dict[str, Any], **changed: Any) -> tuple[Path, Any]:
    """A checkpoint with random weights, and the module with the same ones."""
    import torch

    from mmcli.models.nets import factory

    torch.manual_seed(4)
    net = factory.build(model).eval()
    modalities = {
        "audio": {"modality": "audio", "extractor": "mfcc", "config": {}, "kind": "sequence", "shape": [13]},
        "text": {"modality": "text", "extractor": "tokens", "config": {}, "kind": "tokens", "shape": [1]},
    }
    modalities["audio"]["normaliser"] = NORMALISER
    modalities["text"] |= {"fitted": VOCABULARY, "vocabulary_size": 4}
    for name, meta in changed.items():
        modalities[name] = {k: v for k, v in {**modalities[name], **meta}.items() if v is not None}
    config = {"task": "classify", "model": model, "classes": ["a", "b"], "modalities": modalities, "training": {}}
    checkpoint.save(path, checkpoint.Checkpoint({k: v.clone() for k, v in net.state_dict().items()}, config))
    return path, net


@pytest.fixture
def clip() -> AudioClip:
    return AudioClip.from_array(np.random.default_rng(0).standard_normal(9000) * 0.1, 16_000)


CONTRASTIVE = {"name": "contrastive", "modalities": NETWORK["modalities"], "space": {"width": 8}}


@pytest.mark.parametrize("model", [NETWORK, CONTRASTIVE], ids=["network", "contrastive"])
def test_the_encoder_sees_what_it_saw_in_training(tmp_path: Path, clip: AudioClip, model: dict[str, Any]) -> None:
    import torch

    path, net = write(tmp_path / "model.pt", model)
    values = (extractors.load("mfcc").extract(clip).values - 1.0) / 2.0
    with torch.no_grad():
        given = torch.from_numpy(values.astype(np.float32))[None]
        steps, mask = net.encoders[0](given, torch.ones(1, len(values), dtype=torch.bool))
        vector = net.encoders[0].pool(steps, mask)

    found = adapter.extract(clip, adapter.Config(f"{path}#audio"))
    kept = adapter.extract(clip, adapter.Config(str(path), pool="sequence"))

    assert np.abs(found.values - vector.numpy()).max() < 1e-6
    assert np.abs(kept.values - steps[0].numpy()).max() < 1e-6
    assert found.meta["config"]["stream"] == "audio"
    assert found.meta["config"]["file"] == "model.pt"
    assert (np.diff(kept.times) > 0).all()


def test_what_an_extractor_learned_comes_with_the_model(tmp_path: Path) -> None:
    path, _ = write(tmp_path / "model.pt", NETWORK)
    config = adapter.Config(f"{path}#text")
    on, off = (adapter.extract(TextClip(name="t", text=t), config).values for t in ("on", "off"))
    assert on.shape == (1, 8)
    assert np.abs(on - off).max() > 1e-3


def test_of_several_networks_the_one_that_counts_most_is_taken(tmp_path: Path, clip: AudioClip) -> None:
    import torch

    alone = NETWORK | {
        "modalities": NETWORK["modalities"][:1],
        "fusion": {"name": "concat", "config": {"modalities": 1, "width": 8}},
    }
    members = [
        {"title": t, "weight": w, "gain": 1.0, "model": m} for t, w, m in (("b", 0.3, NETWORK), ("a", 0.7, alone))
    ]
    listed = [{"name": "audio"}, {"name": "text"}]
    stack = {"name": "stack", "task": "classify", "outputs": 2, "modalities": listed, "members": members}
    path, net = write(tmp_path / "stack.pt", stack)
    values = ((extractors.load("mfcc").extract(clip).values - 1.0) / 2.0).astype(np.float32)
    with torch.no_grad():
        encoder = net.members[1].encoders[0]
        steps, mask = encoder(torch.from_numpy(values)[None], torch.ones(1, len(values), dtype=torch.bool))
        vector = encoder.pool(steps, mask)

    assert np.abs(adapter.extract(clip, adapter.Config(f"{path}#audio")).values - vector.numpy()).max() < 1e-6


def test_what_cannot_be_done_is_said(tmp_path: Path, clip: AudioClip) -> None:
    path, _ = write(tmp_path / "model.pt", NETWORK)
    with pytest.raises(UsageError, match="called 'video'"):
        adapter.extract(clip, adapter.Config(f"{path}#video"))
    brought, _ = write(tmp_path / "brought.pt", NETWORK, audio={"extractor": None})
    with pytest.raises(MismatchError, match="another maker"):
        adapter.extract(clip, adapter.Config(f"{brought}#audio"))
    narrow, _ = write(tmp_path / "narrow.pt", NETWORK, audio={"config": {"coefficients": 12}})
    with pytest.raises(MismatchError, match="frames of 12"):
        adapter.extract(clip, adapter.Config(f"{narrow}#audio"))
    kernel = {
        "name": "kernel",
        "rows": 4,
        "outputs": 2,
        "gain": 1.0,
        "modalities": [{"name": "audio", "kind": "sequence", "shape": [13], "vocabulary_size": 0, "gamma": 1.0}],
    }
    machine, _ = write(tmp_path / "kernel.pt", kernel)
    with pytest.raises(InputError, match="no encoder"):
        adapter.extract(clip, adapter.Config(f"{machine}#audio"))


def test_the_scale_is_the_one_that_fusing_puts_values_on() -> None:
    """Two rooms that must not import one another, one formula."""
    from mmcli.fusion import normalise

    values = np.random.default_rng(0).standard_normal((20, 13)).astype(np.float32) * 5
    for method in normalise.METHODS:
        fitted = normalise.fit(values, method)
        assert np.array_equal(adapter._scaled(values, fitted), normalise.apply(values, fitted))
    assert np.array_equal(adapter._scaled(values, None), values)
