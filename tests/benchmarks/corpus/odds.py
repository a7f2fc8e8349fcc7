"""What the odds of `mmcli.aligners.core.odds` rest on: the evidence of every candidate for the pairs of a split, and
the logistic regression of being right on it.

Usage: odds.py choose|check [--kinds GLOB,...] [--decision NAME] [--features A,B]

Prints the evidence of each candidate, a JSON object a line, and with --decision the weights that fit it, with the wrong
ones that they would call a match and the right ones that they would not.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

WITHIN_S = {"sub": 0.3, "reread": 0.3, "score": 0.5, "cover": 0.5, "rendition": 0.5}  # else 0.1


def candidates(pair: dict[str, Any], cache: Path) -> Iterator[dict[str, Any]]:
    """Every candidate that `auto` weighs for a pair: its decision, evidence, and whether its map is right."""
    from mmcli.aligners import pair as pairs
    from mmcli.aligners.core import inputs
    from mmcli.aligners.core.sides import Side
    from mmcli.aligners.linear import choose, fit
    from mmcli.aligners.methods import auto
    from mmcli.artifacts.formats.timemap import TimeMap
    from mmcli.errors import MmcliError
    from mmcli.media.clips import AudioClip

    a, b = Side(cache / pair["reference"], "reference"), Side(cache / pair["query"], "query")
    matched = pairs.matched(a, b, "auto")
    if matched.member != "auto":
        return
    config = auto.Config(kind="rendition" if "score" in (a.modality, b.modality) else "auto")
    made = []
    if inputs.differ(matched.x, matched.y):
        made.append(auto.best(matched.x, matched.y, config))
    else:
        x, y = fit.materials(matched.x, matched.y)
        steady = 0.0
        if config.kind == "auto":
            line = auto._line(x, y, choose.choose(x, y, window_s=config.window_s, step_s=config.step_s), config)
            if line is not None:
                made.append(line)
                steady = auto._steady(line.evidence)
        if isinstance(matched.x, AudioClip):
            made.append(auto._warped_sound(matched.x, matched.y, steady, config))
        else:
            made.append(auto._warped_frames(matched.x, matched.y, config))
    within = next((s for word, s in WITHIN_S.items() if pair["kind"].startswith(word)), 0.1)
    points = np.array(pair["truth"].get("points") or [], dtype=np.float64).reshape(-1, 2)
    for candidate in made:
        right = False
        if len(points):
            try:
                error = np.abs(TimeMap(candidate.make()).to_reference(points[:, 1]) - points[:, 0])
            except MmcliError:
                continue
            known = error[np.isfinite(error)]
            right = len(known) > len(points) / 2 and float(np.median(known)) <= within
        yield {"id": pair["id"], "decision": candidate.decision, "right": right, **candidate.evidence}


def fitted(rows: list[dict[str, Any]], features: list[str]) -> None:
    """Print the weights, and what they get wrong."""
    from sklearn.linear_model import LogisticRegression

    values = np.array([[row[name] for name in features] for row in rows])
    right = np.array([row["right"] for row in rows])
    model = LogisticRegression(C=30.0, max_iter=2000).fit(values, right)
    chance = model.predict_proba(values)[:, 1]
    weights = dict(zip(features, np.round(model.coef_[0], 2).tolist(), strict=True))
    print(f"{len(rows)} candidates, {int(right.sum())} right: {float(model.intercept_[0]):.2f} + {weights}")
    for row, p in zip(rows, chance, strict=True):
        if row["right"] != (p >= 0.85):
            print(f"  {row['id']} is {'right' if row['right'] else 'wrong'}, probability {p:.2f}")
    print(f"Brier score {float(np.mean((chance - right) ** 2)):.4f}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", choices=["choose", "check"])
    parser.add_argument("--cache", type=Path, default=Path(os.environ.get("MMCLI_CORPUS", "corpus")))
    parser.add_argument("--kinds", default="*")
    parser.add_argument("--decision")
    parser.add_argument("--features", default="ahead,heard,share")
    options = parser.parse_args()
    rows = []
    for line in (options.cache / "pairs.jsonl").read_text().splitlines():
        pair = json.loads(line)
        if pair["split"] != options.split or not any(
            fnmatch.fnmatch(pair["kind"], k) for k in options.kinds.split(",")
        ):
            continue
        for row in candidates(pair, options.cache):
            print(json.dumps(row, default=float), flush=True)
            rows.append(row)
    if options.decision:
        fitted([row for row in rows if row["decision"] == options.decision], options.features.split(","))


if __name__ == "__main__":
    main()
