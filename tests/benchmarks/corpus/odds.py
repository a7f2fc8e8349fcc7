"""What the odds of `mmcli.aligners.core.odds` rest on: the evidence of the maps of a split, as run.py left it, and the
logistic regression of being right on it.

Usage: odds.py CHOOSE CHECK [--cache FOLDER] [--code DIGEST] [--decision NAME,...]

CHOOSE and CHECK are splits, or several with commas, that `run.py SPLIT --forced` has been through: what is weighed is
what `auto` weighed and wrote down, whatever functions it asked. Of every pair the candidate that made the map counts,
forced maps and those of strangers too. Printed for each decision: the weights that fit CHOOSE beside those of
core/limits, the Brier scores of both on CHECK beside that of the best constant, and on CHECK the margins of the limit
of a match (natural logarithm of the odds): of the least sure right map and of the surest wrong one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from run import code  # noqa: E402

from mmcli.aligners.core import limits, odds  # noqa: E402

Row = dict[str, Any]
STRENGTH = 3.0  # of the regression: so few maps are wrong that the likeliest weights are often without end


def weighed(cache: Path, digest: str, splits: str) -> list[Row]:
    """The deciding candidate of every pair of the splits that has one, and whether its map is right."""
    pairs = {p["digest"]: p for p in map(json.loads, (cache / "pairs.jsonl").open()) if p["split"] in splits.split(",")}
    rows = []
    for line in (cache / "results" / f"{digest}.jsonl").open():
        row = json.loads(line)
        said = ((row.get("quality") or row.get("evidence") or {}).get("candidates") or [None])[0]
        outcome = row if "verdict" in row else row.get("forced")
        if row["digest"] in pairs and said and outcome:
            right = outcome["class"] == "right" and not row["stranger"]
            rows.append({**said, "id": row["id"], "right": right})
    return rows


def logit(row: Row) -> float:
    """The logarithm of the odds that core/limits gives a row."""
    return odds.logarithm(min(max(odds.probability(row["decision"], row["evidence"]), 1e-3), 1 - 1e-3))


def clipped(rows: list[Row], weights: limits.Weights) -> np.ndarray:
    """The evidence that the weights read, within their ranges, float64 (rows, names)."""
    free = (-np.inf, np.inf)
    return np.array(
        [[float(np.clip(r["evidence"][n], *weights.ranges.get(n, free))) for n in weights.by_name] for r in rows]
    )


def told(decision: str, choose: list[Row], check: list[Row]) -> None:
    """Print what is known of one decision."""
    from sklearn.linear_model import LogisticRegression

    weights = limits.WEIGHTS[decision]
    right = np.array([r["right"] for r in choose], dtype=bool)
    print(f"\n{decision}: {len(choose)} maps to choose on, {int(right.sum())} right; {len(check)} to check")
    print(f"  stored {weights.at_zero:.2f} + {weights.by_name}")
    fitted = None
    if 0 < right.sum() < len(right):
        fitted = LogisticRegression(C=STRENGTH, max_iter=5000).fit(clipped(choose, weights), right)
        found = dict(zip(weights.by_name, np.round(fitted.coef_[0], 2).tolist(), strict=True))
        print(f"  fitted {float(fitted.intercept_[0]):.2f} + {found}")
    if not check:
        return
    truth = np.array([r["right"] for r in check], dtype=float)
    scores = {"stored": np.array([odds.probability(decision, r["evidence"]) for r in check])}
    if fitted is not None:
        scores["fitted"] = fitted.predict_proba(clipped(check, weights))[:, 1]
    brier = ", ".join(f"{name} {float(np.mean((p - truth) ** 2)):.4f}" for name, p in scores.items())
    print(f"  Brier score on check: {brier}, best constant {float(truth.mean() * (1 - truth.mean())):.4f}")
    limit = odds.logarithm(limits.MATCH.value)
    for name, rows, worst in (
        ("least sure right", [r for r in check if r["right"]], min),
        ("surest wrong", [r for r in check if not r["right"]], max),
    ):
        if rows:
            row = worst(rows, key=logit)
            print(f"  {name} of {len(rows)}: {logit(row) - limit:+.2f} of a match, {row['id']}")


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("choose")
    parser.add_argument("check")
    parser.add_argument("--cache", type=Path, default=Path(os.environ.get("MMCLI_CORPUS", "corpus")))
    parser.add_argument("--code", default="", help="of which code the results are; else of this checkout's")
    parser.add_argument("--decision", default=",".join(limits.WEIGHTS))
    options = parser.parse_args()
    digest = options.code or code()
    choose, check = (weighed(options.cache, digest, splits) for splits in (options.choose, options.check))
    for decision in options.decision.split(","):
        mine = [[r for r in rows if r["decision"] == decision] for rows in (choose, check)]
        if any(mine):
            told(decision, *mine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
