"""How a model holds up: curves under damage, calibration before and after temperature scaling, speed and size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge.outcome import Outcome, outcome_of
from mmcli.evaluation.model import Indices, Model

Array = NDArray[np.float64]

MOST_ITEMS = 1000  # that curves are drawn from
TIMED_ITEMS, WARM_UP = 100, 5
NOISE = (0.0, 0.5, 1.0, 2.0, 4.0)  # standard deviations of the stream's own values
BLUR = (0.0, 1.0, 2.0, 4.0, 8.0)  # standard deviation of the blur, in pixels or frames
LOSS = (0.0, 0.1, 0.25, 0.5, 0.75)  # share of the tokens
ABSENCE = (0.0, 0.25, 0.5, 0.75, 1.0)  # share of the items
Worsen = Callable[[Stream, float, np.random.Generator], Stream]


def curves(model: Model, dataset: Dataset, rows: Indices, whole: Outcome, config: interval.Config) -> dict[str, Any]:
    """``{primary, sample, curves: [{kind, modality, unit, levels, values, intervals}]}``.

    Kinds: ``noise``, ``blur``, ``loss`` (tokens) and ``absence`` of one modality at a time, the others whole. Drawn
    from at most 1,000 items; every level uses random numbers of its own, fixed by the seed.
    """
    some = np.arange(len(rows))
    if len(rows) > MOST_ITEMS:
        some = np.sort(np.random.default_rng(config.seed).choice(len(rows), MOST_ITEMS, replace=False))
    base = dataset.select(rows[some]).held()
    truth = whole.truth[some]
    drawn = []
    names = [name for name in base.modalities if not model.modalities or name in model.modalities]
    for place, name in enumerate(names):
        others = np.zeros(base.items, dtype=bool)
        for other in names:
            if other != name:
                others |= base.streams[other].present
        for kind, unit, levels, worsen in _kinds(base.streams[name], others, alone=len(names) == 1):
            values, intervals = [], []
            for step, level in enumerate(levels):
                rng = np.random.default_rng([config.seed, place, step])
                worse = _replaced(base, name, worsen(base.streams[name], level, rng))
                outcome = outcome_of(
                    model.predict, worse, np.arange(base.items, dtype=np.int64), truth, model.task, model.classes
                )
                value, bounds = _primary(outcome, config)
                values.append(value)
                intervals.append(bounds)
            entry = {"kind": kind, "modality": name, "unit": unit, "levels": list(levels)}
            drawn.append(entry | {"values": values, "intervals": intervals})
    return {"primary": whole.primary, "sample": len(some), "of": len(rows), "curves": drawn}


def _kinds(
    stream: Stream, others: NDArray[np.bool_], *, alone: bool
) -> Iterator[tuple[str, str, tuple[float, ...], Worsen]]:
    if stream.meta.get("kind") == "tokens":
        yield "loss", "share of the tokens", LOSS, loss
    else:
        yield "noise", "standard deviations", NOISE, noise
        if stream.values.ndim == 4 or (len(stream.lengths) and stream.lengths.max() > 1):
            unit = "pixels" if stream.values.ndim == 4 else "frames"
            yield "blur", unit, BLUR, lambda s, level, rng: blur(s, level)
    if not alone:
        yield (
            "absence",
            "share of the items",
            ABSENCE,
            lambda s, level, rng: absence(s, level, others, rng),
        )


def _replaced(dataset: Dataset, name: str, stream: Stream) -> Dataset:
    streams = dict(dataset.streams) | {name: stream}
    meta = {key: value for key, value in dataset.meta.items() if key != "streams"}
    return Dataset(streams, dataset.id, dataset.split, dataset.group, dataset.label, dataset.source, meta)


def _primary(outcome: Outcome, config: interval.Config) -> tuple[float, list[float] | None]:
    gains = outcome.gains()
    if outcome.task == "classify":
        return float(gains.mean()), list(interval.wilson(float(gains.sum()), len(gains), config.level))
    blocks = interval.draws(len(gains), None, config)
    bounds = interval.percentile(np.concatenate([block @ gains / len(gains) for block in blocks]), config.level)
    if outcome.task == "multilabel" or bounds is None:
        return float(gains.mean()), bounds
    return -float(gains.mean()), [-bounds[1], -bounds[0]]


def temperature(val: Outcome | None, test: Outcome) -> dict[str, Any] | None:
    """One temperature for all logits, fitted on validation (C. Guo et al., ICML 2017, 4.2), and what it does on test.

    ``{temperature, before: {ece, log_loss}, after: {...}, bins}``; None for other tasks and without validation items.
    """
    from scipy.optimize import minimize_scalar

    if val is None or val.task != "classify" or val.table is None or test.table is None:
        return None
    logs, truth = _logs(val.table), val.truth

    def nll(log_t: float) -> float:
        scaled = _softened(logs, float(np.exp(log_t)))
        return float(-np.log(np.clip(scaled[np.arange(len(truth)), truth], 1e-300, None)).mean())

    best = float(np.exp(minimize_scalar(nll, bounds=(np.log(0.05), np.log(20.0)), method="bounded").x))
    after = test.answered(_softened(_logs(test.table), best))
    sides = {}
    for name, outcome in (("before", test), ("after", after)):
        values = outcome.points()
        sides[name] = {key: values[key] for key in ("ece", "log_loss", "brier")}
    return {"temperature": best, **sides, "bins": after.reliability()}


def _logs(table: Array) -> Array:
    return np.asarray(np.log(np.clip(table, np.finfo(np.float64).tiny, None)), np.float64)


def _softened(logs: Array, t: float) -> Array:
    scaled = np.exp((logs - logs.max(axis=1, keepdims=True)) / t)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True), np.float64)


def cost(model: Model, dataset: Dataset, rows: Indices) -> dict[str, Any]:
    """Seconds as they were measured: the one part of a report that differs from run to run.

    ``{latency_ms: {p50, p95, n}, items_per_s, parameters}``; latency is of one item at a time after a warm-up,
    throughput of all items in one call.
    """
    one = dataset.select(rows[: TIMED_ITEMS + WARM_UP])
    spent = []
    for i in range(one.items):
        begin = time.perf_counter()
        model.predict(one, np.array([i], dtype=np.int64))
        spent.append(time.perf_counter() - begin)
    timed = 1000 * np.array(spent[WARM_UP:] or spent)
    begin = time.perf_counter()
    model.predict(dataset, rows)
    whole = time.perf_counter() - begin
    return {
        "latency_ms": {
            "p50": round(float(np.percentile(timed, 50)), 3),
            "p95": round(float(np.percentile(timed, 95)), 3),
            "n": len(timed),
        },
        "items_per_s": round(len(rows) / whole, 1),
        "parameters": model.facts.get("parameters"),
        "note": "measured on the machine that made the report; differs from run to run",
    }


# Inputs made worse in one respect, by a known amount. Each function takes a stream and a level and returns a stream of
# the same items; level 0 changes nothing.


def noise(stream: Stream, level: float, rng: np.random.Generator) -> Stream:
    """White noise of ``level`` standard deviations of the stream's values."""
    if level == 0:
        return stream
    values = stream.arrays().values
    size = float(values.std()) or 1.0
    noisy = values + rng.normal(0.0, level * size, values.shape).astype(np.float32)
    return _with(stream, noisy.astype(np.float32))


