"""Artifacts as data frames and tensors, and as small tables of a notebook."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from mmcli.errors import MissingError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.dataset import Dataset
    from mmcli.artifacts.formats.features import Features


def pandas() -> Any:
    """The library pandas. Raises MissingError where it is not installed."""
    try:
        return importlib.import_module("pandas")
    except ImportError as error:
        raise MissingError("pandas is not installed", hint="pip install pandas") from error


def torch() -> Any:
    """The library torch. Raises MissingError where it is not installed."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise MissingError("torch is not installed", hint="pip install torch") from error


def frame_of(features: Features) -> Any:
    """A data frame of one row a frame: ``time`` in seconds, then the values by their columns or numbers."""
    columns = features.meta.get("columns") or [f"v{k}" for k in range(features.width)]
    table = pandas().DataFrame(features.flat(), columns=columns)
    table.insert(0, "time", features.times)
    return table


def items_of(data: Dataset) -> Any:
    """A data frame of one row an item: id, split, group, label, and of every modality how many frames it has."""
    columns: dict[str, Any] = {"id": data.id, "split": data.split, "group": data.group}
    if data.label is not None:
        columns["label"] = list(data.label)
    for name, stream in data.streams.items():
        columns[name] = stream.offsets[1:] - stream.offsets[:-1]
    return pandas().DataFrame(columns)


def html(rows: Sequence[tuple[str, object]], title: str) -> str:
    """Rows of a name and a value as a table, every value escaped."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(str(a))}</th><td style='text-align:left'>{escape(str(b))}</td></tr>"
        for a, b in rows
    )
    return f"<table><caption style='text-align:left'>{escape(title)}</caption>{cells}</table>"
