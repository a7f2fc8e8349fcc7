"""Labels and predictions of some items side by side, alike for all tasks: what every part of a report starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError, MismatchError
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.metrics import classification, multilabel, regression, tasks
from mmcli.evaluation.model import Indices, Predict
from mmcli.fusion import labels

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """``truth`` and ``guess``: class numbers ``(n,)``, numbers ``(n,)``, or bool ``(n, classes)``, by task.

    ``table`` holds the probabilities ``(n, classes)``, None for regression.
    """

    task: str
    classes: list[str] | None
    truth: NDArray[Any]
    guess: NDArray[Any]
    table: Array | None

    @property
    def primary(self) -> str:
        """The name of the figure that the task is judged by."""
        return tasks.PRIMARY[self.task]

    def gains(self) -> Array:
        """What each item adds to the primary figure ``(n,)``, larger is better.

        Whether it is right (classify), minus its absolute error (regress), the F1 of its labels (multilabel). The mean
        is accuracy, minus MAE, and F1 over samples.
        """
        if self.task == "classify":
            return np.asarray(self.truth == self.guess, np.float64)
        if self.task == "regress":
            return np.asarray(-np.abs(self.guess - self.truth), np.float64)
        return multilabel.item_f1(self.truth, self.guess)

    def losses(self) -> Array:
        """How wrong each item is ``(n,)``: minus the log of what its truth was given, or the absolute error."""
        if self.table is None:
            return np.asarray(np.abs(self.guess - self.truth), np.float64)
        eps = np.finfo(np.float64).eps
        table = np.clip(self.table, eps, 1 - eps)
        if self.task == "classify":
            return np.asarray(-np.log(table[np.arange(len(table)), self.truth]), np.float64)
        return np.asarray(-np.where(self.truth, np.log(table), np.log1p(-table)).mean(axis=1), np.float64)

    def metrics(self, groups: Any = None, config: interval.Config | None = None) -> dict[str, dict[str, Any]]:
        """Every figure of the task, with intervals."""
        if self.task == "classify":
            return classification.evaluate(
                self.truth, self.guess, self.table, self.classes, groups=groups, config=config
            )
        if self.task == "regress":
            return regression.evaluate(self.truth, self.guess, groups=groups, config=config)
        return multilabel.evaluate(self.truth, self.table, self.classes, groups=groups, config=config)

    def take(self, rows: NDArray[Any]) -> Outcome:
        """The outcome of some of the items."""
        table = None if self.table is None else self.table[rows]
        return Outcome(self.task, self.classes, self.truth[rows], self.guess[rows], table)

    def named(self, values: NDArray[Any], row: int) -> Any:
        """A label or prediction in words or plain numbers, for people and JSON."""
        if self.task == "regress":
            return float(values[row])
        names = self.classes or []
        if self.task == "classify":
            return names[int(values[row])]
        return [names[int(c)] for c in np.flatnonzero(values[row])]

    def answered(self, scores: Array) -> Outcome:
        """The same items with other answers: probabilities ``(n, classes)``, or values ``(n, 1)``."""
        if self.task == "regress":
            return Outcome(self.task, None, self.truth, scores[:, 0], None)
        guess = scores.argmax(axis=1) if self.task == "classify" else scores >= multilabel.THRESHOLD
        return Outcome(self.task, self.classes, self.truth, guess, scores)

    def agreement(self, scores: Array) -> Array:
        """How far other answers speak for what was predicted here ``(n,)``: its probability, or the value itself."""
        if self.task == "regress":
            return np.asarray(scores[:, 0], np.float64)
        if self.task == "classify":
            return np.asarray(scores[np.arange(len(scores)), self.guess], np.float64)
        return np.asarray(np.where(self.guess, scores, 1 - scores).mean(axis=1), np.float64)

    def confusion(self) -> NDArray[np.int64]:
        """Of classes: counts ``(classes, classes)``, row = label, column = prediction."""
        return classification.confusion(self.truth, self.guess, len(self.classes or []))

    def reliability(self) -> list[dict[str, float | int]]:
        """Of classes: what stands behind the calibration error, bin by bin; none without probabilities."""
        return [] if self.table is None else classification.reliability(self.truth, self.table)

    def points(self) -> dict[str, float]:
        """Of classes: every figure, without interval."""
        metrics = classification.Metrics(self.truth, self.guess, self.table, list(self.classes or []))
        return {name: float(values[0]) for name, values in metrics(np.ones((1, len(self.truth)))).items()}

    def prior(self) -> Array:
        """What to say without looking, from these items' labels ``(outputs,)``: shares of the classes, or the mean."""
        if self.task == "classify":
            counts = np.bincount(self.truth, minlength=len(self.classes or []))
            return np.asarray(counts / counts.sum(), np.float64)
        return np.atleast_1d(np.asarray(self.truth, np.float64).mean(axis=0))