def blur(stream: Stream, level: float) -> Stream:
    """A Gaussian blur over the pixels of each picture, or over the frames of each item."""
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    if level == 0:
        return stream
    values = stream.arrays().values
    if values.ndim == 4:
        return _with(stream, gaussian_filter(values, (0, level, level, 0), mode="nearest"))
    values = values.copy()
    for start, stop in zip(stream.offsets[:-1], stream.offsets[1:], strict=True):
        if stop - start > 1:
            values[start:stop] = gaussian_filter1d(values[start:stop], level, axis=0, mode="nearest")
    return _with(stream, values)


def loss(stream: Stream, level: float, rng: np.random.Generator) -> Stream:
    """A share of the frames (tokens) of each item left out; the first frame of an item always stays."""
    values, clock = stream.arrays()
    keep = rng.random(len(values)) >= level
    keep[stream.offsets[:-1][stream.lengths > 0]] = True
    item = np.repeat(np.arange(stream.items), stream.lengths)
    lengths = np.bincount(item[keep], minlength=stream.items)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(len(values))[keep]
    # Tokens move up: times count the tokens that are left.
    first = np.repeat(offsets[:-1], lengths)
    times = clock[np.repeat(stream.offsets[:-1], lengths) + np.arange(len(places)) - first]
    return Stream(values[places], offsets, times, stream.present, None, stream.meta)


def absence(stream: Stream, level: float, may_go: NDArray[np.bool_], rng: np.random.Generator) -> Stream:
    """The stream absent from a share of the items, of those that ``may_go`` (something else of them is left)."""
    return stream.without((rng.random(stream.items) < level) & may_go)


def _with(stream: Stream, values: NDArray[np.float32]) -> Stream:
    return Stream(values, stream.offsets, stream.times, stream.present, None, stream.meta)
