"""What training promised beside what these items give: a promise that was broken is said, and what may have broken it.

A model that was chosen among candidates carries the score by which it was chosen, on folds of the training split or on
the validation split. The judged items should give about as much. Where they give less than chance allows (one-sided,
Welch's t-test of two means of independent items or groups: B. Welch, Biometrika 34, 1947), the ground gave way:
features that have seen the labels of the training rows, or other people, places or days than those of that split.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcli.evaluation.judge.outcome import Outcome
from mmcli.evaluation.metrics import tasks

LEVEL = 0.01  # chance below which a promise counts as broken


def kept(promise: dict[str, Any], ours: Outcome, groups: Any = None) -> dict[str, Any]:
    """``{by, figure, promised, given, p, broken, collapsed, fell, unsure, simplest}``, scores as
    ``{value, error, n, units}``."""
    sign = -1.0 if ours.task == "regress" else 1.0
    promised = {name: promise[name] for name in ("value", "error", "n", "units")}
    given = score(ours, groups)
    p = fell(promised, given, sign)
    return {
        "by": promise["by"],
        "figure": promise["figure"],
        "promised": promised,
        "given": given,
        "p": p,
        "broken": p is not None and p < LEVEL,
        "collapsed": promise.get("collapsed") or {},
        "fell": bool(promise.get("fell")),
        "unsure": promise.get("unsure") or {},
        "simplest": bool(promise.get("simplest")),
    }


def score(ours: Outcome, groups: Any = None) -> dict[str, Any]:
    """The primary figure of the judged items with its standard error, items of a group counted together."""
    gains = ours.gains() * (-1.0 if ours.task == "regress" else 1.0)
    units = np.arange(len(gains)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(units.max(initial=-1)) + 1
    error = None
    if count > 1:
        sums = np.bincount(units, gains - gains.mean(), minlength=count)
        error = float(np.sqrt(count / (count - 1) * np.square(sums).sum())) / len(gains)
    return {"value": float(gains.mean()), "error": error, "n": len(gains), "units": count}


def fell(promised: dict[str, Any], given: dict[str, Any], sign: float = 1.0) -> float | None:
    """The chance of falling so far by luck alone; None where one of the two is of a single unit.

    >>> a, b = ({"value": v, "error": 0.02, "n": 400, "units": 400} for v in (0.99, 0.77))
    >>> fell(a, b) < 1e-6, round(fell(a, a), 2)
    (True, 0.5)
    """
    from scipy.special import stdtr

    if promised["error"] is None or given["error"] is None:
        return None
    # A score of 0 or 1 has no spread among its items, and is none the surer for it.
    a, b = (max(s["error"] ** 2, (1.0 / (2.0 * s["units"])) ** 2 / 3.0) for s in (promised, given))
    freedom = (a + b) ** 2 / (a**2 / (promised["units"] - 1) + b**2 / (given["units"] - 1))
    return float(stdtr(freedom, sign * (given["value"] - promised["value"]) / np.sqrt(a + b)))


def words(told: dict[str, Any], task: str) -> list[str]:
    """Clauses for the verdict: a warning where the promise was broken, else nothing but what was told in training."""
    from mmcli.evaluation.judge.verdict import chance

    said = []
    whose = "folds of the training split" if told["by"] == "folds" else "the validation split"
    name = tasks.primary(task).words
    promised, given = (number(told[key]["value"], task) for key in ("promised", "given"))
    if told["broken"]:
        said.append(
            f"Beware: {whose} promised {name} {promised}, these items give {given}, which is less than chance allows "
            f"(p {chance(told['p'])}); features that have seen the labels of the training rows do that, and so do "
            "items of another kind than those of the training split"
        )
    for modality, scores in told["collapsed"].items():
        before, after = (number(scores[key]["value"], task) for key in ("folds", "validation"))
        said.append(
            f"{modality} answered the folds with {name} {before} and the validation split with {after}, so the model "
            + ("was chosen on the validation split" if told["by"] == "validation" else "may promise too much")
        )
    if told["unsure"]:
        said.append(unsure(told["unsure"]))
    if told["simplest"]:
        said.append("no candidate was better than guessing by more than chance, so the simplest was kept")
    return said


def unsure(chances: dict[str, float]) -> str:
    """What training saw in the answers for the test split, whose labels it did not look at.

    >>> unsure({"text": 1e-9, "": 1e-4})
    'the answers of text on the test split are less sure than on the items they were chosen on, which chance does not \
explain: features that have seen the labels of the training rows do that, and so do items of another kind'
    """
    names = ", ".join(name for name in chances if name) or "the model"
    return (
        f"the answers of {names} on the test split are less sure than on the items they were chosen on, which chance "
        "does not explain: features that have seen the labels of the training rows do that, and so do items of another "
        "kind"
    )


def number(value: float, task: str) -> str:
    """A primary figure.

    >>> number(0.7731, "classify"), number(0.7731, "regress")
    ('77.3 %', '0.773')
    """
    return f"{value:.3g}" if task == "regress" else f"{100 * value:.1f} %"
