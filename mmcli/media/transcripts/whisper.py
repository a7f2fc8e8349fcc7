"""JSON of Whisper, WhisperX, faster-whisper and whisper.cpp: tiers ``segments`` and ``words``.

Whisper and its kin: ``{"segments": [{"start", "end", "text", "words": [{"word", "start", "end"}]}]}``; WhisperX leaves
out the times of words that it could not align, which are left out here too. whisper.cpp:
``{"transcription": [{"offsets": {"from", "to"}, "text"}]}`` in milliseconds.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from mmcli.errors import MediaError

SUFFIXES = (".json",)
KEYS = "segments", "transcription"
HEAD = 1 << 16  # bytes in which a key stands, or after the text of the whole


def begins(path: Path) -> bool:
    """Whether a file is a JSON object with one of the KEYS, without ``schema``, which all of ours have."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or b'"schema"' in head[:200]:
                return False
            whole = head + file.read() if len(head) == HEAD else head
    except OSError:
        return False
    return any(f'"{key}"'.encode() in whole for key in KEYS)


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MediaError(f"is no JSON ({error})", source=name) from None
    if not isinstance(content, dict) or not any(isinstance(content.get(key), list) for key in KEYS):
        raise MediaError("is no transcript of Whisper: a list 'segments' is needed", source=name)
    segments: list[tuple[float, float, str]] = []
    words: list[tuple[float, float, str]] = []
    for entry in content.get("segments", []):
        segments += _interval(entry, "text", name)
        for word in (entry.get("words") or []) if isinstance(entry, dict) else []:
            words += _interval(word, "word", name)
    for entry in content.get("transcription", []):
        offsets = entry.get("offsets") if isinstance(entry, dict) else None
        if isinstance(offsets, dict):
            ends = {"start": _scaled(offsets.get("from")), "end": _scaled(offsets.get("to"))}
            segments += _interval({"text": entry.get("text"), **ends}, "text", name)
    return {"segments": segments, "words": words}


def _scaled(value: Any) -> Any:
    return value / 1000 if isinstance(value, int | float) else value


def _interval(entry: Any, key: str, name: str) -> list[tuple[float, float, str]]:
    if not isinstance(entry, dict):
        raise MediaError(f"holds {type(entry).__name__} where a {key} with times is needed", source=name)
    start, end, label = entry.get("start"), entry.get("end"), entry.get(key)
    if start is None or end is None or not isinstance(label, str) or not label.strip():
        return []
    if not all(isinstance(t, int | float) and not isinstance(t, bool) and math.isfinite(t) for t in (start, end)):
        raise MediaError(f"{label.strip()[:40]!r} has no times", source=name)
    return [(float(start), float(end), label.strip())]
