"""`mmcli evaluate REC.pt ITEMS --events EVENTS`: a recommender, judged by events that it did not see."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import console, given, ranking
from mmcli.cli.evaluate.outputs import Outputs
from mmcli.errors import MismatchError

if TYPE_CHECKING:
    from mmcli.evaluation.intervals.interval import Config

SHOWN = ("ndcg@10", "ndcg@20", "recall@20", "mrr@20", "hit_rate@20")


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which events say yes, which of them are held out, and whether a leak is an error."""

    positive: str | None
    splits: Path | None
    by: str | None
    strict: bool

    def words(self) -> list[str]:
        """As they stand on a command line, files without their folders."""
        named = {"positive": self.positive, "splits": self.splits and self.splits.name, "by": self.by}
        words = [word for name, value in named.items() if value for word in (f"--{name}", str(value))]
        return words + (["--strict"] if self.strict else [])


def run(
    model: Path,
    items: Path | None,
    events: Path,
    asked: Asked,
    against: Sequence[Path],
    intervals: Config,
    outputs: Outputs,
) -> None:
    """Judge, write, print."""
    from mmcli.artifacts.formats import events as formats
    from mmcli.artifacts.formats import report as reports
    from mmcli.artifacts.io import atomic
    from mmcli.ranking import content, fit, judge, page, recommender, report
    from mmcli.ranking import splits as rules

    chosen = recommender.load(model)
    ids, data = ranking.catalogue(items)
    if data is None and chosen.bridge is not None and items is None:
        console.warn("note: no ITEMS.npz, so that new items are not judged")
    table = ranking.read(events, chosen.items, strict=asked.strict)
    if ids is not None and set(ids) != set(chosen.items):
        raise MismatchError("does not hold the items that the model was trained with", source=items)
    if data is not None:
        place = {name: i for i, name in enumerate(data.id.tolist())}
        data = chosen.on_scale(data.select([place[name] for name in chosen.items]))
    facts = chosen.config["training"]
    liked, rule = formats.positives(table, asked.positive or (facts["positive"] if table.kind else None))
    config = fit.Config(**facts["config"])
    held = rules.hold_out(table, liked, how=asked.by, given=asked.splits, seed=config.seed)
    config = dataclasses.replace(config, by="random" if held.flatters else "time")
    question = judge.Question(
        table,
        liked,
        held,
        {} if data is None else content.raw_of(data),
        level=intervals.level,
        seed=intervals.seed,
        train=None if table.split is None else table.split != formats.SPLITS.index("test"),
        assigned=fit.read_assigned(facts),
    )
    if asked.strict:
        report.refuse_leaks(question, events)
    late = None
    if held.flatters and table.time is not None:
        timed = rules.hold_out(table, liked, how="time")
        recipe, in_time = fit.read_recipe(chosen.config["model"]["recipe"]), dataclasses.replace(config, by="time")
        late = judge.judge(chosen, recipe, _only(question, timed), in_time)
    words = ["mmcli", "evaluate", *(path.name for path in (model, items) if path), "--events", events.name]
    words += [*asked.words(), *(word for path in against for word in ("--against", path.name))]
    opponents = {}
    for path in against:
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
        inputs=[given.source(p) for p in (model, items, events) if p is not None and str(p) != console.STDOUT],
        reproduce=shlex.join([*words, "-o", outputs.report.name or console.STDOUT]),
        flattered=late,
    )
    reports.save(outputs.report, result)
    if outputs.html is not None:
        shown = reports.load(outputs.report) if str(outputs.report) != console.STDOUT else result
        told = {} if outputs.media is None else page.items_of(outputs.media, shown)
        atomic.write_text(outputs.html, page.render(shown, told))
    _show(result, outputs.report, rule)
    if outputs.json:
        keep = {name: result[name] for name in ("metrics", "verdict")}
        console.emit({"schema": "mmcli/evaluate@1", "output": str(outputs.report), **keep})


def _only(question: Any, held: Any) -> Any:
    """The same question of known items alone, under another split."""
    return dataclasses.replace(question, held=held, raw={}, draws=20)


def _show(result: Mapping[str, Any], output: Path, rule: str) -> None:
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
