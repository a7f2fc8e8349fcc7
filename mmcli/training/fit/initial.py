"""Encoders of an earlier model as the start of a new one: ``mmcli train --init MODEL.pt``.

Each stream of the data set that the model knows, by name or as the only one of its modality and extractor, gets that
model's encoder, sizes included, and is put on the scale that the encoder was trained on. Everything else is new: other
streams' encoders, the fusion block, the heads.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import MismatchError
from mmcli.fusion.fitting import fitting, matching
from mmcli.models.parts import StreamShape
from mmcli.training.config import TrainConfig
from mmcli.training.data import shapes
from mmcli.training.fit import predictor


@dataclasses.dataclass(frozen=True)
class Known:
    """One encoder: its part of a network's configuration, its tensors, and what the stream was that it read."""

    part: dict[str, Any]
    tensors: dict[str, Tensor]
    meta: dict[str, Any]


class Initial:
    """The encoders in a checkpoint; :func:`load` reads them from a file."""

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        self.name = name
        self.known = _encoders(checkpoint)
        if not self.known:
            raise MismatchError("has no encoders to go on from", source=name, hint="kernel machines have none")
        self.taken: dict[str, str] = {}  # stream of the data set to the model's modality, once :meth:`rescaled` ran

    @property
    def width(self) -> int:
        """Numbers that each encoder gives."""
        return int(next(iter(self.known.values())).part["config"]["width"])

    def rescaled(self, dataset: Dataset, wanted: Sequence[str]) -> Dataset:
        """The data set with every stream that an encoder is taken for on that encoder's scale.

        Raises :class:`MismatchError` where no stream, or a stream of another shape or extractor, is there.
        """
        used = [shape.name for shape in shapes(dataset, wanted)]
        among = copy.copy(dataset)
        among.streams = {name: dataset.streams[name] for name in used}
        moved = copy.copy(dataset)
        moved.streams = dict(dataset.streams)
        self.taken = {}
        for modality, known in self.known.items():
            name = matching(among, modality, known.meta)
            if name is None:
                continue
            shape = predictor.shape_in(modality, {modality: known.meta}, self.name)
            moved.streams[name] = fitting(dataset, name, shape, known.meta, self.name)
            self.taken[name] = modality
        if not self.taken:
            hint = f"it knows {', '.join(self.known)}; the data set has {', '.join(used)}"
            raise MismatchError("has no encoder for any stream of the data set", source=self.name, hint=hint)
        return moved

    def sized(self, config: TrainConfig) -> TrainConfig:
        """The configuration with the encoders' width. Raises :class:`MismatchError` where it asks for another."""
        if config.width not in (0, self.width):
            raise MismatchError(
                f"its encoders give {self.width} numbers, and train.width asks for {config.width}",
                source=self.name,
                hint="leave train.width out",
            )
        return dataclasses.replace(config, width=self.width)

    def planned(self, model: Mapping[str, Any], streams: Sequence[StreamShape], config: TrainConfig) -> dict[str, Any]:
        """A network's configuration with the known encoders in it, at this run's dropout."""
        asked = dict(text.partition("=")[::2] for text in config.encoders)
        parts = []
        for part, stream in zip(model["modalities"], streams, strict=True):
            if stream.name in self.taken:
                known = self.known[self.taken[stream.name]].part
                if asked.get(stream.name, known["encoder"]) != known["encoder"]:
                    raise MismatchError(
                        f"its encoder of {stream.name!r} is {known['encoder']!r}, not {asked[stream.name]!r}",
                        source=self.name,
                        hint="leave --encoder out",
                    )
                sizes = known["config"] | {"dropout": config.dropout}
                part = {"name": stream.name, "encoder": known["encoder"], "config": sizes}
            parts.append(part)
        return {**model, "modalities": parts}

    def put_into(self, net: nn.Module) -> None:
        """Set the weights of the known encoders."""
        for name, encoder in zip(cast(list[str], net.names), cast(nn.ModuleList, net.encoders), strict=True):
            if name in self.taken:
                encoder.load_state_dict(self.known[self.taken[name]].tensors)

    def facts(self, streams: Sequence[str]) -> dict[str, Any]:
        """What a checkpoint keeps: the streams that got an encoder, and those that started fresh."""
        return {"taken": sorted(self.taken), "fresh": [name for name in streams if name not in self.taken]}


def load(path: Path | str) -> Initial:
    """The encoders in a checkpoint file, whatever it was trained for."""
    return Initial(checkpoint.load(path, predictor.expected), Path(path).name)


def _encoders(checkpoint: Checkpoint) -> dict[str, Known]:
    """By modality; of an ensemble, those of the network that has the most say and reads fewest others."""
    model = checkpoint.config["model"]
    networks: list[tuple[float, int, str, Mapping[str, Any]]] = []
    for prefix, weight, one in _members(model):
        if one.get("name") in ("network", "contrastive"):
            networks.append((-weight, len(one["modalities"]), prefix, one))
    known: dict[str, Known] = {}
    for _, _, prefix, one in sorted(networks, key=lambda entry: entry[:3]):
        for i, part in enumerate(one["modalities"]):
            start = f"{prefix}encoders.{i}."
            own = {k.removeprefix(start): v for k, v in checkpoint.tensors.items() if k.startswith(start)}
            meta = checkpoint.config["modalities"].get(part["name"])
            if meta is not None and part["name"] not in known:
                known[part["name"]] = Known(dict(part), own, meta)
    widths = {known.part["config"]["width"] for known in known.values()}
    if len(widths) > 1:
        raise MismatchError(f"its encoders have {len(widths)} widths")
    return known


def _members(model: Mapping[str, Any]) -> list[tuple[str, float, Mapping[str, Any]]]:
    if model.get("name") != "stack":
        return [("", 1.0, model)]
    return [(f"members.{i}.", float(m["weight"]), m["model"]) for i, m in enumerate(model["members"])]
