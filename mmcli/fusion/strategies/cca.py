"""A shared space for any number of modalities: what they say in common, averaged over those that are there.

Generalised canonical correlation analysis in its MAXVAR form (J. R. Kettenring, Biometrika 58, 1971, section 4): the
common directions G are the leading eigenvectors of the sum of the modalities' projections, each ridge-regularised. Rows
that lack a modality take part with the others (M. van de Velden and T. Bijmolt, Psychometrika 71, 2006, eq. 6). For two
modalities and no ridge these are the classical canonical variates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import InputError, UsageError
from mmcli.fusion.blocks import Blocks

AUTO_DIMS = 16


@dataclass(frozen=True)
class Config:
    """``dims``: width of the shared space, 0: the narrowest modality's width, at most 16. ``ridge``: share of each
    modality's mean variance that is added to its own, above 0.
    """

    dims: int = 0
    ridge: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be a space."""
        if self.dims < 0 or not self.ridge > 0:
            raise UsageError("cca.dims must be 0 or more and cca.ridge above 0")


def fit(blocks: Blocks, config: Config) -> dict[str, Any]:
    """For each modality the centre and the projection ``(width, dims)``, scaled to unit variance on average.

    Raises :class:`InputError` where a modality has fewer than 3 training rows, or no row has two.
    """
    there = np.stack([blocks.present[name] for name in blocks.values])
    if len(there) > 1 and not (there.sum(axis=0) > 1).any():
        raise InputError("no training row has two modalities, so nothing is shared")
    weight = 1.0 / np.sqrt(np.maximum(there.sum(axis=0), 1))
    centred, bases, shrunk = {}, [], {}
    for name, values in blocks.values.items():
        rows = blocks.known(name)
        if len(rows) < 3:
            raise InputError(f"modality {name!r} has {len(rows)} training rows; a shared space needs at least 3")
        center = rows.mean(axis=0)
        u, s, vt = np.linalg.svd(rows - center, full_matrices=False)
        ridge = config.ridge * float((s**2).mean())
        gain = s**2 / (s**2 + ridge) if ridge > 0 else np.zeros_like(s)
        full = np.zeros((blocks.rows, len(s)))
        full[blocks.present[name]] = u * np.sqrt(gain)
        bases.append(full * weight[:, None])
        centred[name], shrunk[name] = (center, values.shape[1]), (u, s, vt, ridge)
    common, strength, _ = np.linalg.svd(np.concatenate(bases, axis=1), full_matrices=False)
    narrowest = min(width for _, width in centred.values())
    dims = min(config.dims or min(narrowest, AUTO_DIMS), int((strength > 1e-9 * strength[0]).sum()))
    target = common[:, :dims] * weight[:, None]
    # The sign of an axis is arbitrary; the largest entry positive makes it the same everywhere.
    target = target * np.sign(target[np.abs(target).argmax(axis=0), np.arange(dims)])
    state: dict[str, Any] = {"dims": dims, "blocks": {}}
    for name, (u, s, vt, ridge) in shrunk.items():
        projection = vt.T @ ((s / (s**2 + max(ridge, 1e-300)))[:, None] * (u.T @ target[blocks.present[name]]))
        state["blocks"][name] = {"center": centred[name][0].tolist(), "projection": projection}
    spread = np.sqrt(np.mean([_project(blocks.known(n), b).var(axis=0) for n, b in state["blocks"].items()], axis=0))
    for block in state["blocks"].values():
        block["projection"] = (block["projection"] / np.where(spread > 0, spread, 1.0)).tolist()
    return state


def shared(blocks: Blocks, state: dict[str, Any]) -> np.ndarray:
    """Every modality in the shared space, float64 ``(modalities, n, dims)``; zero where it is missing."""
    return np.stack(
        [
            np.where(blocks.present[name][:, None], _project(values, state["blocks"][name]), 0.0)
            for name, values in blocks.values.items()
        ]
    )


def fuse(blocks: Blocks, config: Config, state: dict[str, Any]) -> np.ndarray:
    """float32 ``(n, dims)``: the mean over the modalities present in each row.

    >>> hidden = np.linspace(-1, 1, 9)[:, None]
    >>> b = Blocks({"a": hidden, "b": -3 * hidden}, {m: np.ones(9, bool) for m in "ab"})
    >>> fused = fuse(b, Config(), fit(b, Config()))
    >>> bool(abs(np.corrcoef(fused[:, 0], hidden[:, 0])[0, 1]) > 0.999)
    True
    """
    count = np.maximum(np.sum([blocks.present[name] for name in blocks.values], axis=0), 1)
    return np.asarray(shared(blocks, state).sum(axis=0) / count[:, None], dtype=np.float32)


def _project(values: np.ndarray, block: dict[str, Any]) -> np.ndarray:
    return np.asarray((values - np.asarray(block["center"])) @ np.asarray(block["projection"]))
