"""What is to be done, known before any work: which extractors run, over which inputs, with which outputs, what is new.

A stream is one extractor with its configuration and, where it learns, its fitted state; a task is one input, read once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcli import extractors
from mmcli.artifacts.formats import fitted
from mmcli.artifacts.io import provenance
from mmcli.batch.plan.items import Cell, Item, refused
from mmcli.batch.state.ledger import Key
from mmcli.errors import MismatchError, OutputError, UsageError
from mmcli.extractors import weights

COPIED = ("features", "map")


@dataclass(frozen=True)
class Stream:
    """One extractor in use; its key is ``MODALITY.NAME``."""

    modality: str
    name: str
    config: Any
    fitted: bool = False
    state_path: str | None = None
    state_sha256: str | None = None
    weights: str | None = None  # where an encoder's model lies

    @property
    def key(self) -> str:
        """``audio.logmel``: how a worker calls the stream."""
        return f"{self.modality}.{self.name}"

    def setup(self) -> dict[str, Any]:
        """What a worker needs to know of the stream, plain JSON."""
        return {
            "modality": self.modality,
            "name": self.name,
            "config": provenance.config_dict(self.config),
            "state_path": None if self.state_path is None else str(Path(self.state_path).absolute()),
            "state_sha256": self.state_sha256,
            "weights": self.weights,
        }

    def identity(self) -> dict[str, Any]:
        """What the values depend on besides the input."""
        config = provenance.config_sha256(provenance.config_dict(self.config))
        return {"stream": self.key, "config": config, "fitted": self.state_sha256}


def chosen(named: Mapping[str, Sequence[str]], only: str = "auto") -> dict[str, list[str]]:
    """The extractors' names of each modality in use: those named, the default where none is.

    ``only`` is one modality, or ``auto`` for all of them.

    >>> chosen({"audio": ["mfcc"]}, only="audio")
    {'audio': ['mfcc']}
    """
    if only != "auto" and only not in extractors.MODALITIES:
        extractors.registry(only)
    by_modality: dict[str, list[str]] = {}
    for modality in extractors.MODALITIES if only == "auto" else [only]:
        names = list(named.get(modality) or [extractors.DEFAULTS[modality]])
        if len({parted(name)[0] for name in names}) < len(names):
            raise UsageError(f"{modality}: {', '.join(names)} names an extractor twice")
        by_modality[modality] = names
    unused = [m for m in named if named[m] and m not in by_modality]
    if unused:
        raise UsageError(f"--{unused[0]} has no meaning with --modality {only}")
    return by_modality


def parted(text: str) -> tuple[str, dict[str, str]]:
    """An extractor as the command line names it: its name, and the model file of an encoder as a field of its Config.

    >>> parted("mfcc"), parted("onnx:models/a.onnx")
    (('mfcc', {}), ('onnx', {'file': 'models/a.onnx'}))
    """
    name, colon, file = text.partition(":")
    return name, ({"file": file} if colon else {})


def stream(modality: str, name: str, config: Any = None) -> Stream:
    """The stream of an extractor, with its default configuration where none is given."""
    module = extractors.registry(modality).load(name)
    if getattr(module, "NEEDS_FILE", False) and modality not in module.MODALITIES:
        raise UsageError(f"{name} reads {', '.join(module.MODALITIES)}, not {modality}")
    config = module.Config() if config is None else config
    path = weights.places.get(getattr(config, "sha256", ""))
    return Stream(
        modality,
        name,
        config,
        fitted=extractors.is_fitted(module),
        weights=None if path is None else str(path),
    )


def with_state(one: Stream, path: Path | str) -> Stream:
    """The stream with a fitted state from a file, which has to be of this extractor.

    The configuration is the one that the state was fitted with. Raises :class:`MismatchError` where a configuration was
    set that differs from it.
    """
    content = fitted.load(path)
    if content["extractor"] != one.name or content.get("modality", one.modality) != one.modality:
        raise MismatchError(f"was fitted for {content['extractor']}, not for {one.name}", source=path)
    module = extractors.registry(one.modality).load(one.name)
    config = extractors.configured(module, content["config"])
    if one.config not in (config, module.Config()):
        raise MismatchError(
            f"was fitted with another configuration of {one.name}", source=path, hint="leave out --set, or fit anew"
        )
    return Stream(
        one.modality, one.name, config, fitted=True, state_path=str(path), state_sha256=provenance.sha256_file(path)
    )


@dataclass(frozen=True, slots=True)
class Task:
    """One cell of one item, read once. ``name`` is the column its outputs are named after, unique within the item."""

    item: int
    name: str
    cell: Cell
    read_as: str
    streams: tuple[str, ...]  # keys into Plan.streams
    optional: bool  # no sound in a video is no failure where sound was not asked for by name

    def outputs(self, identifier: str) -> dict[str, tuple[str, str]]:
        """For each stream's key: the manifest column and the path below the output folder."""
        if self.read_as == "map":
            return {"": (self.name, f"{identifier}.{self.name}.json")}
        if self.read_as == "features":
            column = self.name if "." in self.name else f"{self.name}.features"
            return {"": (column, f"{identifier}.{column}.npz")}
        columns = [f"{self.name}.{key.partition('.')[2]}" for key in self.streams]
        return {k: (column, f"{identifier}.{column}.npz") for k, column in zip(self.streams, columns, strict=True)}


