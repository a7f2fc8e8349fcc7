"""The options of `mmcli align` that shape the exact warping path, as fields of ``dtw.Config``."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from mmcli.errors import UsageError

Around = Annotated[str | None, typer.Option(metavar="MAP.json", help="Keep the path near an earlier map (dtw).")]
Within = Annotated[str | None, typer.Option(metavar="S", help="How near, as 0.5s. [default: 0.5s] (dtw)")]
Band = Annotated[str | None, typer.Option(metavar="SHARE|S", help="Band about the diagonal, as 0.1 or 20s (dtw).")]
Fast = Annotated[bool, typer.Option("--fast", help="Coarse to fine, with a proof or a bound (dtw).")]
Matches = Annotated[int | None, typer.Option(min=1, metavar="K", help="The K best places of QUERY in REFERENCE (dtw).")]
Threads = Annotated[int | None, typer.Option("--jobs", min=1, metavar="N", help="Threads; same bytes as one (dtw).")]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="Refuse a run that needs more, as 512MB (dtw).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what memory the run takes, and stop (dtw).")]

_SIZES = {"kb": 1e-3, "mb": 1.0, "gb": 1e3, "": 1.0}


def fields(
    method: str,
    *,
    around: str | None,
    within: str | None,
    band: str | None,
    fast: bool,
    matches: int | None,
    jobs: int | None,
    memory: str | None,
    dry_run: bool,
) -> dict[str, str]:
    """The options given, by field of ``dtw.Config``, as text.

    >>> fields("dtw", around=None, within=None, band="2s", fast=True, matches=None, jobs=2, memory="1GB", dry_run=False)
    {'band_s': '2.0', 'fast': 'true', 'jobs': '2', 'memory_mb': '1000.0'}

    Raises :class:`UsageError` for a value that cannot be read, and where another method is asked for.
    """
    found: dict[str, str] = {}
    if around is not None:
        found["around"] = around
    if within is not None:
        if around is None:
            raise UsageError("--within needs --around MAP.json")
        found["within_s"] = str(_number(within, "--within", {"s": 1.0, "": 1.0}))
    if band is not None:
        found["band_s" if band.endswith("s") else "band"] = str(_number(band, "--band", {"s": 1.0, "": 1.0}))
    if fast:
        found["fast"] = "true"
    if matches is not None:
        found["matches"] = str(matches)
    if jobs is not None:
        found["jobs"] = str(jobs)
    if memory is not None:
        found["memory_mb"] = str(_number(memory, "--memory", _SIZES))
    if (found or dry_run) and method != "dtw":
        raise UsageError(
            f"--around, --within, --band, --fast, --matches, --jobs, --memory and --dry-run need --method "
            f"dtw; {method} was asked for"
        )
    return found


def show(plan: Any) -> dict[str, Any]:
    """What a run would take, as JSON."""
    return {"memory_bytes": plan.memory, "tile": list(plan.tile), "kept": list(plan.kept), "threads": plan.threads}


def _number(text: str, option: str, units: dict[str, float]) -> float:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text)
    if parts is None or parts[2].lower() not in units:
        raise UsageError(f"{option} {text!r} is not a number{' with one of ' + ', '.join(u for u in units if u)}")
    return float(parts[1]) * units[parts[2].lower()]
