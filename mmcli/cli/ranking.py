"""Ranking behind `train --task rank`, `evaluate`, `predict` and `info`: translate, call, print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import console, given

if TYPE_CHECKING:
    from mmcli.artifacts.formats.dataset import Dataset
    from mmcli.artifacts.formats.events import Events
    from mmcli.ranking.recommender import Recommender

STDIN = "-"


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

    found = formats.load(events, items, strict=strict)
    for note in found.notes:
        console.warn(f"{events}: {note}")
    return found.numbered(items if items is not None else sorted(found.items, key=_natural))


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
    table = read(events, ids)
    liked, rule = formats.positives(table, positive)
    held = _held(table, liked, splits, by, config.seed)
    keep = liked if held is None else liked & ~held.test & ~held.new[table.item]
    if table.split is not None and held is None:
        keep = liked & (table.split != formats.SPLITS.index("test"))
    inputs = [
        provenance.source_of(p) if p.is_file() else given.source(p)
        for p in (items, events)
        if p is not None and str(p) != STDIN
    ]
    if before is not None:
        model = fit.add(before, table, keep)
        console.say(f"{output}: {int(keep.sum()):,} events of {len(set(table.user[keep].tolist())):,} users added")
        recommender.save(output, model)
        return
    raw = {} if data is None else content.raw_of(data)
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
        result[name] = meta | {"kind": facts["kind"], "shape": list(facts["shape"])}
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
