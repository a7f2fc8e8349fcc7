"""What a recommender is worth: on known items, on new ones, and in one catalogue of both.

Lists are exact over the whole catalogue. A model that has seen the test events is not asked: its recipe, which did not,
is fitted again without them. Beside it stand most popular, item neighbours, predicted popularity, nearest content and
chance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.events import Events
from mmcli.errors import InputError
from mmcli.ranking import content, fit, metrics, redrawn, registry, splits, trials
from mmcli.ranking.fit import Config, Part, Recipe
from mmcli.ranking.metrics import PRIMARY, Lists, Spread
from mmcli.ranking.recommender import Recommender
from mmcli.ranking.splits import Held
from mmcli.ranking.trials import Raw

Mask = NDArray[np.bool_]
SCALES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
SURE = 0.02  # the share of exchanged contents that may reach what a modality does, over all modalities together
MOST_CHOSEN = 20_000_000  # events up to which the settings are chosen again
POPULAR, NEIGHBOURS = "most popular", "item neighbours"
PREDICTED, NEAREST = "predicted popularity", "nearest content"
NOTHING = {"interval": [0.0, 0.0]}


@dataclass(eq=False)
class Question:
    """What is judged: the events, which are liked, what is held out, the items' content, and how sure to be."""

    events: Events
    liked: Mask
    held: Held
    raw: Raw
    level: float = 0.95
    seed: int = 0
    jobs: int = 1
    draws: int = metrics.DRAWS
    train: Mask | None = None
    assigned: Mapping[str, Any] = field(default_factory=dict)

    @property
    def training(self) -> Mask:
        """The liked events that a model may know, bool ``(events,)``."""
        kept = self.liked & ~self.held.test & ~self.held.new[self.events.item]
        return kept if self.train is None else kept & self.train


@dataclass(eq=False)
class Figures:
    """Lists with their figures of each user, and what resampling made of them."""

    lists: Lists
    each: dict[str, NDArray[np.float64]]
    spread: Spread

    @property
    def value(self) -> float:
        """The mean of the main figure."""
        return float(self.each[PRIMARY].mean())


@dataclass(eq=False)
class Judged:
    """The parts of a report; a table is None where the events do not hold it."""

    warm: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
    whole: dict[str, Any] | None = None
    beyond: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    refitted: bool = False
    notes: list[str] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)


Score = Callable[[Any], Any]
_REMEMBERED = 64_000_000  # numbers, 256 MB


class Remembered:
    """Scores that are asked for again and again for the same histories: they are made once, as far as they fit."""

    def __init__(self, score: Score) -> None:
        self.score = score
        self.kept: dict[tuple[bytes, bytes], Any] = {}
        self.numbers = 0

    def __call__(self, rows: Any) -> Any:
        """The scores of these rows, the caller's to change."""
        key = rows.indptr.tobytes(), rows.indices.tobytes()
        if key not in self.kept:
            scores = self.score(rows)
            if self.numbers + scores.size > _REMEMBERED:
                return scores
            self.numbers += scores.size
            self.kept[key] = scores
        return self.kept[key].copy()


