"""Fusion: one strategy per file of :mod:`mmcli.fusion.strategies`, clocks and normalisation beside them, data sets made
of features in :mod:`mmcli.fusion.dataset`.

A strategy turns one frame of every modality into one frame::

    Config                                    a frozen dataclass
    fit(blocks, config) -> state              optional; from the training rows only; JSON-able
    fuse(blocks, config, state) -> (n, width) float32

Blocks hold a matrix per modality and which of its rows are there (:mod:`mmcli.fusion.blocks`).
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mmcli.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from mmcli.fusion.blocks import Blocks

registry = Registry(
    "fusion strategy", f"{__name__}.strategies", [str(Path(__file__).parent / "strategies")], group=__name__
)


def join(strategy: str, train: Blocks, rows: Blocks, config: Any = None) -> tuple[np.ndarray, dict[str, Any] | None]:
    """Fit a strategy on ``train`` and apply it to ``rows``: the fused rows, float32 ``(n, width)``, and its state.

    ``config`` None is the strategy's default.
    """
    state = fit(strategy, train, config)
    return apply(strategy, rows, config, state), state


def fit(strategy: str, train: Blocks, config: Any = None) -> dict[str, Any] | None:
    """What a strategy learns from the training rows; None where it learns nothing."""
    module = registry.load(strategy)
    state: dict[str, Any] | None = None
    if hasattr(module, "fit"):
        state = module.fit(train, module.Config() if config is None else config)
    return state


def apply(strategy: str, rows: Blocks, config: Any, state: dict[str, Any] | None) -> np.ndarray:
    """The fused rows, float32 ``(n, width)``, of a strategy that was fitted."""
    module = registry.load(strategy)
    fused: np.ndarray = module.fuse(rows, module.Config() if config is None else config, state)
    return fused


def __getattr__(name: str) -> ModuleType:
    """``mmcli.fusion.NAME`` imports the strategy NAME."""
    if not name.startswith("_") and name in registry.names():
        return registry.load(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
