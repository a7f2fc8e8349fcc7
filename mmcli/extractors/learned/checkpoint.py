"""The trained encoder of one of our own models: ``--audio checkpoint:MODEL.pt#audio``.

The clip goes through the extractor, fitted state and scale that the model was trained with, then through the encoder of
that modality, as in the model itself. Of a model that is made of several, the network with the most weight that reads
the modality is taken; where two weigh the same, the one that reads fewest modalities. What the fusion block would do to
a modality in the light of the others is left out: an extractor sees one modality.

An extractor may not import the training, so the model is built from its checkpoint by :mod:`mmcli.models` alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import ArtifactError, InputError, MismatchError, UsageError
from mmcli.extractors import base, configured, is_fitted, registry, run, weights
from mmcli.extractors.base import Features
from mmcli.extractors.learned import _model

LONG = "whole"  # as the extractor underneath; its frames are held
KIND = "vector"
FITTED = False
NEEDS_FILE = True
MODALITIES = ("audio", "image", "video", "text", "series", "table")


@dataclass(frozen=True)
class Config(_model.FileConfig):
    """Which model, and which of its encoders."""

    stream: str = ""  # the model's modality; empty: the only one of the clip's kind. FILE#MODALITY sets it
    pool: str = "vector"  # vector: as the model pools the steps; sequence: the encoder's steps

    def __post_init__(self) -> None:
        file, mark, stream = self.file.rpartition("#")
        if mark and not self.stream:
            object.__setattr__(self, "file", file)
            object.__setattr__(self, "stream", stream)
        super().__post_init__()
        base.one_of(self, "pool", ("vector", "sequence"))


def extract(clip: Any, config: Config) -> Features:
    """The encoder's vector (1, width), or with ``pool`` = "sequence" its steps (steps, width)."""
    modality = _model.modality_of(clip, MODALITIES, "checkpoint")
    encoder = _encoder(config.file, config.sha256, config.stream, modality, weights.device)
    inner = run(encoder.module, clip, encoder.config, encoder.state)
    wanted = tuple(int(n) for n in encoder.meta["shape"])
    if inner.width != int(np.prod(wanted)):
        raise MismatchError(f"gives frames of {inner.width} numbers; the model reads {wanted}", source=clip.name)
    vector, steps = encoder(np.reshape(inner.values, (inner.frames, *wanted)))
    if config.pool == "vector":
        return _model.vector(clip, vector, config)
    # steps lie evenly over what the frames cover
    ends = np.linspace(inner.times[0], inner.times[-1], 2 * len(steps) + 1) if inner.frames > 1 else None
    times = inner.times[0] + np.arange(len(steps), dtype=np.float64) if ends is None else ends[1::2]
    return _model.sequence(clip, steps, times, config)


def ready(config: Config) -> None:
    """Load the model, or say why it cannot be."""
    _checkpoint(config.file, config.sha256)


