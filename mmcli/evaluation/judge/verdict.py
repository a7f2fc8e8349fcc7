"""Does fusion help here? The model against opponents on the same items, said in one sentence with its numbers.

Differences are paired: the interval is the bootstrap of the items' (or groups') own differences, and for classes
McNemar's exact test looks at the items that only one of the two gets right (Q. McNemar, Psychometrika 12, 1947).
"Helps" needs an interval above zero against *every* single modality: picking the best of them on validation and
comparing with that one alone would call chance a help whenever the pick was unlucky.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge import promise
from mmcli.evaluation.judge.outcome import Outcome
from mmcli.evaluation.metrics import tasks
from mmcli.evaluation.model import Access, Indices, Model

Array = NDArray[np.float64]

ROUNDING = 1e-6  # below it a difference of two errors is the precision of the model's arithmetic
SINGLE, SUBSET, CONCAT, OTHER = "single", "subset", "concat", "other"


@dataclass(frozen=True, eq=False)
class Opponent:
    """Another model's answers: ``test`` for the model's items, ``val`` for choosing, where there are any."""

    name: str
    kind: str  # single, subset, concat or other
    modalities: tuple[str, ...]
    test: Outcome
    val: Outcome | None = None


def kind_of(modalities: list[str], fusion: str | None, of_the_model: list[str]) -> str:
    """What an opponent is, from its modalities and its fusion block.

    >>> kind_of(["audio"], "concat", ["audio", "text"]), kind_of(["audio", "text"], "concat", ["audio", "text"])
    ('single', 'concat')
    """
    if len(modalities) == 1:
        return SINGLE
    if set(modalities) < set(of_the_model):
        return SUBSET
    return CONCAT if fusion == "concat" else OTHER


def compare(
    ours: Outcome, theirs: Outcome, *, groups: Any = None, config: interval.Config | None = None
) -> dict[str, Any]:
    """:func:`paired` of two models' answers for the same items."""
    return paired(ours.gains(), theirs.gains(), ours.task, groups=groups, config=config)


def paired(
    mine: Array, other: Array, task: str, *, groups: Any = None, config: interval.Config | None = None
) -> dict[str, Any]:
    """``{difference, interval, method, n, ours, theirs}`` of the items' gains ``(n,)``; above zero ours is better.

    The difference is of the primary figure, turned so that more is better. For classes also ``only_ours`` and
    ``only_theirs``, the items that one of the two alone gets right, and ``p_mcnemar``.
    """
    difference = interval.mean(mine - other, groups, config)
    sign = -1.0 if task == "regress" else 1.0
    result: dict[str, Any] = {
        "difference": difference["value"],
        "interval": difference["interval"],
        "method": difference["method"],
        "n": difference["n"],
        "ours": sign * float(mine.mean()),
        "theirs": sign * float(other.mean()),
    }
    if task == "classify":
        a, b = int(((mine > 0) & (other == 0)).sum()), int(((mine == 0) & (other > 0)).sum())
        result |= {"only_ours": a, "only_theirs": b, "p_mcnemar": mcnemar(a, b)}
    return result


def mcnemar(only_ours: int, only_theirs: int) -> float:
    """The exact two-sided p-value of McNemar's test.

    >>> round(mcnemar(8, 1), 6), mcnemar(0, 0)
    (0.039062, 1.0)
    """
    if only_ours + only_theirs == 0:
        return 1.0
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(only_ours, only_theirs), only_ours + only_theirs, 0.5)))


def verdict(
    ours: Outcome,
    opponents: list[Opponent],
    *,
    modalities: list[str] | None = None,
    val: Outcome | None = None,
    emap: dict[str, Any] | None = None,
    groups: Any = None,
    config: interval.Config | None = None,
) -> dict[str, Any]:
    """The sentence and its numbers: ``{text, compared, helps, against: [...], emap}``.

    The best opponent of a kind is chosen on validation where all have answers there, else on the test items
    (``chosen_by``). ``helps`` is ``yes``, ``no`` (some single modality is better), ``not shown``, or ``unknown`` where
    nothing was worse but not every one of the model's ``modalities`` was tried alone; ``untried`` names those.
    """
    config = config or interval.Config()
    rows = []
    for opponent in opponents:
        row = compare(ours, opponent.test, groups=groups, config=config)
        row |= {"name": opponent.name, "kind": opponent.kind, "modalities": list(opponent.modalities)}
        row["validation"] = None if opponent.val is None else float(opponent.val.gains().mean())
        rows.append(row)
    by_validation = bool(rows) and all(row["validation"] is not None for row in rows)
    best = {kind: _best(rows, kind, by_validation) for kind in (SINGLE, SUBSET, CONCAT)}
    singles = [row for row in rows if row["kind"] == SINGLE]
    helps = _helps(singles)
    untried = sorted(set(modalities or []) - {name for row in singles for name in row["modalities"]})
    if untried and helps == "yes":
        helps = "unknown"
    for name, chosen in best.items():
        if chosen is not None:
            chosen["chosen"] = name
    result = {
        "compared": bool(rows),
        "helps": helps,
        "untried": untried,
        "primary": ours.primary,
        "chosen_by": "validation" if by_validation else "test",
        "level": config.level,
        "against": rows,
        "emap": emap,
        "validation": None if val is None else float(val.gains().mean()),
    }
    said = clauses(result, ours.task) if rows else []
    result["text"] = "; ".join(said) + "." if said else "not compared"
    return result


