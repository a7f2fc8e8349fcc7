"""Recommenders behind `mmcli train --task rank`, `predict` and `info --vectors`, and what their commands read."""

from __future__ import annotations

import dataclasses
import json as json_
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import console, given
from mmcli.errors import BatchFailedError, InputError, MismatchError, UsageError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.dataset import Dataset
    from mmcli.artifacts.formats.events import Events
    from mmcli.ranking.recommender import Recommender


def is_model(path: Path | None) -> bool:
    """Whether a file is a checkpoint of task rank; damage is for who opens it."""
    if path is None or path.suffix.lower() != ".pt" or not path.is_file():
        return False
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return b'"task":"rank"' in archive.read("archive/data.pkl")
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, RuntimeError):
        return False


def catalogue(path: Path | None) -> tuple[list[str] | None, Dataset | None]:
    """The ids of the items, and their content: a data set, or a manifest, whose columns of features are read."""
    if path is None:
        return None, None
    if path.is_dir() or path.suffix.lower() == ".npz":
        data = given.load(path)
        return data.id.tolist(), data
    from mmcli.artifacts.formats import manifest
    from mmcli.fusion.dataset import assemble

    rows = manifest.load(path)
    if not any(row.cells for row in rows.rows):
        return [row.id for row in rows.rows], None
    assembled = assemble.assemble(rows, assemble.Plan(normalise="none"))
    for item, reason in assembled.failed:
        console.warn(f"{item}: left out: {reason}")
    return assembled.dataset.id.tolist(), assembled.dataset


def read(events: Path, items: list[str] | None, *, strict: bool = False) -> Events:
    """The events, numbered by the catalogue, which is what they name where none is given; what was counted is said."""
    from mmcli.artifacts.formats import events as formats

    table = formats.load(events, items, strict=strict)
    for note in table.notes:
        console.warn(f"{events}: {note}")
    return table.numbered(items if items is not None else sorted(table.items, key=_natural))


def _natural(name: str) -> tuple[int, int, str]:
    """Numbers by their value, words after them."""
    return (0, int(name), name) if name.isascii() and name.isdigit() and len(name) < 19 else (1, 0, name)


def train(
    items: Path | None,
    events: Path,
    output: Path,
    *,
    positive: str | None,
    config: Any,
    assigned: Mapping[str, Any],
    splits: Path | None,
    by: str | None,
    init: Path | None,
    jobs: int,
    strict: bool,
    json: bool,
) -> None:
    """Fit a recommender and write it."""
    from mmcli.artifacts.formats import events as formats
    from mmcli.artifacts.io import provenance
    from mmcli.ranking import content, fit, recommender
    from mmcli.ranking import splits as rules

    console.apart({"--output": output}, [path for path in (items, events, init) if path is not None])
    before = None if init is None else recommender.load(init)
    ids, data = catalogue(items)
    if before is not None:
        ids, data = before.items, None
    table = read(events, ids, strict=strict)
    liked, rule = formats.positives(table, positive)
    held = _held(table, liked, splits, by, config.seed)
    if strict and held is not None:
        from mmcli.ranking import judge, report

        report.refuse_leaks(judge.Question(table, liked, held, {}), events)
    keep = liked if held is None else liked & ~held.test & ~held.new[table.item]
    if table.split is not None and held is None:
        keep = liked & (table.split != formats.SPLITS.index("test"))
    inputs = [given.source(path) for path in (items, events) if path is not None and str(path) != console.STDOUT]
    if before is not None:
        model = fit.add(before, table, keep)
        console.say(f"{output}: {int(keep.sum()):,} events of {len(set(table.user[keep].tolist())):,} users added")
        recommender.save(output, model)
        return
    raw = {} if data is None else content.raw_of(data)
    config = dataclasses.replace(config, by=by or config.by)
    model, recipe = fit.train(table, keep, raw, config, assigned=assigned, jobs=jobs, report=console.note)
    facts = {
        "events": int(keep.sum()),
        "users": len(set(table.user[keep].tolist())),
        "items": len(table.items),
        "known": int(model.known.sum()),
        "positive": rule,
        "held_out": None if held is None else held.rule,
        "fingerprint": rules.fingerprint(table, keep),
        "config": provenance.config_dict(config),
        "assigned": {name: provenance.config_dict(one) for name, one in assigned.items()},
    }
    model.config = {
        "modalities": {} if data is None else _metas(data, raw),
        "model": {"recipe": recipe.told()},
        "training": facts,
        "candidates": recipe.candidates,
        "inputs": inputs,
        "notes": recipe.notes,
    }
    recommender.save(output, model)
    _show_trained(output, model, recipe, facts, json)


def _held(table: Events, liked: Any, splits: Path | None, by: str | None, seed: int) -> Any:
    """What was asked to be left out of training: nothing, unless it was."""
    if splits is None and by is None:
        return None
    from mmcli.ranking import splits as rules

    return rules.hold_out(table, liked, how=by, given=splits, seed=seed)


