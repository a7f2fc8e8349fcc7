"""What a strategy sees: one row per frame or item, a block of columns per modality, and which rows are there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Blocks:
    """``values[m]`` is float64 ``(n, width of m)``; ``present[m]`` is bool ``(n,)``.

    Rows of ``values`` where ``present`` is false hold nothing: strategies must not let them matter. ``labels`` and
    ``groups`` ``(n,)`` are there for strategies that learn from them.
    """

    values: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """The number of rows, the same in every block."""
        return len(next(iter(self.present.values())))

    def select(self, rows: np.ndarray) -> Blocks:
        """The given rows of every block."""
        return Blocks(
            {name: values[rows] for name, values in self.values.items()},
            {name: present[rows] for name, present in self.present.items()},
            None if self.labels is None else self.labels[rows],
            None if self.groups is None else self.groups[rows],
        )

    def known(self, name: str) -> np.ndarray:
        """The rows of one block that are there, ``(k, width)``."""
        return np.asarray(self.values[name][self.present[name]])
