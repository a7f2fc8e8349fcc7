"""Any encoder saved by ``torch.jit.save``: ``--image torchscript:FILE``.

The model takes one float32 tensor and gives one, or a tuple whose first is the answer: (items, dims), (items, steps,
dims), or for pictures (items, channels, height, width). See :mod:`mmcli.extractors.learned._model` for what it can be
given. A TorchScript file is a program: load only what you would run.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import ArtifactError, InputError, first_line
from mmcli.extractors import weights
from mmcli.extractors.base import Features
from mmcli.extractors.learned import _model

LONG = "streams"
KIND = "vector"
FITTED = False
NEEDS_FILE = True
MODALITIES = _model.MODALITIES


@dataclass(frozen=True)
class Config(_model.TensorConfig):
    """The model, its input and its output: see :class:`mmcli.extractors.learned._model.TensorConfig`."""


def extract(clip: Any, config: Config) -> Features:
    """What the model gives: a vector (1, dims), or with ``pool`` = "none" a sequence (steps, dims)."""
    return _model.extract(clip, config, _loaded(config.file, config.sha256, weights.device))


def ready(config: Config) -> None:
    """Load the model, or say why it cannot be."""
    _loaded(config.file, config.sha256, weights.device)


@functools.lru_cache(maxsize=2)
def _loaded(file: str, digest: str, device: str) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    weights.refuse_program(file, digest)
    where = weights.torch_device()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the files that there are remain
            load: Any = torch.jit.load
            model = load(io.BytesIO(weights.read(file, digest)), map_location=where)
    except (RuntimeError, ValueError, EOFError, NotImplementedError) as error:
        raise ArtifactError(f"is no TorchScript model ({first_line(error)})", source=file) from error
    model.eval()

    def call(values: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            answer = model(torch.from_numpy(values).to(where))
        answer = answer[0] if isinstance(answer, tuple | list) and answer else answer
        if not isinstance(answer, torch.Tensor):
            raise InputError(f"the model gave a {type(answer).__name__}, not a tensor", source=file)
        return answer.to("cpu", torch.float32).numpy()

    return call
