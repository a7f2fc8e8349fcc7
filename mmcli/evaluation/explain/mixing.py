"""Answers of a model for items put together at will: this modality from here, that one from there, a third left out.

That is all that Shapley values and the additive projection ask of a model. :class:`OfDatasets` works with any
callable that predicts; :class:`OfParts` encodes every item once and only fuses again, which is hundreds of times
faster. Both give the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mmcli.models.nets.network import Batch
from mmcli.evaluation.model import Access, Indices, Predict

Array = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]

AT_ONCE = 4096


class Mixer(Protocol):
    """``names``: the modalities; ``present`` bool ``(n, modalities)``: which of them the n items have.

    ``fast``: whether a hundred thousand answers are a matter of seconds. ``joins``: whether it can put an item together
    from several; else ``source`` takes all modalities of an item from one, and ``keep`` the same of all.
    """

    names: list[str]
    present: Bool
    fast: bool
    joins: bool

    def scores(self, source: Int, keep: Bool) -> Array:
        """What the model says ``(k, outputs)`` of k items; the i-th takes modality m from item ``source[i, m]``.

        Only where ``keep[i, m]`` and that item has it. Probabilities ``(k, classes)``, or the value ``(k, 1)``. A row
        without any modality is not a question; its answer means nothing.
        """


class OfDatasets:
    """Mixes streams of a data set and has them predicted."""

    fast, joins = False, True

    def __init__(self, predict: Predict, dataset: Dataset, rows: Indices, names: Sequence[str] | None = None) -> None:
        self.names = [name for name in dataset.modalities if names is None or name in names]
        self._predict, self._dataset, self._rows = predict, dataset, rows
        self.present = np.stack([dataset.streams[name].present[rows] for name in self.names], axis=1)

    def scores(self, source: Int, keep: Bool) -> Array:
        """See :class:`Mixer`."""
        parts = [self._some(source[i : i + AT_ONCE], keep[i : i + AT_ONCE]) for i in range(0, len(source), AT_ONCE)]
        return np.concatenate(parts)

    def _some(self, source: Int, keep: Bool) -> Array:
        streams = {}
        for m, name in enumerate(self.names):
            whole = self._dataset.streams[name]
            streams[name] = whole.select(self._rows[source[:, m]]).without(~keep[:, m])
        count = len(source)
        meta = {key: value for key, value in self._dataset.meta.items() if key != "streams"}
        nothing = np.full(count, "", dtype=np.str_)
        mixed = Dataset(streams, np.arange(count).astype(np.str_), nothing, nothing, None, meta=meta)
        predictions = self._predict(mixed, np.arange(count, dtype=np.int64))
        if predictions.probabilities is not None:
            return np.asarray(predictions.probabilities, np.float64)
        return np.asarray(predictions.values, np.float64)[:, None]


class InGroups:
    """For a model that reads items among the others of their group: what is left out is left out of the whole group.

    Were it left out of the item alone, its neighbours would go on telling what they hold of it.
    """

    fast, joins = False, False

    def __init__(self, predict: Predict, dataset: Dataset, rows: Indices, names: Sequence[str] | None = None) -> None:
        self.names = [name for name in dataset.modalities if names is None or name in names]
        self._predict, self._dataset, self._rows = predict, dataset, rows
        self.present = np.stack([dataset.streams[name].present[rows] for name in self.names], axis=1)

    def scores(self, source: Int, keep: Bool) -> Array:
        """See :class:`Mixer`."""
        if (source != source[:, :1]).any() or (keep != keep[:1]).any():
            raise ValueError("an item of a group cannot be put together from several")
        left = {
            name: self._dataset.streams[name].without(np.full(self._dataset.items, not kept))
            for name, kept in zip(self.names, keep[0].tolist(), strict=True)
        }
        less = replace(self._dataset, streams=left)
        predictions = self._predict(less, self._rows[source[:, 0]])
        if predictions.probabilities is not None:
            return np.asarray(predictions.probabilities, np.float64)
        return np.asarray(predictions.values, np.float64)[:, None]


class OfParts:
    """Mixes what the encoders of one of our models give; every item is encoded once."""

    fast, joins = True, True

    def __init__(self, part: Part, access: Access) -> None:
        self.names = list(part.names)
        self.present = part.present().cpu().numpy()
        self._part, self._access = part, access

    def scores(self, source: Int, keep: Bool) -> Array:
        """See :class:`Mixer`."""
        import torch

        device = self._part.present().device
        logits = []
        with torch.no_grad():
            for i in range(0, len(source), AT_ONCE):
                inside = slice(i, i + AT_ONCE)
                picked, kept = (torch.from_numpy(a[inside]).to(device) for a in (source, keep))
                logits.append(self._part.logits(picked, kept).double().cpu().numpy())
        probabilities, values = self._access.meaning(np.concatenate(logits))
        if probabilities is not None:
            return probabilities
        assert values is not None
        return values[:, None]


def mixer(
    predict: Predict,
    access: Access | None,
    dataset: Dataset,
    rows: Indices,
    names: Sequence[str] | None = None,
    *,
    in_groups: bool = False,
) -> Mixer:
    """The fastest mixer there is for a model of the modalities ``names`` (None: all that the data set has)."""
    if in_groups:
        return InGroups(predict, dataset, rows, names)
    if access is not None:
        part = additive_part(access.model, access.batches(dataset, rows))
        if part is not None:
            return OfParts(part, access)
    return OfDatasets(predict, dataset, rows, names)


# The inside of our own models, taken apart so that items are encoded once and combined as often as one likes.
#
# A network is its encoders and what comes after them; a kernel machine is a sum over modalities; a stack is an
# ensemble of such members. A network whose fusion lets sequences look at one another cannot be taken apart.


class Part(Protocol):
    """A model of the modalities ``names`` with all of its items encoded."""

    names: list[str]

    def logits(self, source: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """Logits ``(k, outputs)``; ``source`` and ``keep`` ``(k, len(names))`` as in :class:`mixing.Mixer`."""

    def present(self) -> torch.Tensor:
        """Which items have which modality, bool ``(n, len(names))``."""


def additive_part(model: nn.Module, batches: Iterable[Batch]) -> Part | None:
    """The model taken apart, every item of the batches encoded; None where that cannot be done."""
    import torch

    part = _apart(model)
    if part is not None:
        with torch.no_grad():
            for batch in batches:
                part.take(batch)
            part.close()
    return part


def networks(model: nn.Module) -> list[Any]:
    """The networks that a model consists of: itself, or those among its members that have a say."""
    from mmcli.models.nets.network import Network

    return [member for member in _speaking(model) if isinstance(member, Network)]


def machines(model: nn.Module) -> list[Any]:
    """The machines over fixed statistics that a model consists of: itself, or its members that have a say."""
    from mmcli.models.nets.described import Machine

    return [member for member in _speaking(model) if isinstance(member, Machine)]


def _speaking(model: nn.Module) -> list[nn.Module]:
    from mmcli.models.nets.factory import Stack

    return model.speaking() if isinstance(model, Stack) else [model]


def _apart(model: nn.Module) -> _OfNetwork | _OfKernel | _OfMachine | _OfStack | None:
    from mmcli.models.nets.described import Machine
    from mmcli.models.nets.factory import Stack
    from mmcli.models.nets.kernel import Kernel
    from mmcli.models.nets.network import Network
    from mmcli.models.parts import Block

    if isinstance(model, Network):
        return _OfNetwork(model) if type(model.fusion).mix is Block.mix and model.context is None else None
    if isinstance(model, Kernel):
        return _OfKernel(model)
    if isinstance(model, Machine):
        return _OfMachine(model)
    if isinstance(model, Stack):
        members = [_apart(member) for member in model.speaking()]
        return None if any(member is None for member in members) else _OfStack(model, members)
    return None


class _OfNetwork:
    """Keeps the vectors of the encoders."""

    def __init__(self, network: Any) -> None:
        self.names = list(network.names)
        self._network = network
        self._taken: list[tuple[torch.Tensor, torch.Tensor]] = []

    def take(self, batch: Batch) -> None:
        self._taken.append(self._network.encode(batch))

    def close(self) -> None:
        import torch

        self._vectors = torch.cat([vectors for vectors, _ in self._taken])
        self._there = torch.cat([there for _, there in self._taken])
        self._taken = []

    def present(self) -> torch.Tensor:
        return self._there

    def logits(self, source: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        import torch

        columns = torch.arange(len(self.names), device=self._vectors.device)
        there = self._there[source, columns] & keep
        vectors = self._vectors[source, columns] * there[:, :, None]
        if self._network.head is not None:
            logits: torch.Tensor = self._network.head(self._network.fusion(vectors, there))
            return logits
        each = torch.stack([head(vectors[:, m]) for m, head in enumerate(self._network.alone)], dim=1)
        fused: torch.Tensor = self._network.fusion(each, there)
        return fused


class _OfKernel:
    """Keeps what each modality adds to the outputs: they are a sum."""

    def __init__(self, kernel: Any) -> None:
        self.names = [stream.name for stream in kernel.streams]  # of the parts: a stream may be looked at in two ways
        self._kernel = kernel
        self._taken: list[tuple[torch.Tensor, torch.Tensor]] = []

    def take(self, batch: Batch) -> None:
        import torch

        from mmcli.models.nets.kernel import similarity

        kernel = self._kernel
        parts, there = [], []
        for i, gamma in enumerate(kernel.gammas):
            x, present = kernel.described(batch, i)
            rows = similarity(x, kernel.get_buffer(f"rows_{i}"), gamma) * kernel.get_buffer("there")[None, :, i]
            parts.append(kernel.gain * (rows @ kernel.get_buffer("weights")))
            there.append(present)
        self._taken.append((torch.stack(parts, dim=1), torch.stack(there, dim=1)))

    def close(self) -> None:
        import torch

        self._parts = torch.cat([parts for parts, _ in self._taken])
        self._there = torch.cat([there for _, there in self._taken])
        self._taken = []

    def present(self) -> torch.Tensor:
        return self._there

    def logits(self, source: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        import torch

        columns = torch.arange(len(self.names), device=self._parts.device)
        there = self._there[source, columns] & keep
        total: torch.Tensor = (self._parts[source, columns] * there[:, :, None]).sum(dim=1)
        bias: torch.Tensor = self._kernel.gain * self._kernel.get_buffer("bias")
        return total + bias


class _OfMachine:
    """Keeps the statistics of linear maps and trees, and answers from what is picked of them."""

    def __init__(self, machine: Any) -> None:
        self.names = list(machine.names)
        self._machine = machine
        self._taken: list[list[tuple[torch.Tensor, torch.Tensor]]] = []

    def take(self, batch: Batch) -> None:
        self._taken.append([self._machine.described(batch, i) for i in range(len(self.names))])

    def close(self) -> None:
        import torch

        columns = list(zip(*self._taken, strict=True))
        self._vectors = [torch.cat([x for x, _ in column]) for column in columns]
        self._there = torch.stack([torch.cat([there for _, there in column]) for column in columns], dim=1)
        self._taken = []
        self._alone: tuple[torch.Tensor, torch.Tensor] | None = None
        if len(self.names) == 1:  # of one modality: an item is answered once, however it is mixed with others
            nothing = torch.zeros_like(self._there[:1])
            absent = self._machine.answer([self._vectors[0][:1]], nothing)
            self._alone = self._machine.answer(self._vectors, torch.ones_like(self._there)), absent

    def present(self) -> torch.Tensor:
        return self._there

    def logits(self, source: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        import torch

        columns = torch.arange(len(self.names), device=self._there.device)
        there = self._there[source, columns] & keep
        if self._alone is not None:
            known, absent = self._alone
            return torch.where(there, known[source[:, 0]], absent)
        vectors = [x[source[:, m]] for m, x in enumerate(self._vectors)]
        answer: torch.Tensor = self._machine.answer(vectors, there)
        return answer


class _OfStack:
    """Keeps the members that have a say taken apart and weighs their answers."""

    def __init__(self, stack: Any, members: list[Any]) -> None:
        self.names = list(stack.names)
        self._stack, self._members = stack, members
        self._taken: list[torch.Tensor] = []

    def take(self, batch: Batch) -> None:
        import torch

        here = [(batch[name].mask & batch[name].present[:, None]).any(1) for name in self.names]
        self._taken.append(torch.stack(here, dim=1))
        for member in self._members:
            member.take(batch)

    def close(self) -> None:
        import torch

        self._there = torch.cat(self._taken)
        self._taken = []
        for member in self._members:
            member.close()

    def present(self) -> torch.Tensor:
        return self._there

    def logits(self, source: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        import torch

        from mmcli.models.nets.factory import combined

        columns = torch.arange(len(self.names), device=self._there.device)
        seen = self._there[source, columns] & keep
        answers, speaks = [], []
        for member in self._members:
            own = [self.names.index(name) for name in member.names]
            answers.append(member.logits(source[:, own], keep[:, own]))
            speaks.append(seen[:, own].any(dim=1))
        gains = torch.tensor([self._stack.gains[i] for i in self._stack.voices], device=source.device)
        share = self._stack.shares(torch.stack(speaks, dim=1))
        prior = self._stack.get_buffer("prior")
        logits: torch.Tensor = combined(self._stack.task, torch.stack(answers, dim=1), share, gains, prior)
        return logits
