"""Accuracy of `train --fusion auto` beside its best single modality, through the commands a user would type.

    python tests/benchmarks/bench_fusion.py av-noisy [--seeds 0 1 2 3 4] [--candidates kernels|all] [--networks]
    python tests/benchmarks/bench_fusion.py av-clean | speakers | mfeat --source FOLDER_WITH_THE_CSVS

The data are the recipes in ../shared/recipes (relative to the root of the checkout). For every seed: extract, fuse,
then one model for each single modality, one for all (`auto`), and with --networks also the concat and late networks
over the same encoders. Everything is chosen on folds of the training split; the test split is looked at once, by
`evaluate`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT.parent / "shared" / "recipes"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
PLANS = {
    "av-noisy": (["image", "audio"], ["--audio", "mfcc,logmel"]),
    "av-clean": (["image", "audio"], ["--audio", "mfcc,logmel"]),
    "speakers": (["image", "audio"], ["--audio", "mfcc,logmel"]),
    "mfeat": ([f"series.mfeat-{view}" for view in ("fac", "fou", "kar", "mor", "pix", "zer")], None),
}


def run(*command: object) -> None:
    """One command; its talk is shown only where it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")


def mmcli(*arguments: object) -> None:
    """One mmcli command."""
    run(sys.executable, "-m", "mmcli", *arguments)


def recipe(data: str, unit: str, folder: Path, source: str | None) -> Path:
    """The manifest of one seed or one speaker."""
    if data == "mfeat":
        run(sys.executable, RECIPES / "mfeat.py", source, folder, "--seed", unit)
    else:
        options = ["--leave-out", unit] if data == "speakers" else ["--seed", unit]
        run(sys.executable, RECIPES / "av_digits.py", folder, *options, *(["--noisy"] if data == "av-noisy" else []))
    return folder / "manifest.csv"


def accuracies(data: str, unit: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Test accuracy of every model for one seed or speaker, in percent."""
    modalities, extract = PLANS[data]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = recipe(data, unit, folder / "data", arguments.source)
        if extract is not None:
            mmcli("extract", manifest, "-o", folder / "features", "-q", *extract)
            manifest = folder / "features" / "manifest.jsonl"
        mmcli("fuse", manifest, "-o", folder / "d.npz", "-q")
        wanted = [(m, ["--modalities", m, "--fusion", "auto"]) for m in modalities]
        wanted.append(("auto", ["--fusion", "auto"]))
        if arguments.networks:
            wanted += [(f"{block} network", ["--fusion", block]) for block in ("concat", "late")]
        found = {}
        for title, options in wanted:
            if "auto" in options:
                options = [*options, "--set", f"train.candidates={arguments.candidates}"]
            model, report = folder / "m.pt", folder / "r.json"
            mmcli("train", folder / "d.npz", "-o", model, "-q", "--seed", 0 if data == "speakers" else unit, *options)
            mmcli("evaluate", model, folder / "d.npz", "--split", "test", "-o", report, "-q")
            found[title] = 100 * json.loads(report.read_text())["metrics"]["accuracy"]["value"]
        return found


def main() -> None:
    """Print a row for every seed, then mean and standard error of each model and of the paired gain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=PLANS)
    parser.add_argument("--seeds", nargs="+", default=["0", "1", "2", "3", "4"])
    parser.add_argument("--candidates", default="kernels", choices=["kernels", "all", "networks"])
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--source", help="folder with the csv files of mfeat")
    arguments = parser.parse_args()
    rows = []
    for unit in SPEAKERS if arguments.data == "speakers" else arguments.seeds:
        rows.append(accuracies(arguments.data, unit, arguments))
        print(arguments.data, unit, "  ".join(f"{k} {v:.1f}" for k, v in rows[-1].items()), flush=True)
    best = [max(row[m] for m in PLANS[arguments.data][0]) for row in rows]
    for title, values in [(t, [row[t] for row in rows]) for t in rows[0]] + [
        ("auto minus best single", [row["auto"] - b for row, b in zip(rows, best, strict=True)])
    ]:
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
        print(f"{title:24} mean {statistics.mean(values):6.2f}  standard error {error:.2f}  n {len(values)}")


if __name__ == "__main__":
    main()
