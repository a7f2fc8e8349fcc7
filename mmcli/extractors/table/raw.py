"""A row of a table as one vector: numbers scaled, categories one-hot.

Axes: one frame, columns: the numbers in the order of their names, then a 1 for each number that is missing here where
any was missing in training, then the categories in the order of their names and values. Numbers have mean 0 and
deviation 1 over the training rows; a missing one is 0. A category that training did not hold is 0 everywhere.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import InputError
from mmcli.extractors import base
from mmcli.extractors.base import Features, TableClip, still

LONG = "whole"
KIND = "vector"
FITTED = True


@dataclass(frozen=True)
class Config:
    """Scaling and categories."""

    scale: bool = True  # numbers to mean 0 and deviation 1; False: as they are
    categories: int = 256  # 1 to 65,536: values a category may have, the most frequent ones

    def __post_init__(self) -> None:
        base.within(self, categories=(1, 65_536))


def extract(clip: TableClip, config: Config, state: dict[str, Any]) -> Features:
    """The vector of a row, float32 (1, columns).

    >>> rows = [TableClip(name=str(n), numbers={"age": n}, categories={"sex": s}) for n, s in ((1.0, "f"), (3.0, "m"))]
    >>> extract(rows[1], Config(), fit(rows, Config())).values.tolist()
    [[1.0, 0.0, 1.0]]
    """
    values: list[float] = []
    columns: list[str] = []
    for name, centre, deviation, _ in state["numbers"]:
        number = clip.numbers.get(name)
        if number is not None and not math.isfinite(number):
            raise InputError(f"num.{name} = {number} is no finite number", source=clip.name)
        values.append(0.0 if number is None else (number - centre) / deviation)
        columns.append(f"num.{name}")
    for name, _, _, missing in state["numbers"]:
        if missing:
            values.append(float(clip.numbers.get(name) is None))
            columns.append(f"num.{name}.missing")
    for name, known in state["categories"]:
        values.extend(float(clip.categories.get(name) == value) for value in known)
        columns.extend(f"cat.{name}={value}" for value in known)
    base.nonempty(len(values), clip.name, "columns")
    return still(clip, np.array(values), config, kind=KIND, columns=columns)


def fit(clips: Iterable[TableClip], config: Config) -> dict[str, Any]:
    """``{"numbers": [[name, mean, deviation, missing in training], ...], "categories": [[name, values], ...]}``."""
    rows = list(clips)
    numbers: list[list[Any]] = []
    for name in sorted({n for row in rows for n in row.numbers}):
        column = np.array([v for row in rows if (v := row.numbers.get(name)) is not None and math.isfinite(v)])
        if not len(column):
            continue  # never seen in training: nothing can be learned from it
        spread = float(column.std()) if config.scale else 1.0
        centre = float(column.mean()) if config.scale else 0.0
        numbers.append([name, centre, spread or 1.0, len(column) < len(rows)])
    categories: list[list[Any]] = []
    for name in sorted({n for row in rows for n in row.categories}):
        counts = Counter(value for row in rows if (value := row.categories.get(name)) is not None)
        frequent = sorted(counts, key=lambda v: (-counts[v], v))[: config.categories]
        categories.append([name, sorted(frequent)])
    if not numbers and not any(known for _, known in categories):
        raise InputError("the training rows hold no number and no category to learn from")
    return {"numbers": numbers, "categories": categories}