@dataclass
class Plan:
    """Tasks in order, and what is known of each: ``new``, ``known`` (opened by a worker), ``stale`` or ``failed``."""

    items: list[Item]
    tasks: list[Task]
    streams: dict[str, Stream]
    states: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many tasks are in each state."""
        return {state: self.states.count(state) for state in ("new", "known", "stale", "failed")}


def tasks(items: list[Item], streams: Mapping[str, Sequence[Stream]], *, sound_only: bool = False) -> list[Task]:
    """The tasks of all items. ``sound_only``: a video whose item has no other sound gives its sound and no pictures.

    An item of which two outputs would have one name is replaced in ``items`` by its refusal.
    """
    planned: list[Task] = []
    for index, item in enumerate(items):
        if item.error is not None:
            continue
        own = list(_of_item(index, item, streams, sound_only))
        columns = [output for task in own for output in task.outputs(item.id).values()]
        twice = next((path for k, (column, path) in enumerate(columns) if column in dict(columns[:k])), None)
        if twice is None:
            planned += own
        else:
            what = f"item {item.id!r}: two inputs would be written to {twice}"
            items[index] = refused(item, UsageError(what, hint="name the columns apart"))
    return planned


def _of_item(index: int, item: Item, streams: Mapping[str, Sequence[Stream]], sound_only: bool) -> Iterator[Task]:
    has_sound = any(c.column.partition(".")[0] == "audio" for c in item.cells)
    for cell in item.cells:
        kind = "text" if cell.modality == "subtitle" else cell.modality
        if kind in COPIED:
            yield Task(index, cell.column, cell, kind, (), False)
            continue
        own = tuple(s.key for s in streams.get(kind, ()))
        sound = tuple(s.key for s in streams.get("audio", ())) if kind == "video" and not has_sound else ()
        if sound:
            name = "audio" + cell.column[len("video") :]
            yield Task(index, name, cell, "audio", sound, optional=not sound_only and bool(own))
        if own and not (sound and sound_only):
            yield Task(index, cell.column, cell, kind, own, False)


def is_task(name: str) -> bool:
    """Whether a name in a journal is that of a :class:`Task`: a column of a manifest.

    >>> is_task("audio.mic"), is_task("align")
    (True, False)
    """
    return name.partition(".")[0] in (*extractors.MODALITIES, "map")


def compare(
    plan: Plan, before: Mapping[Key, dict[str, Any]], media: Mapping[str, Any], *, force: bool, retry_failed: bool
) -> None:
    """Fill in what is known of each task, from the journal: sizes, times and configurations, no file is opened."""
    cache: dict[tuple[Any, ...], str] = {}
    for task in plan.tasks:
        item = plan.items[task.item]
        facts = facts_of(task.cell)
        place = (task.read_as, task.streams, item.start, item.end, task.cell.row, task.cell.member)
        key = cache.get(place) or cache.setdefault(place, _key(plan, task, media))
        entry = before.get((item.id, task.name))
        plan.facts.append(facts)
        plan.keys.append(key)
        plan.states.append(_state(entry, facts, key, force, retry_failed))


def _state(entry: dict[str, Any] | None, facts: dict[str, Any], key: str, force: bool, retry_failed: bool) -> str:
    if entry is None or force:
        return "new"
    same = entry["key"] == key and all(entry["source"].get(name) == value for name, value in facts.items())
    if not same:
        return "stale"
    if entry["status"] == "failed":
        return "new" if retry_failed else "failed"
    return "known"


def facts_of(cell: Cell) -> dict[str, Any]:
    """What tells a changed input: size and time of a file, the digest of what stands in the row itself."""
    if cell.path is not None:
        return file_facts(cell.facts)
    content = {"text": cell.text, "num": cell.numbers, "cat": cell.categories}
    return {"digest": provenance.config_sha256(content)[:16]}


def file_facts(status: tuple[int, int] | None) -> dict[str, Any]:
    """As the journal keeps :func:`mmcli.batch.plan.inputs.status_of`: -1 where there is no file."""
    size, mtime_ns = status or (-1, -1)
    return {"size": size, "mtime_ns": mtime_ns}


def _key(plan: Plan, task: Task, media: Mapping[str, Any]) -> str:
    item = plan.items[task.item]
    content = {
        "as": task.read_as,
        "streams": [plan.streams[key].identity() for key in task.streams],
        "media": dict(media),
        "segment": [item.start, item.end],
        "row": task.cell.row,
        **({"member": task.cell.member} if task.cell.member is not None else {}),
        "version": provenance.version,
    }
    return provenance.config_sha256(content)[:16]


def payload(plan: Plan, number: int, out: Path | str, known: str | None, *, force: bool) -> dict[str, Any]:
    """What a worker is told about a task. ``known`` is the content hash where the file is known to be unchanged."""
    task = plan.tasks[number]
    item, cell = plan.items[task.item], task.cell
    return {
        "name": item.id,
        "column": task.name,
        "as": task.read_as,
        "of": cell.modality,
        "optional": task.optional,
        "path": cell.path,
        "row": None if cell.packed else cell.row,
        "member": None if cell.packed else cell.member,
        "inside": [cell.member, cell.row] if cell.packed else None,
        "text": cell.text,
        "numbers": cell.numbers,
        "categories": cell.categories,
        "start": item.start,
        "end": item.end,
        "known": known,
        "size": plan.facts[number].get("size") if plan.facts else None,
        "force": force,
        "outputs": {key: f"{out}/{path}" for key, (_, path) in task.outputs(item.id).items()},
    }


# Bytes of features for a byte of input, at least: what a plan can say without decoding.
_GROWTH = {"audio": 0.3, "video": 0.01, "image": 0.1, "text": 1.0, "series": 0.3}


def check_writable(out: Path) -> None:
    """Look whether outputs can be made in a folder, without making one. Raises :class:`OutputError`."""
    nearest = _nearest(out)
    if not nearest.is_dir():
        raise OutputError("is no folder", source=nearest)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError("cannot be written to", source=nearest)


def _nearest(out: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    return next(folder for folder in (out, *out.parents) if folder.exists() or folder == folder.parent)


def check_space(plan: Plan, out: Path) -> int:
    """A low estimate of the bytes still to be written. Raises :class:`OutputError` where they clearly do not fit."""
    needed = 0.0
    for task, state, facts in zip(plan.tasks, plan.states, plan.facts, strict=True):
        if state in ("new", "stale"):
            needed += len(task.streams) * (2_000 + _GROWTH.get(task.read_as, 0.1) * facts.get("size", 0))
    try:
        usage = shutil.disk_usage(_nearest(out))
    except OSError:
        return int(needed)
    if needed > usage.free and usage.total:  # a file system of no size does not say how large it is
        raise OutputError(
            f"at least {needed / 1e6:,.1f} MB will be needed, {usage.free / 1e6:,.1f} MB are free", source=out
        )
    return int(needed)
