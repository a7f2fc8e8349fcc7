"""The report of a recommender as one page: the verdict, tables, the curve of new items, some users with pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mmcli.artifacts.formats import manifest
from mmcli.artifacts.io import html
from mmcli.errors import MediaError, MissingError
from mmcli.media import embed
from mmcli.ranking.metrics import PRIMARY

TITLES = {"warm": "Known items", "new": "New items, among themselves", "whole": "Both in one list"}
FIGURES = ("ndcg@10", "ndcg@20", "recall@20", "mrr@20", "hit_rate@20")
_NAMES = ("title", "name", "label", "text_value")


def items_of(path: Path, report: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """``{item id: {title, picture}}`` of the items that the page shows, from a manifest; what it lacks is left out."""
    wanted: set[str] = set()
    for user in report.get("explanation", {}).get("users", []):
        wanted |= {*user["history"], *(shown["id"] for shown in user["list"])}
        wanted |= {name for shown in user["list"] for name in shown["because"]}
    rows = manifest.load(path)
    shown: dict[str, dict[str, str]] = {}
    for row in rows.rows:
        if row.id not in wanted:
            continue
        entry = shown[row.id] = {}
        cells = {**row.extra, **row.cells}
        for name in _NAMES:
            if cells.get(name):
                entry.setdefault("title", cells[name])
        for column, cell in row.cells.items():
            if column.partition(".")[0] == "image" and cell and "#" not in cell:
                try:
                    entry.setdefault("picture", embed.data_uri(rows.resolve(cell)[0], "image"))
                except (MediaError, MissingError):
                    continue  # the page shows the title instead
    return shown


def render(report: Mapping[str, Any], items: Mapping[str, Mapping[str, str]]) -> str:
    """The page; the same report gives the same page."""
    tables = [_table(TITLES[name], report[name]) for name in TITLES if report.get(name) and report[name]["metrics"]]
    new = report.get("new") or {}
    curve = (report.get("whole") or {}).get("curve") or []
    beyond = [
        {"name": name, "figures": [f"{value:.3f}" for value in part.values()]}
        for name, part in report["beyond"].items()
    ]
    values = {
        "method": report["model"]["name"],
        "items": f"{report['model']['items']:,}",
        "split": report["split"],
        "verdict": report["verdict"]["text"],
        "level": f"{100 * report['config']['level']:g} %",
        "tables": tables,
        "modalities": _modalities(new),
        "curve": Markup(_curve(curve, report["config"]["new_scale"])) if len(curve) > 1 else None,
        "users": [_user(user, items) for user in report.get("explanation", {}).get("users", [])],
        "beyond": beyond,
        "notes": report["notes"],
        "reproduce": report["reproduce"],
    }
    return html.render("mmcli.ranking", "ranking", values)


def _table(title: str, table: Mapping[str, Any]) -> dict[str, Any]:
    rows = []
    for name in FIGURES:
        entry = table["metrics"][name]
        low, high = entry["interval"]
        others = [f"{other[name]['value']:.3f}" for other in table["beside"].values()]
        shown = name.replace("_", " ").replace("ndcg", "NDCG").replace("mrr", "MRR")
        rows.append(
            {"name": shown, "value": f"{entry['value']:.3f}", "interval": f"{low:.3f} to {high:.3f}", "others": others}
        )
    return {"title": title, "users": f"{table['users']:,}", "beside": list(table["beside"]), "rows": rows}


def _modalities(new: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not new.get("modalities"):
        return []
    bars = [
        {
            "name": name,
            "value": entry["alone"]["value"],
            "p": f"p {entry['p']:.3f}" if entry["p"] >= 0.001 else "p below .001",
            "named": name in new["carried_by"],
            "adds": "{:+.3f} ({:+.3f} to {:+.3f})".format(entry["adds"]["value"], *entry["adds"]["interval"])
            if entry.get("adds")
            else None,
        }
        for name, entry in new["modalities"].items()
    ]
    bars.append({"name": "all", "value": new["metrics"][PRIMARY]["value"]})
    bars += [{"name": name, "value": other[PRIMARY]["value"]} for name, other in new["beside"].items()]
    bars.append({"name": "chance", "value": new["chance"]})
    most = max(bar["value"] for bar in bars) or 1.0
    return [bar | {"width": round(100 * bar["value"] / most, 1), "alone": f"{bar['value']:.3f}"} for bar in bars]


_WIDE, _HIGH, _LEFT, _TOP = 560, 240, 46, 10


def _curve(points: list[Mapping[str, Any]], scale: float) -> str:
    """NDCG@20 over the share of new items in the first ten, as svg."""
    widest = max(0.05, *(p["share_new"] for p in points))
    highest = max(0.01, *(p[k] for p in points for k in ("all", "warm", "new") if p[k] is not None)) * 1.05

    def at(share: float, value: float) -> tuple[float, float]:
        x = _LEFT + (_WIDE - _LEFT - 26) * share / widest
        return round(x, 1), round(_TOP + (_HIGH - _TOP - 34) * (1 - value / highest), 1)

    parts = [f'<svg class="curve" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="NDCG by share of new items">']
    for i in range(5):
        x, y = at(0, highest * i / 4)
        parts.append(f'<line class="grid" x1="{x}" x2="{_WIDE - 26}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{highest * i / 4:.2f}</text>')
        x, y = at(widest * i / 4, 0)
        parts.append(f'<text x="{x}" y="{y + 20}" text-anchor="middle">{100 * widest * i / 4:.0f} %</text>')
    for key, name in (("all", "a"), ("warm", "b"), ("new", "c")):
        line = [(p, at(p["share_new"], p[key])) for p in points if p[key] is not None]
        path = " ".join(f"{x},{y}" for _, (x, y) in line)
        parts.append(f'<polyline class="{name}" points="{path}"/>')
        for point, (x, y) in line:
            ring = ' class="ring"' if point["scale"] == scale else ""
            parts.append(f'<g class="{name}"><circle{ring} cx="{x}" cy="{y}" r="{6 if ring else 3}"/></g>')
    return "".join([*parts, "</svg>"])


def _user(user: Mapping[str, Any], items: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    def shown(name: str) -> dict[str, Any]:
        entry = items.get(name, {})
        return {"title": entry.get("title", name), "picture": entry.get("picture")}

    lines = []
    for item in user["list"]:
        why = ", ".join(items.get(name, {}).get("title", name) for name, share in item["because"].items() if share > 0)
        lines.append(shown(item["id"]) | {"liked": item["liked"], "why": f"because of {why}" if why else ""})
    history = [shown(name) for name in user["history"]]
    return {"value": f"{user[PRIMARY]:.3f}", "events": user["events"], "history": history, "list": lines}
