"""`mmcli align --pairs`: many pairs from a list, the maps into a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import batching, console, reasons
from mmcli.cli.align import summary as summary_of_one
from mmcli.cli.align.options import AlignOptions, configuration
from mmcli.cli.batching import Listening
from mmcli.cli.options import gaps, time_unit
from mmcli.errors import BatchFailedError, MmcliError, UsageError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.manifest import Manifest, Row
    from mmcli.batch.jobs.pairs import Pair

SETTINGS = (
    "method",
    "feature",
    "metric",
    "kind",
    "repeats",
    "rate",
    "missing",
    "time_unit",
    "force",
)  # that a line may hold
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def align(given: AlignOptions) -> None:
    """Align the pairs of the list ``given.pairs``."""
    for name in ("reference", "query", "plot", "page", "language", "clock"):
        if getattr(given, name) is not None:
            what = name.upper() if name in ("reference", "query") else f"--{'reference' if name == 'clock' else name}"
            raise UsageError(f"--pairs takes no {what}: the list names the files")
    from mmcli.aligners.output import formats
    from mmcli.batch.jobs import pairs
    from mmcli.batch.state import ledger

    out = given.output
    if out is None:
        raise UsageError("where do the maps go?", hint="-o FOLDER")
    if str(out) == "-" or out.is_file():
        raise UsageError("is no folder; the maps of a list go into one", source=out)
    listed = _read(given)
    batching.refuse_engine(given.engine, given.address)
    common = batching.options(given.jobs, given.timeout, given.shard, given.retry_failed, "100%")
    form = formats.format_of("x.json", given.format_)
    options = pairs.Options(form=form, no_path=given.no_path, **vars(common))
    if given.dry_run:
        _dry(pairs.states(listed, out, options, ledger.read(out) if out.exists() else {}), listed, given.json)
        return
    summary_of_one.warn_of_twins()
    listening = Listening(rows=not given.json, root=out, what="align")
    with listening as listener, batching.engine(given.engine, given.address) as cluster:
        options = replace(options, executor=cluster)
        summary = pairs.align(listed, out, options, listener)
    counts = {"done": summary.made, "skipped": summary.kept, "failed": summary.failed}
    refused = sum(e["class"] == "MismatchError" for e in summary.errors)
    if given.json:
        console.emit({"schema": "mmcli/aligned@1", "out": str(out), **counts, "refused": refused})
    line = "  ".join(f"{name} {number:,}" for name, number in counts.items())
    if summary.failed:
        reasons.say(summary.errors)
        raise BatchFailedError(f"{line} ({refused:,} of them refused)  -> {out / summary.report}")
    console.say(f"{line}  -> {out}")


def _read(given: AlignOptions) -> list[Pair]:
    """The pairs, each with the settings of its line; those of the command line where it has none. A line that cannot be
    used costs itself; raises the reason where there is no other."""
    from mmcli.artifacts.formats import manifest
    from mmcli.batch.jobs.pairs import Pair

    assert given.pairs is not None
    content = manifest.load(given.pairs, lenient=True)
    pairs = []
    for row in content.rows:
        try:
            why = content.refused.get(row.id)
            if why is not None:
                raise why
            pairs.append(_pair(given, row, content))
        except MmcliError as error:
            what = error.what if error.source in (None, content.source) else f"{error.source}: {error.what}"
            refusal = type(error)(f"pair {row.id!r}: {what}", source=given.pairs, hint=error.hint)
            pairs.append(Pair(row, Path(), Path(), given.method, None, refusal=refusal))
    if all(pair.refusal is not None for pair in pairs):
        raise next(pair.refusal for pair in pairs if pair.refusal is not None)
    return pairs


def _pair(given: AlignOptions, row: Row, content: Manifest) -> Pair:
    from mmcli.batch.jobs.pairs import SIDES, Pair

    own = _own(given, row.extra)
    for side in SIDES:
        if side not in row.extra:
            written = "; the line tells of a map that was made already" if "map" in row.extra else ""
            hint = "a list of pairs has the columns id, reference and query"
            raise UsageError(f"has no {side}{written}", hint=hint)
    reference, query = (content.resolve(row.extra[side])[0] for side in SIDES)
    config, missing = configuration(own), gaps(own.missing)
    unit = time_unit(own.time_unit)
    return Pair(row, reference, query, own.method, config, own.feature, own.metric, own.rate, missing, unit)


def _own(given: AlignOptions, line: dict[str, Any]) -> AlignOptions:
    """The options of one pair, given what its line holds besides the files."""
    settings = {name: line[name] for name in SETTINGS if name in line}
    dotted = [f"{name}={text}" for name, text in line.items() if "." in name]
    other = settings.get("method", given.method) != given.method
    # What was set for another method has no meaning for this pair.
    own = replace(given, **settings, jobs=None, set_=dotted if other else [*(given.set_ or []), *dotted])
    return replace(own, force=_flag(own.force), rate=_hertz(own.rate))


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


def _dry(states: list[str], listed: list[Pair], json: bool) -> None:
    states = ["failed" if state == "refused" else state for state in states]
    counts = {state: states.count(state) for state in ("new", "stale", "known", "failed")}
    todo = counts["new"] + counts["stale"]
    if json:
        rows = [{"id": p.row.id, "state": state} for p, state in zip(listed, states, strict=True)]
        console.emit({"schema": "mmcli/align-plan@1", "todo": todo, **counts, "pairs": rows})
    console.say(
        f"{len(listed):,} pairs: {todo:,} to do ({counts['stale']:,} of them changed), "
        f"{counts['known']:,} done before, {counts['failed']:,} failed before"
    )
