"""Where a command may write: never over what it reads, and no two things into one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mmcli.errors import UsageError

STDOUT = "-"


def apart(outputs: Mapping[str, Path | None], inputs: Iterable[Path | str | None]) -> None:
    """Refuse an output that is an input, or another output. ``outputs`` by their option; None is not given.

    Raises :class:`UsageError` naming the option. ``-`` is standard output, which two cannot share either.
    """
    taken = {_place(path): f"the input {path}" for path in inputs if path is not None and str(path) != STDOUT}
    for option, path in outputs.items():
        if path is None:
            continue
        place = _place(path)
        if place == STDOUT and place in taken:
            raise UsageError(f"{option} and {taken[place].split()[1]} both write to standard output")
        if place in taken:
            raise UsageError(f"{option} would write over {taken[place]}", source=path, hint="name another file")
        taken[place] = f"what {option} writes"


def _place(path: Path | str) -> str:
    return STDOUT if str(path) == STDOUT else str(Path(path).resolve())
