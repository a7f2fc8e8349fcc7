"""Maps of many pairs of files into one folder: what ``mmcli align --pairs`` calls.

A pair that does not match, or cannot be read, or takes its worker with it, is recorded with the reason and never stops
the others. The same command continues after anything, and does again what changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmcli import aligners
from mmcli._version import __version__
from mmcli.aligners import formats, pair
from mmcli.artifacts import atomic, manifest, provenance
from mmcli.batch import ledger, run
from mmcli.batch.ledger import Ledger, Listener
from mmcli.batch.shard import Shard
from mmcli.batch.worker import Do
from mmcli.errors import UsageError

CALL = "mmcli.batch.pairs:prepare"
TASK = "align"
SIDES = ("reference", "query")
ENDINGS = {"textgrid": "TextGrid", "labels": "txt"}


@dataclass(frozen=True)
class Pair:
    """Two files and how they are aligned; ``row`` is what its line of the list says besides."""

    row: manifest.Row
    reference: Path
    query: Path
    method: str
    config: Any
    feature: str | None = None
    metric: str | None = None
    rate: float | None = None
    missing: str = "refuse"

    def sizes(self) -> dict[str, dict[str, int]]:
        """Size and time of both files, -1 where there is none."""
        return {side: _facts(getattr(self, side)) for side in SIDES}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a batch runs; ``form`` and ``no_path`` say how a map is written."""

    form: str = "json"
    no_path: bool = False
    jobs: int | None = None
    limits: run.Limits = field(default_factory=run.Limits)
    shard: Shard | None = None
    retry_failed: bool = False
    max_failures: str | None = "100%"


@dataclass(frozen=True)
class Summary:
    """How many maps were made, were there already, and could not be made; ``errors`` as in failures.jsonl."""

    out: Path
    made: int
    kept: int
    failed: int
    errors: list[dict[str, Any]]


def states(pairs: Sequence[Pair], out: Path, options: Options, before: Mapping[Any, dict[str, Any]]) -> list[str]:
    """Of each pair ``new``, ``known`` (its map is there), ``stale`` or ``failed``."""
    return [_state(p, out, options, before.get((p.row.id, TASK))) for p in pairs]


def align(pairs: Sequence[Pair], out: Path, options: Options, listener: Listener) -> Summary:
    """Align all pairs into ``out``: ID.json each (or another format), manifest.jsonl, failures.jsonl, journal.jsonl.

    Raises OutputError where nothing can be written, BatchFailedError beyond ``max_failures``, UsageError where the
    folder holds the outputs of another command.
    """
    pairs = [p for p in pairs if options.shard is None or options.shard.holds(p.row.id)]
    batch = _Batch(pairs, out, options)
    folders = [out, *((out / p.row.id).parent for p in pairs)]
    with Ledger(out, [[n] for n in range(len(pairs))], batch, listener.row, options.shard) as kept:
        batch.ledger = kept
        if any(task != TASK for _, task in kept.before):
            raise UsageError("holds the outputs of another command", source=out, hint="name a new folder with -o")
        ledger.sweep(folders)
        try:
            batch.go(listener)
        finally:
            ledger.sweep(folders)
    errors = kept.finish()
    return Summary(out, batch.made, len(pairs) - batch.made - len(errors), len(errors), errors)


