"""Two towers: what an item is, through a fusion block of this house, against the mean of what a user has met.

An item's vector is the fusion block's over its modalities, plus one of its own that only events can teach. The user is
the mean of such vectors of the history, from a second tower, and the towers learn to find the rest of a history among
all other items (InfoNCE: A. van den Oord et al., arXiv:1807.03748, 2018; the towers: P. Covington et al., RecSys 2016;
half of the history is hidden, as D. Liang et al., WWW 2018).

``auto`` does not compare it. On films it leads on the last tenth of the training events (NDCG@20 .154, ease .140) and
is behind on what comes after (.178 with content, .172 without; ease .192), at twenty times the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.ranking import content
from mmcli.ranking.scorer import Array, Scorer

CONTENT = True  # is given the items' content


@dataclass(frozen=True)
class Config:
    """``width`` of the vectors, ``fusion`` the block that joins modalities, ``passes`` over the users, ``learning``
    rate, ``decay`` of the weights, ``hidden``: the share of a history that is hidden, ``users`` a step.
    """

    width: int = 64
    fusion: str = "mean"
    passes: int = 20
    learning: float = 0.01
    decay: float = 0.01
    hidden: float = 0.5
    users: int = 128


GRID = (Config(),)
NEGATIVES = 8192  # items that a step looks at, where there are more


def fit(histories: Any, config: Config, seed: int = 0, raw: Mapping[str, Any] | None = None) -> Scorer:
    """The vectors of the items of csr ``(users, items)``; ``raw`` as :func:`mmcli.ranking.content.raw_of` gives it."""
    import torch

    popularity = np.asarray(histories.sum(0), np.float32).ravel()
    points, present = _content(raw or {}, popularity > 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        towers = _Towers(points, present, popularity, config).net
        _learn(towers, histories, popularity, config, np.random.default_rng(seed))
        towers.eval()
        with torch.no_grad():
            inputs, outputs, bias = (t.numpy().astype(np.float32) for t in towers())
    ones = np.ones((len(inputs), 1), np.float32)  # the bias of an item is met by everyone
    return Scorer(
        popularity,
        factors=np.hstack([outputs, bias[:, None]]),
        inputs=np.hstack([inputs, ones]),
        fold="mean",
    )


def _content(raw: Mapping[str, Any], known: Any) -> tuple[list[Array], Any]:
    points, there = [], []
    for values, present, facts in raw.values():
        if (present & known).sum() >= 2:
            points.append(content.fit_modality(values, present & known, facts).vectors(values, present))
            there.append(present)
    return points, np.stack(there, 1) if there else np.zeros((len(known), 0), bool)


class _Towers:
    """Builds the module: torch is imported when it is needed."""

    def __init__(self, points: list[Array], present: Any, popularity: Array, config: Config) -> None:
        import torch
        from torch import Tensor, nn

        from mmcli.models import blocks

        count, width = len(popularity), config.width
        share = (popularity + 1) / (popularity.sum() + count)

        class Tower(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.own = nn.Parameter(0.1 * torch.randn(count, width) * torch.from_numpy(popularity > 0)[:, None])
                self.maps = nn.ModuleList(nn.Linear(p.shape[1], width) for p in points)
                if points:
                    module = blocks.registry.load(config.fusion)
                    self.block = module.build(module.sized(len(points), width, count))

            def forward(self, values: list[Tensor], there: Tensor) -> Tensor:
                if not values:
                    return self.own
                mapped = torch.stack([m(v) for m, v in zip(self.maps, values, strict=True)], 1)
                fused: Tensor = self.block(mapped * there[:, :, None], there)
                return self.own + fused

        class Towers(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.history, self.item = Tower(), Tower()
                self.bias = nn.Parameter(torch.from_numpy(np.log(share).astype(np.float32)))
                self.values = [torch.from_numpy(p) for p in points]
                self.there = torch.from_numpy(present)

            def forward(self) -> tuple[Tensor, Tensor, Tensor]:
                return self.history(self.values, self.there), self.item(self.values, self.there), self.bias

        self.net = Towers()


def _learn(towers: Any, histories: Any, popularity: Array, config: Config, rng: np.random.Generator) -> None:
    import torch

    users = np.flatnonzero(np.diff(histories.indptr) > 1)
    count = len(popularity)
    optimizer = torch.optim.AdamW(towers.parameters(), lr=config.learning, weight_decay=config.decay)
    steps = max(1, config.passes * -(-len(users) // config.users))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(config.passes):
        order = rng.permutation(users)
        for start in range(0, len(order), config.users):
            rows = histories[order[start : start + config.users]]
            columns = np.arange(count)
            if count > NEGATIVES:
                columns = np.union1d(rows.indices, rng.integers(0, count, NEGATIVES))
            wanted = torch.from_numpy(rows[:, columns].toarray())
            seen = wanted * torch.from_numpy(rng.random(wanted.shape, np.float32) >= config.hidden)
            rest = wanted - seen
            inputs, outputs, bias = towers()
            mean = seen @ inputs[columns] / seen.sum(1, keepdim=True).clamp(min=1)
            scores = mean @ outputs[columns].T + bias[columns]
            scores = scores.masked_fill(seen > 0, -1e9)  # what is known of a user is no negative
            told = torch.log_softmax(scores, 1)
            loss = -(told * rest).sum() / rest.sum().clamp(min=1)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
