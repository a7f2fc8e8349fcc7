"""Why: what each modality adds (Shapley), whether they interact (EMAP), what of an item's input spoke (gradients)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError
from mmcli.evaluation.explain import attention, gradients, mixing, modalities
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge.outcome import Outcome, truth_of
from mmcli.evaluation.model import Indices, Model

Array = NDArray[np.float64]


def training_labels(dataset: Dataset, task: str, classes: list[str] | None) -> NDArray[Any] | None:
    """The labels of the training split, or None where there are none that the model knows."""
    train = dataset.rows("train")
    if len(train) == 0:
        return None
    try:
        return truth_of(dataset, train, task, classes)[0]
    except InputError:
        return None


class Explained:
    """Everything about why, of one model on some items; the answers it needs are computed once."""

    def __init__(
        self,
        model: Model,
        dataset: Dataset,
        rows: Indices,
        outcome: Outcome,
        groups: NDArray[np.str_] | None,
        config: interval.Config,
    ) -> None:
        self._model, self._dataset, self._rows = model, dataset, rows
        self._outcome, self._groups, self._config = outcome, groups, config
        self._mixer = mixing.mixer(
            model.predict, model.access, dataset, rows, model.modalities or None, in_groups=model.in_groups
        )

    def modalities(self, items: list[dict[str, Any]], notes: list[str]) -> dict[str, Any]:
        """Presence and Shapley values of the modalities; every item gets its own values under ``shapley``."""
        names = self._mixer.names
        each: dict[str, Any] = {
            name: {"present": int(self._mixer.present[:, m].sum()), "n": len(self._rows)}
            for m, name in enumerate(names)
        }
        result: dict[str, Any] = {"primary": self._outcome.primary, "each": each}
        if len(names) > modalities.MOST_MODALITIES:
            notes.append(f"Shapley values are left out: {len(names)} modalities are too many to be exact")
            return result
        summary, per_item = modalities.shapley(
            self._mixer,
            self._prior(),
            lambda answers: self._outcome.answered(answers).gains(),
            self._outcome.agreement,
            groups=self._groups,
            config=self._config,
        )
        for name, entry in summary.pop("values").items():
            each[name]["shapley"] = entry
        for item, values in zip(items, per_item, strict=True):
            item["shapley"] = {name: round(float(values[m]), 6) for m, name in enumerate(names)}
        return result | summary

    def emap(self) -> dict[str, Any] | None:
        """The gap between the model and its additive projection; None where it cannot be computed."""
        outcome = self._outcome
        eps = np.finfo(np.float64).eps

        def transform(answers: Array) -> Array:
            if outcome.task == "regress":
                return answers
            table = np.clip(answers, eps, 1 - eps)
            return np.log(table) if outcome.task == "classify" else np.log(table) - np.log1p(-table)

        def gains(items: NDArray[np.int64], scores: Array) -> Array:
            if outcome.task == "multilabel":
                scores = 1 / (1 + np.exp(-scores))
            return outcome.take(items).answered(scores).gains()

        return modalities.emap(self._mixer, transform, gains, groups=self._groups, config=self._config)

    def inputs(self, items: list[dict[str, Any]], count: int) -> None:
        """Puts gradients and attention of the ``count`` most wrong items into their ``explanation``."""
        access = self._model.access
        if access is None or count <= 0:
            return
        order = np.argsort(-self._outcome.losses(), kind="stable")[:count]
        rows = self._rows[order]
        train = self._dataset.rows("train")
        references = train if len(train) else None
        spoken = gradients.explain(access, self._dataset, rows, self._targets(order), references)
        looked = attention.export(access, self._dataset, rows)
        classes = self._outcome.classes
        for k, entry, weights in zip(order, spoken, looked, strict=True):
            toward = entry["toward"]
            entry["toward"] = "value" if classes is None else classes[toward]
            items[int(k)]["explanation"] = entry | ({"attention": weights} if weights else {})

    def _targets(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """The output that is explained: the predicted class, the one output, or the most probable label."""
        if self._outcome.task == "classify":
            return np.asarray(self._outcome.guess[order], np.int64)
        if self._outcome.table is None:
            return np.zeros(len(order), np.int64)
        return np.asarray(self._outcome.table[order].argmax(axis=1), np.int64)

    def _prior(self) -> Array:
        seen = training_labels(self._dataset, self._outcome.task, self._outcome.classes)
        if seen is None:
            return self._outcome.prior()
        return Outcome(self._outcome.task, self._outcome.classes, seen, seen, None).prior()