class _Encoder:
    """One modality of a model: the extractor before it, its scale, and the network."""

    def __init__(self, net: Any, name: str, meta: Mapping[str, Any], modality: str, file: str) -> None:
        self.meta, self.file = meta, file
        self.device = weights.torch_device()
        self.encoder = net.encoders[list(net.names).index(name)].to(self.device).eval()
        extractor = meta.get("extractor")
        if extractor is None:
            raise MismatchError(f"was trained on features of another maker for {name!r}", source=file)
        self.module = registry(modality).load(str(extractor))
        self.config = configured(self.module, meta.get("config") or {})
        self.state = meta.get("fitted")
        if is_fitted(self.module) and self.state is None:
            raise MismatchError(f"does not carry what {extractor} learned for {name!r}", source=file)

    def __call__(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vector (width,) and steps (steps, width) of one item's frames."""
        import torch

        given = torch.from_numpy(_scaled(values, self.meta.get("normaliser")))[None].to(self.device)
        seen = torch.ones(given.shape[:2], dtype=torch.bool, device=self.device)
        with torch.inference_mode():
            steps, mask = self.encoder(given, seen)
            vector = self.encoder.pool(steps, mask)
        return vector[0].float().cpu().numpy(), steps[0][mask[0]].float().cpu().numpy()


def _scaled(values: np.ndarray, normaliser: Mapping[str, Any] | None) -> np.ndarray:
    """On the scale that the model was trained on, as :func:`mmcli.fusion.normalise.apply` puts it (a sibling room)."""
    method = (normaliser or {"method": "none"})["method"]
    wide = np.asarray(values, np.float64)
    if normaliser is not None and "center" in normaliser:
        wide = (wide - np.asarray(normaliser["center"])) / np.asarray(normaliser["scale"])
    elif method == "l2":
        norm = np.sqrt((wide.reshape(len(wide), -1) ** 2).sum(axis=1)).reshape(-1, *[1] * (wide.ndim - 1))
        wide = wide / np.where(norm > 0, norm, 1.0)
    elif method == "item":
        spread = float(wide.std()) if wide.size else 0.0
        wide = (wide - wide.mean()) / spread if spread > 1e-12 else np.zeros_like(wide)
    elif method != "none":
        raise ArtifactError(f"has a scale of an unknown kind, {method!r}")
    return np.asarray(wide, np.float32)


@functools.lru_cache(maxsize=2)
def _checkpoint(file: str, digest: str) -> tuple[Any, Mapping[str, Any]]:
    """The built model and what its checkpoint says of its modalities."""
    import torch

    from mmcli.artifacts.formats import checkpoint
    from mmcli.models.nets import factory

    def expected(config: dict[str, Any]) -> Mapping[str, tuple[int, ...]]:
        with torch.device("meta"):
            net = factory.build(config["model"])
        return {name: tuple(value.shape) for name, value in net.state_dict().items()}

    data = weights.read(file, digest)
    weights.folders.append(weights.find(file, digest).parent)  # an encoder that was trained on another one's features
    trained = checkpoint.loads(data, file, expected)
    with torch.device("meta"):
        net = factory.build(trained.config["model"])
    net.load_state_dict(trained.tensors, assign=True)
    return net, trained.config["modalities"]


@functools.lru_cache(maxsize=8)
def _encoder(file: str, digest: str, stream: str, modality: str, device: str) -> _Encoder:
    net, metas = _checkpoint(file, digest)
    kinds = {name: str(meta.get("modality") or name.partition(".")[0]) for name, meta in metas.items()}
    fitting = [name for name, kind in kinds.items() if kind == modality and stream in ("", name)]
    if len(fitting) != 1:
        raise UsageError(
            f"has {len(fitting) or 'no'} modalities to read {modality} with"
            + (f" that are called {stream!r}" if stream else ""),
            source=file,
            hint=f"say checkpoint:{file}#NAME; it knows " + ", ".join(f"{n} ({k})" for n, k in kinds.items()),
        )
    (name,) = fitting
    return _Encoder(_network(net, name, file), name, metas[name], modality, file)


def _network(net: Any, name: str, file: str) -> Any:
    """The network that reads the modality."""
    readers = [(-weight, len(one.names), n, one) for n, (weight, one) in enumerate(_members(net)) if name in one.names]
    if not readers:
        raise InputError(
            f"has no network that reads {name!r}, only kernel machines, which have no encoder",
            source=file,
            hint="mmcli train --candidates networks trains one",
        )
    return min(readers, key=lambda one: one[:3])[3]


def _members(net: Any) -> Iterator[tuple[float, Any]]:
    """The networks inside a model, with their weights."""
    if hasattr(net, "members"):
        for weight, member in zip(net.weights, net.members, strict=True):
            yield from ((weight, one) for _, one in _members(member))
    elif hasattr(net, "encoders"):
        yield 1.0, net
