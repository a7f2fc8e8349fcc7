"""`mmcli align --pairs`: many pairs from a list, the maps into a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmcli.cli import batching, console
from mmcli.cli.batching import Listening
from mmcli.cli.options import gaps
from mmcli.errors import ArtifactError, BatchFailedError, UsageError

if TYPE_CHECKING:
    from mmcli.batch.jobs.pairs import Pair

Pairs = Annotated[
    str | None,
    typer.Option(
        metavar="LIST", help="Align every pair of a list (jsonl or csv: id, reference, query, ...; or -) into a folder."
    ),
]
Timeout = Annotated[float | None, typer.Option(min=0.0, metavar="S", help="Seconds a pair may take. [default: 3600]")]
Shard = Annotated[str | None, typer.Option(metavar="I/N", help="Do one of N parts of the list; auto: Slurm's.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Try pairs of the list again that failed before.")]

SETTINGS = ("method", "feature", "metric", "kind", "rate", "missing", "force")
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def align(listed: str, values: Mapping[str, Any], configure: Callable[[dict[str, Any]], Any]) -> None:
    """Align the pairs of a list under the command's parameters ``values``; ``configure`` makes a configuration."""
    for name in ("reference", "query", "plot", "page", "language"):
        if values.get(name) is not None:
            what = name.upper() if name in ("reference", "query") else f"--{name}"
            raise UsageError(f"--pairs takes no {what}: the list names the files")
    from mmcli.aligners.output import formats
    from mmcli.batch.jobs import pairs
    from mmcli.batch.state import ledger

    out = Path(values["output"])
    if str(out) == "-" or out.is_file():
        raise UsageError("is no folder; the maps of a list go into one", source=out)
    found = _read(listed, values, configure)
    common = batching.options(values["jobs"], values["timeout"], values["shard"], values["retry_failed"], "100%")
    form = formats.format_of("x.json", values["format_"])
    options = pairs.Options(form=form, no_path=values["no_path"], **vars(common))
    if values["dry_run"]:
        _dry(pairs.states(found, out, options, ledger.read(out) if out.exists() else {}), found, values["json"])
        return
    with Listening(rows=not values["json"], root=out, what="align") as listener:
        summary = pairs.align(found, out, options, listener)
    counts = {"done": summary.made, "skipped": summary.kept, "failed": summary.failed}
    refused = sum(e["class"] == "MismatchError" for e in summary.errors)
    if values["json"]:
        console.emit({"schema": "mmcli/aligned@1", "out": str(out), **counts, "refused": refused})
    line = "  ".join(f"{name} {number:,}" for name, number in counts.items())
    if summary.failed:
        for error in summary.errors[:5]:
            console.say(f"{error['id']}: {error['message']}")
        raise BatchFailedError(f"{line} ({refused:,} of them refused)  -> {out / summary.report}")
    console.say(f"{line}  -> {out}")


def refuse(values: Mapping[str, Any]) -> None:
    """Options of lists have no meaning for one pair."""
    for name in ("timeout", "shard", "retry_failed"):
        if values[name]:
            raise UsageError(f"--{name.replace('_', '-')} is for --pairs")


def _read(listed: str, values: Mapping[str, Any], configure: Callable[[dict[str, Any]], Any]) -> list[Pair]:
    """The pairs, each with the settings of its line; those of the command line where it has none."""
    from mmcli.artifacts.formats import manifest
    from mmcli.batch.jobs.pairs import SIDES, Pair

    found, content = [], manifest.load(listed)
    for row in content.rows:
        given = {name: row.extra[name] for name in SETTINGS if name in row.extra}
        dotted = [f"{name}={text}" for name, text in row.extra.items() if "." in name]
        own: dict[str, Any] = {**values, "jobs": None, **given, "set_": [*(values["set_"] or []), *dotted]}
        if own["method"] != values["method"]:  # what was set for another method has no meaning for this pair
            own["set_"] = dotted
        try:
            own["force"], rate = _flag(own["force"]), _hertz(own["rate"])
            for side in SIDES:
                if side not in row.extra:
                    raise UsageError(f"has no {side}")
            reference, query = (content.resolve(row.extra[side])[0] for side in SIDES)
            config, feature, metric = configure(own), own["feature"], own["metric"]
            found.append(
                Pair(row, reference, query, own["method"], config, feature, metric, rate, gaps(own["missing"]))
            )
        except (UsageError, ArtifactError) as error:
            raise type(error)(f"pair {row.id!r}: {error.what}", source=listed, hint=error.hint) from error
    return found


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in TRUE + FALSE:
        raise UsageError(f"force is {value!r}; true or false is needed")
    return str(value).lower() in TRUE


def _hertz(value: object) -> float | None:
    if value is None:
        return None
    try:
        return float(str(value))
    except ValueError:
        raise UsageError(f"rate is {value!r}; a number of Hz is needed") from None


def _dry(states: list[str], found: list[Pair], json: bool) -> None:
    counts = {state: states.count(state) for state in ("new", "stale", "known", "failed")}
    todo = counts["new"] + counts["stale"]
    if json:
        listed = [{"id": p.row.id, "state": state} for p, state in zip(found, states, strict=True)]
        console.emit({"schema": "mmcli/align-plan@1", "todo": todo, **counts, "pairs": listed})
    console.say(
        f"{len(found):,} pairs: {todo:,} to do ({counts['stale']:,} of them changed), "
        f"{counts['known']:,} done before, {counts['failed']:,} failed before"
    )
