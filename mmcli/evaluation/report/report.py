"""Everything about one model on one data set, as one JSON object: ``mmcli/report@1``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge import explanation, integrity, promise, robustness, verdict
from mmcli.evaluation.judge.outcome import Outcome, outcome_of, truth_of, worst
from mmcli.evaluation.metrics import tasks
from mmcli.evaluation.model import Indices, Model

NOT_COMPARED = "not compared: no other model was given (--against) or kept in the checkpoint (train --fusion auto)"
FEW = 30  # items: below, one of them moves a share by more than three points


STEPS = ("answers", "figures", "what each modality adds", "explanations", "opponents")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to evaluate and how."""

    split: str = "test"  # train, val or test; "all" takes every item
    strict: bool = False  # refuse leaks between splits
    explain: int = 10  # items explained by gradients: the most wrong ones
    robustness: bool = False  # curves under damage, calibration by temperature
    timings: bool = False  # latency and throughput: the one part that differs from run to run
    intervals: interval.Config = field(default_factory=interval.Config)
    inputs: tuple[dict[str, Any], ...] = ()  # {name, size, sha256} of model, data set and opponents
    reproduce: str | None = None  # the command, without folders


def evaluate(
    model: Model,
    dataset: Dataset,
    request: Request | None = None,
    *,
    opponents: Sequence[Model] = (),
    step: Callable[[str], None] = lambda done: None,
) -> dict[str, Any]:
    """The report of a model on the items of a split that have a label, compared with its opponents.

    ``step`` hears of each of :data:`STEPS` when it is done.

    Raises :class:`UsageError` for a split without items, :class:`InputError` for leaks with ``strict`` and for
    predictions that are no figures, :class:`MismatchError` where model and data set do not belong together.
    """
    request = request or Request()
    checked = integrity.check(dataset)
    if request.strict:
        integrity.refuse(checked, "data set")
    wanted = chosen_rows(dataset, request.split)
    truth, rows = truth_of(dataset, wanted, model.task, model.classes)
    outcome = outcome_of(model.predict, dataset, rows, truth, model.task, model.classes)
    step(STEPS[0])
    groups = groups_of(dataset, rows)
    figures = outcome.metrics(groups, request.intervals)
    notes = []
    if len(rows) < len(wanted):
        notes.append(f"{len(wanted) - len(rows)} of {len(wanted)} items have no label and are left out")
    if request.split in ("train", "all") and (seen := int((dataset.split[rows] == "train").sum())):
        notes.append(
            f"{seen} of the {len(rows)} items are of the training split: these figures are no test of the model"
        )
    for name in model.modalities:
        if name not in dataset.streams or not dataset.streams[name].present[rows].any():
            notes.append(f"no item has {name}, which the model was trained on")
    notes += integrity.notes(checked)
    notes += few_groups(groups, request.intervals)
    notes += few_items(len(rows))
    if model.task == "classify":
        notes += one_class(np.asarray(dataset.label)[rows])
    report: dict[str, Any] = {
        "task": model.task,
        "split": request.split,
        "classes": outcome.classes,
        "metrics": {name: entry for name, entry in figures.items() if "/" not in name},
        "per_class": per_class(figures, outcome.classes),
        "baselines": baselines(dataset, outcome, model),
        "slices": worst(dataset, rows, outcome, config=request.intervals),
        "items": items_of(dataset, rows, outcome),
        "integrity": checked,
        "config": {
            "primary": outcome.primary,
            "intervals": provenance.config_dict(request.intervals),
            "explain": request.explain,
        },
        "seed": request.intervals.seed,
        "inputs": list(request.inputs),
        "model": {"name": model.name, "modalities": list(model.modalities), "fusion": model.fusion} | model.facts,
        "notes": notes,
    }
    report["config_sha256"] = provenance.config_sha256(report["config"])
    if model.task == "classify" and outcome.table is not None:
        names = outcome.classes or []
        report["confusion"] = {"classes": names, "counts": outcome.confusion().tolist()}
        report["calibration"] = {"bins": outcome.reliability()}
    step(STEPS[1])
    understanding = explanation.Explained(model, dataset, rows, outcome, groups, request.intervals)
    report["modalities"] = understanding.modalities(report["items"], notes)
    step(STEPS[2])
    understanding.inputs(report["items"], request.explain)
    step(STEPS[3])
    report["verdict"] = judged(model, dataset, rows, outcome, opponents, understanding.emap(), groups, request)
    if not report["verdict"]["compared"]:
        report["verdict"]["text"] = "; ".join(filter(None, [alone(report), report["verdict"]["text"]]))
    if "promise" in model.facts:
        told = promise.kept(model.facts["promise"], outcome, groups)
        report["verdict"] = verdict.with_promise(report["verdict"], told, model.task)
    step(STEPS[4])
    if request.robustness:
        report["robustness"] = robustness.curves(model, dataset, rows, outcome, request.intervals)
        val = None if request.split in ("val", "all") else outcome_on(model, dataset, dataset.rows("val"))
        if (scaled := robustness.temperature(val, outcome)) is not None:
            report["robustness"]["temperature"] = scaled
    if request.timings:
        report["cost"] = robustness.cost(model, dataset, rows)
    if request.reproduce:
        report["reproduce"] = request.reproduce
    return report


