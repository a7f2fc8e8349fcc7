"""`train --fusion auto` on features that others publish, beside what people would try first on the same features.

    python tests/benchmarks/bench_public.py FOLDER -o RESULTS [--sets rosmap mosi ...] [--seeds 0 1 2 3 4]
        [--effort quick usual thorough] [--autogluon PYTHON]

FOLDER holds files as their owners publish them, see public_data.py. Peers, on the same rows: logistic regression on the
standardised columns of all views; late fusion, the mean of one logistic regression a view; HistGradientBoosting on all
columns; AutoGluon-tabular for 60 s on all columns, where PYTHON has it. A peer's penalty is chosen by five folds, which
keep groups together. RESULTS/SET-SEED.json keeps each unit, so that a run that was stopped goes on.

"Under the best single" is against the modality that does best on the test items, the harshest choice. "Told" counts the
runs whose model said, before any test item was looked at, that the folds cannot be believed.
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
from public_data import SETS, Set

EFFORTS = ("quick", "usual", "thorough")
Found = dict[str, Any]


def manifest(data: Set, folder: Path) -> Path:
    """The set as people would write it down: one array a view, a row of it an item."""
    for name, values in data.views.items():
        np.save(folder / f"{name}.npy", values.astype(np.float32))
    with (folder / "m.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "split", "label", "group", *(f"series.{name}" for name in data.views)])
        for i, label in enumerate(data.label):
            cells = [f"{name}.npy#{i}" for name in data.views]
            writer.writerow([f"i{i}", data.split[i], f"c{label}", data.group[i], *cells])
    return folder / "m.csv"


def ours(data: Set, seed: int, effort: str) -> Found:
    """Accuracy on the test rows, of each modality there, what was promised, and whether the model warned."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run("fuse", manifest(data, folder), "-o", folder / "d.npz")
        how = ["--fusion", "auto", "--seed", seed, "--effort", effort]
        spent = run("train", folder / "d.npz", "-o", folder / "m.pt", *how)
        run("evaluate", folder / "m.pt", folder / "d.npz", "--explain", 0, "-o", folder / "r.json")
        report = json.loads((folder / "r.json").read_text())
    verdict = report["verdict"]
    told = verdict["promise"]
    return {
        "auto": report["metrics"]["accuracy"]["value"],
        "interval": [report["metrics"]["accuracy"].get(k) for k in ("low", "high")],
        "singles": {row["name"]: row["theirs"] for row in verdict["against"] if row["kind"] == "single"},
        "candidates": report["model"].get("candidates"),
        "promise": told,
        "train_s": spent,
    }


def peers(data: Set, seed: int, autogluon: str | None, seconds: float) -> dict[str, float]:
    """Accuracy on the test rows of what trains on the training rows of the same features."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = data.split == "train", data.split == "test"
    label, group = data.label, data.group
    grouped = bool(group[0])
    folds = (StratifiedGroupKFold if grouped else StratifiedKFold)(5, shuffle=True, random_state=seed)

    def logistic(x: np.ndarray) -> Any:
        one = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        grid = {"logisticregression__C": [0.003, 0.03, 0.3]}
        return GridSearchCV(one, grid, cv=folds).fit(x[train], label[train], groups=group[train] if grouped else None)

    whole = np.concatenate(list(data.views.values()), axis=1)
    each = [logistic(x) for x in data.views.values()]
    said = [model.predict_proba(x[test]) for model, x in zip(each, data.views.values(), strict=True)]
    classes = each[0].best_estimator_.classes_
    trees = HistGradientBoostingClassifier(random_state=seed).fit(whole[train], label[train])
    found = {
        "logistic": float(logistic(whole).score(whole[test], label[test])),
        "late": float((classes[np.mean(said, axis=0).argmax(1)] == label[test]).mean()),
        "boosting": float(trees.score(whole[test], label[test])),
    }
    if autogluon:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "d.npz"
            np.savez(path, x=whole.astype(np.float32), y=label, split=data.split)
            command = [autogluon, str(Path(__file__).with_name("autogluon_peer.py")), str(path), str(seconds)]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found["autogluon"] = float(done.stdout.split()[-1])
            print(f"autogluon: {after.ru_utime - before.ru_utime:.0f} s of processor time", file=sys.stderr)
    return found


def run(*arguments: object) -> float:
    """One command; its processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "mmcli", *map(str, arguments), "-q"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def told(mine: Found) -> bool:
    """Whether training said that its folds cannot be believed."""
    promise = mine["promise"]
    return bool(promise["collapsed"] or promise.get("fell") or promise.get("unsure"))


def rank(mine: float, others: dict[str, float]) -> float:
    """Place of ``mine`` among all, ties shared.

    >>> rank(0.9, {"a": 0.95, "b": 0.9, "c": 0.1})
    2.5
    """
    above = sum(value > mine + 1e-9 for value in others.values())
    level = sum(abs(value - mine) <= 1e-9 for value in others.values())
    return 1 + above + level / 2


def show(found: dict[str, list[Found]], effort: str) -> None:
    """Means over the seeds, one line a set; ranks of the runs and of the means."""
    ranks, of_means = [], []
    for name, units in found.items():
        units = [u for u in units if effort in u]
        if not units:
            continue
        mine = [u[effort] for u in units]
        shared = [key for key in units[0]["peers"] if all(key in u["peers"] for u in units)]
        means = {key: float(np.mean([u["peers"][key] for u in units])) for key in shared}
        ranks += [rank(m["auto"], u["peers"]) for m, u in zip(mine, units, strict=True)]
        of_means.append(rank(auto := float(np.mean([m["auto"] for m in mine])), means))
        under = [100 * (max(m["singles"].values()) - m["auto"]) for m in mine]
        each = " ".join(f"{100 * m['auto']:.1f}" for m in mine)
        print(
            f"{name:12} auto {100 * auto:.1f} ({each}), "
            + ", ".join(f"{key} {100 * value:.1f}" for key, value in means.items())
            + f"; rank {of_means[-1]:g}; under the best single {np.mean(under):+.1f} (most {max(under):+.1f}); "
            f"told {sum(map(told, mine))} of {len(mine)}; train {np.mean([m['train_s'] for m in mine]):.0f} s"
        )
    if ranks:
        print(f"{effort}: mean rank of auto {np.mean(of_means):.2f} over {len(of_means)} sets (means of the seeds), ")
        print(f"  {np.mean(ranks):.2f} over {len(ranks)} runs, ties shared")


def main() -> None:
    """Measure what is not there yet, then show the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RESULTS")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--effort", nargs="*", default=["usual"], choices=EFFORTS, help="none: the peers alone")
    parser.add_argument("--autogluon", metavar="PYTHON", help="of an environment that has autogluon.tabular")
    parser.add_argument("--seconds", type=float, default=60.0, help="AutoGluon's, by the clock on the wall")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Found]] = {}
    for name in arguments.sets:
        for seed in arguments.seeds:
            path = arguments.output / f"{name}-{seed}.json"
            unit: Found = json.loads(path.read_text()) if path.exists() else {}
            data = SETS[name](arguments.folder, seed)
            if not {"logistic", *(["autogluon"] if arguments.autogluon else [])} <= unit.get("peers", {}).keys():
                unit["peers"] = peers(data, seed, arguments.autogluon, arguments.seconds)
            for effort in arguments.effort:
                if effort not in unit:
                    unit[effort] = ours(data, seed, effort)
            path.write_text(json.dumps(unit, indent=1))
            found.setdefault(name, []).append(unit)
    for effort in arguments.effort:
        show(found, effort)


if __name__ == "__main__":
    main()
