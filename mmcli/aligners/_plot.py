"""The pair as a picture: the cost of every pairing of moments, the path through it, breaks and confidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners import _inputs
from mmcli.aligners.kernels import twin
from mmcli.aligners.timemap import TimeMap
from mmcli.artifacts import atomic
from mmcli.artifacts.alignment import Alignment

CELLS = 600  # of the picture along a side; longer inputs are averaged down


def draw(path: Path, found: Alignment, x: Any, y: Any, *, metric: str = "euclidean") -> None:
    """Draw the map over the cost matrix of the frames ``x`` (reference) and ``y``; writes a PNG file.

    Reference time runs upwards, query time to the right. Raises OutputError where the file cannot be written.
    """
    import matplotlib as mpl

    from_x, from_y = shrunk(*_inputs.frames(x, "reference")), shrunk(*_inputs.frames(y, "query"))
    costs = twin.local_costs(from_x[0], from_y[0], metric)
    with mpl.rc_context({"figure.dpi": 110, "font.size": 9}):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 6.4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        extent = (from_y[1][0], from_y[1][-1], from_x[1][0], from_x[1][-1])
        low, high = np.quantile(costs, [0.01, 0.99])
        shown = axes.imshow(
            costs, origin="lower", aspect="auto", extent=extent, cmap="Greys_r", vmin=low, vmax=high, alpha=0.75
        )
        _draw_map(axes, found)
        axes.set_xlim(extent[0], extent[1])
        axes.set_ylim(extent[2], extent[3])
        axes.set_xlabel(f"query: {found.query['name']} (s)")
        axes.set_ylabel(f"reference: {found.reference['name']} (s)")
        axes.set_title(title(found), loc="left", fontsize=10)
        axes.legend(loc="upper left", framealpha=0.9)
        figure.colorbar(shown, ax=axes, label=f"{metric} cost", shrink=0.6)
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


def shrunk(values: NDArray[Any], times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most CELLS frames: averages of stretches of equal length, with their mean times."""
    if len(values) <= CELLS:
        return np.asarray(values, dtype=np.float64), times
    bounds = np.linspace(0, len(values), CELLS + 1).astype(np.int64)
    counts = np.diff(bounds)
    mean = np.add.reduceat(values.astype(np.float64), bounds[:-1], axis=0) / counts[:, None]
    return mean, np.add.reduceat(times, bounds[:-1]) / counts


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
