"""Fusion that is not worse than its best part: candidates are compared on folds of the training split, then combined.

Candidates are each stream alone and all streams together: linear maps, kernel machines, support vectors, boosted trees
and networks. Every candidate answers for each fold of the training split after training on the others; a group is never
on both sides, nor are items that share a picture or recording. On these answers the candidates are calibrated, the
weights of a log-linear ensemble are fitted, and one answer is chosen (:mod:`.weigh`).

Where the validation split says that the folds cannot be believed (:mod:`.trust`), the choice is made on it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import lazy
from mmcli.errors import InputError
from mmcli.models.nets.described import described_width
from mmcli.models.parts import StreamShape
from mmcli.training import folds, world
from mmcli.training.config import QUICK, THOROUGH, VAL, TrainConfig
from mmcli.training.data import Data, Target, read, shapes
from mmcli.training.ensemble import division, networks, opponents, raced, ridge, trust
from mmcli.training.ensemble.division import Plan, Rows
from mmcli.training.ensemble.finished import Finished
from mmcli.training.ensemble.solved import TREES, Solver, answered
from mmcli.training.ensemble.weigh import POOL, SIMPLEST, Candidate, Choice, Evidence, calibrated, choose, spare
from mmcli.training.fit.initial import Initial
from mmcli.training.fit.loop import Row, Run
from mmcli.training.world import pick

ENSEMBLE = "pool"  # as tables in checkpoints call it
MOST_ASKED = 5000  # items of the test split that are asked how sure the answers are
MOST_TREES = 2  # boosted trees that go on from their first part

Report = Callable[[Row], None]


def rounds(dataset: Dataset, config: TrainConfig) -> int:
    """How many candidates :func:`fit_auto` will report at most."""
    streams = shapes(dataset, config.modalities)
    groups = len(streams) + (len(streams) > 1)
    count = 0
    if _solving(dataset, streams, config):
        count += groups * 2 + (MOST_TREES if config.candidates == "all" else 0)
    if config.candidates == "networks" or (config.candidates == "all" and config.effort == THOROUGH):
        count += len(streams) + (len(networks.JOINT[config.effort]) if len(streams) > 1 else 0)
    elif config.candidates == "all" and config.effort != QUICK:
        count += min(raced.MOST, len(networks.sequences(streams)) or 1)
    return max(count, 1)


def _solving(dataset: Dataset, streams: Sequence[StreamShape], config: TrainConfig) -> bool:
    """Whether machines take part: their statistics of all items are held, of a folder of shards too."""
    fitting = [stream for stream in streams if ridge.fits([stream])]
    held = 4 * dataset.items * sum(described_width(stream) for stream in fitting)
    sharded = any(dataset.streams[stream.name].is_lazy for stream in streams)
    if config.candidates != "networks" and fitting and not (sharded and held > lazy.HELD):
        return True
    if config.candidates == "kernels":
        most = f"streams of at most {ridge.MOST_WIDTH:,} numbers an item"
        most += f", and {lazy.HELD:,} bytes of them together" if sharded else ""
        raise InputError(f"kernel machines are for {most}", hint="--set train.candidates=networks")
    return False


def fit_auto(
    dataset: Dataset,
    config: TrainConfig,
    report: Report | None = None,
    *,
    initial: Initial | None = None,
    finished: Finished | None = None,
) -> tuple[Run, list[dict[str, Any]], dict[str, Any]]:
    """The ensemble as a finished run, the table of candidates ``{title, modalities, loss, score, weight}``, and what
    it promises: ``{by, value, error, n, units, validation, collapsed, fell, unsure, simplest}``.

    Loss and score (accuracy, or mean absolute error) are those of the answers on the folds. The networks start from
    the encoders of ``initial``; those that ``finished`` holds are not trained again.
    """
    device = pick(config.device)
    train = dataset.rows("train")
    if not len(train):
        raise InputError("the data set has no item in its training split")
    target = read(dataset, config.task, train, device)
    whole = train[target.known[train]]
    real = folds.real(dataset)  # candidates are compared on items and streams that were not made
    train = whole[real.split[whole] == "train"]
    val = real.rows("val")
    val = val[target.known[val]]
    streams = shapes(dataset, config.modalities)
    data = Data(real, streams, torch.device("cpu"))
    plan = _plan(real, train, val, target, config)
    where = _Where(data, target, train)

    candidates: list[Candidate] = []
    parts = _candidates(dataset, where, streams, whole, plan, candidates, config, finished, initial)
    for made in parts:
        candidates.append(made)
        if report is not None:
            report({"candidate": made.title, **where.figures(made, plan)})
    with world.deterministic(config.threads, torch.device("cpu")):
        chosen, promise = _chosen(candidates, where, plan, real, val, config)
    return _stacked(candidates, chosen, where), _table(candidates, chosen), promise


def _plan(real: Dataset, train: Rows, val: Rows, target: Target, config: TrainConfig) -> Plan:
    if config.trust == VAL:
        if len(val) < 2:
            raise InputError("--trust val needs labelled items in the validation split", hint="--trust folds")
        return division.of_validation(real, train, val)
    kinds = target.values.cpu().numpy()[train] if target.task == "classify" else None
    return division.of_training(real, train, kinds, config)


class _Where:
    """The data that candidates are judged on."""

    def __init__(self, data: Data, target: Target, train: Rows) -> None:
        self.data, self.target, self.train = data, target, train
        self.prior = prior_of(target, train)

    def evidence(self, candidates: Sequence[Candidate], answers: Sequence[Tensor], plan: Plan) -> Evidence:
        """What the candidates said of the plan's items, ``(divisions, items, outputs)`` each."""
        chosen = torch.from_numpy(plan.rows)
        count = max(len(one) for one in answers)
        logits = torch.stack([one[:, chosen].expand(count, -1, -1) for one in answers], dim=2)
        there = torch.stack(
            [torch.stack([self.data.streams[n].present[chosen] for n in c.names], 1).any(1) for c in candidates], dim=1
        )
        masks = [plan.masks(number) for number in range(count)]
        _, units = np.unique(plan.units, return_inverse=True)
        values = self.target.values.cpu()[chosen]
        return Evidence(self.target.task, logits, there, values, self.prior, masks, units, torch.ones(len(candidates)))

    def of_candidates(self, candidates: Sequence[Candidate], plan: Plan) -> Evidence:
        """What they said while they were compared."""
        return self.evidence(candidates, [c.answers for c in candidates], plan)

    def figures(self, one: Candidate, plan: Plan) -> Row:
        """Loss and score of one candidate for people who wait."""
        evidence = calibrated(self.of_candidates([one], plan))
        answers = evidence.answer(torch.ones(1).double())
        return {"fold_loss": evidence.loss(answers), **{f"fold_{k}": v for k, v in evidence.score(answers).items()}}


