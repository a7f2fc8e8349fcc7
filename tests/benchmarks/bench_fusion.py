"""What fusion and training promise, one row a promise, through the commands a user would type.

    python tests/benchmarks/bench_fusion.py -o RESULTS [--only ROW ...] [--candidates kernels|all] [--mfeat FOLDER]
        [--stamps FOLDER] [--image-encoder torchscript:FILE]

Rows of accuracy: for every seed (speaker, fold) recipe, extract, fuse, `train --fusion auto` and one `evaluate` on the
test split. The report holds what the model is compared with, all chosen on folds of the training split: each modality
alone (its best candidate, tuned), every subset, plain concatenation, and late fusion (equal say) of the same encoders.
RESULTS/ROW-UNIT.json keeps each unit, so that a run that was stopped goes on; --work keeps data and features.
`never-worse` sums up what is there. The best single modality is the one that is best on the test items: the harshest.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fusion_data
from fusion_data import NotAtHandError, Prepare, run

SEEDS = ("0", "1", "2", "3", "4")
AUTO = ("--fusion", "auto")
Found = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One promise about accuracy. ``alone``: a modality that is also trained by itself."""

    prepare: Prepare
    units: tuple[str, ...]
    bar: str
    known: str
    alone: str = ""


ROWS = {
    "av-noisy": Row(fusion_data.noisy, SEEDS, "80 (goal 83)", "logistic concat 74.2, late 76.0; SVM late 81"),
    "av-clean": Row(fusion_data.clean, SEEDS, "99.6 (goal 99.9)", "late 99.7"),
    "speakers": Row(fusion_data.speaker, fusion_data.SPEAKERS, "98; audio alone: goal 85", "audio 75.7", alone="audio"),
    "mfeat": Row(fusion_data.mfeat, tuple(map(str, range(10))), "98.5 (goal 98.8)", "SVM 98.7, TMC 98.51 +/- .15"),
    "stamps": Row(fusion_data.stamps, SEEDS, "best subset - 0.5", "image 82.5, text 87.0, block concat 91.2"),
    "stamps-learned": Row(fusion_data.stamps_learned, SEEDS, "best subset - 0.5 (goal 92)", "block concat 91.2"),
    "sample": Row(fusion_data.sample, ("0",), "best single - 0.5", "-"),
}


def mmcli(*arguments: object) -> float:
    """One command; its processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(sys.executable, "-m", "mmcli", *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def features(row: Row, unit: str, folder: Path, arguments: argparse.Namespace) -> Path:
    """The manifest of the features of one unit; what is there already stays."""
    done = folder / "manifest"
    if not done.exists():
        sources = fusion_data.Sources(arguments.mfeat, arguments.stamps, arguments.image_encoder)
        extract = row.prepare(unit, folder / "data", sources)
        manifest = folder / "data" / "manifest.csv"
        if extract is not None:
            mmcli("extract", manifest, "-o", folder / "features", "-q", *extract)
            manifest = folder / "features" / "manifest.jsonl"
        done.write_text(str(manifest))
    return Path(done.read_text())


def measure(name: str, unit: str, arguments: argparse.Namespace) -> Found:
    """Train and evaluate one unit: ``{accuracy, n, train_s, models: {title: {accuracy, kind, ...}}}``."""
    row = ROWS[name]
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(arguments.work or temporary)
        folder = base / f"{name}-{unit}"
        folder.mkdir(parents=True, exist_ok=True)
        data, model = folder / "d.npz", folder / "m.pt"
        manifest = features(row, unit, folder, arguments)
        mmcli("fuse", manifest, "-o", data, "-q")
        seed = unit if unit.isdigit() else "0"
        options = [*AUTO, "--seed", seed, "--set", f"train.candidates={arguments.candidates}", "-q"]
        seconds = mmcli("train", data, "-o", model, *options)
        found = {"train_s": round(seconds, 1)} | judged(model, data, folder / "r.json")
        if row.alone:
            mmcli("train", data, "-o", folder / "alone.pt", "--modalities", row.alone, *options)
            found["alone"] = judged(folder / "alone.pt", data, folder / "alone.json")["accuracy"]
        if name == "av-clean":
            found["missing"] = missing(manifest, model, folder, int(seed))
        return found


def judged(model: Path, data: Path, report: Path) -> Found:
    """What `evaluate` finds on the test split, in percent."""
    mmcli("evaluate", model, data, "--split", "test", "-o", report, "-q", "--explain", 0)
    read = json.loads(report.read_text())
    loss = {row["title"]: row["loss"] for row in read["model"].get("candidates") or []}
    keep = ("only_ours", "only_theirs", "kind", "modalities")
    models = {
        row["name"]: {"accuracy": 100 * row["theirs"], "loss": loss.get(row["name"])} | {k: row[k] for k in keep}
        for row in read["verdict"].get("against") or []
    }
    subsets = {k: 100 * v for k, v in ((read.get("modalities") or {}).get("subsets") or {}).items()}
    figures = read["metrics"]["accuracy"]
    return {"accuracy": 100 * figures["value"], "n": figures["n"], "models": models, "present": subsets}


def missing(manifest: Path, model: Path, folder: Path, seed: int) -> float:
    """Accuracy where three test items in ten lose one modality, drawn at random, all its features."""
    import numpy as np

    rng = np.random.default_rng(seed)
    lines = [json.loads(line) for line in manifest.read_text(encoding="utf8").splitlines()]
    items = [row for row in lines if row.get("split") == "test"]
    for number in rng.permutation(len(items))[: round(0.3 * len(items))].tolist():
        lost = ("image", "audio")[int(rng.integers(2))]
        items[number] |= {column: "" for column in items[number] if column.startswith(f"{lost}.")}
    fewer = manifest.with_name("fewer.jsonl")
    fewer.write_text("".join(json.dumps(row) + "\n" for row in lines), encoding="utf8")
    mmcli("fuse", fewer, "-o", folder / "fewer.npz", "-q")
    return float(judged(model, folder / "fewer.npz", folder / "fewer.json")["accuracy"])


def singles(found: Found) -> dict[str, Found]:
    """Each modality's own model: of the candidates that read it alone, the one with the least loss on the folds."""
    best: dict[str, Found] = {}
    for title, model in found["models"].items():
        kinds = {name if name.startswith("series.") else name.split(".")[0] for name in model["modalities"]}
        if len(kinds) == 1 and model["loss"] is not None:
            (kind,) = kinds
            if kind not in best or model["loss"] < best[kind]["loss"]:
                best[kind] = model | {"title": title}
    return best


