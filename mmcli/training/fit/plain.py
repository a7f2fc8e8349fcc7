"""Small models asked modality by modality as an item's come in, without torch: see :mod:`mmcli.models.nets.plain`."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import checkpoint
from mmcli.errors import ArtifactError, InputError
from mmcli.fusion import normalise
from mmcli.models.nets import plain
from mmcli.training.fit.meaning import meaning

Logits = NDArray[np.float64]
Code = list[Any]  # what each part of the model keeps of a modality


class Plain:
    """A model as :class:`.incremental.Incremental` is one, in numpy."""

    recomputes = False

    def __init__(self, arrays: Mapping[str, NDArray[Any]], config: dict[str, Any], name: str) -> None:
        self.name, self.task = name, str(config["task"])
        self.classes: list[str] | None = config["classes"]
        self.modalities: dict[str, dict[str, Any]] = config["modalities"]
        self.target = config["training"].get("target", {})
        taken, model = plain.Arrays(arrays, name), config["model"]
        self.names = [str(part["name"]) for part in model["modalities"]]
        self.shapes = {n: tuple(self.modalities[n]["shape"]) for n in self.names}
        self.scales = {n: self.modalities[n].get("normaliser") or {"method": "none"} for n in self.names}
        self.stack = plain.Stack(model, taken) if model["name"] == "stack" else None
        if self.stack is None:
            self.parts = [plain.built(model, taken)]
            taken.finish()
        else:
            members = [(i, model["members"][i]["model"]) for i in self.stack.voices]
            self.parts = [plain.built(member, taken, f"members.{i}.") for i, member in members]
            taken.finish(spare="members.")  # members without a voice

    def encode(self, name: str, values: Any) -> Code:
        """The code of a modality: ``values`` (frames, ...) or one frame, on the scale that they were extracted on.

        Raises :class:`InputError` where they do not have the shape that the model reads.
        """
        x = frames(name, values, self.shapes[name], self.scales[name]).reshape(-1, prod(self.shapes[name]))
        return [part.encode(name, x) if name in part.names else None for part in self.parts]

    def answer(self, codes: Mapping[str, Code]) -> Logits:
        """The logits ``(outputs,)`` of an item of which these modalities are there."""
        answers = [
            part.answer({n: code[i] for n, code in codes.items() if n in part.names})
            for i, part in enumerate(self.parts)
        ]
        if self.stack is None:
            return answers[0].astype(np.float64)
        there = np.array([any(n in codes for n in part.names) for part in self.parts])
        return self.stack.combined(self.task, np.stack(answers), there).astype(np.float64)

    def meaning(self, logits: Logits) -> tuple[Logits | None, Logits | None]:
        """Probabilities ``(n, classes)`` or values ``(n,)`` of logits ``(n, outputs)``; the other is None."""
        return meaning(self.task, logits, self.target)


def load(path: Path | str) -> Plain | None:
    """The model of a checkpoint file; None where it is none of those that numpy is enough for.

    Raises :class:`ArtifactError` where its weights do not go with its configuration. A file that cannot be read as
    arrays is None too: torch reads it, or says what is wrong with it.
    """
    try:
        arrays, config = checkpoint.load_arrays(path)
    except ArtifactError:
        return None
    modalities = config["modalities"]
    shapes = [meta.get("shape") for meta in modalities.values()]
    known = all(isinstance(s, list) and s and all(type(n) is int and n > 0 for n in s) for s in shapes)
    kinds = {name: str(meta.get("kind")) for name, meta in modalities.items()}
    return Plain(arrays, config, str(path)) if known and plain.fits(config["model"], kinds) else None


def frames(name: str, values: Any, shape: tuple[int, ...], scale: dict[str, Any]) -> NDArray[np.float32]:
    """Values of one modality of an item as float32 ``(frames, *shape)`` on the model's scale.

    Raises :class:`InputError` for another shape, no frames, NaN or infinity.
    """
    x = np.asarray(values, np.float32)
    if x.shape == shape:
        x = x[None]
    if x.shape[1:] != shape and x.shape[1:] == (prod(shape),):
        x = x.reshape(-1, *shape)
    if x.shape[1:] != shape or not len(x):
        raise InputError(f"{name}: values of shape {x.shape}; the model reads {('frames', *shape)}")
    if not np.isfinite(x).all():
        raise InputError(f"{name}: values hold NaN or infinity")
    return x if scale["method"] == "none" else np.asarray(normalise.apply(x, scale), np.float32)