def _candidates(
    dataset: Dataset,
    where: _Where,
    streams: Sequence[StreamShape],
    whole: Rows,
    plan: Plan,
    before: list[Candidate],
    config: TrainConfig,
    finished: Finished | None,
    initial: Initial | None,
) -> Iterator[Candidate]:
    """From the cheapest to the dearest; ``before`` fills while they come."""
    data, target, train = where.data, where.target, where.train
    halving = config.effort != THOROUGH
    size = len(target.values), target.outputs

    def race(runners: list[raced.Runner], most: int) -> Iterator[Candidate]:
        evidence_of = lambda some: where.of_candidates(some, plan)  # noqa: E731
        yield from raced.run(runners, list(before), plan, train, *size, evidence_of, most=most, halving=halving)

    if _solving(dataset, streams, config):
        with world.deterministic(config.threads, torch.device("cpu")):
            solver = Solver(data, streams, target, train, plan, config)
            yield from solver.machines()
            if config.candidates == "all":
                trees = []
                for title, names, fit in solver.trees():
                    ready = lambda rows, number, fit=fit: (*fit(rows), [])  # noqa: E731
                    say = lambda fitted, rows: answered(fitted[0], fitted[1], data, rows)  # noqa: E731
                    trees.append(raced.Runner(title, names, TREES, ready, say))
                yield from race(trees, MOST_TREES)
    if config.candidates == "networks" or (config.candidates == "all" and config.effort != QUICK) or not before:
        rows_of = lambda rows, number: whole if number is None else rows  # noqa: E731
        kept = finished or Finished(None, {})
        nets = networks.runners(dataset, data, streams, target, rows_of, config, kept, initial)
        yield from race(nets, raced.MOST)


@torch.no_grad()
def _said(candidates: Sequence[Candidate], where: _Where, rows: Rows) -> list[Tensor]:
    """What the candidates as they would ship say of some rows, ``(1, items, outputs)`` each."""
    answers = []
    for one in candidates:
        whole = torch.zeros(1, len(where.target.values), where.target.outputs, dtype=torch.float64)
        whole[0, torch.from_numpy(rows)] = answered(one.model, one.tensors, where.data, rows)
        answers.append(whole)
    return answers


