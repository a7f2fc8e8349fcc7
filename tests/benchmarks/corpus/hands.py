"""Subtitles of the corpus set by a hand that is not steady: by how many nats a wrong rate is ahead of the right one.

Usage: hands.py choose|check|last [--cache FOLDER]

Each pair of these kinds as it is, and with starts and ends off by up to 0.05, 0.1, 0.2, 0.3 and 0.4 s (uniform), a
seventh of its cues left out. Printed: the worst margins behind CUES_NAMED and CUES_FREE of core/limits.py (of maps
within a second), and how far the maps lie beside the truth, by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from mmcli.aligners.methods.subtitles import activity_of_cues  # noqa: E402
from mmcli.aligners.subtitles import curve, edge_fit  # noqa: E402
from mmcli.aligners.subtitles.activity import of_sound  # noqa: E402
from mmcli.aligners.subtitles.cues import spoken_spans  # noqa: E402
from mmcli.media import open_clip  # noqa: E402

HANDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)
UNSTEADY = ("sub_plain", "sub_rate", "sub_held", "sub_translators", "sub_merged", "sub_impaired")
Cues = list[tuple[float, float, str]]


def unsteady(cues: Cues, hand: float, name: str) -> Cues:
    """Cues set by that hand, the same each time."""
    rng = np.random.default_rng(list(hashlib.sha256(f"{name}|{hand}".encode()).digest()[:8]))
    out = []
    for start, end, text in cues:
        if rng.random() < 1 / 7:
            continue
        a, b = start + rng.uniform(-hand, hand), end + rng.uniform(-hand, hand)
        out.append((a, max(b, a + 0.15), text))
    return out


def main() -> int:
    """Prints both tables."""
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("split", choices=("choose", "check", "last"))
    a.add_argument("--cache", type=Path, default=os.environ.get("MMCLI_CORPUS"))
    a = a.parse_args()
    weighed: list[tuple[dict[float, float], list[float]]] = []
    choice = edge_fit.choice

    def noted(said: dict[float, float], simple: list[float]) -> float:
        weighed.append((said, simple))
        return choice(said, simple)

    edge_fit.choice = noted
    named, free, errors = [], [], []
    for file in sorted((a.cache / "pairs" / a.split).glob("sub_*/pair.json")):
        pair = json.loads(file.read_text())
        if "points" not in pair["truth"]:
            continue
        points = np.array(pair["truth"]["points"])
        true = float(np.polyfit(points[:, 1], points[:, 0], 1)[0])
        activity, cues = _opened(file.parent, pair)
        for hand in HANDS if pair["kind"] in UNSTEADY else HANDS[:1]:
            weighed.clear()
            spans, letters = spoken_spans(unsteady(cues, hand, pair["id"]) if hand else cues)
            at = curve.place(activity, spans, letters)
            starts = np.array([spans[first, 0] for first, _, _ in at.pieces[1:]])
            offsets = np.array([offset for _, _, offset in at.pieces])[np.searchsorted(starts, points[:, 1])]
            error = float(np.median(np.abs(offsets + at.rate * points[:, 1] - points[:, 0])))
            errors.append((hand, error))
            said, simple = weighed[0]
            right = min(simple, key=lambda r: abs(r - true), default=None)
            if error > 1 or right is None or abs(right - true) > 3e-4:
                continue
            if right == 1.0 and len(simple) > 1:
                named.append((max(said[r] for r in simple if r != 1.0) - said[1.0], pair["id"], hand))
            free.append((max(said.values()) - max(said[r] for r in simple), pair["id"], hand))
    for title, rows in (("a named rate over 1", named), ("any other rate over those", free)):
        print(f"{title}, nats, worst of {len(rows)}: {sorted(rows, reverse=True)[:5]}")
    for hand in HANDS:
        mine = np.array([e for h, e in errors if h == hand])
        print(
            f"hand {hand:.2f} s: {len(mine)} maps, median {np.median(mine) * 1e3:.0f} ms,"
            f" {np.sum(mine > 0.1)} past 0.1 s, {np.sum(mine > 1)} past 1 s"
        )
    return 0


def _opened(folder: Path, pair: dict[str, Any]) -> tuple[Any, Cues]:
    reference, query = (folder / Path(pair[side]).name for side in ("reference", "query"))
    cues = list(open_clip(query, "subtitle").cues)
    if reference.suffix == ".srt":
        return activity_of_cues(open_clip(reference, "subtitle").cues), cues
    return of_sound(open_clip(reference, "audio")), cues


if __name__ == "__main__":
    sys.exit(main())
