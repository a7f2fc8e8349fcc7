"""From a data set and a configuration to a fitting network: encoders by what streams hold, sizes by the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from mmcli.errors import UsageError
from mmcli.models import blocks, encoders, turns
from mmcli.models.encoders import check
from mmcli.models.parts import StreamShape, choose, to_json
from mmcli.registry import nearest
from mmcli.training.config import TrainConfig


def network(streams: Sequence[StreamShape], outputs: int, items: int, config: TrainConfig) -> dict[str, Any]:
    """The configuration of a network for ``items`` training items, as :func:`.build` takes it."""
    wide = width(items, config)
    named = dict(_pair(text) for text in config.encoders)
    unknown = set(named) - {s.name for s in streams}
    if unknown:
        hint = nearest(min(unknown), [s.name for s in streams])
        raise UsageError(f"an encoder is given for {min(unknown)!r}", hint=hint)
    parts = []
    for stream in streams:
        encoder = named.get(stream.name) or choose(stream)
        module = encoders.registry.load(encoder)
        check(stream, encoder)
        sized = dataclasses.replace(module.sized(stream, items), width=wide, dropout=config.dropout)
        parts.append({"name": stream.name, "encoder": encoder, "config": to_json(sized)})
    block = blocks.registry.load(config.fusion)
    fused = block.sized(len(streams), wide, items)
    if any(field.name == "outputs" for field in dataclasses.fields(fused)):
        fused = dataclasses.replace(fused, outputs=outputs)
    return {
        "name": "network",
        "modalities": parts,
        "fusion": {"name": config.fusion, "config": to_json(fused)},
        "head": {"outputs": outputs, "hidden": wide if len(streams) > 1 else 0, "dropout": config.dropout},
        "auxiliary": config.auxiliary > 0 and len(streams) > 1,
        **({"context": _reader(config, wide, items)} if config.context else {}),
    }


def _reader(config: TrainConfig, wide: int, items: int) -> dict[str, Any]:
    """What reads the turns of a group."""
    if any(field.name == "outputs" for field in dataclasses.fields(blocks.registry.load(config.fusion).Config)):
        what = f"--fusion {config.fusion} adds up what each modality answers, and has no vector of an item"
        raise UsageError(f"{what} that turns could be read by", hint="--fusion concat")
    reader = turns.registry.load(config.reader)
    sized = dataclasses.replace(reader.sized(wide, items), causal=config.causal, dropout=config.dropout)
    return {"name": config.reader, "config": to_json(sized)}


def width(items: int, config: TrainConfig) -> int:
    """Numbers an encoder gives for an item: as configured, or by the number of training items."""
    return config.width or (48 if items < 1000 else 64)


def batch(items: int, config: TrainConfig) -> int:
    """Items a step: as configured, else an eighth of the training items between 8 and 64."""
    return config.batch or max(8, min(64, items // 8))


def epochs(items: int, config: TrainConfig) -> int:
    """Passes over ``items`` training items: as configured, else 50, fewer beyond a thousand, at least 15.

    >>> epochs(300, TrainConfig()), epochs(4000, TrainConfig()), epochs(10**6, TrainConfig())
    (50, 25, 15)
    """
    return config.epochs or max(15, round(50 * min(1.0, (1000 / max(items, 1)) ** 0.5)))


def _pair(text: str) -> tuple[str, str]:
    stream, equals, encoder = text.partition("=")
    if not equals:
        raise UsageError(f"an encoder is given as STREAM=NAME, not {text!r}")
    return stream, encoder
