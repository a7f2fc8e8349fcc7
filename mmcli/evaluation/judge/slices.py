"""Where the errors are: the primary figure by class, group, missing modalities and length, the worst slice first.

A slice is worth a look where its interval lies below the figure of all items; with dozens of slices some do so by
chance, so ``p`` is the two-sided chance (exact for classes, by normal approximation otherwise) corrected by Holm's
method.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge.outcome import Outcome
from mmcli.evaluation.model import Indices

Array = NDArray[np.float64]

FEWEST = 5  # items in a slice
MOST = 40  # slices kept, worst first
PARTS = 3  # of each modality's lengths: short, middle, long


def worst(
    dataset: Dataset, rows: Indices, found: Outcome, *, config: interval.Config | None = None
) -> list[dict[str, Any]]:
    """``[{by, slice, n, value, interval, rest, p}]``: figures of the slices and of all other items, the worst first."""
    config = config or interval.Config()
    gains = found.gains()
    sign = -1.0 if found.task == "regress" else 1.0
    slices: list[dict[str, Any]] = []
    for by, name, inside in _slices(dataset, rows, found):
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
                "interval": _interval(part, sign, found.task, config),
                "rest": sign * float(rest.mean()),
                "p": _p(part, rest, found.task),
            }
        )
    _holm(slices)
    return sorted(slices, key=lambda s: (sign * s["value"], s["by"], s["slice"]))[:MOST]


def _slices(dataset: Dataset, rows: Indices, found: Outcome) -> list[tuple[str, str, NDArray[np.bool_]]]:
    made: list[tuple[str, str, NDArray[np.bool_]]] = []
    names = found.classes or []
    if found.task == "classify":
        made += [("class", name, found.truth == c) for c, name in enumerate(names)]
    elif found.task == "multilabel":
        made += [("label", name, found.truth[:, c]) for c, name in enumerate(names)]
    else:
        cuts = np.quantile(found.truth, [1 / 3, 2 / 3])
        thirds = np.digitize(found.truth, cuts)
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
    found = interval.percentile(weights @ part / len(part), config.level)
    if found is None or sign > 0:
        return found
    return [-found[1], -found[0]]


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
