"""A map as the project of another program, one program a file. A new file is a new program.

A module has ``SUFFIXES``, the files that it writes, ``MANY``, those of them that hold more than two tracks, and
``render(timeline, suffix) -> bytes`` of a :class:`mmcli.aligners.core.timeline.Timeline`.
"""

from __future__ import annotations

from pathlib import Path

from mmcli.registry import Registry

registry = Registry("editor", __name__, [str(Path(__file__).parent)])


def writer_of(suffix: str) -> str | None:
    """The name of the member that writes files of a suffix, None where none does.

    >>> writer_of(".edl")
    'otio'
    """
    return next((name for name in registry.names() if suffix in registry.load(name).SUFFIXES), None)


def suffixes() -> list[str]:
    """Every suffix that is written, sorted."""
    return sorted(suffix for name in registry.names() for suffix in registry.load(name).SUFFIXES)
