"""Encoders: what one modality holds, to a sequence of vectors and from there to one vector. One encoder a file.

An encoder module has ``KINDS`` (the stream kinds it reads, see :mod:`mmcli.models.parts`), ``Config``,
``sized(stream, items)`` (a Config fitted to the data) and ``build(config)``. A new file is a new encoder.
"""

from __future__ import annotations

from mmcli.errors import MismatchError
from mmcli.models.parts import StreamShape
from mmcli.registry import Registry

registry = Registry("encoder", __name__, __path__)


def names_for(stream: StreamShape) -> list[str]:
    """All encoders that read streams of this kind."""
    return [name for name in registry.names() if stream.kind in registry.load(name).KINDS]


def check(stream: StreamShape, encoder: str) -> None:
    """Raises :class:`MismatchError` where the encoder does not read such streams."""
    kinds = registry.load(encoder).KINDS
    if stream.kind not in kinds:
        raise MismatchError(
            f"encoder {encoder!r} reads {', '.join(kinds)}, not {stream.kind}",
            source=stream.name,
            hint="for this stream: " + ", ".join(names_for(stream)),
        )
