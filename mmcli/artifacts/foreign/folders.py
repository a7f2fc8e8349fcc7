"""Which files a data set of another program consists of: one file, a pattern of numbered ones, or a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from mmcli.artifacts.foreign import SUFFIXES
from mmcli.errors import ArtifactError, MissingError

MOST_FILES = 100_000
_NUMBER = re.compile(r"%0?\d*d")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")  # as WebDataset writes it: out-{000000..000012}.tar
_SPLIT = re.compile(r"(train|training|validation|valid|val|dev|test)(?:$|[-_.])", re.IGNORECASE)
_BESIDE = (".json", ".md", "")  # what lies beside the files of a data set and is none of them


def is_pattern(text: str) -> bool:
    """Whether a name stands for numbered tar files.

    >>> is_pattern("out-%06d.tar"), is_pattern("x/out-{000..012}.tar"), is_pattern("out.tar")
    (True, True, False)
    """
    return text.lower().endswith(".tar") and (_NUMBER.search(text) or _RANGE.search(text)) is not None


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a data set: saved by datasets, of parquet files as a repository of data sets has them, or
    of tar files and nothing else.
    """
    if (folder / "dataset_dict.json").is_file() or ((folder / "state.json").is_file() and _tables(folder)):
        return True
    inside = [p for p in (folder, folder / "data") for p in _visible(p)]
    kinds = {p.suffix.lower() for p in inside if p.is_file()}
    main = kinds & {".parquet", ".tar"}
    return len(main) == 1 and not kinds - main - set(_BESIDE)


def files_of(path: Path) -> list[tuple[Path, str]]:
    """The files of a data set in order, each with the split that its name tells ("" where it tells none).

    Raises MissingError where a pattern has none, ArtifactError where a folder does not have what it says.
    """
    if is_pattern(path.name):
        return [(one, split_of(one.name)) for one in _numbered(path)]
    if not path.is_dir():
        return [(path, split_of(path.name))]
    if (path / "dataset_dict.json").is_file():
        splits = _json(path / "dataset_dict.json").get("splits")
        if not isinstance(splits, list) or not all(isinstance(s, str) and re.fullmatch(r"[\w.-]+", s) for s in splits):
            raise ArtifactError("names no splits", source=path / "dataset_dict.json")
        return [(one, split_of(s)) for s in splits for one in _saved(path / s)]
    if (path / "state.json").is_file():
        return [(one, "") for one in _saved(path)]
    inside = [p for p in (path, path / "data") for p in _visible(p) if p.suffix.lower() in SUFFIXES]
    return [(one, split_of(one.name)) for one in inside]


def split_of(name: str) -> str:
    """The split that the name of a file or a folder tells.

    >>> split_of("train-00000-of-00002.parquet"), split_of("validation"), split_of("trains.tar"), split_of("x-000.tar")
    ('train', 'validation', '', '')
    """
    match = _SPLIT.match(name)
    return match[1].lower() if match else ""


def _saved(folder: Path) -> list[Path]:
    """The files that save_to_disk wrote, in the order that its state.json gives."""
    listed = _json(folder / "state.json").get("_data_files")
    names = [one.get("filename") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not names or not all(isinstance(n, str) and re.fullmatch(r"[\w.-]+", n) for n in names):
        raise ArtifactError("names no files of the data set", source=folder / "state.json")
    return [folder / str(name) for name in names]


def _json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes()[: 16 << 20])
    except (OSError, ValueError) as problem:
        raise ArtifactError(f"cannot be read ({problem})", source=path) from problem
    return content if isinstance(content, dict) else {}


def _tables(folder: Path) -> bool:
    return any(p.suffix.lower() == ".arrow" for p in _visible(folder))


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError:
        return []


def _numbered(pattern: Path) -> list[Path]:
    bounds = _RANGE.search(pattern.name)
    if bounds:
        names = list(_between(pattern.name, bounds))
    else:
        wanted = re.compile(_NUMBER.sub(r"\\d+", re.escape(pattern.name).replace("\\%", "%")))
        names = [p.name for p in _visible(pattern.parent) if wanted.fullmatch(p.name)]
    missing = next((n for n in names if not (pattern.parent / n).is_file()), None)
    if missing or not names:
        raise MissingError("no such file", source=pattern.with_name(missing) if missing else pattern)
    return [pattern.with_name(name) for name in names]


def _between(name: str, bounds: re.Match[str]) -> Iterator[str]:
    first, last = int(bounds[1]), int(bounds[2])
    for number in range(first, min(last, first + MOST_FILES) + 1):
        yield name[: bounds.start()] + str(number).zfill(len(bounds[1])) + name[bounds.end() :]
