"""Clipped sums without any item's gradient are those that the items' gradients give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmcli.errors import UsageError
from mmcli.models import blocks, encoders
from mmcli.models.nets import factory, linear
from mmcli.models.nets.network import Input
from mmcli.models.parts import StreamShape
from mmcli.training import plan
from mmcli.training.config import TrainConfig
from mmcli.training.private.clip import RULES, Ghost

SHAPES = {
    "image": StreamShape("image", "image", (9, 7, 2), 1),
    "residual": StreamShape("residual", "image", (20, 17, 1), 1),
    "audio": StreamShape("audio", "spectrogram", (14,), 26),
    "bilstm": StreamShape("bilstm", "tokens", (1,), 7, 11),
    "conv1d": StreamShape("conv1d", "sequence", (5,), 24),
    "mlp": StreamShape("mlp", "vector", (6,), 1),
    "transformer": StreamShape("transformer", "tokens", (1,), 70, 11),
    "video": StreamShape("video", "frames", (8, 8, 1), 4),
}


def batch_of(streams: list[StreamShape], items: int, seed: int) -> dict[str, Input]:
    """Random items of random lengths; any modality may be missing, but never all of an item's."""
    rng = np.random.default_rng(seed)
    there = rng.random((items, len(streams))) < 0.7
    there[np.arange(items), rng.integers(0, len(streams), items)] = True
    batch = {}
    for m, s in enumerate(streams):
        lengths = torch.from_numpy(rng.integers(1, s.steps + 1, items))
        mask = (torch.arange(s.steps) < lengths[:, None]) & torch.from_numpy(there[:, m, None])
        values = torch.from_numpy(rng.normal(size=(items, s.steps, *s.shape)).astype(np.float32))
        if s.vocabulary_size:
            values = torch.from_numpy(rng.integers(0, s.vocabulary_size, (items, s.steps, 1)).astype(np.float32))
        batch[s.name] = Input(values, mask, torch.from_numpy(there[:, m]))
    return batch


def built(streams: list[StreamShape], fusion: str, encoder: str | None, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    given_encoder = () if encoder is None else (f"{streams[0].name}={encoder}",)
    config = TrainConfig(fusion=fusion, encoders=given_encoder, width=8)
    net = factory.build(plan.network(streams, 3, 100, config)).eval()
    with torch.no_grad():  # away from the zeros and ones that parameters start with
        for p in net.parameters():
            p += 0.1 * torch.randn_like(p)
    return net.double()


def per_item(net: nn.Module, batch: dict[str, Input], labels: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The slow obvious twin: one backward pass an item, ``(items, ...)`` a parameter."""
    parameters, rows = list(net.parameters()), []
    for i in range(len(labels)):
        one = {name: Input(*(t[i : i + 1] for t in given)) for name, given in batch.items()}
        loss = loss_of(net, one, labels[i : i + 1]).sum()
        rows.append(torch.autograd.grad(loss, parameters, allow_unused=True))
    rows = [[torch.zeros_like(p) if g is None else g for g, p in zip(row, parameters, strict=True)] for row in rows]
    whole = [torch.stack(column) for column in zip(*rows, strict=True)]
    return whole, torch.stack([g.flatten(1).square().sum(1) for g in whole]).sum(0).sqrt()


def loss_of(net: nn.Module, batch: dict[str, Input], labels: torch.Tensor) -> torch.Tensor:
    outputs = net.detailed(batch)
    losses = nn.functional.cross_entropy(outputs.logits, labels, reduction="none")
    if outputs.alone is not None:
        for own in outputs.alone.unbind(1):
            losses = losses + nn.functional.cross_entropy(own, labels, reduction="none")
    return losses


def assert_same(net: nn.Module, streams: list[StreamShape], items: int, seed: int) -> None:
    batch = {n: Input(x.values.double(), x.mask, x.present) for n, x in batch_of(streams, items, seed).items()}
    labels = torch.from_numpy(np.random.default_rng(seed + 1).integers(0, 3, items))
    each, wanted = per_item(net, batch, labels)
    clip = float(wanted.median())  # half of the items are cut
    ghost = Ghost(net)
    with ghost.watching(items):
        losses = loss_of(net, batch, labels)
    sums, norms = ghost.clipped(losses, clip)
    np.testing.assert_allclose(norms.numpy(), wanted.numpy(), rtol=1e-6, atol=1e-9)
    share = (clip / wanted).clamp(max=1.0)
    for (name, _), total, own in zip(net.named_parameters(), sums, each, strict=True):
        expected = torch.einsum("n,n...->...", share, own)
        scale = max(float(expected.abs().max()), 1e-3 * clip)
        assert float((total - expected).abs().max()) <= 1e-6 * scale, name


@pytest.mark.parametrize("encoder", encoders.registry.names())
def test_the_clipped_sum_of_every_encoder_is_that_of_its_items(encoder: str):
    kinds = encoders.registry.load(encoder).KINDS
    for stream in [s for s in SHAPES.values() if s.kind in kinds]:
        streams = [stream, StreamShape("second", "vector", (3,), 1)]
        assert_same(built(streams, "concat", encoder, 1), streams, 4, 2)


@pytest.mark.parametrize("fusion", blocks.registry.names())
def test_the_clipped_sum_of_every_fusion_block_is_that_of_its_items(fusion: str):
    streams = [SHAPES["conv1d"], SHAPES["mlp"], StreamShape("second", "vector", (3,), 1)]
    assert_same(built(streams, fusion, None, 3), streams, 5, 4)
    assert_same(built(streams[:1], fusion, None, 3), streams[:1], 3, 4)


@settings(max_examples=15)
@given(items=st.integers(1, 9), seed=st.integers(0, 2**20), names=st.sets(st.sampled_from(sorted(SHAPES)), min_size=1))
def test_the_clipped_sum_of_the_linear_model_is_that_of_its_items(items: int, seed: int, names: set[str]):
    streams = [SHAPES[name] for name in sorted(names)]
    net = factory.build(linear.sized(streams, 3)).double()
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p += torch.randn_like(p)
    assert_same(net, streams, items, seed)


@settings(max_examples=25)
@given(
    items=st.integers(1, 6),
    steps=st.integers(1, 9),
    inputs=st.integers(1, 7),
    outputs=st.integers(1, 7),
    seed=st.integers(0, 2**20),
)
def test_both_ways_to_a_norm_over_steps_agree_with_the_items(items, steps, inputs, outputs, seed):
    torch.manual_seed(seed)
    net, x = nn.Linear(inputs, outputs).double(), torch.randn(items, steps, inputs, dtype=torch.float64)
    ghost = Ghost(net)
    with ghost.watching(items):
        losses = net(x).square().sum((1, 2))
    _, norms = ghost.clipped(losses, 1.0)
    for i in range(items):
        own = torch.autograd.grad(net(x[i]).square().sum(), list(net.parameters()))
        assert float(norms[i]) == pytest.approx(float(sum(g.square().sum() for g in own) ** 0.5), rel=1e-6, abs=1e-9)


def test_every_module_with_parameters_has_a_rule():
    for fusion in blocks.registry.names():
        for stream in SHAPES.values():
            Ghost(built([stream, StreamShape("second", "vector", (3,), 1)], fusion, None, 0))
    assert len(RULES) > 10


def test_a_layer_without_a_rule_is_refused_by_name():
    with pytest.raises(UsageError, match=r"0 \(GRU\)"):
        Ghost(nn.Sequential(nn.GRU(2, 3)))
