"""Which extractors run: a stream is one extractor with its configuration and, where it learns, its fitted state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmcli import extractors
from mmcli.artifacts.formats import fitted
from mmcli.artifacts.io import provenance
from mmcli.errors import MismatchError, UsageError
from mmcli.extractors import weights


@dataclass(frozen=True)
class Stream:
    """One extractor in use; its key is ``MODALITY.NAME``."""

    modality: str
    name: str
    config: Any
    fitted: bool = False
    state_path: str | None = None
    state_sha256: str | None = None
    weights: str | None = None  # where an encoder's model lies

    @property
    def key(self) -> str:
        """``audio.logmel``: how a worker calls the stream."""
        return f"{self.modality}.{self.name}"

    def setup(self) -> dict[str, Any]:
        """What a worker needs to know of the stream, plain JSON."""
        return {
            "modality": self.modality,
            "name": self.name,
            "config": provenance.config_dict(self.config),
            "state_path": None if self.state_path is None else str(Path(self.state_path).absolute()),
            "state_sha256": self.state_sha256,
            "weights": self.weights,
        }

    def identity(self) -> dict[str, Any]:
        """What the values depend on besides the input."""
        config = provenance.config_sha256(provenance.config_dict(self.config))
        return {"stream": self.key, "config": config, "fitted": self.state_sha256}


def chosen(named: Mapping[str, Sequence[str]], only: str = "auto") -> dict[str, list[str]]:
    """The extractors' names of each modality in use: those named, the default where none is.

    ``only`` is one modality, or ``auto`` for all of them.

    >>> chosen({"audio": ["mfcc"]}, only="audio")
    {'audio': ['mfcc']}
    """
    if only != "auto" and only not in extractors.MODALITIES:
        extractors.registry(only)
    found: dict[str, list[str]] = {}
    for modality in extractors.MODALITIES if only == "auto" else [only]:
        names = list(named.get(modality) or [extractors.DEFAULTS[modality]])
        if len({parted(name)[0] for name in names}) < len(names):
            raise UsageError(f"{modality}: {', '.join(names)} names an extractor twice")
        found[modality] = names
    unused = [m for m in named if named[m] and m not in found]
    if unused:
        raise UsageError(f"--{unused[0]} has no meaning with --modality {only}")
    return found


def parted(text: str) -> tuple[str, dict[str, str]]:
    """An extractor as the command line names it: its name, and the model file of an encoder as a field of its Config.

    >>> parted("mfcc"), parted("onnx:models/a.onnx")
    (('mfcc', {}), ('onnx', {'file': 'models/a.onnx'}))
    """
    name, colon, file = text.partition(":")
    return name, ({"file": file} if colon else {})


def stream(modality: str, name: str, config: Any = None) -> Stream:
    """The stream of an extractor, with its default configuration where none is given."""
    module = extractors.registry(modality).load(name)
    if getattr(module, "NEEDS_FILE", False) and modality not in module.MODALITIES:
        raise UsageError(f"{name} reads {', '.join(module.MODALITIES)}, not {modality}")
    config = module.Config() if config is None else config
    path = weights.places.get(getattr(config, "sha256", ""))
    return Stream(
        modality,
        name,
        config,
        fitted=extractors.is_fitted(module),
        weights=None if path is None else str(path),
    )


def with_state(one: Stream, path: Path | str) -> Stream:
    """The stream with a fitted state from a file, which has to be of this extractor.

    The configuration is the one that the state was fitted with. Raises :class:`MismatchError` where a configuration was
    set that differs from it.
    """
    content = fitted.load(path)
    if content["extractor"] != one.name or content.get("modality", one.modality) != one.modality:
        raise MismatchError(f"was fitted for {content['extractor']}, not for {one.name}", source=path)
    module = extractors.registry(one.modality).load(one.name)
    config = extractors.configured(module, content["config"])
    if one.config not in (config, module.Config()):
        raise MismatchError(
            f"was fitted with another configuration of {one.name}", source=path, hint="leave out --set, or fit anew"
        )
    return Stream(
        one.modality, one.name, config, fitted=True, state_path=str(path), state_sha256=provenance.sha256_file(path)
    )
