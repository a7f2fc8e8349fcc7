"""Events and content to a recommender: the method is chosen on the last tenth of every user's training events in time,
the weights of modalities on known items that are taken for new. Nothing here sees a test event.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.events import Events
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, UsageError
from mmcli.ranking import content, metrics, registry, splits, trials
from mmcli.ranking.recommender import Bridge, Recommender
from mmcli.ranking.scorer import Scorer, Sum, spread
from mmcli.ranking.trials import Raw

AUTO = "auto"
MATRICES = ("knn", "rp3", "ease")  # methods whose size grows with pairs of items
FEWEST = 50  # validation events, or users, below which methods are not compared
_LARGE = 2e11  # numbers that a grid search may multiply: beyond, a method is tried with its defaults alone
_JUDGED_USERS = 5000
# Of 0 to 3, one was best on Last.fm (two: .0030 to .0051 of NDCG@20 under the best single method). On sets that did
# not choose it (films, MovieLens 100k, toys, games, places, sports by time and at random, cosmetics by time) it is
# .0018 under the best at worst and .0112 over it; none at all is .0073 under, two .0036.
ERRORS = 1.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class Config:
    """``method``: auto or a name; ``new``: what the scores of new items are multiplied by (their share of the lists);
    ``memory_gb``: what a matrix of all pairs of items may take while it is made; ``most_items``: up to which one is
    made; ``draws``: of known items taken for new, to learn the weights of modalities on; ``by``: the tenth of events
    that methods are compared on is the last in time, or a random one, where the test is: on a random fifth of events on
    cosmetics the best by the last tenth in time was .032 of NDCG@20 under the best.
    """

    method: str = AUTO
    new: float = 1.0
    memory_gb: float = 8.0
    most_items: int = 20_000
    draws: int = 3
    by: str = "time"
    seed: int = 0


@dataclass(frozen=True)
class Part:
    """A method with its settings and its weight in the sum; the weight is over the spread of its scores."""

    method: str
    config: Any
    weight: float = 1.0


@dataclass(eq=False)
class Recipe:
    """All that was chosen: refitted on other events it gives another model of the same kind."""

    parts: list[Part]
    weights: dict[str, float] = field(default_factory=dict)
    mu: float = 0.3
    alone: dict[str, float] = field(default_factory=dict)
    candidates: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As plain JSON."""
        parts = [
            {"method": p.method, "config": provenance.config_dict(p.config), "weight": p.weight} for p in self.parts
        ]
        return {"parts": parts, "weights": self.weights, "mu": self.mu, "alone": self.alone}


def read_recipe(told: Mapping[str, Any]) -> Recipe:
    """The recipe that a checkpoint keeps."""
    parts = [
        Part(p["method"], registry.load(p["method"]).Config(**p["config"]), float(p["weight"])) for p in told["parts"]
    ]
    return Recipe(parts, dict(told["weights"]), float(told["mu"]), dict(told["alone"]))


def read_assigned(training: Mapping[str, Any]) -> dict[str, Any]:
    """The configurations that were set at training, by method, from what a checkpoint says of it."""
    return {name: registry.load(name).Config(**told) for name, told in training.get("assigned", {}).items()}


def train(
    events: Events,
    keep: NDArray[np.bool_],
    raw: Raw,
    config: Config,
    *,
    assigned: Mapping[str, Any] | None = None,
    jobs: int = 1,
    report: Report = lambda text: None,
) -> tuple[Recommender, Recipe]:
    """Choose and fit on the events of ``keep``, bool ``(events,)``, numbered by the catalogue's items.

    ``raw`` is the content of :func:`mmcli.ranking.content.raw_of`, maybe empty; ``assigned`` a method's configuration
    by name, where it is set. Raises :class:`InputError` where nothing is liked.
    """
    if not keep.any():
        raise InputError("no event is a positive one", hint="--positive 'rating>=4' says which are")
    recipe = choose(events, keep, raw, config, assigned or {}, jobs, report)
    return refit(recipe, events.items, splits.histories(events, keep), raw, config, jobs, tensors=True), recipe