def judged(
    model: Model,
    dataset: Dataset,
    rows: Indices,
    outcome: Outcome,
    opponents: Sequence[Model],
    emap: dict[str, Any] | None,
    groups: NDArray[np.str_] | None,
    request: Request,
) -> dict[str, Any]:
    """The verdict against the opponents' answers for the same items; the best of each kind is chosen on validation."""
    val = dataset.rows("val")
    if request.split in ("val", "all"):
        val = val[:0]  # the items that would choose are the items that judge
    if not opponents:
        return {"text": NOT_COMPARED, "compared": False, "emap": emap}
    rivals = []
    for other in opponents:
        if (other.task, other.classes) != (model.task, model.classes):
            raise MismatchError("is for another task or other classes than the model", source=other.name)
        reads = list(other.modalities or dataset.modalities)
        kind = kind_of_opponent(other, model, dataset)
        answers = outcome_of(other.predict, dataset, rows, outcome.truth, model.task, model.classes)
        chooses = outcome_on(other, dataset, val)
        rivals.append(verdict.Opponent(other.name, kind, tuple(reads), answers, chooses))
    own = outcome_on(model, dataset, val)
    reads = list(model.modalities or dataset.modalities)
    return verdict.verdict(
        outcome, rivals, modalities=reads, val=own, emap=emap, groups=groups, config=request.intervals
    )


def kind_of_opponent(other: Model, model: Model, dataset: Dataset) -> str:
    """What an opponent of a model is on a data set: see :func:`mmcli.evaluation.judge.verdict.kind_of`."""
    reads, own = (list(m.modalities or dataset.modalities) for m in (other, model))
    return verdict.kind_of(reads, other.fusion, own)


def outcome_on(model: Model, dataset: Dataset, rows: Indices) -> Outcome | None:
    """The model on other items, or None where none of them has a label."""
    if len(rows) == 0:
        return None
    try:
        truth, known = truth_of(dataset, rows, model.task, model.classes)
    except MismatchError:
        raise
    except InputError:
        return None  # no labels there: nothing to choose by
    return outcome_of(model.predict, dataset, known, truth, model.task, model.classes)


def chosen_rows(dataset: Dataset, split: str) -> Indices:
    """The items of a split, or all of them for ``all``. Raises :class:`UsageError` where there are none."""
    rows = np.arange(dataset.items, dtype=np.int64) if split == "all" else dataset.rows(split)
    if len(rows) == 0:
        there = ", ".join(sorted({s for s in dataset.split.tolist() if s})) or "no splits"
        raise UsageError(f"no item is in the split {split!r}", hint=f"the data set has {there}; 'all' takes every item")
    return rows


def groups_of(dataset: Dataset, rows: Indices) -> NDArray[np.str_] | None:
    """The groups of the items, or None where some have none."""
    groups = dataset.group[rows]
    return groups if (groups != "").all() else None


def alone(report: dict[str, Any]) -> str:
    """What a single model reaches, in words: its main figure with its interval."""
    figure = tasks.at_the_head(report["task"])[0]
    entry = report["metrics"].get(figure.name) or {"value": None}
    if entry["value"] is None:
        return ""
    between = ""
    if entry["interval"] is not None:
        low, high = (figure.text(bound) for bound in entry["interval"])
        between = f" ({100 * report['config']['intervals']['level']:g} % interval {low} to {high})"
    return f"{figure.title or figure.name} {figure.text(entry['value'])}{between} on {entry['n']} items"


