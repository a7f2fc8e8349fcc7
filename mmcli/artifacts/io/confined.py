"""Folders of outputs that writing does not leave, whatever links somebody planted in them.

The names below such a folder are made up by us, not given by the user: a link under one of them is no wish of theirs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_within: ContextVar[Confined | None] = ContextVar("within", default=None)


@contextmanager
def within(folder: Path | str) -> Iterator[None]:
    """While the block runs, what is written below ``folder`` stays there.

    A link that leads out is replaced, and not followed; below a folder that leads out nothing is written: that is an
    :class:`mmcli.errors.OutputError`. :mod:`mmcli.artifacts.io.atomic` asks.
    """
    token = _within.set(Confined(str(folder)))
    try:
        yield
    finally:
        _within.reset(token)


def current() -> Confined | None:
    """The folder that holds now."""
    return _within.get()


class Confined:
    """A folder that is not to be left; where each folder below it really lies is asked once."""

    def __init__(self, folder: str) -> None:
        self.named = os.path.abspath(folder)  # noqa: PTH100 - text: once a write
        self.base = os.path.realpath(folder)
        self.inside: dict[str, bool] = {}

    def names(self, target: str) -> bool:
        """Whether a path is named below the folder."""
        return _lies_below(os.path.abspath(target), self.named)  # noqa: PTH100

    def holds(self, path: str) -> bool:
        """Whether a path, its links followed, lies below the folder."""
        return _lies_below(os.path.realpath(path), self.base)

    def holds_folder_of(self, target: str) -> bool:
        """The same of the folder that a file is in."""
        folder = os.path.dirname(target)  # noqa: PTH120
        if folder not in self.inside:
            self.inside[folder] = self.holds(folder or ".")
        return self.inside[folder]


def _lies_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