def subset(found: Found) -> Found | None:
    """The subset with the least loss on the folds, as the verdict of a report takes it; None where there is none."""
    known = [m for m in found["models"].values() if m["kind"] == "subset" and m["loss"] is not None]
    return min(known, key=lambda m: m["loss"], default=None)


def mean(title: str, values: list[float]) -> str:
    """One line of a table."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"  {title:34} {statistics.mean(values):7.2f}  standard error {error:5.2f}  n {len(values)}"


def lost(units: list[Found]) -> tuple[float, float]:
    """Mean loss against the best single modality in points, and its upper 95 % bound (items paired, normal)."""
    points = square = 0.0
    for found in units:
        best = max(singles(found).values(), key=lambda m: m["accuracy"])
        worse, better, n = best["only_theirs"], best["only_ours"], found["n"]
        points += 100 * (worse - better) / n
        square += 100**2 * ((worse + better) / n - ((worse - better) / n) ** 2) / n
    return points / len(units), points / len(units) + 1.96 * math.sqrt(square) / len(units)


def show(name: str, done: dict[str, Found]) -> None:
    """A row of the table: the fusion, and under it what it is compared with."""
    row, units = ROWS[name], list(done.values())
    print(f"{name}: bar {row.bar}; known {row.known}; units {' '.join(done)}")
    each = " ".join(f"{u['accuracy']:.1f}" for u in units)
    print(mean("auto", [u["accuracy"] for u in units]) + f"  each {each}")
    for kind in singles(units[0]):
        print(mean(f"alone: {kind}", [singles(u)[kind]["accuracy"] for u in units if kind in singles(u)]))
    several = {t: m for t, m in units[0]["models"].items() if len(m["modalities"]) > 1}
    for title in several:
        print(mean(title, [u["models"][title]["accuracy"] for u in units if title in u["models"]]))
    if all(chosen := [subset(u) for u in units]):
        print(mean("best subset, chosen on the folds", [c["accuracy"] for c in chosen if c]))
    if row.alone:
        each = " ".join(f"{u['alone']:.1f}" for u in units)
        print(mean(f"trained alone: {row.alone}", [u["alone"] for u in units]) + f"  each {each}")
    if "missing" in units[0]:
        print(mean("one modality lost by 30 %", [u["missing"] for u in units]))
        print("  answers by what is present " + ", ".join(f"{k} {v:.1f}" for k, v in units[0]["present"].items()))
    loss, bound = lost(units)
    print(f"  loss against the best single {loss:+.2f} points, upper 95 % bound {bound:+.2f}")
    print(f"  train {statistics.mean(u['train_s'] for u in units):.0f} s of processor time a unit", flush=True)


def kept(folder: Path, name: str) -> dict[str, Found]:
    """The units of a row that were measured."""
    paths = {unit: folder / f"{name}-{unit}.json" for unit in ROWS[name].units}
    return {unit: json.loads(path.read_text()) for unit, path in paths.items() if path.exists()}


def accuracy(name: str, arguments: argparse.Namespace) -> None:
    """Measure what is not there yet, then show the row."""
    for unit in arguments.units or ROWS[name].units:
        path = arguments.output / f"{name}-{unit}.json"
        if path.exists():
            continue
        try:
            found = measure(name, unit, arguments)
        except NotAtHandError as problem:
            print(f"{name}: not run ({problem})")
            return
        path.write_text(json.dumps(found, indent=1))
    if done := kept(arguments.output, name):
        show(name, done)


def never_worse(arguments: argparse.Namespace) -> None:
    """The paired loss against the best single modality over all rows that there are."""
    rows = {name: list(kept(arguments.output, name).values()) for name in ROWS}
    found = {name: lost(units) for name, units in rows.items() if units}
    everything = [unit for units in rows.values() for unit in units]
    if not everything:
        return
    print("never-worse: bar mean loss at most 0.5, upper 95 % bound at most 1.5; known: naive concat loses up to 6.9")
    for name, (loss, bound) in found.items():
        print(f"  {name:34} loss {loss:+7.2f}  upper bound {bound:+7.2f}  units {len(rows[name])}")
    loss, bound = lost(everything)
    print(f"  {'all':34} loss {loss:+7.2f}  upper bound {bound:+7.2f}  units {len(everything)}")


def crossmodal(_: argparse.Namespace) -> None:
    """The peer is in bench_crossmodal.py."""
    print("crossmodal: bar 2 (goal 3) times nn.MultiheadAttention; known 31 samples/s")
    print("  " + run(sys.executable, Path(__file__).with_name("bench_crossmodal.py")).strip().replace("\n", "\n  "))


def end_to_end(arguments: argparse.Namespace) -> None:
    """A network over pixels and one over log-mel frames, concatenated, on AV-digits: data set to model."""
    data = whole(arguments)
    start = time.monotonic()
    options = ("--modalities", "image,audio.logmel", "-q", "--set", "train.threads=2")
    seconds = mmcli("train", data, "-o", data.with_name("cnn.pt"), *options)
    wall = time.monotonic() - start
    accuracy = judged(data.with_name("cnn.pt"), data, data.with_name("cnn.json"))["accuracy"]
    print(f"end-to-end: bar 90 s; {wall:.0f} s, processor {seconds:.0f} s, accuracy {accuracy:.1f}", flush=True)


def two_processes(arguments: argparse.Namespace) -> None:
    """The loss curve of one process and of two under torchrun, same global batch.

    Beside it what rounding alone does: one process with one thread and with two. Adam turns the sign of a gradient that
    is nearly zero into a whole step, so float32 curves of convolutions part by more than their sums do; the test suite
    holds 1e-4 on a model where they do not.
    """
    data = whole(arguments)
    options = ["train", data, "-q", "--modalities", "image,audio.logmel", "--epochs", "3", "--device", "cpu"]
    one, two, threads = (data.with_name(f"{name}.pt") for name in ("one", "two", "threads"))
    mmcli(*options, "-o", one, "--set", "train.threads=1")
    mmcli(*options, "-o", threads, "--set", "train.threads=2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port, "-m", "mmcli"]
    run(sys.executable, *torchrun, *options, "-o", two, "--set", "train.threads=1")
    curves = {
        path.stem: [json.loads(line)["train_loss"] for line in path.with_suffix(".history.ndjson").open()]
        for path in (one, two, threads)
    }
    apart = {
        name: max(abs(a - b) for a, b in zip(curves["one"], curves[name], strict=True)) for name in ("two", "threads")
    }
    print(
        f"two-processes: bar 1e-4; loss curves differ by at most {apart['two']:.1e} in {len(curves['one'])} epochs; "
        f"by rounding alone (one process, one and two threads) {apart['threads']:.1e}"
    )


def whole(arguments: argparse.Namespace) -> Path:
    """AV-digits, clean, seed 0, as a data set."""
    folder = Path(arguments.work or arguments.output) / "av-clean-0"
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "d.npz"
    if not data.exists():
        mmcli("fuse", features(ROWS["av-clean"], "0", folder, arguments), "-o", data, "-q")
    return data


OTHERS: dict[str, Callable[[argparse.Namespace], None]] = {
    "never-worse": never_worse,
    "crossmodal": crossmodal,
    "end-to-end": end_to_end,
    "two-processes": two_processes,
}


def main() -> None:
    """Every row that is asked for, in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RESULTS", help="one json file a unit")
    parser.add_argument("--only", nargs="+", choices=[*ROWS, *OTHERS], default=[*ROWS, *OTHERS], metavar="ROW")
    parser.add_argument("--units", nargs="+", help="seeds, speakers or folds; default: all of a row")
    parser.add_argument("--candidates", default="kernels", choices=["kernels", "all", "networks"])
    parser.add_argument("--work", type=Path, help="folder that keeps data and features from run to run")
    parser.add_argument("--mfeat", type=Path, help="folder with the csv files of mfeat")
    parser.add_argument("--stamps", type=Path, help="folder of the stamps of Tux Paint")
    parser.add_argument("--image-encoder", help="for stamps-learned, such as torchscript:FILE")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        if name in ROWS:
            accuracy(name, arguments)
        else:
            OTHERS[name](arguments)


if __name__ == "__main__":
    main()