def choose(
    events: Events,
    keep: NDArray[np.bool_],
    raw: Raw,
    config: Config,
    assigned: Mapping[str, Any],
    jobs: int,
    report: Report,
) -> Recipe:
    """The method by validation in time, the weights of modalities by items taken for new."""
    whole = splits.histories(events, keep)
    names, notes = _within(config, whole)
    seed = config.seed if events.time is None or config.by == "random" else None
    late = splits.last_of_each(events, keep, splits.VALIDATION_SHARE, seed=seed)
    if config.method != AUTO and config.method not in registry.names():
        registry.load(config.method)  # names the nearest
    if config.method != AUTO:
        names = [config.method]
    grids = {name: _grid(name, whole, assigned) for name in names}
    few = min(int(late.sum()), len(np.unique(events.user[late]))) < FEWEST
    if few and config.method == AUTO:
        small = keep.sum() < FEWEST
        names = ["pop"] if small else names[:1]
        notes.append(f"{int(late.sum())} events to compare methods on are too few; {names[0]} with its defaults")
    if few or (len(names) == 1 and len(grids[names[0]]) == 1):
        recipe = Recipe([Part(names[0], grids[names[0]][0])], notes=notes)
    else:
        early, later = splits.histories(events, keep & ~late), splits.histories(events, late)
        recipe = _compared(names, grids, early, later, raw, config.seed, jobs, report)
        recipe.notes = notes + recipe.notes
        if events.time is None:
            recipe.notes.append("without times the methods were compared on random events, which flatters all")
    if raw:
        _learn_bridge(recipe, events.items, whole, raw, config, jobs, report)
    return recipe


def _within(config: Config, whole: Any) -> tuple[list[str], list[str]]:
    """The methods that fit the memory given, best guesses first."""
    n = whole.shape[1]
    need = 12.0 * n * n / 1e9
    if n <= config.most_items and need <= config.memory_gb:
        return ["ease", "ials", "knn", "rp3", "pop"], []
    why = f"{n:,} items: a matrix of all pairs would take {need:.1f} GB; factors (ials) instead"
    return ["ials", "pop"], [why]


def _grid(name: str, whole: Any, assigned: Mapping[str, Any]) -> Sequence[Any]:
    module = registry.load(name)
    if name in assigned:
        return [assigned[name]]
    n = float(whole.shape[1])
    cost = whole.nnz * 64.0**2 * 10 if name not in MATRICES else n**3
    grid: Sequence[Any] = module.GRID
    return grid if cost <= _LARGE else grid[:1]


def fit_part(part: Part, histories: Any, seed: int, jobs: int = 1, raw: Raw | None = None) -> Scorer:
    """One method fitted; ``raw`` is the content, for those that look at it."""
    module = registry.load(part.method)
    extra: dict[str, Any] = {"jobs": jobs} if part.method == "ials" else {}
    if getattr(module, "CONTENT", False):
        extra["raw"] = raw
    scorer: Scorer = module.fit(histories, part.config, seed, **extra)
    return scorer


