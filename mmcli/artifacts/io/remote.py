"""Objects under URLs (``s3://bucket/name`` and whatever else fsspec knows): read whole, written whole.

An object appears complete or not at all, as a file of :mod:`.atomic` does. Where a server stands and how
one proves who one is is told to fsspec and the store's own library by their environment variables, never here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmcli.errors import InputError, MissingError, MmcliError, OutputError, UsageError, first_line

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+")


def is_url(text: object) -> bool:
    """Whether a path is one of these.

    >>> is_url("s3://bucket/a.wav"), is_url("a.wav")
    (True, False)
    """
    return isinstance(text, str) and _URL.fullmatch(text) is not None


def join(folder: str, name: str) -> str:
    """The URL of what lies in a folder."""
    return f"{folder.rstrip('/')}/{name}"


def listing(url: str, *, empty: bool = False) -> dict[str, tuple[int, int]]:
    """URL, size and time (ns; 0 where the store has none) of every object at or below ``url``, in order.

    Raises :class:`MissingError` where there is none, unless that may be so (``empty``).
    """
    with _said(url, InputError):
        store, path = _store(url)
        objects = store.find(path, detail=True)
    if not objects and not empty:
        raise MissingError("no such object or folder", source=url)
    head = url[: url.index("://") + 3]
    facts = ((head + name.lstrip("/"), info) for name, info in sorted(objects.items()))
    return {one: (int(info.get("size") or 0), _time(info)) for one, info in facts}


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """A local copy of an object under its own name, for as long as the context lasts."""
    with TemporaryDirectory(prefix="mmcli-") as folder:
        target = Path(folder) / (url.rpartition("/")[2] or "object")
        with _said(url, InputError):
            store, path = _store(url)
            store.get_file(path, str(target))
        yield target


def read(url: str) -> bytes | None:
    """The content of an object, None where there is none."""
    with _said(url, InputError):
        store, path = _store(url)
        try:
            data: bytes = store.cat_file(path)
        except FileNotFoundError:
            return None
        return data


def write(url: str, data: bytes) -> None:
    """Put an object. Raises :class:`OutputError`."""
    with _said(url, OutputError):
        store, path = _store(url)
        store.pipe_file(path, data)


def remove(url: str) -> None:
    """Remove an object, where there is one."""
    with _said(url, OutputError):
        store, path = _store(url)
        if store.exists(path):
            store.rm_file(path)


def _store(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        store, path = fsspec.core.url_to_fs(url)
    except ImportError as problem:
        raise MissingError(str(problem).splitlines()[0], source=url, hint="pip install 'mmcli[remote]'") from problem
    except ValueError as problem:
        raise UsageError(str(problem).splitlines()[0], source=url) from problem
    store.invalidate_cache()  # others write there too
    return store, path


@contextmanager
def _said(url: str, kind: type[MmcliError]) -> Iterator[None]:
    """What a store raises is as many-coloured as there are stores; here it becomes one of ours, in one line."""
    try:
        yield
    except MmcliError:
        raise
    except FileNotFoundError as problem:
        wanted = MissingError if kind is InputError else kind
        raise wanted(str(problem).splitlines()[0][:300], source=url) from problem
    except Exception as problem:
        raise kind(f"the store answers: {first_line(problem, 300)}", source=url) from problem


def _time(info: dict[str, Any]) -> int:
    for key in ("LastModified", "mtime", "created"):
        value = info.get(key)
        if value is not None:
            seconds = value.timestamp() if hasattr(value, "timestamp") else float(value)
            return int(seconds * 1e9)
    return 0
