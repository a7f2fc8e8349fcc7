"""`train --fusion auto` on features that others publish, beside what people would try first on the same features.

    python tests/benchmarks/bench_public.py FOLDER [--sets rosmap handwritten ...] [--seeds 0 1 2 3 4] [--effort usual]

FOLDER holds files as their owners publish them: `rosmap_1_tr.csv` ... of github.com/txWang/MOGONET (official split),
`handwritten_6views.mat` of github.com/hanmenghan/TMC (official split), `LandUse-21.mat` and `Scene-15.mat` of
github.com/XLearning-SCU/2021-CVPR-Completer (no split: 60/20/20 drawn by the seed). Peers: logistic regression on the
standardised columns of all views; late fusion, the mean of one logistic regression a view; HistGradientBoosting on all
columns; each view alone by logistic regression. A peer's penalty is chosen by five folds of the rows it may train on.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

Views = dict[str, np.ndarray]


def rosmap(folder: Path, seed: int) -> tuple[Views, np.ndarray, np.ndarray]:
    """Three kinds of molecules of 351 brains; 106 of them test. A fifth of the others is validation, by the seed."""
    read = {
        name: [np.loadtxt(folder / f"rosmap_{name}_{s}.csv", delimiter=",") for s in ("tr", "te")] for name in "123"
    }
    labels = [np.loadtxt(folder / f"rosmap_labels_{s}.csv").astype(int) for s in ("tr", "te")]
    split = np.repeat(["train", "test"], [len(part) for part in labels]).astype("U5")
    views = {f"v{name}": np.concatenate(parts) for name, parts in read.items()}
    return views, np.concatenate(labels), _with_val(split, seed)


def handwritten(folder: Path, seed: int) -> tuple[Views, np.ndarray, np.ndarray]:
    """Six views of 2,000 digits; the owners' 400 are test."""
    from scipy.io import loadmat

    content = loadmat(folder / "handwritten_6views.mat")
    views = {f"v{i}": np.concatenate([content[f"x{i}_train"], content[f"x{i}_test"]]) for i in range(1, 7)}
    parts = [content["gt_train"].ravel(), content["gt_test"].ravel()]
    split = np.repeat(["train", "test"], [len(part) for part in parts]).astype("U5")
    return views, np.concatenate(parts).astype(int), _with_val(split, seed)


def _drawn(name: str, folder: Path, seed: int) -> tuple[Views, np.ndarray, np.ndarray]:
    from scipy.io import loadmat

    content = loadmat(folder / f"{name}.mat")
    arrays = content["X"].ravel()
    label = content["Y"].ravel().astype(int)
    views = {f"v{i}": a if len(a) == len(label) else a.T for i, a in enumerate(map(np.asarray, arrays))}
    split = np.random.default_rng(seed).choice(["train", "val", "test"], len(label), p=[0.6, 0.2, 0.2])
    return views, label, split


def landuse(folder: Path, seed: int) -> tuple[Views, np.ndarray, np.ndarray]:
    """Pictures of land from above in 21 classes."""
    return _drawn("LandUse-21", folder, seed)


def scene(folder: Path, seed: int) -> tuple[Views, np.ndarray, np.ndarray]:
    """Pictures of scenes in 15 classes."""
    return _drawn("Scene-15", folder, seed)


SETS = {"rosmap": rosmap, "handwritten": handwritten, "landuse": landuse, "scene": scene}


def _with_val(split: np.ndarray, seed: int) -> np.ndarray:
    train = np.flatnonzero(split == "train")
    split[np.random.default_rng(seed).choice(train, len(train) // 5, replace=False)] = "val"
    return split


def ours(views: Views, label: np.ndarray, split: np.ndarray, seed: int, effort: str) -> dict[str, Any]:
    """Accuracy on the test rows, the best single modality there, and whether the report warned."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, values in views.items():
            np.save(folder / f"{name}.npy", values.astype(np.float32))
        with (folder / "m.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "split", "label", *(f"series.{name}" for name in views)])
            for i in range(len(label)):
                writer.writerow([f"i{i}", split[i], f"c{label[i]}", *(f"{name}.npy#{i}" for name in views)])
        run("fuse", folder / "m.csv", "-o", folder / "d.npz")
        how = ["--fusion", "auto", "--seed", seed, "--effort", effort]
        spent = run("train", folder / "d.npz", "-o", folder / "m.pt", *how)
        run("evaluate", folder / "m.pt", folder / "d.npz", "--explain", 0, "-o", folder / "r.json")
        report = json.loads((folder / "r.json").read_text())
    verdict = report["verdict"]
    single = max(row["theirs"] for row in verdict["against"] if row["kind"] == "single")
    told = verdict["promise"]
    return {
        "auto": report["metrics"]["accuracy"]["value"],
        "single": single,
        "promised": told["promised"]["value"],
        "warned": bool(told["broken"] or told["collapsed"]),
        "train_s": spent,
    }


def peers(views: Views, label: np.ndarray, split: np.ndarray, seed: int) -> dict[str, float]:
    """Accuracy on the test rows of what trains on the training rows of the same features."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = split == "train", split == "test"

    def logistic(x: np.ndarray) -> Any:
        one = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        grid = {"logisticregression__C": [0.003, 0.03, 0.3]}
        return GridSearchCV(one, grid, cv=5).fit(x[train], label[train])

    whole = np.concatenate(list(views.values()), axis=1)
    each = [logistic(x) for x in views.values()]
    said = [model.predict_proba(x[test]) for model, x in zip(each, views.values(), strict=True)]
    classes = each[0].best_estimator_.classes_
    trees = HistGradientBoostingClassifier(random_state=seed).fit(whole[train], label[train])
    return {
        "logistic": float(logistic(whole).score(whole[test], label[test])),
        "late": float((classes[np.mean(said, axis=0).argmax(1)] == label[test]).mean()),
        "boosting": float(trees.score(whole[test], label[test])),
    }


def run(*arguments: object) -> float:
    """One command; its processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "mmcli", *map(str, arguments), "-q"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print one line for each set and seed, then the ranks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--effort", default="usual")
    arguments = parser.parse_args()
    ranks = []
    for name in arguments.sets:
        for seed in arguments.seeds:
            data = SETS[name](arguments.folder, seed)
            mine = ours(*data, seed, arguments.effort)
            scores = {"auto": mine["auto"], **peers(*data, seed)}
            ranks.append(1 + sum(value > mine["auto"] + 1e-9 for value in scores.values()))
            shown = ", ".join(f"{k} {100 * v:.1f}" for k, v in scores.items())
            print(
                f"{name} {seed}: {shown}; best single {100 * mine['single']:.1f}, promised {100 * mine['promised']:.1f}"
                f"{', warned' if mine['warned'] else ''}; train {mine['train_s']:.0f} s; rank {ranks[-1]}",
                flush=True,
            )
    print(f"mean rank of auto {np.mean(ranks):.2f} over {len(ranks)} runs")


if __name__ == "__main__":
    main()
