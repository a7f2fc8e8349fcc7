"""The pair as a picture: the cost of every pairing of moments, the path through it, breaks and confidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmcli.aligners._costs import Costs
from mmcli.aligners.timemap import TimeMap
from mmcli.artifacts import atomic
from mmcli.artifacts.alignment import Alignment


def draw(path: Path, found: Alignment, costs: Costs) -> None:
    """Draw the map over the costs of what was compared; writes a PNG file.

    Reference time runs upwards, query time to the right. Raises OutputError where the file cannot be written.
    """
    import matplotlib as mpl

    with mpl.rc_context({"figure.dpi": 110, "font.size": 9}):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 6.4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        shown = axes.imshow(
            costs.cells,
            origin="lower",
            aspect="auto",
            extent=(*costs.query, *costs.reference),
            cmap="Greys_r",
            vmin=costs.low,
            vmax=costs.high,
            alpha=0.75,
        )
        _draw_map(axes, found)
        axes.set_xlim(*costs.query)
        axes.set_ylim(*costs.reference)
        axes.set_xlabel(f"query: {found.query['name']} (s)")
        axes.set_ylabel(f"reference: {found.reference['name']} (s)")
        axes.set_title(title(found), loc="left", fontsize=10)
        axes.legend(loc="upper left", framealpha=0.9)
        figure.colorbar(shown, ax=axes, label=f"{costs.metric} cost", shrink=0.6)
        with atomic.path(path) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})


def title(found: Alignment) -> str:
    """One line: the model and what it found.

    >>> from types import SimpleNamespace
    >>> title(SimpleNamespace(model="offset", offset_s=1.5, ppm=0.0, knots=[], breaks=[], method={"name": "auto"}))
    'offset 1.500 s (auto)'
    """
    name = found.method["name"]
    if found.model == "offset":
        return f"offset {found.offset_s:.3f} s ({name})"
    if found.model == "affine":
        return f"offset {found.offset_s:.3f} s, rate {found.ppm:+.1f} ppm ({name})"
    if found.model == "piecewise":
        return f"piecewise, breaks: {len(found.breaks)} ({name})"
    return f"warp, {len(found.knots)} knots ({name})"


def _draw_map(axes: Any, found: Alignment) -> None:
    label = "map"
    for s in TimeMap(found).segments:
        axes.plot(s[:, 1], s[:, 0], color="#d62728", linewidth=1.4, label=label)
        label = "_more"
    if found.confidence_s is not None and len(found.knots):
        width = np.asarray(found.confidence_s)
        t, q = found.knots[:, 0], found.knots[:, 1]
        axes.fill_betweenx(t, q - width, q + width, color="#d62728", alpha=0.25, linewidth=0, label="90 % interval")
    label = "break"
    for b in found.breaks:
        span = axes.axhspan if b["side"] == "reference" else axes.axvspan
        span(b["start"], b["end"], color="#1f77b4", alpha=0.3, linewidth=0, label=label)
        label = "_more"
