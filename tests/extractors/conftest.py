"""Models small enough to be made in a test: an ONNX file written out byte by byte, a traced module, a transformer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def _varint(n: int) -> bytes:
    found = b""
    while n > 127:
        found, n = found + bytes([n & 127 | 128]), n >> 7
    return found + bytes([n])


def _field(number: int, value: int | str | bytes) -> bytes:
    """A field of a protocol buffer: a whole number, or bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _array(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(_field(1, int(n)) for n in values.shape)
    return dims + _field(2, 1) + _field(8, name) + _field(9, values.astype("<f4").tobytes())


def _value(name: str, rank: int) -> bytes:
    dims = b"".join(_field(1, _field(2, f"{name}{i}")) for i in range(rank))
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))


def _node(kind: str, inputs: list[str], output: str, **whole: int) -> bytes:
    found = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)
    for name, number in whole.items():
        found += _field(5, _field(1, name) + _field(3, number) + _field(20, 2))
    return found


def onnx_bytes(nodes: list[bytes], arrays: dict[str, np.ndarray], rank_in: int, rank_out: int) -> bytes:
    """A model from ``x`` to ``y``; the format is at https://onnx.ai (onnx.proto, IR version 8)."""
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "g")
    graph += b"".join(_field(5, _array(name, values)) for name, values in arrays.items())
    graph += _field(11, _value("x", rank_in)) + _field(12, _value("y", rank_out))
    return _field(1, 8) + _field(8, _field(1, "") + _field(2, 13)) + _field(7, graph)


@pytest.fixture
def onnx_steps(tmp_path: Path) -> Callable[..., tuple[Path, np.ndarray]]:
    """``(file, weights)`` of a model (items, steps, features) to (items, steps, dims): tanh of a product."""

    def make(features: int = 64, dims: int = 3, seed: int = 0) -> tuple[Path, np.ndarray]:
        weights = np.random.default_rng(seed).standard_normal((features, dims)).astype(np.float32) / 50
        nodes = [_node("MatMul", ["x", "w"], "z"), _node("Tanh", ["z"], "y")]
        path = tmp_path / "steps.onnx"
        path.write_bytes(onnx_bytes(nodes, {"w": weights}, 3, 3))
        return path, weights

    return make


@pytest.fixture
def onnx_picture(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """``(file, weights)`` of a model (items, 3, h, w) to (items, 4, h, w): a convolution of one pixel."""
    weights = np.random.default_rng(1).standard_normal((4, 3, 1, 1)).astype(np.float32)
    path = tmp_path / "picture.onnx"
    path.write_bytes(onnx_bytes([_node("Conv", ["x", "w"], "y")], {"w": weights}, 4, 4))
    return path, weights


@pytest.fixture
def traced(tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """``(file, module)`` of a module that torch traced with an example, saved."""

    def make(module: Any, example: Any, name: str = "model.pt") -> tuple[Path, Any]:
        import warnings

        import torch

        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.jit.save(torch.jit.trace(module.eval(), example), str(tmp_path / name))
        return tmp_path / name, module

    return make
