"""Files with the weights of an encoder: named by a path, known by their content, found again by it.

A configuration keeps the name and the SHA-256 of the model, never its folder, so that the same model gives the same
features and the same hash wherever it lies. Where it lies is remembered here, for this process.
"""

from __future__ import annotations

import functools
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, MissingError, printable

if TYPE_CHECKING:
    import torch

PROGRAMS = "MMCLI_ALLOW_PROGRAMS"  # "all", or the SHA-256 of programs that were asked for; worker processes inherit it
VARIABLE = "MMCLI_MODELS"  # folders, separated as in PATH, in which models are looked for
places: dict[str, Path] = {}  # where a content was seen
folders: list[Path] = []  # looked into besides
device = "cpu"  # where this process computes: cpu, cuda, or auto; results are the same within rounding


def identified(file: str) -> tuple[str, str]:
    """Name and SHA-256 of a file, or of all that a folder holds; remembers where it lies. Raises MissingError."""
    path = Path(file)
    if not path.exists():
        raise MissingError("no such file or folder", source=file, hint="the weights of an encoder are read from it")
    digest = _digest(path, *_look(path))
    places[digest] = path.absolute()
    allow_program(digest)  # who names a file asks for it
    return printable(path.resolve().name), digest


def allow_program(digest: str) -> None:
    """Let the program with this SHA-256 run, in this process and those that it starts; ``all``: any."""
    os.environ[PROGRAMS] = " ".join({*os.environ.get(PROGRAMS, "").split(), digest})


def refuse_program(name: str, digest: str) -> None:
    """Raises :class:`InputError` for a program that nobody asked for: it was found beside a model, which names it.

    A model is data, whoever made it. What lies beside it and can do whatever the user can is run only where the user
    named it, or said ``--allow-programs``.
    """
    if not {"all", digest} & set(os.environ.get(PROGRAMS, "").split()):
        raise InputError(
            "is a program that the model asks for; programs are not run unless you say so",
            source=name,
            hint=f"--allow-programs (or {PROGRAMS}=all) runs it, with all that you may do: only if you trust its maker",
        )


def find(name: str, digest: str) -> Path:
    """Where the model lies whose content has that SHA-256.

    Looked for where it was seen last, beside the models that were opened, in the folders of ``MMCLI_MODELS``, and in
    the working directory. Raises :class:`MissingError` where it is in none of them.
    """
    known = places.get(digest)
    looked = [*folders, *(Path(f) for f in os.environ.get(VARIABLE, "").split(os.pathsep) if f), Path()]
    for path in ([known] if known is not None else []) + [folder / name for folder in looked]:
        if path.exists() and _digest(path, *_look(path)) == digest:
            places[digest] = path.absolute()
            return path
    raise MissingError(
        f"the model with SHA-256 {digest[:12]}... is not here",
        source=name,
        hint=f"put it into the working directory, or name its folder in {VARIABLE}",
    )


def read(name: str, digest: str) -> bytes:
    """The content of a model file, compared to its SHA-256 as it is read."""
    path = find(name, digest)
    if not path.is_file():
        raise InputError("is a folder; this encoder is one file", source=path)
    data = path.read_bytes()
    if provenance.sha256_bytes(data) != digest:
        raise InputError("has changed since it was looked at", source=path)
    return data


def need(package: str, extra: str) -> None:
    """Raises :class:`MissingError` where a package of an extra is not installed."""
    if find_spec(package) is None:
        raise MissingError(f"{package} is not installed", hint=f"pip install 'mmcli[{extra}]'")


def wants_cuda(there: bool, what: str) -> bool:
    """Whether to compute on CUDA. Raises :class:`MissingError` where it was asked for and is not there."""
    if device == "cuda" and not there:
        raise MissingError(f"no CUDA device is visible to {what}", hint="use --device cpu, or a build with CUDA")
    return there and device != "cpu"


def torch_device() -> torch.device:
    """The device that was chosen, for torch."""
    import torch

    return torch.device("cuda" if wants_cuda(torch.cuda.is_available(), "torch") else "cpu")


def _look(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of what a model consists of: what tells that a digest is out of date."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if _counts(p.relative_to(path)))
    stats = [(p.relative_to(path).as_posix(), p.stat()) for p in files if p.is_file()]
    return tuple((name, s.st_size, s.st_mtime_ns) for name, s in stats)


def _counts(path: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and path.suffix.lower() != ".md"


@functools.lru_cache(maxsize=64)
def _digest(path: Path, *files: tuple[str, int, int]) -> str:
    if path.is_file():
        return provenance.sha256_file(path)
    if not files:
        raise MissingError("is a folder without a model" if path.is_dir() else "is no regular file", source=path)
    return provenance.config_sha256({name: provenance.sha256_file(path / name) for name, _, _ in files})