def with_promise(verdict: dict[str, Any], told: dict[str, Any], task: str) -> dict[str, Any]:
    """The verdict with what training promised, and the warning before all else where it was broken."""
    warnings = promise.words(told, task)
    text = ". ".join([*(_sentence(w) for w in warnings), verdict["text"]])
    return verdict | {"promise": told, "text": text}


def _sentence(clause: str) -> str:
    """A clause that begins a sentence; names of modalities stay as they are.

    >>> _sentence("no candidate"), _sentence("audio.mfcc answered")
    ('No candidate', 'audio.mfcc answered')
    """
    return clause[:1].upper() + clause[1:] if clause.startswith("no ") else clause


def _best(rows: list[dict[str, Any]], kind: str, by_validation: bool) -> dict[str, Any] | None:
    """The opponent of a kind that is best on validation; without validation, on the test items, against the model."""
    there = [row for row in rows if row["kind"] == kind]
    if not there:
        return None
    if by_validation:
        return max(there, key=lambda row: float(row["validation"]))
    return min(there, key=lambda row: float(row["difference"]))


def _helps(singles: list[dict[str, Any]]) -> str:
    if not singles:
        return "unknown"
    bounds = [row["interval"] or [-np.inf, np.inf] for row in singles]
    if all(low > 0 for low, _ in bounds):
        return "yes"
    return "no" if any(high < 0 for _, high in bounds) else "not shown"


def clauses(numbers: dict[str, Any], task: str) -> list[str]:
    """The verdict in plain words, one clause for each thing it says."""
    chosen = {row["chosen"]: row for row in numbers["against"] if "chosen" in row}
    single = chosen.get(SINGLE)
    if single is None:
        parts = [_words(row, task, numbers) for row in numbers["against"][:3]]
        return ["Fusion was not compared with a single modality", *parts]
    opening = {
        "yes": "Fusion helps",
        "no": "Fusion does not help: a single modality is better",
        "not shown": "Fusion is not shown to help",
        "unknown": "The model is better than each single modality that was tried",
    }[numbers["helps"]]
    said = [f"{opening}: {_words(single, task, numbers)}"]
    if (here := _best_here(numbers)) is not None and here is not single:
        name = " + ".join(here["modalities"])
        said[0] += f"; on these items the best single modality is {name}: {_number(here['theirs'], task)}"
    if numbers["untried"]:
        said[0] += f" (alone untried: {', '.join(numbers['untried'])})"
    for kind, name in ((SUBSET, f"the best subset {_where(numbers)}"), (CONCAT, "plain concatenation")):
        if kind in chosen:
            said.append(f"against {name} ({chosen[kind]['name']}) {_difference(chosen[kind], task)}")
    emap = numbers["emap"]
    if emap is not None and emap["interval"] is not None:
        value, bounds = additive(emap, task)
        gap = _signed(value, task) + ("" if task == "regress" else " points")
        shown = "the modalities interact" if emap["interval"][0] > 0 else "no interaction is shown"
        low, high = (_signed(bound, task) for bound in bounds)
        text = f"{shown}: merely adding up what each modality says would change this by {gap}"
        said.append(f"{text} ({low} to {high}; EMAP, {emap['sample']} items)")
    return said


def _best_here(numbers: dict[str, Any]) -> dict[str, Any] | None:
    """The single modality that is best on the judged items themselves."""
    singles = [row for row in numbers["against"] if row["kind"] == SINGLE]
    return min(singles, key=lambda row: float(row["difference"]), default=None)


def additive(emap: dict[str, Any], task: str) -> tuple[float, list[float]]:
    """What the primary figure would change by without interaction, and the bounds of that; rounding counts as zero.

    >>> additive({"value": 0.02, "interval": [-0.01, 0.05]}, "classify")
    (-0.02, [-0.05, 0.01])
    """
    value, (low, high) = emap["value"], emap["interval"]
    if task != "regress":  # an error grows where the others shrink
        value, low, high = -value, -high, -low
    value, low, high = (0.0 if abs(v) < ROUNDING else float(v) for v in (value, low, high))
    return value, [low, high]