def few_items(n: int) -> list[str]:
    """A note where so few items judge that another draw of them may say something else.

    >>> few_items(8)
    ['8 items judge: one of them moves a share by 12 points, and 8 others may say something else']
    >>> few_items(30)
    []
    """
    if n >= FEW:
        return []
    items = "1 item judges" if n == 1 else f"{n} items judge"
    return [f"{items}: one of them moves a share by {100 / n:.0f} points, and {n} others may say something else"]


def one_class(labels: NDArray[np.str_]) -> list[str]:
    """A note where all items have one label: then a model that always says it is right every time.

    >>> one_class(np.array(["a", "a"])), one_class(np.array(["a", "b"]))
    (["all 2 items are 'a': whoever always says that is right, and nothing here tells classes apart"], [])
    """
    there = np.unique(labels).tolist()
    if len(there) != 1:
        return []
    told = "whoever always says that is right, and nothing here tells classes apart"
    return [f"all {len(labels)} items are {there[0]!r}: {told}"]


def few_groups(groups: NDArray[np.str_] | None, config: interval.Config) -> list[str]:
    """A note where items share groups that are too few to be drawn: the intervals then take no heed of them.

    >>> few_groups(np.array(["a", "a", "b"]), interval.Config())[0][:40]
    'the items come from 2 groups, fewer than'
    """
    if groups is None:
        return []
    count = len(np.unique(groups))
    if count >= config.min_groups or count == len(groups):
        return []
    there = "1 group" if count == 1 else f"{count} groups"
    return [
        f"the items come from {there}, fewer than the {config.min_groups} that intervals by group need: the intervals "
        "are of these groups' items, how much other groups differ is not in them"
    ]


def per_class(figures: dict[str, dict[str, Any]], classes: list[str] | None) -> dict[str, Any]:
    """The figures named ``precision/CLASS`` and so on, gathered by class."""
    gathered: dict[str, Any] = {name: {} for name in classes or []}
    for key, entry in figures.items():
        kind, slash, name = key.partition("/")
        if slash:
            gathered[name][kind] = entry
    return gathered


def baselines(dataset: Dataset, outcome: Outcome, model: Model) -> dict[str, Any]:
    """What guessing without looking would reach: always the training split's commonest class, or its mean."""
    seen = explanation.training_labels(dataset, model.task, model.classes)
    if seen is None or model.task == "multilabel":
        return {}
    if model.task == "regress":
        guess = np.full(len(outcome.truth), float(seen.mean()))
        return {"mean": {"value": float(seen.mean()), "mae": float(np.abs(outcome.truth - guess).mean())}}
    commonest = int(np.bincount(seen, minlength=len(outcome.classes or [])).argmax())
    share = float((outcome.truth == commonest).mean())
    return {"commonest_class": {"class": (outcome.classes or [])[commonest], "accuracy": share}}


def items_of(dataset: Dataset, rows: Indices, outcome: Outcome) -> list[dict[str, Any]]:
    """One object per item: id, group, which modalities were present, label, prediction, probabilities, loss."""
    losses = outcome.losses()
    items = []
    for k, row in enumerate(rows):
        item: dict[str, Any] = {
            "id": str(dataset.id[row]),
            "group": str(dataset.group[row]) or None,
            "present": [name for name in dataset.modalities if dataset.streams[name].present[row]],
            "label": outcome.named(outcome.truth, k),
            "prediction": outcome.named(outcome.guess, k),
            "loss": float(losses[k]),
        }
        if outcome.table is not None:
            # Six digits: enough to tell, and the same from one machine's last bit to the next.
            item["probabilities"] = [round(float(p), 6) for p in outcome.table[k]]
        if outcome.task != "regress":
            item["correct"] = bool(np.array_equal(outcome.truth[k], outcome.guess[k]))
        items.append(item)
    return items


def predictions_table(report: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of the predictions as a plain table, for ``--predictions FILE.csv``."""
    classes = report.get("classes") or []
    columns = ["id", "group", "label", "prediction", "correct", "loss", "present", *(f"p.{name}" for name in classes)]
    rows: list[list[object]] = []
    for item in report["items"]:
        row: list[object] = [item["id"], item["group"], _cell(item["label"]), _cell(item["prediction"])]
        row += [item.get("correct"), item["loss"], "+".join(item["present"]), *item.get("probabilities", [])]
        rows.append(row)
    if report["task"] == "regress":
        columns.remove("correct")
        rows = [[*row[:4], *row[5:]] for row in rows]
    return columns, rows


def _cell(value: object) -> object:
    return "|".join(map(str, value)) if isinstance(value, list) else value
