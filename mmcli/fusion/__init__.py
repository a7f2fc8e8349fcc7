"""One fusion strategy per file; clocks, normalisation and the assembly of data sets beside them.

A strategy turns one frame of every modality into one frame::

    Config                                    a frozen dataclass
    fit(blocks, config) -> state              optional; from the training rows only; JSON-able
    fuse(blocks, config, state) -> (n, width) float32

Blocks hold a matrix per modality and which of its rows are there (:mod:`mmcli.fusion.blocks`).
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from mmcli.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from mmcli.fusion.blocks import Blocks

_SUPPORT = (
    "assemble",
    "augment",
    "balance",
    "blocks",
    "fused",
    "grid",
    "labels",
    "learned",
    "normalise",
    "partners",
    "single",
    "spans",
    "splits",
    "streams",
    "summary",
    "width",
)

registry = Registry("fusion strategy", __name__, __path__, support=_SUPPORT)


def join(strategy: str, train: Blocks, rows: Blocks, config: Any = None) -> tuple[np.ndarray, dict[str, Any] | None]:
    """Fit a strategy on ``train`` and apply it to ``rows``: the fused rows, float32 ``(n, width)``, and its state.

    ``config`` None is the strategy's default.
    """
    module = registry.load(strategy)
    if config is None:
        config = module.Config()
    state = module.fit(train, config) if hasattr(module, "fit") else None
    return module.fuse(rows, config, state), state


def __getattr__(name: str) -> ModuleType:
    """``mmcli.fusion.NAME`` imports the strategy NAME."""
    if not name.startswith("_") and name in registry.names():
        return registry.load(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
