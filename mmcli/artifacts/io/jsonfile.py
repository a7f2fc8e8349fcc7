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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from mmcli.artifacts.io import provenance, reading
from mmcli.errors import ArtifactError

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
    return parse(reading.read_bytes(path, MAX_BYTES), reading.named(path))


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
