"""How often `train --fusion auto` warns: of planted leaks of labels into features, and of clean data.

    python tests/benchmarks/bench_promise.py FOLDER -o RESULTS.jsonl [--sets ...] [--seeds ...] [--kinds clean ...]

FOLDER holds public sets, see public_data.py. Every run draws 50/20/30 anew over all rows of a set (clean runs are clean
by that), plants a leak, trains and evaluates. The leaks, each of the training rows alone or, with "+val", of the
validation rows too, so that nothing but the test rows can show it:

    network    the hidden layer of a network that was trained on the labels until it knew them, in place of a view
    selected   20 of 4,000 columns of noise, those that go best with the labels, as one view more
    encoding   what a category says of the label, where nearly every row has its own, as one view more
    shifted    noise that is moved by the label, as one view more

A leak counts where it did harm: the promise is 5 points above what the test rows give. "trained": the model said so
before any label of the test rows was looked at; "judged": the report of the test rows says so.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from public_data import SETS, Set

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.cli import given
from mmcli.evaluation.judge import verdict
from mmcli.evaluation.report.report import Request, evaluate
from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.use import run

KINDS = ("network", "selected", "encoding", "shifted")
LEAKS = tuple(f"{kind}{more}" for kind in KINDS for more in ("", "+val"))
HARM = 0.05  # of accuracy that a promise has to be too high by
NOISE, KEPT = 4000, 20  # columns of noise, and those that are selected
Row = dict[str, Any]


def redrawn(data: Set, rng: np.random.Generator) -> None:
    """Another division of all rows, whole groups."""
    names, unit = np.unique(data.group, return_inverse=True)
    unit = unit if len(names) > 1 else np.arange(len(data.label))
    drawn = rng.choice(["train", "val", "test"], int(unit.max()) + 1, p=[0.5, 0.2, 0.3])
    data.split = drawn[unit]


def plant(data: Set, kind: str, rng: np.random.Generator) -> None:
    """One of the leaks."""
    kind, _, more = kind.partition("+")
    knows = (data.split == "train") | ((data.split == "val") & bool(more))
    classes = int(data.label.max()) + 1
    one = np.eye(classes)[data.label]
    if kind == "network":
        name = list(data.views)[int(rng.integers(len(data.views)))]
        data.views[name] = _hidden(data.views[name], data.label, knows, int(rng.integers(1000)))
    elif kind == "selected":
        noise = rng.normal(size=(len(one), NOISE))
        centred = one[knows] - one[knows].mean(0)
        best = np.argsort(-np.abs(noise[knows].T @ centred).max(1))[:KEPT]
        data.views["leak"] = noise[:, best]
    elif kind == "encoding":
        mean = one[knows].mean(0)
        data.views["leak"] = np.where(knows[:, None], 0.5 * (one + mean), mean) + 0.05 * rng.normal(size=one.shape)
    else:
        data.views["leak"] = rng.normal(size=one.shape) + 2.0 * one * knows[:, None]


def _hidden(x: np.ndarray, label: np.ndarray, knows: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.neural_network import MLPClassifier

    x = (x - x[knows].mean(0)) / (x[knows].std(0) + 1e-6)
    net = MLPClassifier((64,), alpha=0.0, learning_rate_init=3e-3, max_iter=150, tol=0.0, random_state=seed)
    net.fit(x[knows], label[knows])
    return np.maximum(x @ net.coefs_[0] + net.intercepts_[0], 0.0)


def dataset(data: Set) -> Dataset:
    """As `fuse` would make it."""
    n, train = len(data.label), data.split == "train"
    streams = {}
    for name, x in data.views.items():
        values = ((x - x[train].mean(0)) / (x[train].std(0) + 1e-6)).astype(np.float32)
        streams[name] = Stream(values, np.arange(n + 1), np.zeros(n), np.ones(n, bool), None, {"kind": "vector"})
    classes = [f"c{i}" for i in range(int(data.label.max()) + 1)]
    label = np.array(classes)[data.label]
    meta = {"task": "classify", "classes": classes}
    return Dataset(streams, [f"i{i}" for i in range(n)], data.split, list(data.group), label, meta=meta)


def measure(name: str, seed: int, kind: str, folder: Path, effort: str) -> Row:
    """One training and its report."""
    rng = np.random.default_rng([seed, list(SETS).index(name), len(kind)])
    data = SETS[name](folder, seed)
    redrawn(data, rng)
    if kind != "clean":
        plant(data, kind, rng)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "m.pt"
        config = TrainConfig(fusion="auto", effort=effort, device="cpu", seed=seed, threads=1)
        whole = dataset(data)
        trained = run.train(whole, config, path).config["training"]["promise"]
        judged = given.as_judged(predictor.load(path))
        told = evaluate(judged, whole, Request(explain=0), opponents=verdict.kept(judged))["verdict"]["promise"]
    return {
        "set": name,
        "seed": seed,
        "kind": kind,
        "promised": told["promised"]["value"],
        "given": told["given"]["value"],
        "by": trained["by"],
        "collapsed": sorted(trained["collapsed"]),
        "fell": trained["fell"],
        "unsure": trained["unsure"],
        "broken": told["broken"],
    }


def early(row: Row) -> bool:
    """Whether training warned."""
    return bool(row["collapsed"] or row["fell"] or row["unsure"])


def show(rows: list[Row]) -> None:
    """Counts of each kind."""
    for kind in dict.fromkeys(row["kind"] for row in rows):
        some = [row for row in rows if row["kind"] == kind]
        counted = [row for row in some if kind == "clean" or harmed(row)]
        trained, judged = (sum(map(f, counted)) for f in (early, lambda row: early(row) or row["broken"]))
        print(f"{kind:14} runs {len(some)}, counted {len(counted)}: warned trained {trained}, judged {judged}")


def harmed(row: Row) -> bool:
    """Whether the leak would have promised too much: folds that were set aside say so too."""
    return bool(row["promised"] - row["given"] >= HARM or row["by"] == "validation")


def runs(arguments: argparse.Namespace) -> Iterator[Row]:
    """What is not in RESULTS yet."""
    done = [json.loads(line) for line in arguments.output.read_text().splitlines()] if arguments.output.exists() else []
    known = {(row["set"], row["seed"], row["kind"]) for row in done}
    yield from done
    for seed in arguments.seeds:
        for name in arguments.sets:
            for kind in arguments.kinds:
                if (name, seed, kind) not in known:
                    row = measure(name, seed, kind, arguments.folder, arguments.effort)
                    with arguments.output.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                    yield row


def main() -> None:
    """Measure what is not there yet, then count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RESULTS")
    parser.add_argument("--sets", nargs="+", default=[name for name in SETS if name != "mosi"], choices=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--kinds", nargs="+", default=["clean", *LEAKS], choices=["clean", *LEAKS])
    parser.add_argument("--effort", default="quick")
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        show(list(runs(arguments)))


if __name__ == "__main__":
    main()
