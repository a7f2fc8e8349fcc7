"""The two ways of `crossmodal` are one: the layers compiled for training on a processor, and plain ones."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from mmcli.models.blocks import crossmodal
from mmcli.models.kernels import crossattention

pytestmark = pytest.mark.skipif(crossattention._cross is None, reason="built without a compiler")

LENGTHS = (7, 5, 9)
N = 6


def block(dropout: float = 0.0, scale: float = 0.1, modalities: int = 3) -> crossmodal.CrossModal:
    torch.manual_seed(0)
    made = crossmodal.CrossModal(crossmodal.Config(modalities, 20, 5, 2, dropout=dropout))
    with torch.no_grad():
        for p in made.parameters():
            p.add_(torch.randn_like(p) * scale)
    return made.train()


def held(made: crossmodal.CrossModal, padded: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Sequences of random length; the first item lacks the first modality, the second one has nothing at all."""
    count = made.width // 20
    sequences = [torch.randn(N, t, 20, requires_grad=True) for t in LENGTHS[:count]]
    masks = [torch.ones(N, t, dtype=torch.bool) for t in LENGTHS[:count]]
    if padded:
        masks = [torch.arange(t) < torch.randint(1, t + 1, (N, 1)) for t in LENGTHS[:count]]
        masks[0][0] = False
        for mask in masks:
            mask[1] = False
    return sequences, masks


def quiet(made: crossmodal.CrossModal) -> crossmodal.CrossModal:
    """In training, with dropout off."""
    for layer in made.layers:
        layer.drop.p = 0.0
    return made.train()


def both(made: crossmodal.CrossModal, padded: bool, monkeypatch: pytest.MonkeyPatch) -> list[list[Tensor]]:
    """Mixed sequences and all gradients, compiled and plain, with the same noise of dropout."""
    sequences, masks = held(made, padded)
    wanted = [*sequences, *(p for name, p in made.named_parameters() if name != "absent")]
    found = []
    for longest in (crossattention.LONGEST, 0):
        monkeypatch.setattr(crossattention, "LONGEST", longest)
        torch.manual_seed(3)
        mixed = made.mix(list(sequences), masks)
        loss = sum((m * torch.arange(m.numel()).view_as(m).sin()).sum() for m in mixed)
        found.append([*mixed, *torch.autograd.grad(loss, wanted)])
    return found


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_results_and_gradients_are_those_of_the_plain_layers(
    modalities: int, padded: bool, dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, plain = both(block(dropout, modalities=modalities), padded, monkeypatch)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(1 + b.detach().abs().max()))


@pytest.mark.parametrize("kernel", ["avx512", "avx2", "base"])
def test_every_instruction_set_gives_the_gradients_of_float64(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several groups of items, the last one smaller; steps, width and a head's numbers that fill no vector."""
    try:
        crossattention._cross.room((1, 1, 1, 1, 1, 1), kernel)
    except ValueError:
        pytest.skip(f"no {kernel} on this machine")
    monkeypatch.setattr(crossattention, "KERNEL", kernel)
    torch.manual_seed(0)
    made = crossmodal.CrossModal(crossmodal.Config(2, 21, 3, 2)).train()
    for p in made.parameters():
        torch.nn.init.normal_(p, std=0.2)
    exact = copy.deepcopy(made).double()
    sequences = [torch.randn(20, t, 21) for t in (37, 19)]
    masks = [torch.arange(s.shape[1]) < torch.randint(0, s.shape[1] + 1, (20, 1)) for s in sequences]
    found = []
    for model, dtype in ((made, torch.float32), (exact, torch.float64)):
        given = [s.to(dtype).requires_grad_() for s in sequences]
        mixed = model.eval().mix(given, masks) if dtype == torch.float64 else quiet(model).mix(given, masks)
        loss = sum((m * torch.arange(m.numel(), dtype=dtype).view_as(m).cos()).sum() for m in mixed)
        weights = [p for name, p in model.named_parameters() if name != "absent"]
        found.append([*mixed, *torch.autograd.grad(loss, [*given, *weights])])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=2e-6 * float(1 + b.detach().abs().max()))


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = block()
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        torch.manual_seed(5)
        sequences, masks = held(made, True)
        loss = sum(m.square().sum() for m in made.mix(list(sequences), masks))
        weights = [p for name, p in made.named_parameters() if name != "absent"]
        found.append([loss, *torch.autograd.grad(loss, [*sequences, *weights])])
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


def test_without_a_compiler_the_plain_layers_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossattention, "_cross", None)
    made = block()
    sequences, masks = held(made, True)
    sum(m.sum() for m in made.mix(list(sequences), masks)).backward()
    assert all(torch.isfinite(s.grad).all() for s in sequences)


def test_arrays_that_do_not_fit_are_refused() -> None:
    shape, small = (2, 3, 4, 2, 1, 16), torch.zeros(5).numpy()
    with pytest.raises(ValueError, match="do not fit"):
        crossattention._cross.forward(shape, small, small, small, None, None, 0, 0, small, small, small)
    with pytest.raises(ValueError, match="divide"):
        crossattention._cross.room((2, 3, 5, 2, 1, 16))


@pytest.mark.parametrize("padded", [False, True])
def test_scores_that_float32_cannot_raise_e_to_are_shifted(padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights so large that scores pass 80: finite, and equal to the plain layers' softmax."""
    made = block()
    with torch.no_grad():
        for layer in made.layers:
            layer.query.weight.mul_(40.0)
        made.source.weight.mul_(3.0)
    ours, plain = both(made, padded, monkeypatch)
    for a, b in zip(ours, plain, strict=True):
        assert torch.isfinite(a).all()
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3 * float(1 + b.detach().abs().max()))


def test_two_calls_before_their_gradients_do_not_share_memory() -> None:
    made = block()
    sequences, masks = held(made, False)
    other = [torch.randn_like(s) for s in sequences]
    alone = torch.autograd.grad(sum(m.square().sum() for m in made.mix(list(sequences), masks)), sequences)
    first = sum(m.square().sum() for m in made.mix(list(sequences), masks))
    second = sum(m.square().sum() for m in made.mix(other, masks))
    second.backward()
    for a, b in zip(torch.autograd.grad(first, sequences), alone, strict=True):
        assert torch.equal(a, b)


def test_memory_is_laid_out_anew_for_every_shape_and_gradients_come_once() -> None:
    made = block()
    for steps in (9, 3, 9):
        sequences = [torch.randn(N, steps, 20, requires_grad=True) for _ in range(3)]
        loss = sum(m.sum() for m in made.mix(list(sequences), [torch.ones(N, steps, dtype=torch.bool)] * 3))
        loss.backward(retain_graph=True)
        assert torch.isfinite(sequences[0].grad).all()
    with pytest.raises(RuntimeError, match="asked for twice"):
        loss.backward()
    assert len(crossattention._idle) == 1


def test_answering_keeps_no_memory_for_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without training the plain layers run, which agree."""
    made = block()
    sequences, masks = held(made, True)
    trained = made.mix(list(sequences), masks)
    monkeypatch.setattr(crossattention.CrossAttention, "apply", None)
    with torch.no_grad():
        answered = made.eval().mix(list(sequences), masks)
    for a, b in zip(trained, answered, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
