"""What a manifest may name: ids that are safe file names, paths that stay below a folder."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from mmcli.errors import InputError

MAX_PART_BYTES = 200  # file systems take 255; the rest is for ``.MODALITY.EXTRACTOR.npz``
MAX_BYTES = 1024
_ROW = re.compile(
    r"(.+?\.(?:npy|npz|csv|tsv|h5|hdf5|parquet|arrow|feather|tar))(?::([^#:]+))?#([0-9]{1,9})", re.IGNORECASE
)


def id_problem(text: str) -> str | None:
    """Why a text is no id, or None: parts joined by ``/``, each the name of a file or folder on any system we run on.

    >>> id_problem("speaker-3/take 7") is None
    True
    >>> id_problem("../etc")
    "has a part '..'"
    """
    problem = path_problem(text)
    if problem is not None:
        return problem
    if "\\" in text:
        return "holds a backslash"
    for part in text.split("/"):
        if part in ("", "."):
            return f"has a part {part!r}"
        if len(part.encode("utf-8")) > MAX_PART_BYTES:
            return f"has a part of more than {MAX_PART_BYTES} bytes"
    return None


def path_problem(text: str) -> str | None:
    """Why a text is no path below a folder, or None; says nothing about what is on the disk."""
    if not text:
        return "is empty"
    problem = text_problem(text)
    if problem is not None:
        return problem
    if text.startswith("/"):
        return "is absolute"
    if ".." in text.split("/"):
        return "has a part '..'"
    if len(text.encode("utf-8")) > MAX_BYTES:
        return f"is longer than {MAX_BYTES} bytes"
    return None


def text_problem(text: str) -> str | None:
    """Why a text is not fit for one line of output, or None: control characters, line breaks, lone surrogates."""
    if text.isprintable():  # the usual case, fast
        return None
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs", "Zl", "Zp"):
            return f"holds the character U+{ord(character):04X}"
    return None


def split_row(cell: str) -> tuple[str, int | None]:
    """A cell's path and row: ``PATH#ROW`` picks a row of an array file.

    >>> split_row("all.npy#12"), split_row("take#12.wav")
    (('all.npy', 12), ('take#12.wav', None))
    """
    match = _ROW.fullmatch(cell)
    return (match[1], int(match[3])) if match else (cell, None)


def member_of(cell: str) -> str | None:
    """The array that ``PATH:MEMBER#ROW`` picks from an npz or HDF5 file; None where the cell names none.

    >>> member_of("x.npz:vision#3"), member_of("x.h5:/train/text#3"), member_of("x.npy#3")
    ('vision', '/train/text', None)
    """
    match = _ROW.fullmatch(cell)
    return match[2] if match else None


class Resolver:
    """Turns the cells of a manifest into files below its root; folders are followed once each.

    >>> import tempfile
    >>> Resolver(tempfile.mkdtemp())("../secret")
    Traceback (most recent call last):
    mmcli.errors.InputError: ../secret: the path has a part '..'
    paths in a manifest are relative and stay below its folder
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._base = os.path.realpath(root)
        self._inside: dict[str, bool] = {}

    def __call__(self, cell: str) -> tuple[Path, int | None]:
        """The file a cell names and the row in it; whether the file exists is not asked.

        Raises :class:`InputError` where the path would leave the root, through a symbolic link too.
        """
        text, row = split_row(cell)
        problem = path_problem(text)
        if problem is not None:
            hint = "paths in a manifest are relative and stay below its folder"
            raise InputError(f"the path {problem}", source=cell, hint=hint)
        path = self.root / text
        folder = text.rpartition("/")[0]
        if folder not in self._inside:
            self._inside[folder] = self._holds(folder)
        if not self._inside[folder] or (path.is_symlink() and not self._holds(text)):
            raise InputError(
                "leads out of the manifest's folder through a symbolic link",
                source=cell,
                hint="put the files, or the manifest, where the one is below the other",
            )
        return path, row

    def _holds(self, text: str) -> bool:
        return Path(os.path.realpath(Path(self._base) / text)).is_relative_to(self._base)


def resolve(root: Path | str, cell: str) -> tuple[Path, int | None]:
    """One cell below ``root``, see :class:`Resolver`."""
    return Resolver(root)(cell)
