"""A model that is asked about one item again and again while its modalities come in: each is encoded once, on arrival.

What the encoders of a network, or the kernels of a kernel machine, make of a modality depends on that modality alone,
so it is kept as the item's *code*; an answer is the fusion block and the head over the codes that are there. Blocks in
which modalities look at one another before they are pooled (``crossmodal``, ``bottleneck``) cannot be cut there: their
code is the values themselves, and everything is computed anew for each answer.

Small models do not come here: :mod:`.plain` computes them in numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.errors import UsageError
from mmcli.models.nets.factory import Stack, combined
from mmcli.models.nets.kernel import Kernel, similarity
from mmcli.models.nets.network import Input, Network
from mmcli.models.parts import Block, zeroed
from mmcli.training.fit.plain import frames
from mmcli.training.fit.predictor import Predictor

Code = list[Any]  # what each member of the model keeps of a modality


class Incremental:
    """A :class:`Predictor` that is asked modality by modality. ``names`` are its modalities.

    Raises :class:`UsageError` for a model that reads the turns of a group.
    """

    def __init__(self, chosen: Predictor) -> None:
        if chosen.context is not None:
            raise UsageError(
                "reads an item among the others of its group, which --stream does not join",
                source=chosen.name,
                hint="pipe rows with group and order: ... | mmcli predict MODEL.pt -",
            )
        self.chosen, self.name, self.task = chosen, chosen.name, chosen.task
        self.classes, self.modalities, self.meaning = chosen.classes, chosen.modalities, chosen.meaning
        self.shapes = {shape.name: shape for shape in chosen.shapes}
        self.names = list(self.shapes)
        self.parts = [_part(member) for member in _members(chosen.net)]
        self.stack = chosen.net if isinstance(chosen.net, Stack) else None
        self.scales = {name: chosen.modalities[name].get("normaliser") or {"method": "none"} for name in self.names}
        self.absent = {name: self._absent(name) for name in self.names}

    @property
    def recomputes(self) -> bool:
        """Whether part of the model is computed anew for each answer."""
        return any(isinstance(part, _Whole) for part in self.parts)

    def encode(self, name: str, values: NDArray[Any]) -> Code:
        """The code of a modality: ``values`` (frames, ...) or one frame, on the scale that they were extracted on.

        Raises :class:`InputError` where they do not have the shape that the model reads.
        """
        x = frames(name, values, self.shapes[name].shape, self.scales[name])
        given = _Given(x, self.chosen.device)
        return [part.encode(name, given) for part in self.parts]

    def answer(self, codes: Mapping[str, Code]) -> NDArray[np.float64]:
        """The logits ``(outputs,)`` of an item of which these modalities are there."""
        answers = [part.answer({n: code[i] for n, code in codes.items()}) for i, part in enumerate(self.parts)]
        if self.stack is None:
            return np.asarray(answers[0], np.float64)
        with torch.inference_mode():
            there = torch.tensor([[any(n in codes for n in part.names) for part in self.parts]])
            stack = self.stack
            gains = torch.tensor([stack.gains[i] for i in stack.voices])
            share = stack.shares(there.to(self.chosen.device))
            prior = stack.get_buffer("prior")
            said = torch.from_numpy(np.stack(answers)[None]).to(prior.device)
            logits = combined(stack.task, said, share, gains.to(prior.device), prior)
            given: NDArray[np.float64] = logits[0].double().cpu().numpy()
        return given

    def _absent(self, name: str) -> Code:
        nothing = _Given(np.zeros((0, *self.shapes[name].shape), np.float32), self.chosen.device)
        code: Code = []
        for part in self.parts:
            part.absent[name] = part.encode(name, nothing) if name in part.names else None
            code.append(part.absent[name])
        return code


class _Given:
    """Frames (frames, ...) of one item, on the model's scale; none: absent. As a batch of one where torch is needed."""

    def __init__(self, values: NDArray[np.float32], device: torch.device) -> None:
        self.values, self.device = values, device

    @cached_property
    def batch(self) -> Input:
        """The batch."""
        there = len(self.values) > 0
        values = self.values if there else np.zeros((1, *self.values.shape[1:]), np.float32)
        return Input(
            torch.from_numpy(np.ascontiguousarray(values))[None].to(self.device),
            torch.full((1, len(values)), there, dtype=torch.bool, device=self.device),
            torch.full((1,), there, dtype=torch.bool, device=self.device),
        )


def _members(net: nn.Module) -> list[nn.Module]:
    return net.speaking() if isinstance(net, Stack) else [net]


def _part(member: nn.Module) -> _Cut | _Kernels | _Whole:
    if isinstance(member, Kernel):
        return _Kernels(member)
    if isinstance(member, Network) and type(member.fusion).mix is Block.mix:
        return _Cut(member)
    return _Whole(member)


class _Cut:
    """A network cut between its encoders and its fusion block: the code is the encoder's vector, float32 (width,)."""

    def __init__(self, net: Network) -> None:
        self.net, self.names = net, net.names
        self.encoders: dict[str, Any] = dict(zip(net.names, net.encoders, strict=True))
        self.absent: dict[str, Any] = {}

    def encode(self, name: str, given: _Given) -> NDArray[np.float32] | None:
        if name not in self.encoders:
            return None
        values, mask, _ = given.batch
        with torch.inference_mode():
            sequence, mask = self.encoders[name](zeroed(values, mask), mask)
            return _array(self.encoders[name].pool(sequence, mask)[0])

    def answer(self, codes: Mapping[str, Any]) -> NDArray[np.float32]:
        net = self.net
        with torch.inference_mode():
            device = next(net.parameters()).device
            there = torch.tensor([[name in codes for name in self.names]], device=device)
            rows = np.stack([codes.get(name, self.absent[name]) for name in self.names])
            vectors = zeroed(torch.from_numpy(rows)[None].to(device), there)
            if net.head is not None:
                return _array(net.head(net.fusion(vectors, there))[0])
            alone = torch.stack([head(vectors[:, i]) for i, head in enumerate(net.alone)], dim=1)
            return _array(net.fusion(alone, there)[0])


class _Kernels:
    """A kernel machine: the code is how similar the modality is to each training item's."""

    def __init__(self, net: Kernel) -> None:
        self.net, self.names = net, net.names
        self.weights, self.bias = _array(net.get_buffer("weights")), _array(net.get_buffer("bias"))
        self.absent: dict[str, Any] = {}

    def encode(self, name: str, given: _Given) -> NDArray[np.float32] | None:
        if name not in self.names:
            return None
        i = self.names.index(name)
        with torch.inference_mode():
            x, present = self.net.described({name: given.batch}, i)
            there = self.net.get_buffer("there")
            similar = similarity(x, self.net.get_buffer(f"rows_{i}"), self.net.gammas[i])
            return _array((similar * (present[:, None] & there[None, :, i]))[0])

    def answer(self, codes: Mapping[str, Any]) -> NDArray[np.float32]:
        total = np.sum([codes.get(name, self.absent[name]) for name in self.names], axis=0)
        return np.asarray(self.net.gain * (total @ self.weights + self.bias), np.float32)


class _Whole:
    """A network that cannot be cut: the code is the values."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.names: list[str] = net.names  # type: ignore[assignment]
        self.absent: dict[str, Any] = {}

    def encode(self, name: str, given: _Given) -> Input:
        return given.batch

    def answer(self, codes: Mapping[str, Any]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return _array(self.net({name: codes.get(name, self.absent[name]) for name in self.names})[0])


Vector = NDArray[np.float32]


def _array(values: Tensor) -> Vector:
    return values.detach().float().cpu().numpy()
