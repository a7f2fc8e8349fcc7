"""A model as a file that runs without mmcli: TorchScript, or ONNX for any runtime.

Two inputs a modality, in its name: ``NAME`` float32 ``(items, steps, ...)`` on the scale of the data set that the model
was trained on, and ``NAME.steps`` int64 ``(items,)``, how many of the steps are real; 0 where an item lacks the
modality. One output, ``answer``: probabilities ``(items, classes)``, or values ``(items,)`` of a regression.

What was written is read back and asked for items of other lengths, with modalities missing: it has to agree.
"""

from __future__ import annotations

import importlib.util
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmcli.artifacts.io import atomic
from mmcli.errors import MissingError, UsageError
from mmcli.models.nets.network import Input, Network
from mmcli.models.parts import from_lengths
from mmcli.training.fit.predictor import Predictor

SUFFIXES = {".pt": "TorchScript", ".ts": "TorchScript", ".onnx": "ONNX"}
OPSET = 18
_jit: Any = torch.jit  # untyped, or with types that leave out what is documented
_to_onnx: Any = torch.onnx.export
FIXED = ("bottleneck", "crossmodal", "lowrank")  # blocks whose traces keep the number of items they were traced with
AGREE = 1e-4  # of probabilities, and of the spread of a regression's values


class Answering(nn.Module):
    """The network with flat inputs and the answer as output."""

    def __init__(self, model: Predictor) -> None:
        super().__init__()
        self.net = model.net
        self.names = [shape.name for shape in model.shapes]
        self.inputs = [word for name in self.names for word in (name, f"{name}.steps")]
        self.task = model.task
        target = model.config["training"].get("target", {})
        self.scale, self.center = float(target.get("scale", 1.0)), float(target.get("center", 0.0))

    def forward(self, *flat: Tensor) -> Tensor:
        """Values and steps of each modality in turn."""
        batch = {}
        for name, values, steps in zip(self.names, flat[::2], flat[1::2], strict=True):
            batch[name] = Input(values, from_lengths(steps, values.shape[1]), steps > 0)
        logits: Tensor = self.net(batch)
        if self.task == "regress":
            return logits[:, 0] * self.scale + self.center
        return logits.sigmoid() if self.task == "multilabel" else logits.softmax(1)


def export(model: Predictor, path: Path | str) -> None:
    """Write a model as ``.ts`` (or ``.pt``, TorchScript) or ``.onnx``.

    Raises :class:`UsageError` for another suffix, for what is no single network (an ensemble, a machine), and where
    what was written would not agree; :class:`MissingError` where ONNX is wanted and its packages are not installed.
    """
    path = Path(path)
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"a model is exported as .ts or .onnx, not as {path.suffix or path.name!r}", hint="model.onnx")
    if not isinstance(model.net, Network):
        raise UsageError("only a single network can be exported", hint="train with --fusion concat or another block")
    if "context" in model.config["model"]:
        raise UsageError("a model that reads the turns of a group cannot be exported", hint="train without --context")
    block = model.config["model"]["fusion"]["name"]
    if block in FIXED:
        raise UsageError(f"the fusion block {block} cannot be exported", hint="train with concat, attention or gated")
    whole = Answering(model).eval()
    random = torch.Generator().manual_seed(0)
    data = (_script if form == "TorchScript" else _onnx)(whole, _items(model, 3, 9, random))
    _check(whole, data, form, model, random)
    atomic.write_bytes(path, data)


def _items(model: Predictor, n: int, most: int, random: torch.Generator) -> tuple[Tensor, ...]:
    """Items of up to ``most`` steps in which modalities are missing here and there, never all."""
    flat: list[Tensor] = []
    for k, shape in enumerate(model.shapes):
        longest = 1 if shape.kind in ("vector", "image") else most
        values = torch.randn(n, longest, *shape.shape, generator=random)
        if shape.vocabulary_size:
            values = torch.randint(0, shape.vocabulary_size, values.shape, generator=random).float()
        steps = torch.randint(1, longest + 1, (n,), generator=random)
        steps[0] = longest
        if len(model.shapes) > 1:
            steps[1 + k % (n - 1)] = 0
        flat += [values, steps]
    return tuple(flat)


def _script(whole: Answering, items: tuple[Tensor, ...]) -> bytes:
    file = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about what is checked below
        _jit.save(_jit.trace(whole, items, check_trace=False), file)
    return file.getvalue()


def _onnx(whole: Answering, items: tuple[Tensor, ...]) -> bytes:
    for package in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise MissingError(f"ONNX needs the package {package}", hint="pip install 'mmcli[onnx]'")
    axes: dict[str, dict[int, str]] = {"answer": {0: "items"}}
    for name, values in zip(whole.names, items[::2], strict=True):
        axes[name] = {0: "items"} | ({1: f"{name} steps"} if values.shape[1] > 1 else {})
        axes[f"{name}.steps"] = {0: "items"}
    file = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _to_onnx(
            whole, items, file, input_names=whole.inputs, output_names=["answer"], dynamic_axes=axes,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    return file.getvalue()


def _check(whole: Answering, data: bytes, form: str, model: Predictor, random: torch.Generator) -> None:
    """Raise :class:`UsageError` where what was written says something else than the network."""
    asked: Any
    if form == "TorchScript":
        asked = _jit.load(io.BytesIO(data))
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]

        def asked(*flat: Tensor) -> Tensor:
            named = dict(zip(whole.inputs, flat, strict=True))
            given = {name: named[name].numpy() for name in names}
            return torch.from_numpy(np.asarray(session.run(None, given)[0]))

    for n, most in ((3, 9), (5, 17), (4, 6)):
        items = _items(model, n, most, random)
        with torch.no_grad():
            own, other = whole(*items), asked(*items)
        if own.shape != other.shape or (own - other).abs().max() > AGREE * max(1.0, whole.scale):
            raise UsageError(
                f"{form} does not give this model's answers for items of other lengths; nothing is written"
            )
