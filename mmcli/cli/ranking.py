"""Ranking behind `train --task rank`, `evaluate`, `predict` and `info`: translate, call, print."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import console, given
from mmcli.errors import MismatchError, UsageError

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
    inputs = [given.source(path) for path in (items, events) if path is not None and str(path) != STDIN]
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


SHOWN = ("ndcg@10", "ndcg@20", "recall@20", "mrr@20", "hit_rate@20")


@dataclass(frozen=True)
class Judging:
    """The options of `evaluate` that mean something to a recommender."""

    positive: str | None
    splits: Path | None
    by: str | None
    html: Path | None
    media: Path | None
    against: tuple[Path, ...]
    strict: bool
    json: bool

    def words(self) -> list[str]:
        """As they stand on a command line, files without their folders."""
        named = {"positive": self.positive, "splits": self.splits and self.splits.name, "by": self.by}
        words = [word for name, value in named.items() if value for word in (f"--{name}", str(value))]
        words += [word for path in self.against for word in ("--against", path.name)]
        return words + (["--strict"] if self.strict else [])


def evaluate(
    model: Path, items: Path | None, events: Path | None, output: Path | None, how: Judging, intervals: Any
) -> None:
    """Judge a recommender, write the report, print the main figures."""
    if events is None or output is None:
        raise UsageError("--events EVENTS and -o REPORT.json are needed", hint="a recommender is judged by events")
    from mmcli.artifacts.formats import events as formats
    from mmcli.artifacts.formats import report as reports
    from mmcli.artifacts.io import atomic
    from mmcli.ranking import content, fit, judge, page, recommender, registry, report
    from mmcli.ranking import splits as rules

    chosen = recommender.load(model)
    ids, data = catalogue(items)
    if data is None and chosen.bridge is not None and items is None:
        console.warn("note: no ITEMS.npz, so that new items are not judged")
    table = read(events, chosen.items, strict=how.strict)
    if ids is not None and set(ids) != set(chosen.items):
        raise MismatchError("does not hold the items that the model was trained with", source=items)
    if data is not None:
        place = {name: i for i, name in enumerate(data.id.tolist())}
        data = chosen.on_scale(data.select([place[name] for name in chosen.items]))
    facts = chosen.config["training"]
    liked, rule = formats.positives(table, how.positive or (facts["positive"] if table.kind else None))
    config = fit.Config(**facts["config"])
    held = rules.hold_out(table, liked, how=how.by, given=how.splits, seed=config.seed)
    assigned = {k: registry.load(k).Config(**v) for k, v in facts.get("assigned", {}).items()}
    question = judge.Question(
        table,
        liked,
        held,
        {} if data is None else content.raw_of(data),
        level=intervals.level,
        seed=intervals.seed,
        train=None if table.split is None else table.split != formats.SPLITS.index("test"),
        assigned=assigned,
    )
    leaks = report.integrity(question)
    if how.strict and not leaks["clean"]:
        what = f"{leaks['test_before_train']:,} test events are older than a training event of their user"
        if leaks["new_items_with_events"]:
            what = f"{leaks['new_items_with_events']:,} items are held out as new and have training events"
        raise MismatchError(what, source=events, hint="a model would know the future; without --strict it is said")
    late = None
    if held.flatters and table.time is not None:
        timed = rules.hold_out(table, liked, how="time")
        late = judge.judge(chosen, fit.read_recipe(chosen.config["model"]["recipe"]), _only(question, timed), config)
    opponents = {}
    for path in how.against:
        other = recommender.load(path)
        if other.items != chosen.items:
            raise MismatchError("ranks other items than the model", source=path)
        opponents[path.name] = (other, fit.read_recipe(other.config["model"]["recipe"]))
    result = report.evaluate(
        chosen,
        fit.read_recipe(chosen.config["model"]["recipe"]),
        question,
        config,
        opponents=opponents,
        inputs=[given.source(p) for p in (model, items, events) if p is not None and str(p) != STDIN],
        reproduce=shlex.join([*_words(model, items, events), *how.words(), "-o", output.name or "-"]),
        flattered=late,
    )
    reports.save(output, result)
    if how.html is not None:
        shown = reports.load(output) if str(output) != STDIN else result
        told = {} if how.media is None else page.items_of(how.media, shown)
        atomic.write_text(how.html, page.render(shown, told))
    _show_judged(result, output, rule)
    if how.json:
        keep = {name: result[name] for name in ("metrics", "verdict")}
        console.emit({"schema": "mmcli/evaluate@1", "output": str(output), **keep})


def _words(*files: Path | None) -> list[str]:
    """The model, the items, and the events behind their option."""
    *first, events = [None if file is None else file.name for file in files]
    return ["mmcli", "evaluate", *(name for name in first if name), "--events", str(events)]


def _only(question: Any, held: Any) -> Any:
    """The same question of known items alone, under another split."""
    import dataclasses

    return dataclasses.replace(question, held=held, raw={}, draws=20)


def _show_judged(result: Mapping[str, Any], output: Path, rule: str) -> None:
    console.say(result["verdict"]["text"])
    level = f"{100 * result['config']['level']:g} % interval"
    titles = {"warm": "known items", "new": "new items, among themselves", "whole": "both in one list"}
    for name, title in titles.items():
        table = result.get(name)
        if not table or not table["metrics"]:
            continue
        rows = []
        for figure in SHOWN:
            entry = table["metrics"][figure]
            low, high = entry["interval"]
            beside = [f"{other[figure]['value']:.3f}" for other in table["beside"].values()]
            rows.append((figure, f"{entry['value']:.3f}", f"{low:.3f} to {high:.3f}", *beside))
        console.table(f"{output}: {title}, {table['users']:,} users", ["", "value", level, *table["beside"]], rows)
    modalities = (result.get("new") or {}).get("modalities")
    if modalities:
        rows = []
        for name, entry in modalities.items():
            adds = entry.get("adds")
            gain = (
                ""
                if adds is None
                else f"{adds['value']:+.3f} ({adds['interval'][0]:+.3f} to {adds['interval'][1]:+.3f})"
            )
            rows.append((name, f"{entry['weight']:.2f}", f"{entry['alone']['value']:.3f}", f"{entry['p']:.3f}", gain))
        title = "what each modality does for new items (NDCG@20; p: contents exchanged)"
        console.table(title, ["", "weight", "alone", "p", "adds to the others"], rows)
    curve = (result.get("whole") or {}).get("curve")
    if curve:
        rows = [
            (f"{p['scale']:g}", f"{100 * p['share_new']:.0f} %", *(_or_dash(p[k]) for k in ("all", "warm", "new")))
            for p in curve
        ]
        title = "how much room new items get (--set rank.new at training), NDCG@20"
        console.table(title, ["scale", "share of lists", "all", "known", "new"], rows)
    rows = [(name, *(f"{v:.3f}" for v in part.values())) for name, part in result["beyond"].items()]
    console.table("of the first ten", ["", "coverage", "gini", "novelty (bits)", "popularity lift"], rows)
    console.say(f"positives: {rule}; held out: {result['split']}")
    for note in result["notes"]:
        console.warn(f"note: {note}")


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
