"""mmcli: features, alignment, fusion, training and evaluation for multimodal data, from files to files.

What the commands do, in a line of Python each::

    mmcli.align("studio.wav", "camera.mp4").offset_s
    mmcli.extract("talk.wav", "mfcc").values
    mmcli.fuse({"audio": array, "text": frame}, label=labels)
    mmcli.load("data.npz"), mmcli.load("model.pt"), mmcli.load("report.json")
    mmcli.train("data.npz", fusion="auto").evaluate("data.npz")

The library behind it has one door per family, opened on first use::

    mmcli.extractors.logmel.extract(clip, mmcli.extractors.logmel.Config()) -> Features
    mmcli.aligners.methods.dtw.align(x, y, mmcli.aligners.methods.dtw.Config()) -> Alignment
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mmcli._version import __version__

if TYPE_CHECKING:
    from mmcli.api.align import align
    from mmcli.api.extract import extract
    from mmcli.api.fuse import fuse
    from mmcli.api.load import load
    from mmcli.api.model import evaluate, train

__all__ = [
    "__version__",
    "align",
    "aligners",
    "artifacts",
    "batch",
    "errors",
    "evaluate",
    "evaluation",
    "extract",
    "extractors",
    "fuse",
    "fusion",
    "load",
    "media",
    "models",
    "train",
    "training",
]

FUNCTIONS = {
    "align": "align",
    "extract": "extract",
    "fuse": "fuse",
    "load": "load",
    "train": "model",
    "evaluate": "model",
}


def __getattr__(name: str) -> Any:
    """Rooms are imported when they are first named: ``import mmcli`` itself loads nothing heavy."""
    if name in FUNCTIONS:
        return getattr(importlib.import_module(f"mmcli.api.{FUNCTIONS[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"mmcli.{name}")
    raise AttributeError(f"module 'mmcli' has no attribute {name!r}")
