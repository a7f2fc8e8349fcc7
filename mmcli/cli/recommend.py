"""`mmcli predict REC.pt HISTORY`: lists for users, and `mmcli info REC.pt --vectors`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmcli.cli import console, ranking
from mmcli.errors import BatchFailedError, InputError, MismatchError, UsageError


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


def _newcomers(chosen: Any, sources: Sequence[str], model: Path) -> Any:
    """Items that the catalogue does not have, from a data set, a manifest of features, or raw files."""
    import numpy as np

    from mmcli.batch.plan import raw
    from mmcli.ranking.answers import Newcomers

    parts, ids = [], []
    if len(sources) == 1 and (sources[0].lower().endswith(".npz") or not raw.is_raw(sources)):
        _, data = ranking.catalogue(Path(sources[0]))
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

    if source != "-" and _is_events(Path(source)):
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
                block.append(answers.read(json.loads(text), number))
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

    if source != "-":
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
    from mmcli.ranking import export, recommender

    chosen = recommender.load(path)
    points = export.vectors(chosen)
    arrays = {"id": np.array(chosen.items), "vectors": points, "known": np.asarray(chosen.known)}
    atomic.write_with(target, lambda stream: npz.write(stream, arrays))
    console.say(f"{target}: {len(points):,} vectors of {points.shape[1]} numbers, for inner products")
