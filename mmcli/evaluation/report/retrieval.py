"""One modality searched with another, both ways: what ``mmcli evaluate DATASET --retrieve A,B`` reports.

Queries and candidates are the items of a split that have both modalities, as vectors in a shared space
(:mod:`.spaces`), compared by cosine similarity. Relevant is the item itself (``pair``), or every item
of the same label (``label``; of several labels: any of them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.evaluation.judge import integrity
from mmcli.evaluation.judge.spaces import Space
from mmcli.evaluation.metrics import ranking
from mmcli.evaluation.model import Indices
from mmcli.evaluation.report.report import Request, chosen_rows, few_groups, groups_of

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

PAIR, LABEL = "pair", "label"
RELEVANT = (PAIR, LABEL)
MOST_PLACES = 50  # of the curve of hits
FEWEST = 2  # items to search among


@dataclass(frozen=True, eq=False)
class Searches:
    """The items searched and both directions, by name (``image to text``)."""

    rows: Indices
    directions: dict[str, ranking.Search]
    chances: dict[int, float]  # that a random order has a relevant candidate among the first k


def evaluate(
    space: Space,
    names: tuple[str, str],
    dataset: Dataset,
    request: Request | None = None,
    *,
    relevant: str = PAIR,
    model: str | None = None,
) -> dict[str, Any]:
    """The report of a search; ``space`` holds the vectors of all items of the request's split.

    Raises :class:`UsageError` for a split without items, :class:`MismatchError` where ``label`` is asked for and there
    are no names, :class:`InputError` where fewer than two items are left, and for leaks with ``strict``.
    """
    request = request or Request()
    if relevant not in RELEVANT:
        raise UsageError(f"relevant is {relevant!r}; one of: {', '.join(RELEVANT)}")
    checked = integrity.check(dataset)
    if request.strict:
        integrity.refuse(checked, "data set")
    wanted = chosen_rows(dataset, request.split)
    kept, notes = _kept(space, names, dataset, wanted, relevant)
    if space.note:
        notes.append(space.note)
    if space.note is None and (dataset.split[wanted[kept]] == "train").any():
        notes.append("the space was fitted on the training split, and some of these items are of it")
    notes += integrity.notes(checked)
    vectors = {name: space.vectors[name][kept] for name in names}
    rows = wanted[kept]
    searched = search(vectors, names, _same(dataset, rows) if relevant == LABEL else None, rows)
    groups = groups_of(dataset, rows)
    notes += few_groups(groups, request.intervals)
    metrics = {
        f"{way}/{name}": entry
        for way, each in searched.directions.items()
        for name, entry in ranking.measured(each, groups=groups, config=request.intervals).items()
    }
    config = {
        "primary": ranking.PRIMARY,
        "intervals": provenance.config_dict(request.intervals),
        "retrieve": list(names),
        "relevant": relevant,
        "space": space.name,
    }
    content: dict[str, Any] = {
        "task": ranking.TASK,
        "split": request.split,
        "metrics": metrics,
        "baselines": {"chance": {f"hit_rate@{k}": searched.chances[k] for k in ranking.KS if k in searched.chances}},
        "curves": curves(searched),
        "items": items_of(dataset, searched),
        "integrity": checked,
        "config": config,
        "config_sha256": provenance.config_sha256(config),
        "seed": request.intervals.seed,
        "inputs": list(request.inputs),
        "model": {"name": model or f"{names[0]} and {names[1]}", "modalities": list(names), "space": space.name},
        "notes": notes,
    }
    text = "; ".join(clauses(content)) + "."
    content["verdict"] = {"text": text, "compared": False, "candidates": len(rows)}
    if request.reproduce:
        content["reproduce"] = request.reproduce
    return content


def _kept(
    space: Space, names: tuple[str, str], dataset: Dataset, wanted: Indices, relevant: str
) -> tuple[Indices, list[str]]:
    """Which of the wanted items can be searched, as places among them, and a line for each kind that cannot."""
    use = np.ones(len(wanted), np.bool_)
    notes = []

    def drop(bad: Bool, why: str) -> None:
        nonlocal use
        if (bad & use).any():
            first = str(dataset.id[wanted[int(np.flatnonzero(bad & use)[0])]])
            notes.append(
                f"{int((bad & use).sum())} of {len(wanted)} items {why} and are left out, the first is {first}"
            )
        use &= ~bad

    for name in names:
        drop(~space.present[name], f"lack {name}")
    for name in names:
        size = np.linalg.norm(space.vectors[name], axis=1)
        if not np.isfinite(size).all():
            raise InputError(f"a vector of {name} is not finite")
        drop(size == 0, f"have a vector of zeros for {name}, which is like nothing,")
    if relevant == LABEL:
        label = dataset.label
        if label is None or label.dtype.kind == "f":
            what = "no labels" if label is None else "numbers for labels"
            raise MismatchError(
                f"the data set has {what}: nothing has the same label", hint="--relevant pair looks for the item itself"
            )
        drop(~_labelled(label[wanted]), "have no label")
    kept = np.flatnonzero(use).astype(np.int64)
    if len(kept) < FEWEST:
        reasons = "; ".join(notes) or f"the split has {len(wanted)}"
        raise InputError(f"{len(kept)} items are no search: {reasons}", source="data set")
    return kept, notes


def _labelled(label: NDArray[Any]) -> Bool:
    return np.asarray(label.any(axis=1) if label.ndim == 2 else label != "", np.bool_)


def _same(dataset: Dataset, rows: Indices) -> ranking.Related:
    """Relevance of the items by their labels."""
    label = np.asarray(dataset.label)[rows]
    if label.ndim == 2:
        sets = label.astype(np.float64)
        return lambda some: (sets[some] @ sets.T > 0).astype(np.float64)
    return lambda some: (label[some][:, None] == label[None]).astype(np.float64)


def search(vectors: dict[str, Array], names: tuple[str, str], same: ranking.Related | None, rows: Indices) -> Searches:
    """Both directions among the given vectors; ``same`` None: the item itself is relevant."""
    count = len(rows)
    related = same or (lambda some: (some[:, None] == np.arange(count)[None]).astype(np.float64))
    ways = [(names[0], names[1]), (names[1], names[0])]
    directions = {f"{a} to {b}": ranking.search(vectors[a], vectors[b], related) for a, b in ways}
    relevant = np.concatenate([related(np.array([i])).sum(axis=1) for i in range(count)])
    chances = {k: chance(relevant, count, k) for k in range(1, min(MOST_PLACES, count) + 1)}
    return Searches(rows, directions, chances)


def chance(relevant: Array, candidates: int, k: int) -> float:
    """That a random order has one of ``relevant`` ``(queries,)`` candidates among its first ``k``, mean over queries.

    >>> chance(np.array([1.0]), 4, 1), chance(np.array([2.0]), 4, 2)
    (0.25, 0.8333333333333334)
    """
    misses = np.ones(len(relevant))
    for place in range(k):
        misses *= np.clip(candidates - relevant - place, 0, None) / (candidates - place)
    return float((1 - misses).mean())


def curves(searched: Searches) -> dict[str, Any]:
    """The share of queries with a relevant candidate among the first k, for each direction, and by chance."""
    places = list(searched.chances)
    return {
        "places": places,
        "hit_rate": {name: [float((d.rank <= k).mean()) for k in places] for name, d in searched.directions.items()},
        "chance": [searched.chances[k] for k in places],
    }


def items_of(dataset: Dataset, searched: Searches) -> list[dict[str, Any]]:
    """One object per item: the rank of what it looks for and what it finds first, by direction."""
    items = []
    reciprocal = np.mean([1 / d.rank for d in searched.directions.values()], axis=0)
    for k, row in enumerate(searched.rows):
        items.append(
            {
                "id": str(dataset.id[row]),
                "group": str(dataset.group[row]) or None,
                "present": [name for name in dataset.modalities if dataset.streams[name].present[row]],
                "label": _label(dataset, int(row)),
                "prediction": {
                    name: str(dataset.id[searched.rows[d.top[k]]]) for name, d in searched.directions.items()
                },
                "ranks": {name: int(d.rank[k]) for name, d in searched.directions.items()},
                "loss": float(1 - reciprocal[k]),
            }
        )
    return items


def _label(dataset: Dataset, row: int) -> Any:
    if dataset.label is None:
        return None
    value = dataset.label[row]
    if dataset.label.ndim == 2:
        return [str(name) for name, has in zip(dataset.meta.get("classes") or [], value, strict=True) if has]
    if dataset.label.dtype.kind == "f":
        return float(value) if np.isfinite(value) else None
    return str(value) or None


def clauses(report: dict[str, Any]) -> list[str]:
    """The search in plain words, with what chance would reach, one clause for each thing that is said."""
    chances = dict(zip(report["curves"]["places"], report["curves"]["chance"], strict=True))
    k = max(k for k in ranking.KS if k in chances)

    def share(way: str, at: int) -> str:
        entry = report["metrics"][f"{way}/hit_rate@{at}"]
        low, high = (100 * bound for bound in entry["interval"])
        return f"{100 * entry['value']:.1f} % ({low:.1f} to {high:.1f})"

    (a, b), (there, back) = report["model"]["modalities"], report["curves"]["hit_rate"]
    of_itself = report["config"]["relevant"] == PAIR
    its, of_label = ("its ", "") if of_itself else ("", " of its label")
    text = f"Among {len(report['items'])} items, {a} finds {its}{b}{of_label} first in {share(there, 1)}"
    said = [f"{text} and {b} {its or 'finds '}{a} in {share(back, 1)}, by chance {100 * chances[1]:.1f} %"]
    if k > 1:
        text = f"among the first {k} in {share(there, k)} and {share(back, k)}"
        said.append(f"{text}, by chance {100 * chances[k]:.1f} %")
    lows = {way: report["metrics"][f"{way}/hit_rate@{k}"]["interval"][0] for way in (there, back)}
    if unsure := [way for way, low in lows.items() if low <= chances[k]]:
        said.append(f"no more than chance is shown for {' and '.join(unsure)}")
    return said


def predictions_table(report: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of the search as a plain table, for ``--predictions FILE.csv``."""
    ways = list(report["items"][0]["ranks"])
    columns = ["id", "group", "label", *(f"{what} {way}" for way in ways for what in ("rank", "first"))]
    rows: list[list[object]] = []
    for item in report["items"]:
        label = "|".join(item["label"]) if isinstance(item["label"], list) else item["label"]
        rows.append([item["id"], item["group"], label])
        rows[-1] += [value for way in ways for value in (item["ranks"][way], item["prediction"][way])]
    return columns, rows
