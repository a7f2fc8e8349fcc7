"""Who answers for whom: rows that a candidate is fitted on, and rows that it then answers for without having seen them.

A division is a list of such pairs. Folds of the training split make one, and several seeds make several, so that no
choice hangs on how one seed fell; the validation split makes one of a single pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.training import folds
from mmcli.training.config import TrainConfig

Rows = NDArray[np.int64]
Division = list[tuple[Rows, Rows]]

SEEDS = 3  # divisions that choices are averaged over
MOST_ITEMS = 1500  # of the training split; beyond, one division says enough and several cost too much


@dataclass(frozen=True)
class Plan:
    """``divisions`` of ``rows``, the items that answers are compared on, and ``units``, what these items belong to.

    Items of one unit (a speaker, or twins that share a recording) are no independent witnesses.
    """

    rows: Rows
    divisions: list[Division]
    units: NDArray[np.str_]

    def masks(self, number: int) -> list[torch.Tensor]:
        """For each pair of a division the items of ``rows`` that it answers for, bool ``(rows,)``."""
        return [torch.from_numpy(np.isin(self.rows, held)) for _, held in self.divisions[number]]


def numbered(divisions: Sequence[Division]) -> tuple[Rows, list[Division]]:
    """All rows of some divisions in order, and the divisions again with places among those in place of rows.

    >>> rows, again = numbered([[(np.array([7, 9]), np.array([4]))]])
    >>> rows.tolist(), [part.tolist() for part in again[0][0]]
    ([4, 7, 9], [[1, 2], [0]])
    """
    everyone = np.unique(np.concatenate([rows for division in divisions for pair in division for rows in pair]))
    places = [[(np.searchsorted(everyone, a), np.searchsorted(everyone, b)) for a, b in d] for d in divisions]
    return everyone, places


def of_training(dataset: Dataset, train: Rows, kinds: NDArray[np.int64] | None, config: TrainConfig) -> Plan:
    """Folds of the training split. ``kinds``: the class numbers of ``train``; None for other tasks."""
    given = dataset.group[train]
    named = len({*given.tolist()} - {""})
    if named == 1:
        given = np.array([""] * len(train))
    count = min(config.folds, named if named > 1 else len(train))
    units = folds.joined_groups(dataset, train, given, count)
    seeds = SEEDS if len(train) <= MOST_ITEMS else 1
    divisions = []
    for number in range(seeds):
        parts = folds.make(train, kinds, units, count, config.seed + 7919 * number)
        divisions.append([(np.setdiff1d(train, part), part) for part in parts])
    return Plan(train, divisions, units)


def of_validation(dataset: Dataset, train: Rows, val: Rows) -> Plan:
    """The validation split, answered for by what was fitted on the training split."""
    given = dataset.group[val]
    units = np.where(given == "", np.array([f"\0{i}" for i in range(len(val))]), given)
    return Plan(val, [[(train, val)]], units)