def _metas(data: Dataset, raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint keeps of each stream, so that raw files of new items can be read the same way."""
    result = {}
    for name, (_, _, facts) in raw.items():
        meta = {k: v for k, v in data.streams[name].meta.items() if k not in ("schema", "mmcli", "inputs")}
        result[name] = meta | {"kind": facts.kind, "shape": list(facts.shape)}
    return result


def _show_trained(output: Path, model: Recommender, recipe: Any, facts: Mapping[str, Any], json: bool) -> None:
    for note in recipe.notes:
        console.warn(f"note: {note}")
    if recipe.candidates:
        rows = [
            (row["method"], " ".join(f"{k} {v:g}" for k, v in row["config"].items()), f"{row['ndcg@20']:.4f}")
            for row in recipe.candidates
        ]
        console.table(f"{output}: methods on the last tenth of each user's training events", ["", "", "NDCG@20"], rows)
    method = "+".join(part.method for part in recipe.parts)
    console.say(
        f"{output}: {method}; {facts['events']:,} events ({facts['positive']}) of {facts['users']:,} users on "
        f"{facts['known']:,} of {facts['items']:,} items"
    )
    if recipe.weights:
        shares = ", ".join(f"{name} {weight:.2f}" for name, weight in recipe.weights.items())
        alone = ", ".join(f"{name} {value:.3f}" for name, value in recipe.alone.items())
        console.say(f"new items are placed by {shares} (alone on items taken for new: {alone})")
    elif len(model.known) > int(model.known.sum()):
        console.say("items without events cannot be placed: no content (ITEMS.npz)")
    if facts["held_out"]:
        console.say(f"left out: {facts['held_out']}")
    if json:
        kept = {"method": method, "weights": recipe.weights, "candidates": recipe.candidates, "notes": recipe.notes}
        console.emit({"schema": "mmcli/train@1", "output": str(output), "task": "rank", **facts, **kept})


def predict(
    model: Path,
    sources: Sequence[str],
    output: str | None,
    *,
    k: int,
    new: Sequence[str],
    among: str | None,
    similar: str | None,
    explain: bool,
) -> None:
    """A line a user, as it is known."""
    from mmcli.artifacts.io import atomic, jsonfile
    from mmcli.ranking import answers, recommender

    chosen = recommender.load(model)
    extra = list(new)
    if similar is not None and similar not in chosen.place:
        if not Path(similar.partition("#")[0]).exists():
            raise UsageError(f"--similar {similar!r} is neither an item of the model nor a file")
        extra = [similar]
    newcomers = _newcomers(chosen, extra, model) if extra else None
    lists = answers.Lists(chosen, k, among=_ids(among), newcomers=newcomers, explain=explain)
    kept: list[str] = []

    def put(line: dict[str, Any]) -> None:
        if output is None or output == "-":
            console.emit(line)
        else:
            kept.append(jsonfile.one_line(line))

    failed = 0
    if similar is not None:
        name = similar if similar in chosen.place else None
        told = similar if name or newcomers is None else newcomers.ids[0]
        put({"item": told, "similar": lists.similar(name, k)})
    else:
        if len(sources) != 1:
            raise UsageError(
                "one file of histories is wanted", hint='NDJSON {"user": ..., "history": [...]}, or events'
            )
        for block, bad in _histories(sources[0], chosen):
            failed += bad
            for line in lists.lines(block):
                put(line)
    if output is not None and output != "-":
        atomic.write_text(output, "".join(kept))
        console.say(f"{output}: {len(kept):,} lists")
    if failed:
        raise BatchFailedError(f"{failed:,} histories could not be used and have no line")


def predict_many(
    model: Path,
    sources: Sequence[str],
    output: str,
    options: Any,
    engine: AbstractContextManager[Any],
    k: int,
    among: str | None,
    explain: bool,
    json: bool,
) -> None:
    """Lists for a file of histories, in parts, in worker processes or on a cluster."""
    import dataclasses

    from mmcli.batch.jobs import lists
    from mmcli.cli import batching

    if len(sources) != 1 or sources[0] == console.STDOUT:
        raise UsageError("a folder of lists is made from one file of histories", hint="mmcli predict REC.pt FILE.jsonl")
    if Path(sources[0]).is_file() and _is_events(Path(sources[0])):
        raise UsageError(
            "is a file of events", source=sources[0], hint='one history a line: {"user": ..., "history": [...]}'
        )
    listening = batching.Listening(rows=not json, root=output, what="predict", header=False)
    with batching.folder(output) as (out, _), listening as listener, engine as executor:
        options = dataclasses.replace(options, executor=executor)
        summary = lists.recommend(
            Path(sources[0]), model, out, options, listener, k=k, among=_ids(among), explain=explain
        )
        count, first = lists.left_out(out)
    batching.tell(summary, "mmcli/predicted@1", output, json=json, left_out=count)
    if count:
        raise BatchFailedError(f"{count:,} histories could not be used and have no line; the first: {first}")


def _newcomers(chosen: Any, sources: Sequence[str], model: Path) -> Any:
    """Items that the catalogue does not have, from a data set, a manifest of features, or raw files."""
    import numpy as np

    from mmcli.batch.plan import raw
    from mmcli.ranking.answers import Newcomers

    parts, ids = [], []
    if len(sources) == 1 and (sources[0].lower().endswith(".npz") or not raw.is_raw(sources)):
        _, data = catalogue(Path(sources[0]))
        if data is None:
            raise MismatchError("holds ids and no content", source=sources[0])
        fresh = np.flatnonzero([name not in chosen.place for name in data.id.tolist()])
        if not len(fresh):
            raise MismatchError("holds no item that the model does not know", source=sources[0])
        chunks = [data.select(fresh)]
    else:
        chunks = []
        for chunk in raw.chunks(list(sources), chosen.config["modalities"], str(model)):
            for item, reason in chunk.failed:
                raise InputError(f"cannot be used: {reason}", source=item)
            if chunk.dataset is not None:
                chunks.append(chunk.dataset)
    for data in chunks:
        parts.append(chosen.vectors_of(data))
        ids += data.id.tolist()
    return Newcomers(ids, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _ids(among: str | None) -> list[str] | None:
    """Ids with commas between them, or a file with one a line."""
    if among is None:
        return None
    if Path(among).is_file():
        lines = Path(among).read_text(encoding="utf-8").splitlines()
        return [line.strip() for line in lines if line.strip()]
    return [name.strip() for name in among.split(",") if name.strip()]


def _histories(source: str, chosen: Any) -> Iterator[tuple[list[Any], int]]:
    """Some histories at a time and how many of them could not be used; of a pipe what is there."""
    from mmcli.ranking import answers

    if source != console.STDOUT and _is_events(Path(source)):
        yield _by_user(Path(source), chosen), 0
        return
    number = 0
    for lines in _lines(source):
        block, bad = [], 0
        for text in lines:
            number += 1
            if not text.strip():
                continue
            try:
                block.append(answers.read(json_.loads(text), number))
            except ValueError:
                bad += 1
                console.warn(f"line {number}: left out: is not JSON")
            except InputError as problem:
                bad += 1
                console.warn(f"left out: {problem.what}")
        yield block, bad


def _is_events(path: Path) -> bool:
    """Events and not histories: a table, or objects that name an item."""
    from mmcli.artifacts.io import provenance

    with provenance.opened(path) as (stream, _):
        first = stream.readline(1 << 16).lstrip(b"\xef\xbb\xbf")
    return not first.lstrip().startswith(b"{") or (b'"item"' in first and b'"history"' not in first)


def _by_user(path: Path, chosen: Any) -> list[Any]:
    from mmcli.artifacts.formats import events as formats
    from mmcli.ranking.answers import History

    table = formats.load(path, chosen.items)
    for note in table.notes:
        console.warn(f"{path}: {note}")
    rule = chosen.config["training"]["positive"]
    liked, _ = formats.positives(table, rule if table.kind and rule != "every event" else None)
    met: dict[int, list[str]] = {}
    poor: dict[int, set[str]] = {}
    for user, item, yes in zip(table.user.tolist(), table.item.tolist(), liked.tolist(), strict=True):
        met.setdefault(user, []).append(table.items[item])
        if not yes:
            poor.setdefault(user, set()).add(table.items[item])
    return [History(table.users[u], tuple(items), frozenset(poor.get(u, ()))) for u, items in met.items()]


def _lines(source: str) -> Iterator[list[bytes]]:
    from mmcli.artifacts.io import provenance

    if source != console.STDOUT:
        with provenance.opened(Path(source)) as (stream, _):
            while lines := stream.readlines(1 << 18):
                yield lines
        return
    rest = b""
    while block := os.read(sys.stdin.fileno(), 1 << 18):
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


def vectors(path: Path, target: Path) -> None:
    """Write the factors of a recommender as npz, for an index or a vector store: ``id``, ``vectors`` float32, and
    ``known`` bool; scores are dot products with a user's vector.
    """
    import numpy as np

    from mmcli.artifacts.io import atomic, npz
    from mmcli.ranking import recommender

    chosen = recommender.load(path)
    points = recommender.vectors(chosen)
    arrays = {"id": np.array(chosen.items), "vectors": points, "known": np.asarray(chosen.known)}
    atomic.write_with(target, lambda stream: npz.write(stream, arrays))
    console.say(f"{target}: {len(points):,} vectors of {points.shape[1]} numbers, for inner products")