def judge(model: Recommender, recipe: Recipe, question: Question, config: Config) -> Judged:
    """All tables. Raises :class:`InputError` where nothing is held out.

    A model that was trained on just the events it may know is judged as it is. Of any other the recipe is judged: the
    method and the weights are chosen again on those events, and fitted.
    """
    held, events = question.held, question.events
    if not held.test.any():
        raise InputError("no liked event is held out: nothing to judge by", hint="more events, or --splits")
    training = question.training
    result = Judged()
    own = model.config.get("training", {}).get("fingerprint") == splits.fingerprint(events, training)
    old = held.test & ~held.new[events.item]
    pool = held.new
    if old.any():
        known = model if own else _again(recipe, question, config, training, result)[0]
        result.warm = _warm(known, question, splits.histories(events, training), old, result)
        if not pool.any() and question.raw:
            counts = np.bincount(events.item[question.liked], minlength=len(events.items))
            pool = splits.items_by_digest(events.items, counts > 0)
            result.notes.append("new items are a fifth of the items with events, by digest of the id")
    if pool.any() and question.raw:
        rest = (question.liked if question.train is None else question.liked & question.train) & ~pool[events.item]
        bold, chosen = (model, recipe) if held.new.any() and own else _again(recipe, question, config, rest, result)
        if chosen.weights:
            result.new = _new(bold, chosen, question, rest, pool, result)
            if old.any():
                both = training & ~pool[events.item]
                histories = splits.histories(events, both)
                mixed = fit.refit(chosen, events.items, histories, question.raw, config, question.jobs)
                result.whole = _whole(mixed, question, both, old, pool, result)
    elif pool.any():
        result.notes.append("new items are not judged: no content")
    return result


def _again(
    recipe: Recipe, question: Question, config: Config, keep: Mask, result: Judged
) -> tuple[Recommender, Recipe]:
    """The model without the events that it is asked for. Of very many events the settings stay: choosing takes longer
    than all the rest.
    """
    result.refitted = True
    histories = splits.histories(question.events, keep)
    if histories.nnz > MOST_CHOSEN:
        result.notes.append("the settings are those of the model, which saw the test events (in-sample)")
    else:
        quiet: fit.Report = lambda text: None  # noqa: E731
        recipe = fit.choose(question.events, keep, question.raw, config, question.assigned, question.jobs, quiet)
    return fit.refit(recipe, question.events.items, histories, question.raw, config, question.jobs), recipe


def _figures(score: Score, histories: Any, test: Any, among: Mask, question: Question) -> Figures:
    lists = metrics.rank(score, histories, test, among, metrics.DEPTH)
    spread = metrics.resampled(lists, test, among, question.seed, question.draws)
    return Figures(lists, metrics.per_user(lists), spread)


def _entries(figures: Figures, question: Question, *, wider: float = 1.0) -> dict[str, Any]:
    values = {name: float(each.mean()) for name, each in figures.each.items()}
    bounds = metrics.intervals(values, figures.spread, question.level, wider=wider)
    n = len(figures.lists.users)
    return {name: {"value": value, "interval": bounds[name], "n": n} for name, value in values.items()}


def _gap(a: Figures, b: Figures, question: Question) -> dict[str, Any]:
    gap = a.value - b.value
    return {"value": gap, "interval": metrics.difference(a.spread, b.spread, gap, question.level)}


def _table(main: Figures, rivals: Mapping[str, Figures], question: Question, *, wider: float = 1.0) -> dict[str, Any]:
    table: dict[str, Any] = {"metrics": _entries(main, question, wider=wider), "users": len(main.lists.users)}
    table["beside"] = {}
    for name, own in rivals.items():
        table["beside"][name] = _entries(own, question, wider=wider) | {"behind": _gap(main, own, question)}
    return table


def _warm(model: Recommender, question: Question, histories: Any, old: Mask, result: Judged) -> dict[str, Any]:
    """Items with events; a test event on an item without any counts as missed."""
    events = question.events
    test = splits.histories(events, old)
    everything = np.ones(len(events.items), bool)
    known = Remembered(model.scorer.scores)
    main = _figures(known, histories, test, everything, question)
    rivals = {}
    for name, method in ((POPULAR, "pop"), (NEIGHBOURS, "knn")):
        if method == "pop" or len(events.items) <= fit.Config.most_items:
            scorer = fit.fit_part(Part(method, registry.load(method).Config()), histories, question.seed)
            rivals[name] = _figures(scorer.scores, histories, test, everything, question)
    table = _table(main, rivals, question)
    if model.bridge is not None:
        bridge = model.bridge
        own = {name: vectors[bridge.known] for name, vectors in bridge.vectors.items()}
        kernel = np.asarray(sum(bridge.kernels(own).values()), np.float32)

        def with_content(rows: Any) -> Any:
            scores = known(rows)
            scores[:, bridge.known] += scores[:, bridge.known] @ bridge.regression @ kernel
            return scores

        table["content_adds"] = _gap(_figures(with_content, histories, test, everything, question), main, question)
    missing = ~model.known
    missed = int(missing[events.item[old]].sum())
    if missed:
        result.notes.append(
            f"{missed:,} of {int(old.sum()):,} test events are on items without training events; missed"
        )
    result.metrics |= {f"warm/{name}": entry for name, entry in table["metrics"].items()}
    result.beyond["warm"] = metrics.beyond(main.lists, model.scorer.popularity, everything)
    for name, rival in rivals.items():
        result.beyond[f"warm, {name}"] = metrics.beyond(rival.lists, model.scorer.popularity, everything)
    result.sample = _sample(model, histories, test, main.lists)
    return table


