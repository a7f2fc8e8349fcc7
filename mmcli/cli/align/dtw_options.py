"""The options of `mmcli align` that shape the exact warping path, as fields of ``dtw.Config``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from mmcli.cli.options import size
from mmcli.errors import UsageError

Around = Annotated[str | None, typer.Option(metavar="MAP.json", help="Keep the path near an earlier map (dtw).")]
Within = Annotated[str | None, typer.Option(metavar="S", help="How near, as 0.5s. [default: 0.5s] (dtw)")]
Band = Annotated[str | None, typer.Option(metavar="SHARE|S", help="Band about the diagonal, as 0.1 or 20s (dtw).")]
Fast = Annotated[bool, typer.Option("--fast", help="Coarse to fine, with a proof or a bound (dtw).")]
Matches = Annotated[int | None, typer.Option(min=1, metavar="K", help="The K best places of QUERY in REFERENCE (dtw).")]
Threads = Annotated[
    int | None, typer.Option("--jobs", min=1, metavar="N", help="Threads, same bytes as one (dtw); workers (--pairs).")
]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="Refuse a run that needs more, as 512MB (dtw).")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what memory a run takes (dtw), or what is to do (--pairs).")
]


def fields(values: Mapping[str, Any]) -> dict[str, str]:
    """The options given, of the command's parameters ``values``, by field of ``dtw.Config``, as text.

    >>> fields({"method": "dtw", "band": "2s", "fast": True, "jobs": 2, "memory": "1GB"})
    {'band_s': '2.0', 'fast': 'true', 'jobs': '2', 'memory_mb': '1000.0'}

    Raises :class:`UsageError` for a value that cannot be read, and where another method is asked for.
    """
    found: dict[str, str] = {}
    if values.get("around") is not None:
        found["around"] = values["around"]
    if values.get("within") is not None:
        if "around" not in found:
            raise UsageError("--within needs --around MAP.json")
        found["within_s"] = str(_number(values["within"], "--within"))
    if values.get("band") is not None:
        field = "band_s" if values["band"].endswith("s") else "band"
        found[field] = str(_number(values["band"], "--band"))
    if values.get("fast"):
        found["fast"] = "true"
    for name in ("matches", "jobs"):
        if values.get(name) is not None:
            found[name] = str(values[name])
    if values.get("memory") is not None:
        found["memory_mb"] = str(size(values["memory"], "--memory", unit=10**6))
    if (found or (values.get("dry_run") and not values.get("pairs"))) and values["method"] != "dtw":
        raise UsageError(
            "--around, --within, --band, --fast, --matches, --jobs, --memory and --dry-run need --method dtw; "
            f"{values['method']} was asked for"
        )
    return found


def show(plan: Any) -> dict[str, Any]:
    """What a run would take, as JSON."""
    return {"memory_bytes": plan.memory, "tile": list(plan.tile), "kept": list(plan.kept), "threads": plan.threads}


def _number(text: str, option: str) -> float:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[sS]?", text)
    if parts is None:
        raise UsageError(f"{option} {text!r} is not a number with one of s")
    return float(parts[1])
