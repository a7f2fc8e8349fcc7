"""Members that packages installed beside mmcli add, through entry points.

Most commands list the names of a family, and nearly nobody has a package that adds to one. ``importlib.metadata``
takes 6 ms to import and 8 ms to read what a hundred packages announce, a tenth of the start of ``extract --help``
(tests/benchmarks/bench_start.py); whether any of them names a family is seen in 2 ms, from the headings of their
``entry_points.txt`` alone. Only where one does is the library asked.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

MOST_BYTES = 1 << 20  # of an entry_points.txt; a larger one is left to the library


def added(group: str) -> dict[str, str]:
    """The names that installed packages add to a group of entry points, and the module of each.

    >>> added("mmcli.no_such_family")
    {}
    """
    path = tuple(sys.path)
    groups = _announced(path)
    if groups is not None and group not in groups:
        return {}
    return {point.name: point.value for point in _points(path).select(group=group)}


@functools.lru_cache(maxsize=4)
def _announced(path: tuple[str, ...]) -> frozenset[str] | None:
    """The groups that anything installed along a path announces; None where only the library can tell.

    That is so where something on the path is a file (a zip), and where a finder of another program's has packages.
    """
    if any(hasattr(f, "find_distributions") for f in sys.meta_path if f is not PathFinder):
        return None
    groups: set[str] = set()
    for folder in path:
        try:
            entries = [e.path for e in os.scandir(folder or ".") if e.name.endswith((".dist-info", ".egg-info"))]
        except FileNotFoundError:
            continue
        except OSError:
            return None
        for entry in entries:
            try:
                with Path(entry, "entry_points.txt").open("rb") as file:
                    text = file.read(MOST_BYTES + 1)
            except (FileNotFoundError, NotADirectoryError):
                continue  # it announces nothing
            except OSError:
                return None
            if len(text) > MOST_BYTES:
                return None
            headings = (line.strip() for line in text.splitlines() if line.lstrip().startswith(b"["))
            groups |= {h.decode("utf-8", "replace").strip("[]") for h in headings}
    return frozenset(groups)


@functools.lru_cache(maxsize=4)
def _points(path: tuple[str, ...]):  # type: ignore[no-untyped-def]  # the type would import what this puts off
    """All entry points of what is installed along a path: a command asks a dozen times."""
    from importlib import metadata

    return metadata.entry_points()