def _new(
    model: Recommender, recipe: Recipe, question: Question, rest: Mask, pool: Mask, result: Judged
) -> dict[str, Any]:
    """Items nobody has met, ranked among themselves; what each modality does for them."""
    events, raw = question.events, question.raw
    histories = splits.histories(events, rest)
    test = splits.histories(events, question.liked & pool[events.item])
    judged = np.zeros(len(pool), bool)
    judged[model.new] = True
    judged &= pool
    if not judged.any() or not test[:, np.flatnonzero(judged)].nnz:
        result.notes.append("no held-out new item has content and a liked event")
        return {"metrics": {}, "users": 0, "beside": {}}
    missing = int((pool & ~judged).sum())
    if missing:
        result.notes.append(f"{missing:,} of {int(pool.sum()):,} new items have no content: not placed")

    def placed(weights: Mapping[str, float], targets: Callable[[Any], Any]) -> Figures:
        bridge = fit.make_bridge(events.items, model.known, raw, weights, recipe.mu)
        own = {name: vectors[judged] for name, vectors in bridge.vectors.items()}
        columns = bridge.regression @ np.asarray(sum(bridge.kernels(own).values()), np.float32)

        def score(rows: Any) -> Any:
            scores = np.zeros((rows.shape[0], len(pool)), np.float32)
            scores[:, judged] = targets(rows)[:, bridge.known] @ columns
            return scores

        return _figures(score, histories, test, judged, question)

    weights = recipe.weights
    smooth = Remembered(model.scorer.scores)
    main = placed(weights, smooth)
    popularity = np.log1p(model.scorer.popularity)
    rivals = {PREDICTED: placed(weights, lambda rows: np.tile(popularity, (rows.shape[0], 1)))}
    assert model.bridge is not None
    own = {name: vectors[judged] for name, vectors in model.bridge.vectors.items()}
    everyone = np.asarray(
        sum(
            np.float32(w) * content.kernel(model.bridge.vectors[name], own[name])
            for name, w in model.bridge.weights.items()
        ),
        np.float32,
    )

    def nearest(rows: Any) -> Any:
        scores = np.zeros((rows.shape[0], len(pool)), np.float32)
        scores[:, judged] = rows @ everyone
        return scores

    rivals[NEAREST] = _figures(nearest, histories, test, judged, question)
    number = np.flatnonzero(judged).astype(np.int64)
    known = np.asarray(model.known)
    usable = {name: part for name, part in raw.items() if (part[1] & known).sum() >= 10}

    def fitted(early: Any) -> Any:
        return fit.fit_part(recipe.parts[0], early, question.seed, question.jobs, usable)

    crossed = trials.crossed(events.items, (histories + test).tocsr(), usable, fitted, weights, recipe.mu)
    wider = redrawn.wider(crossed, len(number), main.spread, question.level, question.seed)
    table = _table(main, rivals, question, wider=wider)
    chance, p = metrics.by_chance(main.lists, test, number, question.seed)
    table |= {"chance": chance, "p": p, "items": len(number)}
    modalities = {}
    for name, (each, p) in crossed.alone.items():
        alone = main if list(weights) == [name] else placed({name: 1.0}, smooth)
        entry: dict[str, Any] = {"weight": weights.get(name, 0.0), "p": p, "crossed": each}
        entry["alone"] = _entries(alone, question)[PRIMARY]
        others = {k: v for k, v in weights.items() if k != name}
        if name in weights and others:
            total = sum(others.values())
            entry["adds"] = _gap(main, placed({k: v / total for k, v in others.items()}, smooth), question)
        modalities[name] = entry
    table["modalities"], table["carried_by"] = modalities, carriers(modalities)
    result.metrics |= {f"new/{name}": entry for name, entry in table["metrics"].items()}
    result.beyond["new"] = metrics.beyond(main.lists, model.scorer.popularity, judged)
    return table