def truth_of(dataset: Dataset, rows: Indices, task: str, classes: list[str] | None) -> tuple[NDArray[Any], Indices]:
    """The labels of the rows that have one, and those rows.

    Raises :class:`MismatchError` where the data set's labels are of another kind than the task, or of unknown classes.
    """
    if dataset.label is None:
        raise MismatchError("the data set has no labels", hint="give the manifest a label column and run fuse again")
    label = np.asarray(dataset.label)[rows]
    kind = {"U": "classify", "f": "regress", "b": "multilabel"}[label.dtype.kind]
    if task == "classify" and kind == "regress":  # numbers trained on as names
        label = np.array(["" if np.isnan(v) else f"{v:g}" for v in label])
    elif task == "regress" and kind == "classify" and (numbers := labels.as_numbers(label)) is not None:
        label = numbers  # ratings in whole numbers
    elif kind != task:
        kinds = {"classify": "classes", "regress": "numbers", "multilabel": "sets"}
        raise MismatchError(
            f"the model is for {task}, the labels of the data set are for {kind}",
            hint=f"fuse them with --label-type {kinds[task]}, or name the model of this data set",
        )
    if task == "regress":
        known = np.isfinite(label)
    elif task == "classify":
        known = label != ""
    else:
        known = np.ones(len(label), np.bool_)
    if not known.any():
        raise InputError("none of the items has a label")
    if task == "classify":
        unknown = sorted(set(label[known].tolist()) - set(classes or []))
        if unknown:
            raise MismatchError(f"the data set has the label {unknown[0]!r}, which the model was not trained on")
        number = {name: i for i, name in enumerate(classes or [])}
        return np.array([number[str(v)] for v in label[known]], np.int64), rows[known]
    if task == "multilabel" and list(dataset.meta.get("classes") or []) != list(classes or []):
        raise MismatchError("the data set and the model list different classes")
    return label[known], rows[known]


def outcome_of(
    predict: Predict, dataset: Dataset, rows: Indices, truth: NDArray[Any], task: str, classes: list[str] | None
) -> Outcome:
    """The model's predictions for the rows, checked against their labels."""
    predictions = predict(dataset, rows)
    if task == "regress":
        labels, guess = regression.validate(truth, predictions.values)
        return Outcome(task, None, labels, guess, None)
    if task == "classify":
        numbers, guesses, table, names = classification.validate(truth, None, predictions.probabilities, classes)
        return Outcome(task, names, numbers, guesses, table)
    sets, chosen, each, names = multilabel.validate(truth, predictions.probabilities, classes)
    return Outcome(task, names, sets, chosen, each)


# Where the errors are: the primary figure by class, group, missing modalities and length, the worst slice first.
#
# A slice is worth a look where its interval lies below the figure of all items; with dozens of slices some do so by
# chance, so ``p`` is the two-sided chance (exact for classes, by normal approximation otherwise) corrected by Holm's
# method.


FEWEST = 5  # items in a slice
MOST = 40  # slices kept, worst first
PARTS = 3  # of each modality's lengths: short, middle, long


