"""The opponents that a model carries with it: the members of a pool (``train --fusion auto``), each on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.dataset import Dataset
from mmcli.evaluation.mixing import Access
from mmcli.evaluation.protocol import Indices
from mmcli.evaluation.report import Model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Answers:
    probabilities: Array | None
    values: Array | None


def kept(model: Model) -> list[Model]:
    """The members of the model as models, where it is a pool of several; else none.

    A member answers alone, with the calibration it has in the pool. An item with nothing it reads gets the pool's
    prior.
    """
    from mmcli.models.stack import Stack

    access = model.access
    if access is None or not isinstance(access.model, Stack) or len(access.model.members) < 2:
        return []
    stack: Any = access.model
    titles = [str(entry.get("title")) for entry in model.facts.get("members", [])]
    found = []
    for number, member in enumerate(stack.members):
        title = titles[number] if number < len(titles) else f"member {number + 1}"
        fusion = type(member.fusion).__name__.lower() if hasattr(member, "fusion") else "kernel"
        found.append(
            Model(
                predict=_Alone(access, number),
                task=model.task,
                classes=model.classes,
                name=title,
                modalities=tuple(member.names),
                fusion="concat" if fusion.startswith("concat") else fusion,
            )
        )
    return found


@dataclass(frozen=True)
class _Alone:
    """One member of a pool, asked alone."""

    access: Access
    number: int

    def __call__(self, dataset: Dataset, indices: Indices) -> _Answers:
        """The pool's answer if this member had all the weight."""
        import torch

        from mmcli.models.stack import pool

        stack: Any = self.access.model
        member = stack.members[self.number]
        prior = stack.get_buffer("prior")
        found = []
        with torch.no_grad():
            for batch in self.access.batches(dataset, indices):
                there = torch.stack([(batch[n].mask & batch[n].present[:, None]).any(1) for n in member.names], 1).any(
                    1
                )
                gain = torch.tensor([stack.gains[self.number]], device=prior.device)
                logits = pool(stack.task, member(batch)[:, None], there[:, None].float(), gain, prior)
                found.append(logits.double().cpu().numpy())
        return _Answers(*self.access.meaning(np.concatenate(found)))