def _compared(
    names: Sequence[str],
    grids: Mapping[str, Sequence[Any]],
    early: Any,
    later: Any,
    raw: Raw,
    seed: int,
    jobs: int,
    report: Report,
) -> Recipe:
    """The best method of each kind on the later events, then the sum of the two best where it does better."""
    everything = np.ones(early.shape[1], bool)
    users = np.flatnonzero(np.diff(later.indptr))
    if len(users) > _JUDGED_USERS:
        users = np.sort(np.random.default_rng(seed).choice(users, _JUDGED_USERS, replace=False))
    histories, wanted = early[users], later[users]

    def judge(scorer: Scorer | Sum) -> NDArray[np.float64]:
        lists = metrics.rank(scorer.scores, histories, wanted, everything)
        return metrics.per_user(lists)[metrics.PRIMARY]

    table: list[dict[str, Any]] = []
    best: dict[str, Tried] = {}

    def tell(title: str, config: Any, each: NDArray[np.float64]) -> None:
        settings = {} if config is None else provenance.config_dict(config)
        table.append({"method": title, "config": settings, metrics.PRIMARY: float(each.mean())})
        report(f"{title} {metrics.PRIMARY} {each.mean():.4f}")

    for name in names:
        tried = []
        for config in grids[name]:
            scorer = fit_part(Part(name, config), early, seed, jobs, raw)
            tried.append(Tried([Part(name, config)], scorer, judge(scorer)))
            tell(name, config, tried[-1].each)
        best[name] = preferred(tried)
    personal = sorted((n for n in names if n != "pop"), key=lambda n: -best[n].each.mean())
    pairs = [("ease", "ials")] if {"ease", "ials"} <= set(names) else []
    pairs += [pair for pair in [tuple(personal[:2])] if len(pair) == 2 and set(pair) != {"ease", "ials"}]
    sums = []
    for first, second in pairs:
        both = [best[first], best[second]]
        scorers = [one.scorer for one in both]
        mixed = Sum(scorers, [1 / spread(s, early) for s in scorers])
        sums.append(Tried([*both[0].parts, *both[1].parts], mixed, judge(mixed)))
        tell(f"{first}+{second}", None, sums[-1].each)
    chosen = preferred([*sums, *(best[name] for name in [*personal, *(n for n in names if n == "pop")])])
    return Recipe(chosen.parts, candidates=sorted(table, key=lambda row: -float(str(row[metrics.PRIMARY]))))


@dataclass(eq=False)
class Tried:
    """A candidate and its figure of each user of the validation, float64 ``(users,)``."""

    parts: list[Part]
    scorer: Any
    each: NDArray[np.float64]


def preferred(tried: Sequence[Tried]) -> Tried:
    """The first that is not beaten by more than ``ERRORS`` standard errors of the paired difference.

    A tenth of the events ranks candidates with an error of several thousandths; what stands first is what does well
    elsewhere: the sum of two methods before one, defaults before other settings.
    """
    top = max(tried, key=lambda one: float(one.each.mean()))
    for one in tried:
        behind = top.each - one.each
        if behind.mean() <= ERRORS * behind.std() / max(1, len(behind)) ** 0.5:
            return one
    return top


def refit(
    recipe: Recipe,
    items: list[str],
    histories: Any,
    raw: Raw,
    config: Config,
    jobs: int = 1,
    *,
    tensors: bool = False,
) -> Recommender:
    """The model of a recipe on histories csr ``(users, items)``; ``tensors`` keeps the Gram matrix to add to."""
    scorers = [fit_part(part, histories, config.seed, jobs, raw) for part in recipe.parts]
    scorer: Scorer | Sum = scorers[0]
    if len(scorers) > 1:
        scorer = Sum(scorers, [p.weight / spread(s, histories) for p, s in zip(recipe.parts, scorers, strict=True)])
    gram = None
    if tensors and any(part.method in ("knn", "ease") for part in recipe.parts):
        gram = (histories.T @ histories).tocsr()
    bridge = None
    if recipe.weights:
        bridge = make_bridge(items, np.asarray(scorer.popularity > 0), raw, recipe.weights, recipe.mu)
        bridge.alone = recipe.alone
    return Recommender(items, scorer, bridge, config.new, gram)


def make_bridge(
    items: Sequence[str], known: NDArray[np.bool_], raw: Raw, weights: Mapping[str, float], mu: float
) -> Bridge:
    """The content regression over the known items."""
    number = np.flatnonzero(known).astype(np.int64)
    marks = content.landmarks([items[i] for i in number.tolist()])
    modalities: dict[str, content.Modality] = {}
    vectors, kernels = {}, {}
    for name in weights:
        values, present, facts = raw[name]
        modalities[name] = content.fit_modality(values, present & known, facts)
        vectors[name] = modalities[name].vectors(values, present)
        kernels[name] = content.kernel(vectors[name][number], vectors[name][number[marks]])
    regression = content.ridge(content.joined(kernels, weights), mu, marks)
    return Bridge(modalities, vectors, dict(weights), mu, number, number[marks], regression)