def worst(
    dataset: Dataset, rows: Indices, outcome: Outcome, *, config: interval.Config | None = None
) -> list[dict[str, Any]]:
    """``[{by, slice, n, value, interval, rest, p}]``: figures of the slices and of all other items, the worst first."""
    config = config or interval.Config()
    gains = outcome.gains()
    sign = -1.0 if outcome.task == "regress" else 1.0
    slices: list[dict[str, Any]] = []
    for by, name, inside in _slices(dataset, rows, outcome):
        count = int(inside.sum())
        if count < FEWEST or len(gains) - count < FEWEST:
            continue
        part, rest = gains[inside], gains[~inside]
        slices.append(
            {
                "by": by,
                "slice": name,
                "n": count,
                "value": sign * float(part.mean()),
                "interval": _interval(part, sign, outcome.task, config),
                "rest": sign * float(rest.mean()),
                "p": _p(part, rest, outcome.task),
            }
        )
    _holm(slices)
    return sorted(slices, key=lambda s: (sign * s["value"], s["by"], s["slice"]))[:MOST]


def _slices(dataset: Dataset, rows: Indices, outcome: Outcome) -> list[tuple[str, str, NDArray[np.bool_]]]:
    made: list[tuple[str, str, NDArray[np.bool_]]] = []
    names = outcome.classes or []
    if outcome.task == "classify":
        made += [("class", name, outcome.truth == c) for c, name in enumerate(names)]
    elif outcome.task == "multilabel":
        made += [("label", name, outcome.truth[:, c]) for c, name in enumerate(names)]
    else:
        cuts = np.quantile(outcome.truth, [1 / 3, 2 / 3])
        thirds = np.digitize(outcome.truth, cuts)
        bounds = f"below {cuts[0]:.3g}", f"{cuts[0]:.3g} to {cuts[1]:.3g}", f"from {cuts[1]:.3g}"
        made += [("value", bounds[part], thirds == part) for part in range(PARTS)]
    groups = dataset.group[rows]
    made += [("group", str(group), groups == group) for group in np.unique(groups) if group]
    there = {name: dataset.streams[name].present[rows] for name in dataset.modalities}
    made += [("missing", f"without {name}", ~present) for name, present in there.items()]
    if len(there) > 1:
        made.append(("missing", "nothing missing", np.all(list(there.values()), axis=0)))
    for name in dataset.modalities:
        lengths = dataset.streams[name].lengths[rows]
        if len(np.unique(lengths[lengths > 0])) < PARTS:
            continue
        cuts = np.quantile(lengths[lengths > 0], [1 / 3, 2 / 3])
        part = np.digitize(lengths, cuts)
        for p, word in enumerate(("short", "middle", "long")):
            made.append(("length", f"{word} {name}", (part == p) & (lengths > 0)))
    return made


def _interval(part: Array, sign: float, task: str, config: interval.Config) -> list[float] | None:
    if task == "classify":
        return list(interval.wilson(float(part.sum()), len(part), config.level))
    weights = np.concatenate(list(interval.draws(len(part), None, config)))
    bounds = interval.percentile(weights @ part / len(part), config.level)
    if bounds is None or sign > 0:
        return bounds
    return [-bounds[1], -bounds[0]]


def _p(part: Array, rest: Array, task: str) -> float:
    """Fisher's exact test for classes, Welch's t-test otherwise; the p-values of ``scipy.stats``, without its load."""
    from scipy.special import gammaln, stdtr

    if task == "classify":
        hits, size, whole = part.sum() + rest.sum(), len(part), len(part) + len(rest)
        possible = np.arange(max(0, hits - len(rest)), min(hits, size) + 1)

        def ways(n: Any, k: Any) -> Any:
            return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

        logs = ways(size, possible) + ways(whole - size, hits - possible) - ways(whole, hits)
        seen = logs[int(part.sum() - possible[0])]
        return float(min(1.0, np.exp(logs[logs <= seen + 1e-7]).sum()))
    a, b = part.var(ddof=1) / len(part), rest.var(ddof=1) / len(rest)
    if a + b == 0:
        return 1.0
    freedom = (a + b) ** 2 / (a**2 / (len(part) - 1) + b**2 / (len(rest) - 1))
    return float(2 * stdtr(freedom, -abs(part.mean() - rest.mean()) / np.sqrt(a + b)))


def _holm(slices: list[dict[str, Any]]) -> None:
    """Corrects the p-values in place (S. Holm, Scand. J. Statist. 6, 1979)."""
    running = 0.0
    for rank, entry in enumerate(sorted(slices, key=lambda s: float(s["p"]))):
        running = max(running, min(1.0, entry["p"] * (len(slices) - rank)))
        entry["p"] = running
