"""Failures of a batch by reason: of 600 failed inputs nobody reads 600 lines, and one says nothing of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from mmcli.cli import console

MOST = 8  # reasons that are listed; the report holds all failures
_NUMBER = re.compile(r"\d[\d,.]*")


class Reason(NamedTuple):
    """Failures that say the same but for names and numbers: how many, what the first says, and of which input."""

    failures: int
    message: str
    example: str


def grouped(errors: Iterable[Mapping[str, Any]]) -> list[Reason]:
    """The reasons of failures (``path`` or ``id``, ``message``, ``class``), the most frequent first.

    >>> cut = [{"id": str(k), "path": f"{k}.wav", "message": f"{k}.wav: ends {k} bytes early"} for k in (3, 4)]
    >>> grouped([*cut, {"id": "9", "path": "9.png", "message": "is no picture"}])[0]
    Reason(failures=2, message='ends 3 bytes early', example='3.wav')
    """
    kinds: dict[tuple[str, str], Reason] = {}
    for error in errors:
        name = str(error.get("path") or error["id"])
        message = str(error["message"])
        for prefix in (name, PurePath(name).name):
            message = message.removeprefix(f"{prefix}: ")
        kind = (str(error.get("class")), _NUMBER.sub("#", message.replace(PurePath(name).name, "*")))
        known = kinds.get(kind)
        kinds[kind] = Reason(1, message, name) if known is None else known._replace(failures=known.failures + 1)
    return sorted(kinds.values(), key=lambda reason: -reason.failures)


def say(errors: Iterable[Mapping[str, Any]]) -> None:
    """Say the most frequent reasons, a line each."""
    reasons = grouped(errors)
    width = max((len(f"{reason.failures:,}") for reason in reasons), default=0)
    for reason in reasons[:MOST]:
        first = reason.example if reason.failures == 1 else f"first {reason.example}"
        console.say(f"{reason.failures:>{width},}  {reason.message} ({first})")
    if len(reasons) > MOST:
        rest = sum(reason.failures for reason in reasons[MOST:])
        console.say(f"{rest:>{width},}  for {len(reasons) - MOST} more reasons")
