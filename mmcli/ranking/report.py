"""The report of a recommender (``mmcli/report@1``) from what was judged, and the verdict in words.

It says which modality places new items and by how much, and what known items need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmcli.errors import MismatchError
from mmcli.ranking import judge
from mmcli.ranking.fit import Config, Recipe
from mmcli.ranking.judge import POPULAR, PREDICTED, Judged, Question
from mmcli.ranking.metrics import PRIMARY
from mmcli.ranking.recommender import Recommender

REFITTED = "the figures are of the same recipe, chosen and fitted again without the events that are asked for"


def evaluate(
    model: Recommender,
    recipe: Recipe,
    question: Question,
    config: Config,
    *,
    opponents: Mapping[str, tuple[Recommender, Recipe]] | None = None,
    inputs: Sequence[Mapping[str, Any]] = (),
    reproduce: str = "",
    flattered: Judged | None = None,
) -> dict[str, Any]:
    """The whole report; ``flattered`` is what a split by time gives, where one at random was asked for."""
    judged = judge.judge(model, recipe, question, config)
    method = "+".join(part.method for part in recipe.parts)
    notes = [*question.events.notes, *judged.notes]
    if judged.refitted:
        notes.append(REFITTED)
    text = sentence(judged, method, list(question.raw))
    if question.held.flatters:
        notes.append("a random split lets a model see what came after the events it is asked for: it flatters")
        if flattered is not None and flattered.warm and judged.warm:
            late = flattered.warm["metrics"][PRIMARY]["value"]
            text += f" The split is random and flatters: {late:.3f} by time."
    told: dict[str, Any] = {"text": text}
    if judged.new and judged.new["metrics"]:
        told["carried_by"] = judged.new["carried_by"]
    for name, (other, its_recipe) in (opponents or {}).items():
        theirs = judge.judge(other, its_recipe, question, config)
        for part in ("warm", "new"):
            ours, own = getattr(judged, part), getattr(theirs, part)
            if ours and own and ours["metrics"] and own["metrics"]:
                ours["beside"][name] = own["metrics"]
    tables = {name: table for name in ("warm", "new", "whole") if (table := getattr(judged, name)) is not None}
    return {
        "task": "rank",
        "split": question.held.rule,
        "metrics": judged.metrics,
        "verdict": told,
        **tables,
        "beyond": judged.beyond,
        "integrity": integrity(question),
        "explanation": {"users": judged.sample},
        "model": {"name": method, "items": len(model.items), "recipe": recipe.told(), "refitted": judged.refitted},
        "inputs": list(inputs),
        "config": {"level": question.level, "draws": question.draws, "new_scale": config.new},
        "seed": question.seed,
        "reproduce": reproduce,
        "notes": notes,
    }


def refuse_leaks(question: Question, source: Any) -> None:
    """Raise :class:`MismatchError` where a model of the training events would know the future."""
    leaks = integrity(question)
    if leaks["clean"]:
        return
    what = f"{leaks['test_before_train']:,} test events are older than a training event of their user"
    if leaks["new_items_with_events"]:
        what = f"{leaks['new_items_with_events']:,} items are held out as new and have training events"
    raise MismatchError(what, source=source, hint="a model would know the future; without --strict it is said")


def integrity(question: Question) -> dict[str, Any]:
    """Leaks: test events older than a training event of their user, and new items that have training events."""
    import numpy as np

    events, held = question.events, question.held
    training = question.training
    early = 0
    if events.time is not None:
        newest = np.full(len(events.users), -np.inf)
        np.maximum.at(newest, events.user[training], events.time[training])
        asked = held.test & ~held.new[events.item]
        early = int((asked & (events.time < newest[events.user])).sum())
    met = np.bincount(events.item[question.liked & ~held.test], minlength=len(held.new)) > 0
    leaking = int((held.new & met).sum())
    return {"test_before_train": early, "new_items_with_events": leaking, "clean": not early and not leaking}


def sentence(judged: Judged, method: str, modalities: Sequence[str]) -> str:
    """The verdict in words."""
    said = []
    if judged.new and judged.new["metrics"]:
        said += _of_new(judged.new, modalities)
    if judged.warm:
        table = judged.warm
        popular = table["beside"][POPULAR]
        better = "beats" if popular["behind"]["interval"][0] > 0 else "does not surely beat"
        figure = f"NDCG@20 {_with(table['metrics'][PRIMARY])}"
        rival = f"most popular ({popular[PRIMARY]['value']:.3f})"
        said.append(f"For known items {method} reaches {figure} and {better} {rival}.")
        if gain := table.get("content_adds"):
            low, high = gain["interval"]
            word = "adds to that" if low > 0 else "takes from that" if high < 0 else "adds nothing there"
            said.append(f"Content {word} ({gain['value']:+.3f}, {low:+.3f} to {high:+.3f}).")
    return " ".join(said)


def _of_new(table: Mapping[str, Any], modalities: Sequence[str]) -> list[str]:
    beside, named = table["beside"], table["carried_by"]
    others = ", ".join(f"{entry[PRIMARY]['value']:.3f} for {name}" for name, entry in beside.items())
    scores = f"NDCG@20 {_with(table['metrics'][PRIMARY])} against {others}"
    if not named:
        return [f"No modality places new items better than chance ({table['chance']:.3f}): {scores}."]
    verb = "places" if len(named) == 1 else "place"
    said = [f"{_and(named)} {verb} new items: {scores}, {table['chance']:.3f} by chance."]
    if beside[PREDICTED]["behind"]["interval"][0] <= 0:
        said.append("That lists are personal is no sure gain over predicted popularity.")
    if idle := [name for name in modalities if name not in named]:
        said.append(f"{_and(idle)} {'adds' if len(idle) == 1 else 'add'} nothing that is sure.")
    return said


def _with(entry: Mapping[str, Any]) -> str:
    low, high = entry["interval"]
    return f"{entry['value']:.3f} ({low:.3f} to {high:.3f})"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
