"""Keys are required, optional or unknown; each has a check. One place says so for every artifact."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mmcli.errors import ArtifactError
from mmcli.registry import nearest

SPLITS = ("train", "val", "test")


class Field(NamedTuple):
    """What a value has to be: ``wanted`` in words, ``check`` in code."""

    wanted: str
    check: Callable[[Any], bool]


def is_number(value: object) -> bool:
    """A finite int or float that is no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value: object) -> bool:
    """An int that is no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_sha256(value: object) -> bool:
    """64 lower-case hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


ANY = Field("any JSON value", lambda value: True)
TEXT = Field("a string", lambda value: isinstance(value, str))
NUMBER = Field("a number", is_number)
POSITIVE = Field("a number above 0", lambda value: is_number(value) and value > 0)
NOT_NEGATIVE = Field("a number of at least 0", lambda value: is_number(value) and value >= 0)
COUNT = Field("an integer of at least 0", lambda value: is_integer(value) and value >= 0)
INTEGER = Field("an integer", is_integer)
BOOLEAN = Field("true or false", lambda value: isinstance(value, bool))
OBJECT = Field("an object", lambda value: isinstance(value, dict))
LIST = Field("a list", lambda value: isinstance(value, list))
SHA256 = Field("a SHA-256 in hexadecimal", is_sha256)
TEXTS = Field("a list of strings", lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value))
OBJECTS = Field("a list of objects", lambda value: isinstance(value, list) and all(isinstance(v, dict) for v in value))
NUMBERS = Field("a list of numbers", lambda value: isinstance(value, list) and all(map(is_number, value)))


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and "/" not in value["name"]


# Files are known by name and hash; a folder would make the bytes differ from machine to machine.
NAMED = Field("an object whose name has no folder in it", _is_named)
ALL_NAMED = Field(
    "a list of objects whose names have no folder in them",
    lambda value: isinstance(value, list) and all(map(_is_named, value)),
)


def nullable(field: Field) -> Field:
    """The same, or null."""
    return Field(f"{field.wanted} or null", lambda value: value is None or field.check(value))


def one_of(*words: str) -> Field:
    """One of some words."""
    return Field("one of " + ", ".join(words), lambda value: isinstance(value, str) and value in words)


def exactly(word: str) -> Field:
    """One word only: how a schema is named."""
    return Field(repr(word), lambda value: value == word)


def check(
    value: object,
    required: Mapping[str, Field],
    optional: Mapping[str, Field],
    *,
    what: str,
    source: str,
) -> dict[str, Any]:
    """The object itself, once every required key is there, no key is unknown, and each value passes its field's check.

    ``what`` names the object in messages. Raises :class:`ArtifactError`.

    >>> check({"a": 1}, {"a": INTEGER}, {"b": TEXT}, what="meta", source="x.npz")
    {'a': 1}
    >>> check({"a": 1, "B": 2}, {"a": INTEGER}, {"b": TEXT}, what="meta", source="x.npz")
    Traceback (most recent call last):
    mmcli.errors.ArtifactError: x.npz: meta has an unknown key 'B'
    known: a, b
    """
    if not isinstance(value, dict):
        raise ArtifactError(f"{what} is no object", source=source)
    schema = required.get("schema")
    if schema is not None and "schema" in value and not schema.check(value["schema"]):
        raise ArtifactError(f"{what} has schema {value['schema']!r}; {schema.wanted} is read here", source=source)
    for key in value:
        if key not in required and key not in optional:
            hint = nearest(str(key)[:100], [*required, *optional])
            raise ArtifactError(f"{what} has an unknown key {str(key)[:100]!r}", source=source, hint=hint)
    for key in required:
        if key not in value:
            raise ArtifactError(f"{what} lacks the key {key!r}", source=source)
    for key, item in value.items():
        field = required.get(key) or optional[key]
        if not field.check(item):
            raise ArtifactError(f"{what}: {key} is {_quoted(item)}; it has to be {field.wanted}", source=source)
    return value


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
