"""Many files put on another clock by one map: what ``mmcli warp`` calls for a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmcli.aligners.output import apply
from mmcli.artifacts.formats import alignment, manifest
from mmcli.artifacts.io import provenance
from mmcli.batch.plan import each, items
from mmcli.batch.state.ledger import Listener, Summary
from mmcli.errors import MissingError, MmcliError, UsageError, printable

CALL = "mmcli.batch.jobs.warps:prepare"


def ones(files: Sequence[Path | str], map_file: Path, out: Path, *, inverse: bool) -> list[each.One]:
    """What is done to each file; its name is its id, sound becomes wav. One that cannot be done is refused.

    Raises the reason, :class:`MissingError` or :class:`UsageError`, where nothing else is left.
    """
    key = each.key_of({"map": provenance.sha256_file(map_file), "inverse": inverse})
    made: list[each.One] = []
    seen: dict[str, str] = {}
    names: set[str] = set()
    for path in map(str, files):
        name = Path(path).name
        why = _refusal(path, name, out, seen)
        identifier = items.free(items.safe(name), names)
        names.add(items.folded(identifier))
        target = None if why is not None else apply.output_name(name)
        payload = {"file": path, "output": str(out / (target or ""))}
        sources = {} if why is not None else {"file": each.Source.at(path)}
        made.append(each.One(identifier, sources, key, target, payload, why))
    if made and all(one.refusal is not None for one in made):
        raise next(one.refusal for one in made if one.refusal is not None)
    return made


def _refusal(path: str, name: str, out: Path, seen: dict[str, str]) -> MmcliError | None:
    """Why a file cannot be warped into the folder; ``seen`` holds the outputs of those before it, and gets its own."""
    problem = manifest.id_problem(name)
    if problem is not None:
        return UsageError(f"cannot be the name of an output: it {problem}", source=path, hint="rename it")
    if not Path(path).exists():
        return MissingError("no such file", source=path)
    target = apply.output_name(name)
    first = seen.get(items.folded(target))
    if first == path:
        return UsageError("is named twice", source=path)
    seen.setdefault(items.folded(target), path)
    if first is not None:
        return UsageError(f"{first} and {path} would both be written to {out / target}", source=path)
    if (out / target).exists() and (out / target).samefile(path):
        return UsageError("would replace itself", source=path, hint="name another folder with -o")
    return None


def warp(
    files: Sequence[Path | str],
    map_file: Path,
    out: Path,
    options: each.Options,
    listener: Listener,
    *,
    inverse: bool = False,
) -> Summary:
    """Warp all files into ``out``, with manifest.jsonl, failures.jsonl and journal.jsonl; see :mod:`each`."""
    alignment.load(map_file)  # a map that cannot be read is no failure of the files
    made = ones(files, map_file, out, inverse=inverse)
    made = [one for one in made if options.shard is None or options.shard.holds(one.id)]
    setup = {"map": str(map_file.absolute()), "inverse": inverse}
    return each.do(made, out, _Kind(made, setup), options, listener)


class _Kind:
    task = "warp"
    rows = "manifest"
    call = CALL

    def __init__(self, made: Sequence[each.One], setup: dict[str, Any]) -> None:
        self.made, self.setup = made, setup

    def row(self, index: int, entry: Mapping[str, Any]) -> str:
        one = self.made[index]
        if entry["status"] == "failed":
            return manifest.dump_row(manifest.Row(one.id, error=entry["error"]["message"]))
        facts = {name: str(value) for name, value in entry["found"].items() if value}
        return manifest.dump_row(manifest.Row(one.id, extra={"file": str(one.target), **facts}))

    def report(self, index: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        one = self.made[index]
        return {"id": one.id, "path": printable(one.payload["file"]), **entry["error"]}


def prepare(setup: dict[str, Any]) -> each.Do:
    """What a worker does with a file."""
    clock_map = alignment.load(setup["map"])

    def do(payload: dict[str, Any]) -> dict[str, Any]:
        clock = apply.warp_file(payload["file"], clock_map, Path(payload["output"]), inverse=setup["inverse"])
        digest = provenance.sha256_file(payload["file"])
        return {
            "sha256": {"file": digest},
            "output": provenance.sha256_file(payload["output"]),
            "found": {"times": clock.told, "guessed": clock.guessed, "remark": clock.remark},
            "seconds": 0.0,
        }

    return do
