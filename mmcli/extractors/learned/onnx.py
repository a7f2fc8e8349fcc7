"""Any encoder in the ONNX format, run by onnxruntime: ``--audio onnx:FILE``.

The model takes one float array and its first output is the answer: (items, dims), (items, steps, dims), or for pictures
(items, channels, height, width). See :mod:`mmcli.extractors.learned._model` for what it can be given.

Reference: the Open Neural Network Exchange format, https://onnx.ai.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import ArtifactError, first_line
from mmcli.extractors import weights
from mmcli.extractors.base import Features
from mmcli.extractors.learned import _model

LONG = "streams"
KIND = "vector"
FITTED = False
NEEDS_FILE = True
MODALITIES = _model.MODALITIES
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class Config(_model.TensorConfig):
    """The model, its input and its output: see :class:`mmcli.extractors.learned._model.TensorConfig`."""


def extract(clip: Any, config: Config) -> Features:
    """What the model gives: a vector (1, dims), or with ``pool`` = "none" a sequence (steps, dims)."""
    return _model.extract(clip, config, _session(config.file, config.sha256, weights.device))


def ready(config: Config) -> None:
    """Load the model, or say why it cannot be."""
    _session(config.file, config.sha256, weights.device)


@functools.lru_cache(maxsize=2)
def _session(file: str, digest: str, device: str) -> Callable[[np.ndarray], np.ndarray]:
    weights.need("onnxruntime", "onnx")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one sum, one order
    options.log_severity_level = 4  # what goes wrong is an exception
    there = onnxruntime.get_available_providers()
    cuda = ["CUDAExecutionProvider"] if weights.wants_cuda("CUDAExecutionProvider" in there, "onnxruntime") else []
    data = weights.read(file, digest)
    try:  # from memory: nothing outside the hashed file is read
        session = onnxruntime.InferenceSession(data, options, providers=[*cuda, "CPUExecutionProvider"])
    except Exception as error:
        raise ArtifactError(f"is no model that onnxruntime can load ({first_line(error)})", source=file) from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES:
        listed = ", ".join(f"{i.name} {i.type}" for i in inputs)
        raise ArtifactError(f"takes {listed or 'nothing'}; one array of floats is needed", source=file)
    kind, name, output = _TYPES[inputs[0].type], inputs[0].name, session.get_outputs()[0].name

    def call(values: np.ndarray) -> np.ndarray:
        return np.asarray(session.run([output], {name: values.astype(kind)})[0], np.float32)

    return call
