"""What a strategy sees: one row per frame or item, a block of columns per modality, and which rows are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import InputError


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


# A common width for blocks of different widths, so that they can be averaged: PCA, fitted on training rows.
#
# Source: I. T. Jolliffe, Principal Component Analysis, 2nd ed., Springer 2002, ch. 2-3. Each block is centred,
# projected onto its leading components and divided by one number per block, the root of its mean component variance,
# so that no block outweighs another by its units while its own components keep their proportions.


def fit(blocks: Blocks, width: int | None = None) -> dict[str, Any]:
    """``{width, blocks: {name: {center, components, scale}}}``; None where all blocks already have one width.

    The common width is the smallest block's, or the number of training rows less one where that is smaller.
    """
    known = {name: blocks.known(name) for name in blocks.values}
    for name, rows in known.items():
        if len(rows) < 2:
            raise InputError(f"modality {name!r} has {len(rows)} training rows; a projection needs at least 2")
    if width is None:
        width = min(min(rows.shape[1] for rows in known.values()), min(len(rows) - 1 for rows in known.values()))
    return {"width": width, "blocks": {name: _components(rows, width) for name, rows in known.items()}}


def differs(blocks: Blocks) -> bool:
    """Whether the blocks have more than one width."""
    return len({values.shape[1] for values in blocks.values.values()}) > 1


def apply(values: np.ndarray, state: dict[str, Any]) -> np.ndarray:
    """One block, float ``(n, width)``, in the common space, float64 ``(n, common width)``."""
    components = np.asarray(state["components"])
    return np.asarray((values - np.asarray(state["center"])) @ components.T / state["scale"])


def common(blocks: Blocks, state: dict[str, Any] | None) -> dict[str, np.ndarray]:
    """Every block in the common space; as it is where ``state`` is None."""
    if state is None:
        return blocks.values
    return {name: apply(values, state["blocks"][name]) for name, values in blocks.values.items()}


def _components(rows: np.ndarray, width: int) -> dict[str, Any]:
    center = rows.mean(axis=0)
    _, singular, axes = np.linalg.svd(rows - center, full_matrices=False)
    axes = axes[:width]
    # The sign of a component is arbitrary; fixing its largest entry positive makes the result the same everywhere.
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    scale = float(np.sqrt((singular[:width] ** 2).mean() / len(rows)))
    return {"center": center.tolist(), "components": axes.tolist(), "scale": scale if scale > 0 else 1.0}
