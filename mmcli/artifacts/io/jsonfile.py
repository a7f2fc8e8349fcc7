"""The one reader and writer of JSON.

``json.loads`` accepts NaN, 1e999, duplicate keys and lone surrogates, and answers deep nesting and long integers with
exceptions of other families. Here each is an :class:`mmcli.errors.ArtifactError` that says what is wrong.

Written files keep one top-level key a line, and a list of objects one object a line, so that a change shows as a
small difference. ``content_sha256`` is the SHA-256 of the canonical form
(:func:`mmcli.artifacts.io.provenance.canonical_json`) of everything else in the object.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from mmcli.artifacts.io import provenance
from mmcli.errors import ArtifactError
from mmcli.registry import nearest

MAX_BYTES = 256 << 20
MAX_DEPTH = 64
SEAL = "content_sha256"
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(data: bytes | str, name: str) -> dict[str, Any]:
    """One JSON object, checked: finite numbers, 64-bit integers, unique keys, sound text, at most 64 levels deep.

    >>> parse(b'{"a": 1}', "x.json")
    {'a': 1}
    >>> parse(b'{"a": 1, "a": 2}', "x.json")
    Traceback (most recent call last):
    mmcli.errors.ArtifactError: x.json: key 'a' stands twice
    """
    if len(data) > MAX_BYTES:
        raise ArtifactError(f"is larger than {MAX_BYTES:,} bytes", source=name)
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, parse_int=_short, object_pairs_hook=_unique
        )
        _shallow(text, value)
        if _ESCAPED_SURROGATE.search(data if isinstance(data, bytes) else data.encode("utf-8", "replace")):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except _RefusedError as problem:
        raise ArtifactError(str(problem), source=name) from problem
    except UnicodeDecodeError as problem:
        raise ArtifactError("is not UTF-8 text", source=name) from problem
    except UnicodeEncodeError as problem:
        raise ArtifactError("holds half a character (a lone surrogate)", source=name) from problem
    except RecursionError as problem:
        raise ArtifactError(f"is nested more than {MAX_DEPTH} levels deep", source=name) from problem
    except (ValueError, MemoryError) as problem:
        raise ArtifactError(f"is not JSON ({problem})", source=name) from problem
    if not isinstance(value, dict):
        raise ArtifactError(f"holds a JSON {_kind(value)}; an object is needed", source=name)
    return value


def load(path: Path | str) -> dict[str, Any]:
    """Read and :func:`parse` a file (``-``: standard input)."""
    return parse(provenance.read_bytes(path, MAX_BYTES), provenance.named(path))


def opened(value: dict[str, Any], name: str, *, sealed: bool) -> dict[str, Any]:
    """The object without its ``content_sha256``, which is checked; where ``sealed`` it has to be there."""
    content = {key: item for key, item in value.items() if key != SEAL}
    if SEAL not in value:
        if sealed:
            raise ArtifactError(f"has no {SEAL}", source=name, hint="it was cut short or edited; make it again")
        return content
    if value[SEAL] != seal(content):
        hint = "it was damaged or edited; make it again" if sealed else f"remove {SEAL} if the change is meant"
        raise ArtifactError(f"does not match its {SEAL}", source=name, hint=hint)
    return content


def seal(content: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical form of an object."""
    return provenance.sha256_bytes(provenance.canonical_json(content).encode("ascii"))


def dumps_sealed(content: Mapping[str, Any], name: str = "value") -> bytes:
    """The file of an object: its keys in order, ``content_sha256`` after the first, checked for being JSON."""
    try:
        first, *others = content
        sealed = {first: content[first], SEAL: seal(content)} | {key: content[key] for key in others}
        return layout(sealed).encode("utf-8")
    except UnicodeError as problem:
        raise ArtifactError("holds text that is not Unicode", source=name) from problem
    except (ValueError, TypeError, RecursionError) as problem:
        raise ArtifactError(f"cannot be written as JSON ({problem})", source=name) from problem


def layout(value: Mapping[str, Any]) -> str:
    """Pretty enough for people and for diffs: one top-level key a line, lists of objects one object a line."""
    return "{\n" + ",\n".join(f"  {_compact(key)}: {_item(item)}" for key, item in value.items()) + "\n}\n"


def one_line(value: Mapping[str, Any]) -> str:
    """An object as one line of NDJSON, newline included."""
    return _compact(value) + "\n"


def _item(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"    {_compact(item)}" for item in value) + "\n  ]"
    return _compact(value)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=provenance.plain)


class _RefusedError(Exception):
    """Valid for Python's parser, refused by us."""


def _no_constant(word: str) -> NoReturn:
    raise _RefusedError(f"holds {word}, which is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _RefusedError(f"holds the number {digits[:20]}, which is out of range")
    return value


def _short(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (value := int(digits)) < 2**63:
        raise _RefusedError(f"holds the integer {digits[:20]}..., which is out of range")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RefusedError(f"key {key!r} stands twice")
            seen.add(key)
    return result


def _shallow(text: str, value: object) -> None:
    """Recursion in later code stays far from Python's limit."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return
    raise _RefusedError(f"is nested more than {MAX_DEPTH} levels deep")


def _kind(value: object) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")


# Keys are required, optional or unknown; each has a check. One place says so for every artifact.

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