def _learn_bridge(
    recipe: Recipe, items: list[str], whole: Any, raw: Raw, config: Config, jobs: int, report: Report
) -> None:
    """Known items are taken for new, some times over; the weights that place them best are kept."""
    known = np.asarray(whole.sum(0)).ravel() > 0
    usable = [name for name, (_, present, _) in raw.items() if (present & known).sum() >= 10]
    for name in sorted(set(raw) - set(usable)):
        recipe.notes.append(f"{name}: fewer than ten known items have it; left out")
    if not usable or known.sum() < 20:
        if usable:
            recipe.notes.append("fewer than 20 items have events: new items cannot be placed by content")
        return
    count = config.draws if whole.nnz < trials.MOST_EVENTS else 1
    own = {name: raw[name] for name in usable}
    draws = [
        trials.trial(
            items,
            whole,
            own,
            splits.items_by_digest(items, known, splits.NEW_SHARE, f"draw {draw}"),
            lambda early: fit_part(recipe.parts[0], early, config.seed, jobs, own),
        )
        for draw in range(count)
    ]

    def judge(weights: content.Learned, mu: float) -> float:
        return float(np.mean([draw.reached(draw.scores(weights, mu)) for draw in draws]))

    learned = content.learn(usable, judge)
    recipe.weights, recipe.mu, recipe.alone = learned.weights, learned.mu, learned.alone
    for name, value in learned.alone.items():
        report(f"new items by {name} alone {value:.4f}")
    report(f"new items by {', '.join(learned.weights)}: {learned.value:.4f}")


def add(model: Recommender, events: Events, keep: NDArray[np.bool_]) -> Recommender:
    """The model with the events of users it has not met: their Gram matrix is added, and the closed form taken again.

    Exact for ``knn`` and ``ease`` and the counts. Factors stay as they are: their users are folded in when they ask.
    A user is taken for one that is not in yet, since the model knows none. Raises :class:`UsageError` for a method
    that keeps no sums.
    """
    histories = splits.histories(events, keep)
    counts = np.asarray(histories.sum(0), np.float32).ravel()
    recipe = read_recipe(model.config["model"]["recipe"])
    scorers = model.scorer.scorers if isinstance(model.scorer, Sum) else [model.scorer]
    weights = model.scorer.weights if isinstance(model.scorer, Sum) else [1.0]
    gram = None if model.gram is None else (model.gram + histories.T @ histories).tocsr()
    fitted = []
    for part, scorer in zip(recipe.parts, scorers, strict=True):
        module = registry.load(part.method)
        if part.method == "rp3":
            raise UsageError(
                "a model of rp3 keeps no sums that events can be added to", hint="train it again on all events"
            )
        if hasattr(module, "from_gram") and gram is not None:
            fitted.append(module.from_gram(gram, part.config))
        else:
            fitted.append(dataclasses.replace(scorer, popularity=scorer.popularity + counts))
    whole: Scorer | Sum = fitted[0] if len(fitted) == 1 else Sum(fitted, weights)
    bridge = model.bridge
    known = np.asarray(whole.popularity > 0)
    if bridge is not None and not np.array_equal(np.flatnonzero(known), bridge.known):
        bridge = _rebridged(bridge, model.items, known)
    return Recommender(model.items, whole, bridge, model.new_scale, gram, model.config)


def _rebridged(bridge: Bridge, items: list[str], known: NDArray[np.bool_]) -> Bridge:
    """The regression over what is known now, with the vectors as they are."""
    number = np.flatnonzero(known).astype(np.int64)
    marks = content.landmarks([items[i] for i in number.tolist()])
    kernels = {n: content.kernel(bridge.vectors[n][number], bridge.vectors[n][number[marks]]) for n in bridge.weights}
    regression = content.ridge(content.joined(kernels, bridge.weights), bridge.mu, marks)
    return dataclasses.replace(bridge, known=number, marks=number[marks], regression=regression)
