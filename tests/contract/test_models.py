"""What every encoder and every fusion block promises; a new file in either folder is tested here with no edit."""

from __future__ import annotations

import itertools

import pytest
import torch

from mmcli.models import blocks, encoders
from mmcli.models.nets.factory import build
from mmcli.models.nets.network import Input
from mmcli.models.parts import StreamShape, from_json, to_json

SHAPES = {
    "image": StreamShape("m", "image", (20, 12, 3), 1),
    "spectrogram": StreamShape("m", "spectrogram", (21,), 37),
    "tokens": StreamShape("m", "tokens", (1,), 9, vocabulary_size=11),
    "sequence": StreamShape("m", "sequence", (7,), 45),
    "vector": StreamShape("m", "vector", (13,), 1),
    "frames": StreamShape("m", "frames", (18, 16, 3), 6),
}
ENCODERS = [(name, kind) for name in encoders.registry.names() for kind in encoders.registry.load(name).KINDS]
BLOCKS = blocks.registry.names()
WIDTH = 16


def values_of(shape: StreamShape, items: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (items, shape.steps, *shape.shape)
    if shape.kind == "tokens":
        return torch.randint(1, shape.vocabulary_size, size, generator=generator).float()
    return torch.randn(size, generator=generator)


def part(name: str, encoder: str, shape: StreamShape) -> dict:
    import dataclasses

    sized = dataclasses.replace(encoders.registry.load(encoder).sized(shape, 300), width=WIDTH)
    return {"name": name, "encoder": encoder, "config": to_json(sized)}


def network(parts: list[dict], block: str = "concat", outputs: int = 3) -> torch.nn.Module:
    import dataclasses

    torch.manual_seed(0)
    module = blocks.registry.load(block)
    config = module.sized(len(parts), WIDTH, 300)
    if hasattr(config, "outputs"):
        config = dataclasses.replace(config, outputs=outputs)
    head = {"outputs": outputs, "hidden": 8, "dropout": 0.1}
    fused = {"name": block, "config": to_json(config)}
    return build({"name": "network", "modalities": parts, "fusion": fused, "head": head, "auxiliary": True})


def three(block: str) -> tuple[torch.nn.Module, dict[str, Input]]:
    kinds = {"a": ("mlp", "vector"), "b": ("conv1d", "sequence"), "c": ("bilstm", "tokens")}
    net = network([part(n, e, SHAPES[k]) for n, (e, k) in kinds.items()], block)
    batch = {}
    for i, (name, (_, kind)) in enumerate(kinds.items()):
        values = values_of(SHAPES[kind], 5, i)
        batch[name] = Input(values, torch.ones(values.shape[:2], dtype=torch.bool), torch.ones(5, dtype=torch.bool))
    return net, batch


@pytest.mark.parametrize(("name", "kind"), ENCODERS)
def test_padding_does_not_change_what_an_encoder_says(name: str, kind: str) -> None:
    """An item alone, and the same item beside a longer one, give the same vector."""
    shape = SHAPES[kind]
    net = network([part("m", name, shape)]).eval()
    values = values_of(shape, 2)
    short = max(1, shape.steps // 2 - 1)
    mask = torch.ones(2, shape.steps, dtype=torch.bool)
    mask[0, short:] = False
    there = torch.ones(2, dtype=torch.bool)

    beside, _ = net.encode({"m": Input(values, mask, there)})
    alone, _ = net.encode({"m": Input(values[:1, :short], mask[:1, :short], there[:1])})

    assert beside.shape == (2, 1, WIDTH)
    assert beside[0].abs().max() > 0
    torch.testing.assert_close(alone[0], beside[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "kind"), ENCODERS)
def test_values_under_the_mask_never_matter(name: str, kind: str) -> None:
    """Even NaN beyond the end of an item changes no bit of the result or of the gradients."""
    shape = SHAPES[kind]
    net = network([part("m", name, shape)]).eval()
    values = values_of(shape, 3)
    mask = torch.ones(3, shape.steps, dtype=torch.bool)
    mask[0, shape.steps // 2 :] = False
    mask[1] = False
    dirty = values.clone()
    dirty[~mask] = float("nan")
    there = torch.tensor([True, True, True])

    found = []
    for given in (values, dirty):
        net.zero_grad()
        logits = net({"m": Input(given, mask, there)})
        logits.sum().backward()
        found.append([logits, *(p.grad for p in net.parameters() if p.grad is not None)])

    for clean, dirtied in zip(*found, strict=True):
        assert torch.isfinite(clean).all()
        assert torch.equal(clean, dirtied)


@pytest.mark.parametrize(("name", "kind"), ENCODERS)
def test_an_encoder_learns_and_its_configuration_travels(name: str, kind: str) -> None:
    """Every parameter gets a gradient; configuration and weights rebuild the same network."""
    shape = SHAPES[kind]
    described = part("m", name, shape)
    net = network([described])
    values = values_of(shape, 4)
    batch = {"m": Input(values, torch.ones(4, shape.steps, dtype=torch.bool), torch.ones(4, dtype=torch.bool))}
    outputs = net.detailed(batch)
    (outputs.logits.square().sum() + outputs.alone.square().sum()).backward()
    idle = [n for n, p in net.encoders.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []

    module = encoders.registry.load(name)
    assert to_json(from_json(module.Config, described["config"], "m")) == described["config"]
    twin = network([described])
    twin.load_state_dict(net.state_dict())
    assert torch.equal(twin.eval()(batch), net.eval()(batch))


@pytest.mark.parametrize("block", BLOCKS)
def test_any_subset_of_modalities_gives_finite_logits(block: str) -> None:
    """All eight subsets of three modalities, the empty one included; absent values never matter, not even NaN."""
    net, batch = three(block)
    net.eval()
    for subset in itertools.product([True, False], repeat=3):
        given, dirty = {}, {}
        for (name, (values, mask, _)), there in zip(batch.items(), subset, strict=True):
            present = torch.full((5,), there)
            given[name] = Input(values, mask, present)
            dirty[name] = Input(values if there else torch.full_like(values, float("nan")), mask, present)
        logits = net(given)
        assert logits.shape == (5, 3)
        assert torch.isfinite(logits).all(), subset
        assert torch.equal(logits, net(dirty)), subset


@pytest.mark.parametrize("block", BLOCKS)
def test_items_do_not_see_each_other(block: str) -> None:
    """A permutation of the items permutes the logits, with modalities missing here and there."""
    net, batch = three(block)
    net.eval()
    holes = torch.tensor([[1, 1, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    batch = {n: Input(v, m, holes[:, i]) for i, (n, (v, m, _)) in enumerate(batch.items())}
    turn = torch.tensor([3, 0, 4, 1, 2])

    plain = net(batch)
    turned = net({n: Input(v[turn], m[turn], p[turn]) for n, (v, m, p) in batch.items()})

    torch.testing.assert_close(turned, plain[turn], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_modality_counts_and_learns(block: str) -> None:
    """With all present, each modality's values change the logits and gradients reach every parameter."""
    net, batch = three(block)
    net.eval()
    plain = net(batch)
    for name, (values, mask, present) in batch.items():
        moved = values.flip(0)
        changed = net({**batch, name: Input(moved, mask, present)})
        assert not torch.allclose(changed, plain), name
    holes = torch.tensor([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=torch.bool)
    outputs = net.detailed({n: Input(v, m, holes[:, i]) for i, (n, (v, m, _)) in enumerate(batch.items())})
    (outputs.logits.square().sum() + outputs.alone.square().sum()).backward()
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


@pytest.mark.parametrize("block", BLOCKS)
def test_one_modality_is_enough_to_build_a_block(block: str) -> None:
    net = network([part("m", "mlp", SHAPES["vector"])], block).eval()
    values = values_of(SHAPES["vector"], 4)
    batch = {"m": Input(values, torch.ones(4, 1, dtype=torch.bool), torch.ones(4, dtype=torch.bool))}
    assert torch.isfinite(net(batch)).all()
