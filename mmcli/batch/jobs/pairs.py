"""Maps of many pairs of files into one folder: what ``mmcli align --pairs`` calls.

A pair that does not match, or cannot be read, or takes its worker with it, is recorded with the reason and never stops
the others. The same command continues after anything, and does again what changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmcli import aligners
from mmcli.aligners.output import formats
from mmcli.aligners.pair import align_files
from mmcli.artifacts.formats import manifest
from mmcli.artifacts.io import atomic, provenance
from mmcli.batch.plan import each
from mmcli.batch.state.ledger import Listener, Summary
from mmcli.errors import MmcliError

CALL = "mmcli.batch.jobs.pairs:prepare"
TASK = "align"
SIDES = ("reference", "query")
PASSED = ("feature", "metric", "rate", "missing")  # from the pair to align_files, as they are
ENDINGS = {"textgrid": "TextGrid", "labels": "txt"}


@dataclass(frozen=True)
class Pair:
    """Two files and how they are aligned; ``row`` is what its line of the list says besides, ``refusal`` why it cannot
    be done."""

    row: manifest.Row
    reference: Path
    query: Path
    method: str
    config: Any
    feature: str | None = None
    metric: str | None = None
    rate: float | None = None
    missing: str = "refuse"
    time_unit: str | None = None
    refusal: MmcliError | None = None

    def settings(self) -> dict[str, Any]:
        """What the map depends on besides the files, as the worker is told it."""
        config = provenance.config_dict(self.config)
        settings = {"method": self.method, "config": config, **{name: getattr(self, name) for name in PASSED}}
        return settings | ({"time_unit": self.time_unit} if self.time_unit is not None else {})

    def one(self, options: Options, out: Path) -> each.One:
        """The pair as the runner takes it."""
        if self.refusal is not None:
            return each.One(self.row.id, {}, "", None, {}, self.refusal)
        target, settings = _target(self, options), self.settings()
        payload = {side: str(getattr(self, side)) for side in SIDES} | {"output": str(out / target), **settings}
        sources = {side: each.Source.at(getattr(self, side)) for side in SIDES}
        key = each.key_of({**settings, "form": options.form, "no_path": options.no_path})
        return each.One(self.row.id, sources, key, target, payload)


@dataclass(frozen=True, kw_only=True)
class Options(each.Options):
    """How a batch runs; ``form`` and ``no_path`` say how a map is written."""

    form: str = "json"
    no_path: bool = False


def states(pairs: Sequence[Pair], out: Path, options: Options, before: Mapping[Any, dict[str, Any]]) -> list[str]:
    """Of each pair ``new``, ``known`` (its map is there), ``stale`` or ``failed``."""
    return each.states([p.one(options, out) for p in pairs], out, options, before, TASK)


def align(pairs: Sequence[Pair], out: Path, options: Options, listener: Listener) -> Summary:
    """Align all pairs into ``out``: ID.json each (or another format), manifest.jsonl, failures.jsonl, journal.jsonl.

    Raises as :func:`mmcli.batch.plan.each.do`.
    """
    pairs = [p for p in pairs if options.shard is None or options.shard.holds(p.row.id)]
    return each.do([p.one(options, out) for p in pairs], out, _Kind(pairs, options), options, listener)


class _Kind:
    task = TASK
    rows = "manifest"

    def __init__(self, pairs: Sequence[Pair], options: Options) -> None:
        self.pairs, self.options = pairs, options
        self.call = CALL
        self.setup = {"form": options.form, "no_path": options.no_path}

    def row(self, index: int, entry: Mapping[str, Any]) -> str:
        """What the list says of the pair, where its map lies and what it is; or why there is none."""
        one = self.pairs[index]
        extra = {k: v for k, v in one.row.extra.items() if k not in SIDES}
        if entry["status"] == "done":
            about = {k: str(v) for k, v in entry["found"].items() if v is not None}
            extra |= {"map": _target(one, self.options), **about}
        error = entry["error"]["message"] if entry["status"] == "failed" else None
        row = one.row
        return manifest.dump_row(manifest.Row(row.id, {}, row.split, row.label, row.group, error=error, extra=extra))

    def report(self, index: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The pair, the class of the error, its message; the evidence where the pair was refused."""
        one = self.pairs[index]
        ends = {side: one.row.extra.get(side) for side in SIDES}
        return {"id": one.row.id, **ends, **entry["error"]}


def _target(one: Pair, options: Options) -> str:
    return f"{one.row.id}.{ENDINGS.get(options.form, options.form)}"


def prepare(setup: dict[str, Any]) -> each.Do:
    """What a worker does with a pair."""

    def do(payload: dict[str, Any]) -> dict[str, Any]:
        module = aligners.registry.load(payload["method"])
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in payload["config"].items()}
        alignment = align_files(
            payload["reference"],
            payload["query"],
            method=payload["method"],
            config=module.Config(**fields),
            **{name: payload[name] for name in PASSED},
            time_unit=payload.get("time_unit"),
        )
        written = replace(alignment, path=None) if setup["no_path"] else alignment
        return {
            "output": atomic.write_bytes(payload["output"], formats.render(written, setup["form"])),
            "sha256": {side: getattr(alignment, side)["sha256"] for side in SIDES},
            "found": {
                "model": alignment.model,
                "offset_s": alignment.offset_s,
                "rate": alignment.rate,
                "verdict": alignment.quality["verdict"],
            },
            "seconds": alignment.query["duration_s"] or 0.0,
        }

    return do
