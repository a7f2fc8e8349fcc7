"""Numbers of bytes as people write them."""

from __future__ import annotations

import re

from mmcli.errors import UsageError

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_WRITTEN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([kMG]i?)?B?")


def parse(text: str, option: str) -> int:
    """The bytes that a text means; of decimal units (MB) or binary ones (MiB).

    >>> parse("256MB", "--shard-size"), parse("1.5 GiB", "--shard-size")
    (256000000, 1610612736)
    """
    match = _WRITTEN.fullmatch(text.strip().replace("K", "k"))
    size = int(float(match[1]) * UNITS[match[2] or ""]) if match else 0
    if size < 1:
        raise UsageError(f"{option} is {text!r}; a number of bytes is wanted", hint=f"for example {option} 256MB")
    return size
