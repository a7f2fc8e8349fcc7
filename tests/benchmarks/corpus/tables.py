"""The figures of a run a kind: right pairs, strangers, decisions, the calibration of the probability, the failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from judge import CLASSES, Row, calibration

DECISIONS = (
    ("windows agree", "windows agree on a line"),
    ("what is said", "what is said (voices)"),
    ("warped cost", "warped over shuffled cost"),
    ("agreement z", "cues: z over shuffled cues"),
    ("are spoken", "transcript: forwards over backwards"),
    ("too little", "too little to judge"),
    ("movement", "sudden movements"),
)


def decision(row: Row) -> str:
    """Which decision settled it, told by the reason it gave."""
    reason = row.get("reason") or ""
    return next((name for key, name in DECISIONS if key in reason), reason[:40])


def line(cells: Sequence[object]) -> str:
    """A row of a table."""
    return "| " + " | ".join(str(c) for c in cells) + " |"


def head(*cells: str) -> str:
    """The first two."""
    return f"\n{line(cells)}\n|{'---|' * len(cells)}"


def middle(rows: list[Row], name: str, of: Callable[[list[float]], float] = np.median) -> str:
    """The median of a figure over the rows that have it."""
    values = [r[name] for r in rows if r.get(name) is not None]
    return f"{of(values):.3g}" if values else "-"


def held(rows: list[Row]) -> str:
    """Share of points inside the interval, on average over right maps, and how many maps have none."""
    values, none = [r["held"] for r in rows if "held" in r], sum("held" not in r for r in rows)
    return (f"{100 * np.mean(values):.0f} %" if values else "-") + (f" ({none} none)" if none else "")


def kinds(rows: list[Row], stranger: bool) -> None:
    """A row a kind."""
    by: dict[str, list[Row]] = defaultdict(list)
    for r in rows:
        if r["stranger"] == stranger:
            by[r["kind"]].append(r)
    # of a stranger every map is wrong: it was accepted
    classes = ["refused", "unsure", "wrong", "failed"] if stranger else [*CLASSES]
    names = ["accepted" if stranger and c == "wrong" else c for c in classes]
    print(
        head(
            "stranger" if stranger else "right pair",
            "pairs",
            *names,
            "median ms",
            "p95 ms",
            "held",
            "width ms",
            "CPU s",
        )
    )
    for k in [*sorted(by), "all"]:
        mine = by[k] if k in by else [r for v in by.values() for r in v]
        good = [r for r in mine if r["class"] == "right"]
        counts = [sum(r["class"] == c for r in mine) or "." for c in classes]
        figures = [middle(good, "median_ms"), middle(good, "p95_ms"), held(good), middle(good, "width_ms")]
        print(line([k, len(mine), *counts, *figures, middle(mine, "cpu_s", np.mean)]))


def decisions(rows: list[Row]) -> None:
    """A row a decision: what it let through and what it kept out."""
    by: dict[str, list[Row]] = defaultdict(list)
    for r in rows:
        by[decision(r)].append(r)
    print(head("decision", "right", "part", "wrong", "right pairs refused", "strangers refused", "strangers accepted"))
    for name, mine in sorted(by.items(), key=lambda e: -len(e[1])):
        own = [r["class"] for r in mine if not r["stranger"]]
        other = [r["class"] for r in mine if r["stranger"]]
        shut = ("refused", "unsure")
        print(line([name, own.count("right"), own.count("part"), own.count("wrong"), sum(c in shut for c in own),
                    sum(c in shut for c in other), other.count("wrong")]))  # fmt: skip


def report(rows: list[Row], worst: int = 0) -> None:
    """All of it; ``worst``: how many failures are listed, wrong maps first."""
    kinds(rows, stranger=False)
    kinds(rows, stranger=True)
    decisions(rows)
    print(f"\nprobability: {calibration(rows)}")
    bad = [r for r in rows if not r["ok"]]
    for r in sorted(bad, key=lambda r: (r["class"] not in ("wrong", "part"), r["kind"]))[:worst]:
        figures = f"{r.get('model', '-')} median {r.get('median_ms')} max {r.get('max_ms')} ms"
        print(f"{r['id']}: {r['class']}, {figures}: {(r.get('reason') or '').splitlines()[0][:170]}")
