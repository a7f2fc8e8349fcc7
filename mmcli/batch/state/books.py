"""What a batch keeps, for outputs that lie in a store, where nothing can be appended to.

Journal, failures and what extractors learned are brought into a folder, and back when the run ends, however it ends;
``manifest.jsonl`` comes last and only when the batch is complete. So a row of the manifest is the commit: what it names
has been written before. A run that was killed leaves outputs that no row names; the next one opens them and keeps those
that are right. One run at a time may write below a URL, or shards of one batch.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mmcli.artifacts.io import atomic, remote

PATTERNS = (
    "journal.jsonl",
    "journal.*-of-*.jsonl",
    "failures*.jsonl",
    "fitted/*.json",
    "manifest*.jsonl",
    "predictions*.jsonl",
)


@contextmanager
def folder(url: str) -> Iterator[Path]:
    """A local folder with the books of the batch below ``url``; what changed in it is written back at the end."""
    with TemporaryDirectory(prefix="mmcli-") as local:
        before: dict[str, bytes] = {}
        for name in _names(url):
            data = remote.read(remote.join(url, name))
            if data is not None:
                before[name] = data
                path = Path(local, name)
                atomic.make_folder(path.parent)
                atomic.write_bytes(path, data)
        try:
            yield Path(local)
        finally:
            _back(Path(local), url, before)


def _names(url: str) -> list[str]:
    names = [one[len(url.rstrip("/")) + 1 :] for one in remote.listing(url, empty=True)]
    return [name for name in names if any(_fits(name, pattern) for pattern in PATTERNS)]


def _fits(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)


def _back(local: Path, url: str, before: dict[str, bytes]) -> None:
    for pattern in PATTERNS:  # the manifest last
        for path in sorted(local.glob(pattern)):
            name, data = path.relative_to(local).as_posix(), path.read_bytes()
            if data != before.get(name):
                remote.write(remote.join(url, name), data)
    for name in before:
        if not (local / name).exists():
            remote.remove(remote.join(url, name))
