"""A model that is asked about one item again and again while its modalities come in: each is encoded once, on arrival.

What the encoders of a network, or the kernels of a kernel machine, make of a modality depends on that modality alone,
so it is kept as the item's *code*; an answer is the fusion block and the head over the codes that are there. Blocks in
which modalities look at one another before they are pooled (``crossmodal``, ``bottleneck``) cannot be cut there: their
code is the values themselves, and everything is computed anew for each answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.errors import InputError
from mmcli.fusion import normalise
from mmcli.models.nets.factory import Stack, combined
from mmcli.models.nets.kernel import Kernel, similarity
from mmcli.models.nets.network import Input, Network
from mmcli.models.parts import Block, zeroed
from mmcli.training.fit.predictor import Predictor

Code = list[Tensor | Input]  # what each member of the model keeps of a modality


class Incremental:
    """A :class:`Predictor` that is asked modality by modality. ``names`` are its modalities."""

    def __init__(self, chosen: Predictor) -> None:
        self.chosen = chosen
        self.shapes = {shape.name: shape for shape in chosen.shapes}
        self.names = list(self.shapes)
        self.parts = [_part(member, self.names) for member in _members(chosen.net)]
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
        shape = self.shapes[name].shape
        x = np.asarray(values, np.float32)
        if x.shape == shape:
            x = x[None]
        if x.shape[1:] != shape and x.shape[1:] == (int(np.prod(shape)),):
            x = x.reshape(-1, *shape)
        if x.shape[1:] != shape or not len(x):
            raise InputError(f"{name}: values of shape {x.shape}; the model reads {('frames', *shape)}")
        if not np.isfinite(x).all():
            raise InputError(f"{name}: values hold NaN or infinity")
        x = normalise.apply(x, self.scales[name])
        given = Input(
            torch.from_numpy(np.ascontiguousarray(x))[None].to(self.chosen.device),
            torch.ones(1, len(x), dtype=torch.bool, device=self.chosen.device),
            torch.ones(1, dtype=torch.bool, device=self.chosen.device),
        )
        with torch.inference_mode():
            return [part.encode(name, given) for part in self.parts]

    def answer(self, codes: Mapping[str, Code]) -> NDArray[np.float64]:
        """The logits ``(outputs,)`` of an item of which these modalities are there."""
        with torch.inference_mode():
            answers = [part.answer({n: code[i] for n, code in codes.items()}) for i, part in enumerate(self.parts)]
            if self.stack is None:
                logits = answers[0]
            else:
                there = torch.tensor([[any(n in codes for n in part.names) for part in self.parts]])
                stack = self.stack
                gains = torch.tensor([stack.gains[i] for i in stack.voices])
                share = stack.shares(there.to(self.chosen.device))
                prior = stack.get_buffer("prior")
                logits = combined(stack.task, torch.stack(answers, 1), share, gains.to(prior.device), prior)
            given: NDArray[np.float64] = logits[0].double().cpu().numpy()
        return given

    def _absent(self, name: str) -> Code:
        shape, device = self.shapes[name].shape, self.chosen.device
        nothing = Input(
            torch.zeros(1, 1, *shape, device=device),
            torch.zeros(1, 1, dtype=torch.bool, device=device),
            torch.zeros(1, dtype=torch.bool, device=device),
        )
        code: Code = []
        with torch.inference_mode():
            for part in self.parts:
                part.absent[name] = part.encode(name, nothing) if name in part.names else torch.zeros(0)
                code.append(part.absent[name])
        return code


def _members(net: nn.Module) -> list[nn.Module]:
    return net.speaking() if isinstance(net, Stack) else [net]


def _part(member: nn.Module, names: list[str]) -> _Cut | _Kernels | _Whole:
    if isinstance(member, Kernel):
        return _Kernels(member)
    if isinstance(member, Network) and type(member.fusion).mix is Block.mix:
        return _Cut(member)
    return _Whole(member)


class _Cut:
    """A network cut between its encoders and its fusion block: the code is the encoder's vector."""

    def __init__(self, net: Network) -> None:
        self.net, self.names = net, net.names
        self.encoders = dict(zip(net.names, net.encoders, strict=True))
        self.absent: dict[str, Tensor | Input] = {}

    def encode(self, name: str, given: Input) -> Tensor:
        if name not in self.encoders:
            return torch.zeros(0)
        encoder: Any = self.encoders[name]
        sequence, mask = encoder(zeroed(given.values, given.mask), given.mask)
        vector: Tensor = encoder.pool(sequence, mask)
        return vector

    def answer(self, codes: Mapping[str, Any]) -> Tensor:
        net = self.net
        there = torch.tensor([[name in codes for name in self.names]])
        vectors = torch.stack([codes.get(name, self.absent[name]) for name in self.names], dim=1)
        vectors = zeroed(vectors, there)
        if net.head is not None:
            logits: Tensor = net.head(net.fusion(vectors, there))
            return logits
        alone = torch.stack([head(vectors[:, i]) for i, head in enumerate(net.alone)], dim=1)
        decided: Tensor = net.fusion(alone, there)
        return decided


class _Kernels:
    """A kernel machine: the code is how similar the modality is to each training item's."""

    def __init__(self, net: Kernel) -> None:
        self.net, self.names = net, net.names
        self.absent: dict[str, Tensor | Input] = {}

    def encode(self, name: str, given: Input) -> Tensor:
        if name not in self.names:
            return torch.zeros(0)
        i = self.names.index(name)
        x, present = self.net.described({name: given}, i)
        there = self.net.get_buffer("there")
        similar: Tensor = similarity(x, self.net.get_buffer(f"rows_{i}"), self.net.gammas[i])
        return similar * (present[:, None] & there[None, :, i])

    def answer(self, codes: Mapping[str, Any]) -> Tensor:
        parts = [codes.get(name, self.absent[name]) for name in self.names]
        total = torch.stack(parts).sum(0)
        logits: Tensor = self.net.gain * (total @ self.net.get_buffer("weights") + self.net.get_buffer("bias"))
        return logits


class _Whole:
    """A network that cannot be cut: the code is the values."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.names: list[str] = net.names  # type: ignore[assignment]
        self.absent: dict[str, Tensor | Input] = {}

    def encode(self, name: str, given: Input) -> Input:
        return given

    def answer(self, codes: Mapping[str, Any]) -> Tensor:
        logits: Tensor = self.net({name: codes.get(name, self.absent[name]) for name in self.names})
        return logits
