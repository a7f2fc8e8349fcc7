"""Configurations of network parts: frozen dataclasses of plain numbers that travel as JSON inside a checkpoint.

A checkpoint may come from anywhere, so every field has a type and a range here, checked before anything is built.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

from mmcli.errors import ArtifactError

C = TypeVar("C")
LARGEST = 1 << 20  # no width, vocabulary or size of a network part goes beyond a million


def from_json(cls: type[C], values: Mapping[str, Any], where: str) -> C:
    """The dataclass ``cls`` from a JSON object; ``where`` names the part in messages.

    Fields are int (1 to 2**20, or 0 where the default is 0), float (0 to 1e6), bool or str. Missing fields take their
    defaults. Raises :class:`ArtifactError` for an unknown field, a wrong type or a number out of range.
    """
    if not isinstance(values, Mapping):
        raise ArtifactError(f"the configuration of {where} is not an object")
    kinds = get_type_hints(cls)
    known = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise ArtifactError(f"the configuration of {where} has the unknown field {name!r}")
        _check(kinds[name], value, f"{where}.{name}", zero=known[name].default == 0)
    missing = [n for n, f in known.items() if n not in values and f.default is dataclasses.MISSING]
    if missing:
        raise ArtifactError(f"the configuration of {where} lacks {', '.join(missing)}")
    return cls(**values)


def to_json(config: Any) -> dict[str, Any]:
    """The fields of a configuration as a JSON object."""
    return dataclasses.asdict(config)


def _check(kind: Any, value: Any, name: str, *, zero: bool) -> None:
    if kind is int:
        good = isinstance(value, int) and not isinstance(value, bool) and (0 if zero else 1) <= value <= LARGEST
    elif kind is float:
        good = type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1e6
    else:
        good = isinstance(value, kind)
    if not good:
        raise ArtifactError(f"{name} cannot be {value!r}")
