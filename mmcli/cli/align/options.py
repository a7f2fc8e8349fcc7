"""The options of `mmcli align`: what they are called, what they mean, and the configuration that they make."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mmcli.aligners import registry
from mmcli.cli import batching, options
from mmcli.cli.options import JsonFlag, Missing, Set, TimeUnit
from mmcli.errors import UsageError

METHODS = ["auto", *(name for name in registry.names() if name != "auto")]
METRICS = "euclidean, sqeuclidean, manhattan, cosine"


@dataclass(frozen=True, kw_only=True)
class AlignOptions:
    """What was asked for, of one pair, or of all pairs of a list that do not say otherwise."""

    reference: Annotated[
        Path | None, typer.Argument(metavar="REFERENCE", help="The file whose clock counts.", show_default=False)
    ] = None
    query: Annotated[
        Path | None, typer.Argument(metavar="QUERY", help="The file that is mapped onto it.", show_default=False)
    ] = None
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[QUERY...]", help="More recordings for one clock.", show_default=False),
    ] = None
    clock: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="auto|FILE",
            help="Of many recordings the one whose clock counts; auto: the longest of each group. [default: the first]",
        ),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="The map (json, csv, TextGrid, txt), lines of a text (srt, vtt, ctm), or QUERY on the reference's "
            "clock where the suffix is one of its own kind; - for the map on standard output; of a list a folder. "
            "[default: the result is printed]",
        ),
    ] = None
    method: Annotated[
        str, typer.Option(help=f"{', '.join(METHODS)}.", autocompletion=options.completing("aligners"))
    ] = "auto"
    feature: Annotated[
        str | None, typer.Option(metavar="NAME", help="The extractor whose frames are compared. [default: by content]")
    ] = None
    metric: Annotated[str | None, typer.Option(metavar="NAME", help=f"{METRICS}. [default: by content]")] = None
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the costs, the path, breaks and confidence.")
    ] = None
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="One offline page: both recordings, the path, its confidence, two players in step. Recordings go in "
            "as small Opus; films over 16 MB and sounds over 90 minutes are played from beside the page.",
        ),
    ] = None
    kind: Annotated[
        str | None, typer.Option(help="same (one recording twice) or rendition, for auto. [default: by content]")
    ] = None
    repeats: Annotated[
        str | None,
        typer.Option(
            help="Of two renditions, or a score: auto (either may leave out a section or play it again) or written "
            "(none does). [default: auto]"
        ),
    ] = None
    rate: Annotated[float | None, typer.Option(metavar="HZ", help="Of series without a time column.")] = None
    missing: Missing = "refuse"
    time_unit: TimeUnit = None
    language: Annotated[
        str | None,
        typer.Option(
            metavar="CODE", help="Of a text: en, de, fr, ...; all but en need espeak-ng. [default: told by it]"
        ),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Make a map even where the pair does not match.")] = False
    no_path: Annotated[bool, typer.Option("--no-path", help="Leave the frame path out of the map.")] = False
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="map (as json), csv, textgrid, srt, vtt, ctm, labels. [default: by the suffix of -o]"
        ),
    ] = None
    around: Annotated[str | None, typer.Option(metavar="MAP.json", help="Keep the path near an earlier map (dtw).")] = (
        None
    )
    within: Annotated[str | None, typer.Option(metavar="S", help="How near, as 0.5s. [default: 0.5s] (dtw)")] = None
    band: Annotated[
        str | None, typer.Option(metavar="SHARE|S", help="Band about the diagonal, as 0.1 or 20s (dtw).")
    ] = None
    fast: Annotated[bool, typer.Option("--fast", help="Coarse to fine, with a proof or a bound (dtw).")] = False
    matches: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="The K best places of QUERY in REFERENCE (dtw).")
    ] = None
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, metavar="N", help="Threads, same bytes as one (dtw); workers (--pairs)."),
    ] = None
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Refuse a run that needs more, as 512MB (dtw).")
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what memory a run takes (dtw), or what is to do (--pairs).")
    ] = False
    pairs: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Align every pair of a list (jsonl or csv: id, reference, query, ...; or -) into a folder.",
        ),
    ] = None
    timeout: Annotated[
        float | None, typer.Option(min=0.0, metavar="S", help="Seconds a pair may take. [default: 3600]")
    ] = None
    engine: batching.Engine = "local"
    address: batching.Address = None
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Do one of N parts of the list; auto: Slurm's.")] = (
        None
    )
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try pairs of the list again that failed before.")
    ] = False
    set_: Set = None
    json: JsonFlag = False


def configuration(given: AlignOptions) -> Any:
    """The configuration of the method, from --set and the options that are its fields by another name.

    Raises UsageError for a value that cannot be, and for options that the method has no use for.
    """
    module = registry.load(given.method)
    known = {field.name for field in dataclasses.fields(module.Config)}
    assigned = options.split(given.set_)
    options.refuse_unused(assigned, [given.method])
    fields: dict[str, Any] = dtw_fields(given)
    for name, value in (("kind", given.kind), ("repeats", given.repeats), ("force", given.force)):
        if value and name not in known:
            raise UsageError(f"--{name} is for --method auto, {given.method} was asked for")
    if given.force:
        fields["force"] = True
    written = assigned.get(given.method, {})
    written |= {name: value for name, value in (("kind", given.kind), ("repeats", given.repeats)) if value}
    return dataclasses.replace(options.configure(module.Config, written, given.method), **fields)


def dtw_fields(given: AlignOptions) -> dict[str, Any]:
    """The options that shape the exact warping path, as fields of ``dtw.Config``.

    >>> dtw_fields(AlignOptions(method="dtw", band="2s", fast=True, jobs=2, memory="1GB"))
    {'band_s': 2.0, 'fast': True, 'jobs': 2, 'memory_mb': 1000.0}

    Raises :class:`UsageError` for a value that cannot be read, and where another method is asked for.
    """
    fields: dict[str, Any] = {}
    if given.around is not None:
        fields["around"] = given.around
    if given.within is not None:
        if given.around is None:
            raise UsageError("--within needs --around MAP.json")
        fields["within_s"] = _seconds(given.within, "--within")
    if given.band is not None:
        fields["band_s" if given.band.endswith("s") else "band"] = _seconds(given.band, "--band")
    if given.fast:
        fields["fast"] = True
    fields |= {name: n for name, n in (("matches", given.matches), ("jobs", given.jobs)) if n is not None}
    if given.memory is not None:
        fields["memory_mb"] = options.size(given.memory, "--memory", unit=10**6)
    if (fields or (given.dry_run and not given.pairs)) and given.method != "dtw":
        raise UsageError(
            "--around, --within, --band, --fast, --matches, --jobs, --memory and --dry-run need --method dtw; "
            f"{given.method} was asked for"
        )
    return fields


def _seconds(text: str, option: str) -> float:
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[sS]?", text)
    if number is None:
        raise UsageError(f"{option} {text!r} is not a number with one of s")
    return float(number[1])