def carriers(modalities: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The modalities that place new items: the best alone where every item was new once, if exchanged contents do not
    reach it, and those whose loss costs something for sure, best first.
    """
    sure = [name for name, entry in modalities.items() if entry["p"] <= SURE / len(modalities)]
    sure.sort(key=lambda name: -modalities[name]["crossed"])
    return sure[:1] + [name for name in sure[1:] if modalities[name].get("adds", NOTHING)["interval"][0] > 0]


def _whole(model: Recommender, question: Question, both: Mask, old: Mask, pool: Mask, result: Judged) -> dict[str, Any]:
    """Known and new items in one list, and how much room new ones get at each scale of their scores."""
    events = question.events
    histories = splits.histories(events, both)
    known, new = (
        splits.histories(events, old & ~pool[events.item]),
        splits.histories(events, question.liked & pool[events.item]),
    )
    test = (known + new).tocsr()
    everything = np.ones(len(pool), bool)
    curve = []
    for scale in sorted({*SCALES, model.new_scale}):
        tried = dataclasses.replace(model, new_scale=scale)
        lists = metrics.rank(tried.scores, histories, test, everything)
        first = lists.shown[:, : metrics.KS[0]]
        each = metrics.per_user(lists)
        point: dict[str, Any] = {
            "scale": scale,
            "all": float(each[PRIMARY].mean()),
            "share_new": float(pool[first[first >= 0]].mean()),
        }
        for name, part in (("warm", known), ("new", new)):
            mine = metrics.per_user(metrics.rank(tried.scores, histories, part, everything))
            point[name] = float(mine[PRIMARY].mean()) if len(mine[PRIMARY]) else None
        curve.append(point)
        if scale == model.new_scale:
            main = _figures(tried.scores, histories, test, everything, question)
    table = _table(main, {}, question)
    table["curve"] = curve
    result.metrics |= {f"whole/{name}": entry for name, entry in table["metrics"].items()}
    result.beyond["whole"] = metrics.beyond(main.lists, model.scorer.popularity, everything)
    return table


def _sample(model: Recommender, histories: Any, test: Any, lists: Lists, count: int = 6) -> list[dict[str, Any]]:
    """Some users, evenly over how well they were served: history, list, reasons."""
    value = metrics.per_user(lists)[PRIMARY]
    order = np.argsort(value, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(np.int64)]
    sample = []
    for at in chosen:
        user = int(lists.users[at])
        history = histories[user].indices.astype(np.int64)
        wanted = set(test[user].indices.tolist())
        shown = []
        for item in lists.shown[at][:8].tolist():
            if item < 0:
                continue
            reasons = sorted(model.because(history, item)["history"].items(), key=lambda r: -r[1])[:2]
            shown.append({"id": model.items[item], "liked": item in wanted, "because": dict(reasons)})
        past = [model.items[i] for i in history[np.argsort(-model.scorer.popularity[history], kind="stable")]]
        sample.append({PRIMARY: float(value[at]), "events": len(past), "history": past[:8], "list": shown})
    return sample
