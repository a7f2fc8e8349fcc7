"""``NAME.FIELD=VALUE`` on the command line becomes a typed field of a configuration dataclass."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from mmcli.errors import UsageError
from mmcli.registry import nearest

C = TypeVar("C")


def split(assignments: Iterable[str] | None) -> dict[str, dict[str, str]]:
    """Group assignments by method name.

    >>> split(["logmel.hop_s=0.01", "logmel.bands=40"])
    {'logmel': {'hop_s': '0.01', 'bands': '40'}}
    """
    found: dict[str, dict[str, str]] = {}
    for text in assignments or ():
        name, dot, rest = text.partition("=")[0].rpartition(".")
        if "=" not in text or not dot or not name or not rest:
            raise UsageError(f"--set {text!r} is not NAME.FIELD=VALUE", hint="for example --set logmel.hop_s=0.01")
        found.setdefault(name, {})[rest] = text.partition("=")[2]
    return found


def configure(kind: type[C], fields: dict[str, str] | None, name: str) -> C:
    """The configuration of method ``name`` with the given fields set, every value read as its field's type.

    Raises :class:`UsageError` for an unknown field, naming the nearest, and for a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for field, text in (fields or {}).items():
        if field not in known:
            raise UsageError(f"{name} has no field {field!r}", hint=nearest(field, known))
        values[field] = _read(text, hints[field], f"{name}.{field}")
    return kind(**values)


def refuse_unused(assigned: dict[str, dict[str, str]], used: Iterable[str]) -> None:
    """An assignment to a method that is not in use is a mistake, not a wish."""
    used = sorted(used)
    for name in assigned:
        if name not in used:
            raise UsageError(f"--set {name}.*: {name!r} is not in use here", hint=nearest(name, used) if used else None)


def _read(text: str, hint: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [a for a in typing.get_args(hint) if a is not type(None)]
        if type(None) in typing.get_args(hint) and text.lower() in ("none", ""):
            return None
        for option in options[:-1]:
            try:
                return _read(text, option, where)
            except UsageError:
                continue
        return _read(text, options[-1], where)
    if origin is typing.Literal:
        for option in typing.get_args(hint):
            if text == str(option):
                return option
        raise UsageError(f"{where} = {text!r}", hint="one of: " + ", ".join(map(str, typing.get_args(hint))))
    if origin is tuple:
        inner = typing.get_args(hint)
        parts = [p for p in text.split(",") if p]
        kinds = [inner[0]] * len(parts) if len(inner) == 2 and inner[1] is Ellipsis else list(inner)
        if len(kinds) != len(parts):
            raise UsageError(f"{where} = {text!r}: {len(kinds)} values are needed, separated by commas")
        return tuple(_read(part, kind, where) for part, kind in zip(parts, kinds, strict=True))
    if hint is bool:
        if text.lower() in ("true", "yes", "on", "1"):
            return True
        if text.lower() in ("false", "no", "off", "0"):
            return False
        raise UsageError(f"{where} = {text!r} is not true or false")
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise UsageError(f"{where} = {text!r} is not {'a whole number' if hint is int else 'a number'}") from None
    if hint is str:
        return text
    raise UsageError(f"{where} cannot be set from the command line")
