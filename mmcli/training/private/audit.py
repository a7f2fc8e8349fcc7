"""Does a training keep what it says? Tests of its own steps on made items, and attacks on a finished model.

Four tests, because none sees everything. The noise in directions that no item uses tells its size to a percent. Batch
sizes tell sampling by coins from shuffling. Gradients of items one by one tell whether the sum is cut. The one-run
bound (T. Steinke, M. Nasr and M. Jagielski, "Privacy auditing with one (1) training run", NeurIPS 2023) needs to know
nothing of the training but can only prove gross faults: with ``GUESSES`` guesses, all right, no more than epsilon 4.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.models.nets.linear import LinearSum
from mmcli.models.parts import StreamShape
from mmcli.training.config import TrainConfig
from mmcli.training.data import losses, shapes, task_of
from mmcli.training.fit.objective import logits_of
from mmcli.training.fit.predictor import Predictor
from mmcli.training.private import noise, steps
from mmcli.training.private.ledger import PrivateConfig
from mmcli.training.private.steps import Lesson, Schedule

SILENT, CANARY = "audit_silent", "audit_canary"
ITEMS, LONGEST, WIDE = 48, 40, 256
DRAWS = 200
LEAST = 60_000  # numbers of noise: 0.9 times the noise then lies 33 standard deviations off
CANARIES, GUESSES = 400, 200
MOST_TWIN = 20_000
FAULT = 1e-7  # a test that holds fails so often
BEYOND = 0.05  # probability that the one-run bound is above the truth, at most; in 100 audits it never was

Check = dict[str, Any]


def audit(data: Dataset, config: TrainConfig, private: PrivateConfig, schedule: Schedule) -> dict[str, Any]:
    """``{checks: [{name, found, wanted, ok}], limits}`` of the training that ``schedule`` plans.

    Of ``data`` the shapes of its streams and its classes are looked at, and no value.
    """
    made = made_items(data, config, private)
    config = replace(config, modalities=())
    what = steps.lesson(made, config, private, schedule.units)
    checks = [_noise(what, schedule), *_sampling(what, schedule), _clipping(what, schedule), _bound(private, schedule)]
    return {"checks": checks, "limits": limits(private.epsilon)}


def limits(epsilon: float) -> list[str]:
    """What each test can see, and what it cannot."""
    most = lower(GUESSES, GUESSES, CANARIES, 1e-5)
    able = "can" if epsilon < most else "cannot"
    return [
        "noise: sees a size 2 % off; not whether the random numbers can be guessed",
        "sampling: sees batches of fixed or shuffled items; not which items a generator prefers by a little",
        "clipping: sees gradients that are not cut, or cut wrongly, of this network",
        f"one-run bound: sees only what an attacker could; proves epsilon {most:.2f} at most, so at epsilon "
        f"{epsilon:g} it {able} fail",
    ]


def made_items(data: Dataset, config: TrainConfig, private: PrivateConfig) -> Dataset:
    """Random items with streams of the same shapes, and one stream that no item has."""
    rng = np.random.default_rng(0)
    streams = {s.name: _made_stream(s, data.streams[s.name].meta, rng) for s in shapes(data, config.modalities)}
    silent = np.zeros(ITEMS, bool)
    silent[-1] = True  # present in a row that no split has, so that the stream has a shape
    streams[SILENT] = _stream(np.ones((1, WIDE), np.float32), silent.astype(np.int64), {"kind": "vector"})
    task = task_of(data, config.task)
    classes = data.meta.get("classes")
    label: Any
    if task == "regress":
        label = rng.uniform(private.low, private.high, ITEMS)
    elif task == "multilabel":
        label = rng.random((ITEMS, len(classes or []))) < 0.5
    else:
        classes = classes or sorted({f"{v:g}" for v in np.asarray(data.label).tolist()})
        label = np.array(classes)[rng.integers(0, len(classes), ITEMS)]
    names = [f"made{i}" for i in range(ITEMS)]
    split = ["train"] * (ITEMS - 1) + [""]
    return Dataset(streams, names, split, names, label, meta={"task": task, "classes": classes})  # type: ignore[arg-type]


def _made_stream(shape: StreamShape, meta: dict[str, Any], rng: np.random.Generator) -> Stream:
    longest = min(shape.steps, LONGEST)
    lengths = rng.integers(max(1, longest // 2), longest + 1, ITEMS)
    lengths[0] = longest
    rows = int(lengths.sum())
    if shape.kind == "tokens":
        values = rng.integers(0, shape.vocabulary_size, (rows, *shape.shape)).astype(np.float32)
    else:
        values = rng.normal(size=(rows, *shape.shape)).astype(np.float32)
    return _stream(values, lengths, {k: meta[k] for k in ("kind", "vocabulary_size") if k in meta})


def _stream(values: NDArray[np.float32], lengths: NDArray[np.int64], meta: dict[str, Any]) -> Stream:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    times = np.concatenate([np.arange(n) * 0.01 for n in lengths]).astype(np.float64)
    return Stream(values, offsets, times, lengths > 0, None, meta)


def _engine(what: Lesson, schedule: Schedule, own_groups: bool = True) -> steps.Engine:
    groups = what.groups if own_groups else None
    return steps.Engine(what.net, schedule, what.losses_of, len(what.rows), groups, at_once=what.at_once)


def _noise(what: Lesson, schedule: Schedule) -> Check:
    """The size and the shape of the noise where nothing else is."""
    engine = _engine(what, schedule)
    place = list(what.net.names).index(SILENT)  # type: ignore[arg-type]
    start = f"maps.{place}." if isinstance(what.net, LinearSum) else f"encoders.{place}."
    names = [name for name, p in what.net.named_parameters() if p.requires_grad]
    unused = [i for i, name in enumerate(names) if name.startswith(start)]
    drawn: list[NDArray[np.float64]] = []
    while sum(map(len, drawn)) < LEAST:
        sums = engine.clipped(engine.draw())
        noised = engine.noised(sums)
        drawn += [noised[i].reshape(-1).cpu().numpy() for i in unused if not bool(sums[i].any())]
    values = np.concatenate(drawn) / (schedule.noise * noise.sensitivity(schedule.clip))
    spread = float((values**2).sum())
    low, high = stats.chi2.ppf([FAULT / 2, 1 - FAULT / 2], len(values))
    normal = float(stats.kstest(values, "norm").pvalue) > FAULT
    return {
        "name": "noise",
        "found": f"{(spread / len(values)) ** 0.5:.4f} of what is claimed" + ("" if normal else ", not Gaussian"),
        "wanted": f"{(low / len(values)) ** 0.5:.3f} to {(high / len(values)) ** 0.5:.3f}, Gaussian",
        "ok": bool(low <= spread <= high and normal),
    }


def _sampling(what: Lesson, schedule: Schedule) -> list[Check]:
    """Sizes of batches, and how many items two batches in a row share. At rate 1 the coins are tested at 0.1."""
    checks: list[Check] = []
    if schedule.rate >= 1:
        engine = _engine(what, schedule)
        whole = all(np.array_equal(engine.draw(), np.arange(engine.units)) for _ in range(5))
        checks.append({"name": "whole batches", "found": str(whole), "wanted": "True", "ok": whole})
        schedule = replace(schedule, rate=0.1)
    units, rate = 1000, schedule.rate
    engine = steps.Engine(what.net, schedule, what.losses_of, units)
    batches = [np.isin(np.arange(units), engine.draw()) for _ in range(DRAWS)]
    sizes = np.array([batch.sum() for batch in batches], np.float64)
    spread = float(((sizes - units * rate) ** 2).sum() / (units * rate * (1 - rate)))
    low, high = stats.chi2.ppf([FAULT / 2, 1 - FAULT / 2], DRAWS)
    shared = float(sum((a & b).sum() for a, b in zip(batches[::2], batches[1::2], strict=True)))
    pairs = stats.binom(units * (DRAWS // 2), rate**2)
    alike = bool(pairs.cdf(shared) >= FAULT / 2 and pairs.sf(shared - 1) >= FAULT / 2)
    checks.append(
        {
            "name": "sampling",
            "found": f"variance of sizes {spread / DRAWS:.2f}, shared items {shared / pairs.mean():.2f} of coins'",
            "wanted": f"{low / DRAWS:.2f} to {high / DRAWS:.2f}, and about 1",
            "ok": bool(low <= spread <= high and alike),
        }
    )
    return checks


def _clipping(what: Lesson, schedule: Schedule) -> Check:
    """The clipped sum beside that of gradients taken item by item; at half their median most are cut."""
    parameters = [p for p in what.net.parameters() if p.requires_grad]
    each = []
    for row in range(len(what.rows)):
        loss = what.losses_of(np.array([row], np.int64)).sum()
        told = torch.autograd.grad(loss, parameters, allow_unused=True)
        each.append([torch.zeros_like(p) if g is None else g for g, p in zip(told, parameters, strict=True)])
    norms = [float(torch.stack([g.double().square().sum() for g in own]).sum().sqrt()) for own in each]
    clip = float(np.median(norms)) / 2  # where weights are zero, all norms are about the same
    wanted = [torch.zeros_like(p, dtype=torch.float64) for p in parameters]
    for own in each:
        for total, g in zip(wanted, steps.cut([g.double() for g in own], clip), strict=True):
            total += g
    engine = _engine(what, replace(schedule, clip=clip))
    sums = engine.clipped(np.arange(engine.units, dtype=np.int64))
    apart = float(torch.stack([(a - b).square().sum() for a, b in zip(sums, wanted, strict=True)]).sum().sqrt())
    return {
        "name": "clipping",
        "found": f"{apart / clip:.1e} of the clip apart from item by item",
        "wanted": "at most 1e-3",
        "ok": apart <= 1e-3 * clip,
    }


def _bound(private: PrivateConfig, schedule: Schedule) -> Check:
    """What an attacker can prove from one run: canaries in or out by a coin, each with a direction of its own."""
    rng = np.random.default_rng()
    inside = rng.random(CANARIES) < 0.5
    chosen = np.flatnonzero(inside)
    net = torch.nn.Linear(CANARIES, 2, bias=False)
    torch.nn.init.zeros_(net.weight)
    labels = torch.from_numpy(rng.integers(0, 2, CANARIES))
    points = 4.0 * torch.eye(CANARIES)

    def losses_of(rows: NDArray[np.int64]) -> torch.Tensor:
        which = torch.from_numpy(chosen[rows])
        return torch.nn.functional.cross_entropy(net(points[which]), labels[which], reduction="none")

    engine = steps.Engine(net, replace(schedule, units=max(len(chosen), 1), learning=0.0), losses_of, len(chosen))
    score = np.zeros(CANARIES)
    for _ in range(schedule.steps):
        (told,) = engine.noised(engine.clipped(engine.draw()))
        pull = told[1] - told[0]
        score += np.where(labels.numpy() == 1, -pull, pull)
    order = np.argsort(-score)
    half = GUESSES // 2
    right = int(inside[order[:half]].sum() + (~inside[order[-half:]]).sum())
    proven = lower(right, GUESSES, CANARIES, private.delta)
    return {
        "name": "one-run bound",
        "found": f"epsilon {proven:.2f} proven ({right} of {GUESSES} guesses right)",
        "wanted": f"at most {private.epsilon:g}",
        "ok": proven <= private.epsilon,
    }


def lower(right: int, guesses: int, canaries: int, delta: float) -> float:
    """The largest epsilon that so many right guesses refute, with probability ``BEYOND`` of being wrong.

    Steinke et al. 2023, theorem 5.2, with its delta term bounded by ``2 canaries delta``.

    >>> lower(100, 200, 400, 1e-8), round(lower(200, 200, 400, 1e-8), 1)
    (0.0, 4.2)
    """
    low, high = 0.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        chance = float(stats.binom.sf(right - 1, guesses, 1 / (1 + np.exp(-middle))))
        low, high = (middle, high) if chance + 2 * canaries * delta < BEYOND else (low, middle)
    return round(low, 6)


# Attacks on a finished model.


def membership(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """How often a training item's loss is below that of another item: 0.5 tells nothing, 1 everything.

    The loss threshold of S. Yeom et al., "Privacy risk in machine learning", CSF 2018, as the area under its curve.

    >>> membership(np.array([0.1, 0.2]), np.array([0.3, 0.15]))
    0.75
    """
    ranks = stats.rankdata(np.concatenate([inside, outside]))
    above = ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2
    return float(above / (len(inside) * len(outside)))


def exposure(model: Predictor, data: Dataset) -> dict[str, Any]:
    """How well an attacker tells training items from test items by the model's loss, and by that of its plain twin.

    The twin has the same steps without noise and without a clip; there is none of a network, which would take minutes,
    nor where the data set stands on other scales than the model was trained on, or has more than ``MOST_TWIN``
    training items. Empty without both splits.
    """
    config, facts = model.config["training"]["config"], model.config["privacy"]
    rows = {split: data.rows(split) for split in ("train", "test")}
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    wanted = TrainConfig(**(given | {"modalities": tuple(model.modalities)}))
    private = PrivateConfig(epsilon=facts["epsilon"], delta=facts["delta"])
    if model.task == "regress":
        center, scale = (float(model.config["training"]["target"][k]) for k in ("center", "scale"))
        private = replace(private, low=center - scale, high=center + scale)
    target = steps.target_of(data, wanted, private, rows["train"], torch.device("cpu"))
    rows = {split: own[target.known[own]] for split, own in rows.items()}
    if min(map(len, rows.values())) < 10 or target.classes != model.classes:
        return {}

    def told(net_rows: NDArray[np.int64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
        values = target.values[torch.from_numpy(net_rows)]
        return losses(
            model.task, torch.from_numpy(logits), values.double() if values.is_floating_point() else values, 0.0
        ).numpy()

    inside, outside = (told(own, model.predict(data, own).logits) for own in (rows["train"], rows["test"]))
    told_apart: dict[str, Any] = {"private": membership(inside, outside), "items": [len(inside), len(outside)]}
    same = all(
        (data.streams[n].meta.get("normaliser") or {}) == (meta.get("normaliser") or {})
        for n, meta in model.modalities.items()
        if n in data.streams
    )
    if (
        wanted.fusion == steps.LINEAR
        and same
        and set(model.modalities) <= data.streams.keys()
        and len(inside) <= MOST_TWIN
    ):
        twin = Schedule(len(inside), facts["steps"], 1.0, 0.0, 1e9, steps.LEARNING[True], 0.9, facts["steps"] // 2)
        what, _, _ = steps.fit(data, wanted, private, schedule=twin)
        logits = (logits_of(what.net, what.data, own).double().numpy() for own in (rows["train"], rows["test"]))
        told_apart["plain"] = membership(*(told(own, row) for own, row in zip(rows.values(), logits, strict=True)))
    return told_apart