def _words(row: dict[str, Any], task: str, numbers: dict[str, Any]) -> str:
    level = f"{100 * numbers['level']:g} % interval"
    name = " + ".join(row["modalities"]) if row["kind"] == SINGLE else row["name"]
    which = f", the best single modality {_where(numbers)}" if row.get("chosen") == SINGLE else ""
    ours, theirs = _number(row["ours"], task), _number(row["theirs"], task)
    text = f"{tasks.primary(task).words} {ours} against {theirs} of {name}{which}: {_difference(row, task, level)}"
    if "p_mcnemar" in row:
        text += f", McNemar p {chance(row['p_mcnemar'])}"
    return text


def chance(p: float) -> str:
    """A p-value.

    >>> chance(0.04213), chance(1e-9)
    ('0.042', 'below 0.001')
    """
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _where(numbers: dict[str, Any]) -> str:
    """Which items said what the best opponent is."""
    return "by validation" if numbers["chosen_by"] == "validation" else "on these items"


def _number(value: float, task: str) -> str:
    return f"{value:.3g}" if task == "regress" else f"{100 * value:.1f} %"


def _difference(row: dict[str, Any], task: str, level: str = "") -> str:
    unit = "" if task == "regress" else " points"
    gain = "gain " if task == "regress" else ""  # less error is more gain
    text = f"{gain}{_signed(row['difference'], task)}{unit}"
    if row["interval"] is not None:
        low, high = (_signed(bound, task) for bound in row["interval"])
        text += f" ({level + ' ' if level else ''}{low} to {high})"
    return text


def _signed(value: float, task: str) -> str:
    """A difference in the unit of the labels, or in points; what is nothing but rounding is 0.

    >>> _signed(-1e-12, "regress"), _signed(-0.0123, "regress"), _signed(-0.0001, "classify")
    ('0', '-0.0123', '0.0')
    """
    if task == "regress":
        return "0" if abs(value) < ROUNDING else f"{value:+.3g}"
    text = f"{100 * value:+.1f}"
    return text[1:] if float(text) == 0 else text


# The opponents that a model carries with it (``train --fusion auto``): each modality alone, subsets, concatenation.


@dataclass(frozen=True)
class _Answers:
    probabilities: Array | None
    values: Array | None


def kept(model: Model) -> list[Model]:
    """The members of the model as models, where it is an ensemble, and the subsets in its table; else none.

    A member answers alone, with the calibration it has in the ensemble; a subset is an ensemble of the members that its
    row in the table of candidates gives weights for. An item with nothing they read gets the ensemble's prior. A sum of
    kernels counts as concatenation: it is the kernel of the concatenated features.
    """
    from mmcli.models.nets.factory import Stack

    access = model.access
    if access is None or not isinstance(access.model, Stack) or len(access.model.members) < 2:
        return []
    stack: Any = access.model
    listed = [str(entry.get("title")) for entry in model.facts.get("members", [])]
    titles = [listed[i] if i < len(listed) else f"member {i + 1}" for i in range(len(stack.members))]

    def made(name: str, parts: dict[int, float], reads: list[str], fusion: str) -> Model:
        return Model(
            predict=_Ensemble(access, tuple(parts), tuple(parts.values())),
            task=model.task,
            classes=model.classes,
            name=name,
            modalities=tuple(reads),
            fusion=fusion,
        )

    models = []
    for number, member in enumerate(stack.members):
        fusion = type(member.fusion).__name__.lower() if hasattr(member, "fusion") else "concat"
        plain = "concat" if fusion.startswith("concat") else fusion
        models.append(made(titles[number], {number: 1.0}, list(member.names), plain))
    for row in model.facts.get("candidates") or []:
        weights = row.get("weights")
        if isinstance(weights, dict) and weights.keys() <= set(titles):
            parts = {titles.index(title): float(weight) for title, weight in weights.items()}
            models.append(made(str(row["title"]), parts, list(row["modalities"]), "ensemble"))
    return models


@dataclass(frozen=True)
class _Ensemble:
    """Some members of an ensemble with weights of their own; one member with weight one is that member alone."""

    access: Access
    numbers: tuple[int, ...]
    weights: tuple[float, ...]

    def __call__(self, dataset: Dataset, indices: Indices) -> _Answers:
        """The ensemble's answer if only these members had a say."""
        import torch

        from mmcli.models.nets.factory import combined

        stack: Any = self.access.model
        prior = stack.get_buffer("prior")
        gains = torch.tensor([stack.gains[i] for i in self.numbers], device=prior.device)
        weights = torch.tensor(self.weights, device=prior.device)
        blocks = []
        with torch.no_grad():
            for batch in self.access.batches(dataset, indices):
                answers, there = [], []
                for number in self.numbers:
                    member = stack.members[number]
                    here = [(batch[n].mask & batch[n].present[:, None]).any(1) for n in member.names]
                    there.append(torch.stack(here, 1).any(1))
                    answers.append(member(batch))
                share = torch.stack(there, 1) * weights
                logits = combined(stack.task, torch.stack(answers, 1), share, gains, prior)
                blocks.append(logits.double().cpu().numpy())
        return _Answers(*self.access.meaning(np.concatenate(blocks)))
