"""Pictures of a report, drawn from the report alone: confusion matrix or scatter, reliability, what each modality adds.

The same figure goes into a PNG file or, as SVG, into the page. Colours are one hue in steps, so that they survive grey
printing; every cell that matters carries its number.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.io import atomic
from mmcli.errors import UsageError
from mmcli.evaluation.metrics import tasks

INK, BAR, RULE, WARN, PAPER = "#1f2933", "#2f6f9f", "#9aa5b1", "#b4471f", "#ffffff"
# In a page a colour is the page's own of that name, so that a drawing turns dark with it. Files keep theirs: programs
# that show or print an svg know no such names, and a picture in a paper is on paper.
OF_THE_PAGE = {
    INK: "var(--ink)",
    BAR: "var(--bar)",
    RULE: "var(--soft)",
    WARN: "var(--bad)",
    PAPER: "var(--card)",
    "#1d7a46": "var(--good)",
    "#7a4fa3": "var(--violet)",
    "#8a6d1a": "var(--ochre)",
    "#3f3f46": "var(--ink)",
}
SHADES = 20  # of a share, from none to all
LINES = ("#2f6f9f", "#b4471f", "#1d7a46", "#7a4fa3", "#8a6d1a", "#3f3f46")
# Text in SVG stays text, ids stay the same from run to run, and no date is written: same report, same bytes.
STYLE: Any = {
    "text.parse_math": False,  # names of classes and files are drawn as they are, a $ included
    "figure.dpi": 120,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": RULE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "mmcli",
}
# Above this many classes a number in every cell is unreadable; above the second, class names are thinned.
MOST_NUMBERS, MOST_NAMES = 20, 40


def available(report: dict[str, Any]) -> dict[str, Callable[[Any, dict[str, Any]], None]]:
    """Name and drawing function of every figure that this report has the numbers for; the main one first."""
    figures: dict[str, Callable[[Any, dict[str, Any]], None]] = {}
    if report.get("confusion"):
        figures["confusion"] = confusion
    if report.get("task") == "regress" and report.get("items"):
        figures["scatter"] = scatter
    if report.get("task") == "retrieval" and report.get("curves"):
        figures["hits"] = hits
    if report.get("calibration", {}).get("bins"):
        figures["reliability"] = reliability
    if report.get("per_class"):
        figures["per_class"] = per_class
    if (report.get("robustness") or {}).get("curves"):
        figures["robustness"] = robustness
    return figures


def save(report: dict[str, Any], target: Path) -> list[Path]:
    """The main figure into ``target`` (a .png or .svg file), or every figure as PNG into the folder ``target``.

    Returns the paths written. Raises :class:`OutputError` where they cannot be, :class:`UsageError` for other suffixes
    and for reports without a figure.
    """
    figures = available(report)
    if not figures:
        raise UsageError("this report has nothing to draw")
    if is_file(target):
        name = next(iter(figures))
        _save(figures[name], report, target)
        return [target]
    atomic.make_folder(target)
    for name, draw in figures.items():
        _save(draw, report, target / f"{name}.png")
    return [target / f"{name}.png" for name in figures]


def is_file(target: Path) -> bool:
    """Whether a target names one picture, rather than a folder for all. Raises :class:`UsageError` where neither."""
    suffix = target.suffix.lower()
    if suffix and suffix not in (".png", ".svg") and not target.is_dir():
        raise UsageError("plots are png or svg files, or a folder", source=target)
    return suffix in (".png", ".svg") and not target.is_dir()


def svg(draw: Callable[[Any, dict[str, Any]], None], report: dict[str, Any]) -> str:
    """One figure as an SVG element for a page."""
    text = io.StringIO()
    with _figure(draw, report) as figure:
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = text.getvalue()
    for colour, name in OF_THE_PAGE.items():
        drawn = drawn.replace(f": {colour}", f": {name}")
    return drawn[drawn.index("<svg") :]


def _save(draw: Callable[[Any, dict[str, Any]], None], report: dict[str, Any], path: Path) -> None:
    form = path.suffix.lower()[1:]
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    with _figure(draw, report) as figure, atomic.path(path) as temporary:
        figure.savefig(temporary, format=form, metadata=metadata)


class _figure:  # noqa: N801 - used like a function
    """A figure drawn under our style, without the global state of pyplot."""

    def __init__(self, draw: Callable[[Any, dict[str, Any]], None], report: dict[str, Any]) -> None:
        self._draw, self._report = draw, report

    def __enter__(self) -> Any:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._context = mpl.rc_context(STYLE)
        self._context.__enter__()
        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        self._draw(figure, self._report)
        return figure

    def __exit__(self, *exception: object) -> None:
        self._context.__exit__(None, None, None)


def confusion(figure: Any, report: dict[str, Any]) -> None:
    """Counts by label (rows) and prediction (columns), shaded by the share of the label's items."""
    names = report["confusion"]["classes"]
    counts = np.array(report["confusion"]["counts"], dtype=np.float64)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    k = len(names)
    side = float(np.clip(1.8 + 0.42 * k, 3.2, 11.0))
    margin = 0.08 * max(len(_short(str(name))) for name in names)  # long names must not press the cells together
    figure.set_size_inches(side + 0.9 + margin, side + margin)
    axes = figure.add_subplot()
    if k <= MOST_NAMES:  # cells that a page can colour; more would weigh it down
        edges = np.arange(k + 1) - 0.5
        shown = axes.pcolormesh(edges, edges, share, cmap=_shades(), vmin=0, vmax=1)
        axes.set_ylim(k - 0.5, -0.5)
        axes.set_aspect("equal")
    else:
        shown = axes.imshow(share, cmap=_shades(), vmin=0, vmax=1)
    if k <= MOST_NUMBERS:
        for row, column in np.argwhere(counts > 0):
            colour = PAPER if share[row, column] > 0.55 else INK
            axes.text(column, row, f"{int(counts[row, column])}", ha="center", va="center", color=colour, fontsize=8)
    step = max(1, -(-k // MOST_NAMES))
    ticks = list(range(0, k, step))
    short = [_short(str(names[i])) for i in ticks]
    turn = 90 if max(map(len, short)) > 3 else 0
    axes.set_xticks(ticks, short, rotation=turn)
    axes.set_yticks(ticks, short)
    axes.tick_params(length=0)
    for edge in axes.spines.values():
        edge.set_visible(False)
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    figure.suptitle(_title(report, "accuracy"), x=0.01, ha="left", fontsize=10)
    figure.colorbar(shown, ax=axes, label="share of the label's items", shrink=0.7)


def _shades() -> Any:
    """One hue, from nothing to all of it: on paper of any colour none is none."""
    from matplotlib.colors import ListedColormap, to_rgb

    return ListedColormap([(*to_rgb(BAR), strength) for strength in np.linspace(0, 1, SHADES)])


def scatter(figure: Any, report: dict[str, Any]) -> None:
    """Prediction over label, with the line where both agree."""
    truth = np.array([item["label"] for item in report["items"]], dtype=np.float64)
    guess = np.array([item["prediction"] for item in report["items"]], dtype=np.float64)
    figure.set_size_inches(5.2, 5.0)
    axes = figure.add_subplot()
    low, high = float(min(truth.min(), guess.min())), float(max(truth.max(), guess.max()))
    pad = 0.04 * ((high - low) or 1.0)
    ends = [low - pad, high + pad]
    axes.plot(ends, ends, color=RULE, linewidth=1, zorder=1)
    size = float(np.clip(3000 / len(truth), 3, 22))
    axes.scatter(truth, guess, s=size, color=BAR, alpha=0.55, linewidths=0, zorder=2)
    axes.set_xlim(ends)
    axes.set_ylim(ends)
    axes.set_aspect("equal")
    axes.set_xlabel("label")
    axes.set_ylabel("prediction")
    axes.set_title(_title(report, "mae"))


def reliability(figure: Any, report: dict[str, Any]) -> None:
    """How often the model is right, by how sure it says it is; bars below the line are over-confident."""
    bins = report["calibration"]["bins"]
    figure.set_size_inches(4.8, 4.4)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1)
    most = max(row["n"] for row in bins)
    for row in bins:
        width = row["high"] - row["low"]
        axes.bar(
            row["low"], row["accuracy"], width * 0.94, align="edge", color=BAR, alpha=0.25 + 0.75 * row["n"] / most
        )
        axes.plot([row["low"], row["high"]], [row["confidence"]] * 2, color=WARN, linewidth=1.2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence of the prediction (stronger: more items)")
    axes.set_ylabel("share that is right (line: mean confidence)")
    ece = report["metrics"].get("ece", {}).get("value")
    axes.set_title("reliability" if ece is None else f"reliability: calibration error {ece:.3f}")


def per_class(figure: Any, report: dict[str, Any]) -> None:
    """F1 of every class, worst first."""
    rows = [
        (name, entry["f1"]["value"] or 0.0, entry["f1"]["interval"], entry["f1"]["n"])
        for name, entry in report["per_class"].items()
        if "f1" in entry
    ]
    rows = sorted(rows, key=lambda row: row[1])[:MOST_NAMES]
    figure.set_size_inches(5.4, float(np.clip(1.0 + 0.24 * len(rows), 2.0, 10.0)))
    axes = figure.add_subplot()
    for place, (_, value, bounds, _n) in enumerate(rows):
        axes.barh(place, value, color=BAR, height=0.7, alpha=0.8)
        if bounds:
            axes.plot(bounds, [place, place], color=INK, linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{_short(name)} ({n})" for name, _, _, n in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("F1, with its interval (in brackets: items)")
    axes.set_title("classes, worst first")


def robustness(figure: Any, report: dict[str, Any]) -> None:
    """The primary figure over the level of damage, one panel per kind, one line per modality."""
    curves = report["robustness"]["curves"]
    kinds = list(dict.fromkeys(curve["kind"] for curve in curves))
    names = list(dict.fromkeys(curve["modality"] for curve in curves))
    figure.set_size_inches(2.9 * len(kinds) + 1.0, 3.2)
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    titles = {"noise": "noise", "blur": "blur", "loss": "tokens lost", "absence": "modality absent"}
    for panel, kind in zip(panels, kinds, strict=True):
        units = []
        for curve in (c for c in curves if c["kind"] == kind):
            place = names.index(curve["modality"])
            colour, mark = LINES[place % len(LINES)], "os^Dv*"[place % 6]
            panel.plot(
                curve["levels"], curve["values"], color=colour, marker=mark, markersize=4, label=curve["modality"]
            )
            if all(curve["intervals"]):
                low, high = zip(*curve["intervals"], strict=True)
                panel.fill_between(curve["levels"], low, high, color=colour, alpha=0.12, linewidth=0)
            units.append(curve["unit"])
        panel.set_xlabel(" or ".join(dict.fromkeys(units)))
        panel.set_title(titles.get(kind, kind))
        panel.legend(frameon=False, fontsize=8)
    primary = report["robustness"]["primary"]
    panels[0].set_ylabel(tasks.title(primary))


def hits(figure: Any, report: dict[str, Any]) -> None:
    """The share of queries that find what they look for among the first k, with what chance would give."""
    curves = report["curves"]
    figure.set_size_inches(5.4, 3.6)
    axes = figure.add_subplot()
    for place, (way, values) in enumerate(curves["hit_rate"].items()):
        axes.plot(curves["places"], values, color=LINES[place], marker="os"[place], markersize=3, label=way)
    axes.plot(curves["places"], curves["chance"], color=RULE, linestyle="--", linewidth=1, label="chance")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("first k candidates")
    axes.set_ylabel("share of queries with a hit")
    axes.set_title(f"{report['split']}: hits, {len(report['items'])} items")
    axes.legend(frameon=False, fontsize=8)


def _title(report: dict[str, Any], name: str) -> str:
    entry = report["metrics"][name]
    text = f"{report['split']}: {tasks.title(name)} {entry['value']:.3f}"
    if entry.get("interval"):
        text += f" [{entry['interval'][0]:.3f}, {entry['interval'][1]:.3f}]"
    return f"{text}, n = {entry['n']}"


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"
