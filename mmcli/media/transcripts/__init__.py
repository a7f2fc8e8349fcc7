"""Texts with times as other programs write them, one format a file. A new file is a new format.

A module has ``SUFFIXES`` and ``tiers(text, name)``: by the name of each tier its intervals (start, end, label) in
seconds, in the order of the file, the tier that is meant where none is named first. It raises MediaError, naming the
file, for a text of another format. ``RECORDINGS`` says that tiers are recordings, of which a file may hold several.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.errors import MediaError
from mmcli.registry import Registry

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Interval = tuple[float, float, str]
registry = Registry("transcript", __name__, [str(Path(__file__).parent)])
# As the members say; here too, so that no member is imported to look through a folder. A .json is one by its content.
SUFFIXES = (".ctm", ".dfxp", ".eaf", ".itt", ".lrc", ".rttm", ".sami", ".sbv", ".smi", ".sub", ".ttml")


def format_of(path: Path | str) -> str | None:
    """The name of the format of a file, None where it is none of these; of a .json its beginning is read.

    >>> format_of("talk.CTM"), format_of("talk.srt")
    ('ctm', None)
    """
    suffix = Path(path).suffix.lower()
    name = next((n for n in registry.names() if suffix in registry.load(n).SUFFIXES), None)
    return None if name == "whisper" and not registry.load(name).begins(Path(path)) else name


def read(path: Path, text: str) -> dict[str, list[Interval]]:
    """The tiers of a file that :func:`format_of` knows, given its text. Raises MediaError for a damaged one."""
    name = format_of(path)
    if name is None:
        raise MediaError("is no transcript", source=path.name)
    tiers: dict[str, list[Interval]] = registry.load(name).tiers(text, path.name)
    for start, end, label in (row for rows in tiers.values() for row in rows):
        if not 0 <= start <= end < math.inf:
            raise MediaError(f"{label[:40]!r} runs from {start:g} s to {end:g} s", source=path.name)
    if not any(tiers.values()):
        raise MediaError("holds no words with times", source=path.name)
    return {tier: rows for tier, rows in tiers.items() if rows}


LETTERS_S, LEAST_S = 15.0, 1.0  # of a text whose end is not given


def read_aloud_s(words: str) -> float:
    """How long a text takes to be read, in seconds: so long lasts what nothing ends.

    >>> read_aloud_s("la"), read_aloud_s("l" * 30)
    (1.0, 2.0)
    """
    return max(LEAST_S, len(words) / LETTERS_S)


_DECLARED = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def xml_root(text: str, name: str, kind: str) -> Element:
    """The root of a text in XML, which declares no entities, as no file of its ``kind`` does. Raises MediaError."""
    from xml.etree import ElementTree

    if _DECLARED.search(text):
        raise MediaError(f"declares a document type or entities, as no {kind} does: refused", source=name)
    try:
        return ElementTree.fromstring(re.sub(r"^\ufeff?<\?xml[^>]*\?>", "", text))  # decoded already
    except (ElementTree.ParseError, RecursionError) as error:
        raise MediaError(f"is no XML ({error})", source=name) from None


def holds_recordings(path: Path) -> bool:
    """Whether the tiers of a file are recordings."""
    name = format_of(path)
    return name is not None and bool(getattr(registry.load(name), "RECORDINGS", False))
