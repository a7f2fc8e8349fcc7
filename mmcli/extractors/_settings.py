"""``FIELD=VALUE,FIELD=VALUE``: the configuration of an extractor inside another one's."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from mmcli.errors import UsageError
from mmcli.registry import nearest


def configure(kind: type[Any], text: str, where: str) -> Any:
    """The Config with the fields that ``text`` names. Raises :class:`UsageError`, naming ``where``.

    >>> from mmcli.extractors.image import hog
    >>> configure(hog.Config, "cell=4,block=1", "frames.settings").cell
    4
    """
    known = {f.name: typing.get_type_hints(kind)[f.name] for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        field, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"{where}: {part!r} is not FIELD=VALUE")
        if field not in known:
            raise UsageError(f"{where} has no field {field!r}", hint=nearest(field, known))
        values[field] = _typed(value, known[field], f"{where}.{field}")
    return kind(**values)


def _typed(text: str, hint: Any, where: str) -> Any:
    kinds = typing.get_args(hint) or (hint,)
    if type(None) in kinds and text.lower() == "none":
        return None
    for kind in kinds:
        if kind is bool and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
        if kind is str or text == kind:
            return text
    raise UsageError(f"{where} = {text!r} does not fit its type")