class _Batch:
    ledger: Ledger

    def __init__(self, pairs: Sequence[Pair], out: Path, options: Options) -> None:
        self.pairs, self.out, self.options = pairs, out, options
        self.facts = [p.sizes() for p in pairs]
        self.made = 0

    def go(self, listener: Listener) -> None:
        """Do what is new or changed."""
        found = states(self.pairs, self.out, self.options, self.ledger.before)
        waiting = [n for n, state in enumerate(found) if state in ("new", "stale")]
        for n, state in enumerate(found):
            if state in ("known", "failed"):
                self.ledger.keep(n, self.ledger.before[(self.pairs[n].row.id, TASK)])
        listener.begin(len(waiting), sum(map(self._size, waiting)))
        self.ledger.pass_on()
        if not waiting:
            return
        work = run.Work(CALL, {"form": self.options.form, "no_path": self.options.no_path})
        jobs = min(self.options.jobs or run.default_jobs(), len(waiting))
        tasks = ((n, _payload(self.pairs[n], _target(self.pairs[n], self.out, self.options))) for n in waiting)
        with closing(run.run(tasks, work, jobs, self.options.limits)) as outcomes:
            for outcome in outcomes:
                self._heard(outcome)
                seconds = (outcome.value or {}).get("seconds", 0.0)
                listener.advance(self._size(outcome.index), seconds, outcome.error is not None)
                self.ledger.pass_on()
                self.ledger.stop_where_too_many_fail(self.options.max_failures)

    def _size(self, number: int) -> int:
        return sum(max(0, side["size"]) for side in self.facts[number].values())

    def _heard(self, outcome: run.Outcome) -> None:
        one, facts = self.pairs[outcome.index], self.facts[outcome.index]
        entry: dict[str, Any] = {"id": one.row.id, "task": TASK, "key": _key(one, self.options), "source": facts}
        if outcome.value is None:
            entry["status"], entry["error"] = "failed", ledger.failure(outcome, TASK)
            source = Path((outcome.error or {}).get("source") or "").name  # which of the two files it is
            if source and source not in entry["error"]["message"]:
                entry["error"]["message"] = f"{source}: {entry['error']['message']}"
        else:
            self.made += 1
            entry["status"] = "done"
            entry["source"] = {s: {**facts[s], "sha256": outcome.value["sha256"][s]} for s in SIDES}
            entry |= {"output": outcome.value["output"], "found": outcome.value["found"]}
        self.ledger.record(outcome.index, entry)

    def row(self, item: int) -> str:
        """What the list says of the pair, where its map lies and what it is; or why there is none."""
        one, entry = self.pairs[item], self.ledger.results[item] or {}
        extra = {k: v for k, v in one.row.extra.items() if k not in SIDES}
        if entry["status"] == "done":
            name = _target(one, self.out, self.options).relative_to(self.out).as_posix()
            found = {k: str(v) for k, v in entry["found"].items() if v is not None}
            extra |= {"map": name, **found}
        error = entry["error"]["message"] if entry["status"] == "failed" else None
        row = one.row
        return manifest.dump_row(manifest.Row(row.id, {}, row.split, row.label, row.group, error=error, extra=extra))

    def report(self, number: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The pair, the class of the error, its message; the evidence where the pair was refused."""
        one = self.pairs[number]
        ends = {side: one.row.extra.get(side) for side in SIDES}
        return {"id": one.row.id, **ends, **entry["error"]}


def _state(one: Pair, out: Path, options: Options, entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "new"
    if entry["key"] != _key(one, options) or any(_changed(getattr(one, s), entry["source"][s]) for s in SIDES):
        return "stale"
    if entry["status"] == "failed":
        return "new" if options.retry_failed else "failed"
    target = _target(one, out, options)
    return "known" if target.is_file() and provenance.sha256_file(target) == entry["output"] else "stale"


def _changed(path: Path, known: Mapping[str, Any]) -> bool:
    """Whether a file is another than it was: by size and time, or by content where only its time is another."""
    facts = _facts(path)
    if facts["size"] != known["size"]:
        return True
    same = facts["mtime_ns"] == known["mtime_ns"]
    return not same and provenance.sha256_file(path) != known.get("sha256")


def _facts(path: Path) -> dict[str, int]:
    try:
        status = path.stat()
    except OSError:
        return {"size": -1, "mtime_ns": -1}
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _key(one: Pair, options: Options) -> str:
    settings = {
        "method": one.method,
        "config": provenance.config_dict(one.config),
        "feature": one.feature,
        "metric": one.metric,
        "rate": one.rate,
        "missing": one.missing,
        "form": options.form,
        "no_path": options.no_path,
        "version": __version__,
    }
    return provenance.config_sha256(settings)[:16]


def _target(one: Pair, out: Path, options: Options) -> Path:
    return out / f"{one.row.id}.{ENDINGS.get(options.form, options.form)}"


def _payload(one: Pair, target: Path) -> dict[str, Any]:
    return {
        "reference": str(one.reference),
        "query": str(one.query),
        "output": str(target),
        "method": one.method,
        "config": provenance.config_dict(one.config),
        "feature": one.feature,
        "metric": one.metric,
        "rate": one.rate,
        "missing": one.missing,
    }


def prepare(setup: dict[str, Any]) -> Do:
    """What a worker does with a pair."""

    def do(payload: dict[str, Any]) -> dict[str, Any]:
        module = aligners.registry.load(payload["method"])
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in payload["config"].items()}
        found = pair.align_files(
            payload["reference"],
            payload["query"],
            method=payload["method"],
            feature=payload["feature"],
            metric=payload["metric"],
            rate=payload["rate"],
            missing=payload["missing"],
            config=module.Config(**fields),
        )
        written = replace(found, path=None) if setup["no_path"] else found
        return {
            "output": atomic.write_bytes(payload["output"], formats.render(written, setup["form"])),
            "sha256": {side: getattr(found, side)["sha256"] for side in SIDES},
            "found": {
                "model": found.model,
                "offset_s": found.offset_s,
                "rate": found.rate,
                "verdict": found.quality["verdict"],
            },
            "seconds": found.query["duration_s"] or 0.0,
        }

    return do
