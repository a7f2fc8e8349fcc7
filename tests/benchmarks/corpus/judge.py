"""Whether a map is right: the rules of the shared pairs' score.py, its tolerances by kind, and its intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

Row = dict[str, Any]
CLASSES = ("right", "part", "wrong", "refused", "unsure", "failed")
STEP_S = 5.0  # one point as far off as this and the map is wrong in part
UNSURE = ("unsure",)


def tolerance(pair: Row) -> float:
    """Seconds: 0.3 for cues and re-readings, 0.5 for scores and renditions, 0.1 for copies, sensors and films."""
    if "tolerance" in pair["truth"]:
        return float(pair["truth"]["tolerance"])
    kind = pair["kind"]
    return (
        0.3 if kind.startswith(("sub", "reread")) else 0.5 if kind.startswith(("score", "rendition", "cover")) else 0.1
    )


def to_reference(m: Row, t: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Query seconds to reference seconds: the line, or the knots, never across a break; NaN where it is undefined."""
    if m["model"] in ("offset", "affine") and m.get("rate"):
        return np.asarray(m["offset_s"] + m["rate"] * t)
    k = np.array(m["knots"], float)
    if len(k) == 0:
        return np.full(len(t), np.nan)  # of a text, that has no clock
    out = np.interp(t, k[:, 1], k[:, 0], left=np.nan, right=np.nan)
    for b in m.get("breaks") or []:
        if b["side"] == "query":
            out[(t > b["start"]) & (t < b["end"])] = np.nan
    return out


def judged(pair: Row, m: Row | None, refusal: str | None) -> Row:
    """The class of an outcome and its figures; ``m`` is the map as written, ``refusal`` "refused" or "unsure"."""
    truth = pair["truth"]
    stranger = bool(truth.get("refuse"))
    if m is None:
        return {"class": refusal, "ok": stranger}
    said = m["quality"].get("verdict")
    row: Row = {"model": m["model"], "probability": m["quality"].get("probability"), "verdict": said}
    if stranger:
        return row | {"class": "wrong", "ok": False}
    if "points" in truth:
        row |= _points(pair, m)
    else:
        row |= _segments(truth, m)
    return row | {"ok": row["class"] == "right"}


def _points(pair: Row, m: Row) -> Row:
    p = np.array(pair["truth"]["points"], float)
    e = np.abs(to_reference(m, p[:, 1]) - p[:, 0])
    ok = np.isfinite(e)
    tol = tolerance(pair)
    if not ok.any():
        return {"class": "wrong", "unmapped": 1.0}
    x = e[ok]
    row: Row = {
        "unmapped": round(1 - float(ok.mean()), 3),
        "within": round(float((x <= tol).mean()), 3),
        **{
            n: round(1000 * float(v), 1)
            for n, v in (("median_ms", np.median(x)), ("p95_ms", np.percentile(x, 95)), ("max_ms", x.max()))
        },
    }
    c = m.get("confidence_s")
    if c and any(v is not None for v in c):
        k = np.array(m["knots"], float)
        half = np.interp(p[ok, 1], k[:, 1], [np.nan if v is None else v for v in c])
        row["held"] = round(float((x <= half).mean()), 3)
        row["width_ms"] = round(2000 * float(np.nanmedian(half)), 2)
    if np.median(x) > tol or ok.mean() < 0.5:
        return row | {"class": "wrong"}
    return row | {"class": "part" if (x > tol).mean() > 0.05 or x.max() > STEP_S else "right"}


def _segments(truth: Row, m: Row) -> Row:
    by: dict[str, Row] = {}
    for g in m.get("segments") or []:
        if g.get("kind", "line") == "line" and g.get("spoken", True):
            by.setdefault(" ".join(g["text"].split()), g)
    e, held = [], []
    for text, start, _ in truth["segments"]:
        g = by.get(" ".join(text.split()))
        if g is not None and g["start"] is not None:
            e.append(abs(g["start"] - start))
            if g.get("confidence_s") is not None:
                held.append(e[-1] <= g["confidence_s"])
    lies = [t for t in truth.get("unspoken") or [] if " ".join(t.split()) in by]
    x, want = np.array(e), len(truth["segments"])
    row: Row = {"lines": f"{len(e)} of {want}", "unspoken_placed": len(lies)}
    if e:
        row |= {
            "median_ms": round(1000 * float(np.median(x)), 1),
            "p95_ms": round(1000 * float(np.percentile(x, 95)), 1),
            "max_ms": round(1000 * float(x.max()), 1),
        }
    if held:
        row["held"] = round(float(np.mean(held)), 3)
    if not e or np.median(x) >= 0.4:
        return row | {"class": "wrong"}
    return row | {"class": "right" if not lies and len(e) >= truth.get("least", 0.8) * want else "part"}


def calibration(rows: list[Row]) -> Row:
    """Expected calibration error (ten bins) and Brier score of ``probability`` over rows that have one; a row is right
    where its map is (never for a stranger)."""
    kept = [
        (r["probability"], r["class"] == "right" and not r["stranger"])
        for r in rows
        if r.get("probability") is not None
    ]
    if not kept:
        return {"pairs": 0}
    p, y = np.array([k[0] for k in kept], float), np.array([k[1] for k in kept], float)
    bins = np.minimum((p * 10).astype(int), 9)
    ece = sum(
        abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in range(10) if (bins == b).any()
    )
    return {
        "pairs": len(kept),
        "ece": round(float(ece), 4),
        "brier": round(float(((p - y) ** 2).mean()), 4),
        "brier_of_best_constant": round(float(y.mean() * (1 - y.mean())), 4),
    }
