"""The opponents that a model carries with it (``train --fusion auto``): each modality alone, subsets, concatenation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.evaluation.model import Access, Indices, Model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Answers:
    probabilities: Array | None
    values: Array | None


def kept(model: Model) -> list[Model]:
    """The members of the model as models, where it is a pool of several, and the subsets in its table; else none.

    A member answers alone, with the calibration it has in the pool; a subset is a pool of the members that its row in
    the table of candidates gives weights for. An item with nothing they read gets the pool's prior. A sum of kernels
    counts as concatenation: it is the kernel of the concatenated features.
    """
    from mmcli.models.nets.stack import Stack

    access = model.access
    if access is None or not isinstance(access.model, Stack) or len(access.model.members) < 2:
        return []
    stack: Any = access.model
    listed = [str(entry.get("title")) for entry in model.facts.get("members", [])]
    titles = [listed[i] if i < len(listed) else f"member {i + 1}" for i in range(len(stack.members))]

    def made(name: str, parts: dict[int, float], reads: list[str], fusion: str) -> Model:
        return Model(
            predict=_Pooled(access, tuple(parts), tuple(parts.values())),
            task=model.task,
            classes=model.classes,
            name=name,
            modalities=tuple(reads),
            fusion=fusion,
        )

    found = []
    for number, member in enumerate(stack.members):
        fusion = type(member.fusion).__name__.lower() if hasattr(member, "fusion") else "concat"
        plain = "concat" if fusion.startswith("concat") else fusion
        found.append(made(titles[number], {number: 1.0}, list(member.names), plain))
    for row in model.facts.get("candidates") or []:
        weights = row.get("weights")
        if isinstance(weights, dict) and weights.keys() <= set(titles):
            parts = {titles.index(title): float(weight) for title, weight in weights.items()}
            found.append(made(str(row["title"]), parts, list(row["modalities"]), "pool"))
    return found


@dataclass(frozen=True)
class _Pooled:
    """Some members of a pool with weights of their own; one member with weight one is that member alone."""

    access: Access
    numbers: tuple[int, ...]
    weights: tuple[float, ...]

    def __call__(self, dataset: Dataset, indices: Indices) -> _Answers:
        """The pool's answer if only these members had a say."""
        import torch

        from mmcli.models.nets.stack import pool

        stack: Any = self.access.model
        prior = stack.get_buffer("prior")
        gains = torch.tensor([stack.gains[i] for i in self.numbers], device=prior.device)
        weights = torch.tensor(self.weights, device=prior.device)
        found = []
        with torch.no_grad():
            for batch in self.access.batches(dataset, indices):
                answers, there = [], []
                for number in self.numbers:
                    member = stack.members[number]
                    here = [(batch[n].mask & batch[n].present[:, None]).any(1) for n in member.names]
                    there.append(torch.stack(here, 1).any(1))
                    answers.append(member(batch))
                share = torch.stack(there, 1) * weights
                logits = pool(stack.task, torch.stack(answers, 1), share, gains, prior)
                found.append(logits.double().cpu().numpy())
        return _Answers(*self.access.meaning(np.concatenate(found)))