class Chosen:
    """A choice with what it was made on."""

    def __init__(self, candidates: Sequence[Candidate], evidence: Evidence) -> None:
        self.evidence = calibrated(evidence)
        one = torch.eye(len(candidates), dtype=torch.float64)
        alone = [self.evidence.loss(self.evidence.answer(one[i])) for i in range(len(candidates))]
        self.singles = list(opponents.best_singles(candidates, alone).values())
        self.choice: Choice = choose(candidates, self.evidence, self.singles)
        self.fallback = spare(candidates, self.choice.weights, self.singles)

    def score(self, answers: Tensor) -> trust.Score:
        """Of what each item adds to the primary figure."""
        return trust.score_of(self.evidence.credits(answers), self.evidence.units)


def _chosen(
    candidates: Sequence[Candidate], where: _Where, plan: Plan, real: Dataset, val: Rows, config: TrainConfig
) -> tuple[Chosen, dict[str, Any]]:
    """The choice, made on the folds, or on the validation split where that shows that folds cannot be believed."""
    judging = plan if config.trust != VAL else Plan(val, [_parts(val, where.target, plan, config)], plan.units)
    chosen = Chosen(candidates, where.of_candidates(candidates, judging))
    promise: dict[str, Any] = {"by": "validation" if config.trust == VAL else "folds", "collapsed": {}, "fell": False}
    if config.trust != VAL and len(val) >= 2:
        other = division.of_validation(real, where.train, val)
        said = _said(candidates, where, val)
        seen = where.evidence(candidates, said, other)
        promise["collapsed"], ships, promise["fell"] = _collapsed(candidates, chosen, seen)
        promise["validation"] = ships.facts()
        if (promise["collapsed"] or promise["fell"]) and config.trust == "auto" and len(val) >= trust.FEWEST:
            parts = _parts(val, where.target, other, config)
            folded = Plan(other.rows, [parts], other.units)
            again = where.evidence(candidates, said, folded)
            chosen = Chosen(candidates, again)
            promise["by"] = "validation"
    score = chosen.score(chosen.choice.honest)
    promise["unsure"] = _unsure(candidates, chosen, where, real)
    scale = -where.target.scale if where.target.task == "regress" else 1.0
    kept = {"figure": FIGURES[where.target.task], "simplest": chosen.choice.kind == SIMPLEST}
    return chosen, _scaled(promise | kept | score.facts(), scale)


def _unsure(candidates: Sequence[Candidate], chosen: Chosen, where: _Where, real: Dataset) -> dict[str, float]:
    """Whose answers are less sure on the test split than on the items they were chosen on, by more than chance: each
    such modality and, under "", the choice, with that chance. The labels of the test split are not looked at."""
    rows = real.rows("test")
    if len(rows) < trust.FEWEST:
        return {}
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, MOST_ASKED).astype(int))] if len(rows) > MOST_ASKED else rows
    weights, fallback = chosen.choice.weights, chosen.fallback
    speak = [i for i in range(len(candidates)) if weights[i] > 0 or fallback[i] or i in chosen.singles]
    some = [candidates[i] for i in speak]
    test = where.evidence(some, _said(some, where, rows), division.of_validation(real, where.train, rows))
    folds = chosen.evidence.subset(speak)
    test = Evidence(**{**vars(test), "gains": folds.gains})
    one = torch.eye(len(speak), dtype=torch.float64)
    asked = {
        some[k].names[0]: (folds.answer(one[k]), test.answer(one[k]))
        for k, i in enumerate(speak)
        if i in chosen.singles
    }
    asked[""] = chosen.choice.honest, test.answer(weights[speak], fallback[speak])
    fallen = {}
    for name, answers in asked.items():
        before, after = (trust.sureness(where.target.task, said[0], where.prior) for said in answers)
        p = trust.less_sure(before, after, folds.units, test.units)
        if p < trust.COLLAPSED / len(asked):
            fallen[name] = p
    return fallen


FIGURES = {"classify": "accuracy", "regress": "mae", "multilabel": "f1_samples"}


def _parts(val: Rows, target: Target, plan: Plan, config: TrainConfig) -> division.Division:
    """Parts of the validation split on which weights that were fitted to the others are judged."""
    kinds = target.values.cpu().numpy()[val] if target.task == "classify" else None
    count = min(config.folds, len(np.unique(plan.units)))
    if count < 2:
        return [(val, val)]
    return [(np.setdiff1d(val, part), part) for part in folds.make(val, kinds, plan.units, count, config.seed)]


