"""Lists of a recommender for many histories, a part of the file at a time: ``mmcli predict REC.pt`` into a folder.

A file of histories is cut at line ends into parts of about ``PART_BYTES``; each part is done on its own, in worker
processes, on a cluster, or on another machine (``--shard``), and becomes ``lists/part-NNNNNN.jsonl`` with a line for
each history that could be read. ``parts.jsonl`` says what became of each part. A file that has grown keeps the parts
that were whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmcli.artifacts.io import atomic, jsonfile, provenance
from mmcli.batch.plan import each
from mmcli.batch.state.ledger import Listener, Summary
from mmcli.errors import InputError, MissingError
from mmcli.ranking import answers, recommender

CALL = "mmcli.batch.jobs.lists:prepare"
PART_BYTES = 1 << 20  # of histories; about as many lists as are made in some seconds


def recommend(
    histories: Path,
    model: Path,
    out: Path,
    options: each.Options,
    listener: Listener,
    *,
    k: int,
    among: Sequence[str] | None = None,
    explain: bool = False,
    part_bytes: int = PART_BYTES,
) -> Summary:
    """A list for every history of an NDJSON file. Raises :class:`MissingError` where there is none."""
    if not histories.is_file():
        raise MissingError("no such file", source=histories)
    answers.Lists(recommender.load(model), k, among=among)  # what cannot be is no failure of the parts
    how = {"k": k, "among": None if among is None else list(among), "explain": explain}
    setup = {"model": str(model.absolute()), "histories": str(histories.absolute()), **how}
    ones = list(_ones(histories, out, {"model": provenance.sha256_file(model), **how}, part_bytes))
    ones = [one for one in ones if options.shard is None or options.shard.holds(one.id)]
    return each.do(ones, out, _Kind(ones, setup), options, listener)


def _ones(histories: Path, out: Path, settings: Mapping[str, Any], part_bytes: int) -> Iterator[each.One]:
    key = each.key_of(settings)
    number, start, line = 0, 0, 1
    with histories.open("rb") as stream:
        while lines := stream.readlines(part_bytes):
            digest, size = hashlib.sha256(), 0
            for one in lines:
                digest.update(one)
                size += len(one)
            source = each.Source(None, {"start": start, "size": size, "sha256": digest.hexdigest()})
            name = f"part-{number:06d}"
            target = f"lists/{name}.jsonl"
            payload = {"start": start, "size": size, "line": line, "output": str((out / target).absolute())}
            yield each.One(name, {"histories": source}, key, target, payload)
            number, start, line = number + 1, start + size, line + len(lines)


class _Kind:
    task = "lists"
    rows = "parts"
    call = CALL

    def __init__(self, ones: Sequence[each.One], setup: dict[str, Any]) -> None:
        self.ones, self.setup = ones, setup

    def row(self, index: int, entry: Mapping[str, Any]) -> str:
        one = self.ones[index]
        if entry["status"] != "done":
            return ""
        told = {name: entry["found"][name] for name in ("lists", "left_out", "reason") if name in entry["found"]}
        return jsonfile.one_line({"id": one.id, "file": one.target, **told})

    def report(self, index: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": entry["id"], "path": self.setup["histories"], **entry["error"]}


def left_out(out: Path) -> tuple[int, str]:
    """Over the parts of a folder: how many histories have no list, and why the first has none."""
    count, first = 0, ""
    for row in map(json.loads, (out / "parts.jsonl").read_text(encoding="utf-8").splitlines()):
        count, first = count + row["left_out"], first or row.get("reason", "")
    return count, first


def prepare(setup: dict[str, Any]) -> each.Do:
    """What a worker does with a part: the model is loaded once."""
    lists = answers.Lists(recommender.load(setup["model"]), setup["k"], among=setup["among"], explain=setup["explain"])

    def do(payload: dict[str, Any]) -> dict[str, Any]:
        descriptor = os.open(setup["histories"], os.O_RDONLY)
        try:
            text = os.pread(descriptor, payload["size"], payload["start"])
        finally:
            os.close(descriptor)
        users, reasons = [], []
        for number, line in enumerate(text.splitlines(), payload["line"]):
            if not line.strip():
                continue
            try:
                users.append(answers.read(json.loads(line), number))
            except ValueError:
                reasons.append(f"line {number}: is not JSON")
            except InputError as problem:
                reasons.append(problem.what)
        target = Path(payload["output"])
        atomic.make_folder(target.parent)
        atomic.write_text(target, "".join(map(jsonfile.one_line, lists.lines(users))))
        counts: dict[str, Any] = {"lists": len(users), "left_out": len(reasons)}
        if reasons:
            counts["reason"] = reasons[0]
        return {"sha256": {}, "output": provenance.sha256_file(target), "found": counts, "seconds": 0.0}

    return do