def _collapsed(
    candidates: Sequence[Candidate], chosen: Chosen, seen: Evidence
) -> tuple[dict[str, dict[str, Any]], trust.Score, bool]:
    """Of each modality whose score fell by more than chance on the validation split both scores, under its name; what
    the choice reaches there; and whether that fell."""
    seen = Evidence(**{**vars(seen), "gains": chosen.evidence.gains})

    def on_val(answers: Tensor) -> trust.Score:
        return trust.score_of(seen.credits(answers), seen.units)

    fallen = {}
    limit = trust.COLLAPSED / (len(chosen.singles) + 1)
    one = torch.eye(len(candidates), dtype=torch.float64)
    for i in chosen.singles:
        before, after = chosen.score(chosen.evidence.answer(one[i])), on_val(seen.answer(one[i]))
        if trust.fell(before, after) < limit:
            fallen[candidates[i].names[0]] = {"folds": before.facts(), "validation": after.facts()}
    ships = on_val(seen.answer(chosen.choice.weights, chosen.fallback))
    return fallen, ships, trust.fell(chosen.score(chosen.choice.honest), ships) < limit


def _scaled(promise: dict[str, Any], scale: float) -> dict[str, Any]:
    """Scores in the unit of the labels: of numbers the mean absolute error, which candidates have as a negative."""

    def scores(value: Any) -> Any:
        if isinstance(value, dict) and {"value", "error"} <= value.keys():
            error = value["error"]
            value = value | {"value": value["value"] * scale, "error": None if error is None else error * abs(scale)}
        if isinstance(value, dict):
            return {k: scores(v) for k, v in value.items()}
        return value

    whole: dict[str, Any] = scores(promise)
    return whole


def _table(candidates: Sequence[Candidate], chosen: Chosen) -> list[dict[str, Any]]:
    choice, evidence = chosen.choice, chosen.evidence
    one = torch.eye(len(candidates), dtype=torch.float64)
    table = []
    for i, c in enumerate(candidates):
        answers = evidence.answer(one[i], spare(candidates, one[i], chosen.singles))
        table.append(
            {
                "title": c.title,
                "modalities": c.names,
                "loss": choice.alone[i],
                **evidence.score(answers),
                "gain": float(evidence.gains[i]),
                "weight": float(choice.weights[i]),
            }
        )
    pool = {"title": ENSEMBLE, "loss": choice.pool, **evidence.score(choice.pooled), "kept": choice.kind == POOL}
    return [*table, pool, *opponents.table(candidates, choice.alone, evidence)]


def prior_of(target: Target, train: NDArray[np.int64]) -> Tensor:
    """What is answered where nothing is present: log class shares, log-odds of each label, or the mean (zero)."""
    values = target.values.cpu()[torch.from_numpy(train)]
    if target.task == "classify":
        count = torch.bincount(values, minlength=target.outputs).double() + 1.0
        return torch.log(count / count.sum())
    if target.task == "multilabel":
        share = ((values.double().sum(0) + 1.0) / (len(values) + 2.0)).clamp(1e-6, 1 - 1e-6)
        return torch.log(share / (1.0 - share))
    return torch.zeros(1, dtype=torch.float64)


def _stacked(candidates: Sequence[Candidate], chosen: Chosen, where: _Where) -> Run:
    """The members with a weight, for each stream that none of them reads its best candidate as a fallback, and without
    a say those that the ensemble is compared with."""
    names = list(dict.fromkeys(name for c in candidates for name in c.names))
    weights, gains = chosen.choice.weights.tolist(), chosen.evidence.gains.tolist()
    compared = opponents.numbers(candidates, chosen.choice.alone)
    members: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    history: list[Row] = []
    for i, (c, gain, weight) in enumerate(zip(candidates, gains, weights, strict=True)):
        if weight <= 0.0 and not chosen.fallback[i] and i not in compared:
            continue
        tensors |= {f"members.{len(members)}.{name}": value for name, value in c.tensors.items()}
        history += [{"candidate": c.title, **row} for row in c.history]
        part = {"title": c.title, "weight": weight, "gain": gain, "model": c.model}
        members.append(part | ({"fallback": True} if chosen.fallback[i] else {}))
    tensors["prior"] = where.prior.float()
    model = {
        "name": "stack",
        "task": where.target.task,
        "outputs": where.target.outputs,
        "modalities": [{"name": name} for name in names],
        "members": members,
    }
    count = sum(t.numel() for t in tensors.values())
    return Run(model, tensors, where.target, history, 0, count)
