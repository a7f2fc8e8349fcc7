"""The pair as a picture: the cost of every pairing of moments, the path through it and breaks; below, the interval
about the map, which at the scale of the costs would be thinner than the path."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.aligners.kernels.costs import local_costs
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import atomic


def draw(path: Path, alignment: Alignment, costs: Costs) -> None:
    """Draw the map over the costs of what was compared; writes a PNG file.

    Query time runs to the right in both parts, reference time upwards in the upper one. Raises OutputError where the
    file cannot be written.
    """
    import matplotlib as mpl

    # A $ in the name of a file is no mathematics.
    with mpl.rc_context({"figure.dpi": 110, "font.size": 9, "text.parse_math": False}):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with_interval = alignment.confidence_s is not None and len(alignment.knots) > 1
        figure = Figure(figsize=(7.2, 7.8 if with_interval else 6.4), layout="constrained")
        FigureCanvasAgg(figure)
        if with_interval:
            axes, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4.0, 1.3]})
            _draw_interval(below, alignment)
        else:
            axes = below = figure.add_subplot()
        shown = axes.imshow(
            costs.cells,
            origin="lower",
            aspect="auto",
            extent=(*costs.query, *costs.reference),
            cmap="Greys_r",
            vmin=costs.low,
            vmax=costs.high,
            alpha=0.5,  # paler than the path, which has to be found at a glance
        )
        _draw_map(axes, alignment)
        axes.set_xlim(*costs.query)
        axes.set_ylim(*costs.reference)
        below.set_xlabel(f"query: {alignment.query['name']} (s)")
        axes.set_ylabel(f"reference: {alignment.reference['name']} (s)")
        axes.set_title(title(alignment), loc="left", fontsize=10)
        axes.legend(loc="upper left", framealpha=0.9)
        figure.colorbar(shown, ax=axes, label=f"{costs.metric} cost", shrink=0.6)
        with atomic.path(path) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})


def title(alignment: Alignment) -> str:
    """One line: the model and its numbers.

    >>> from types import SimpleNamespace
    >>> title(SimpleNamespace(model="offset", offset_s=1.5, ppm=0.0, knots=[], breaks=[], method={"name": "auto"}))
    'offset 1.500 s (auto)'
    """
    name = alignment.method["name"]
    if alignment.model == "offset":
        return f"offset {alignment.offset_s:.3f} s ({name})"
    if alignment.model == "affine":
        return f"offset {alignment.offset_s:.3f} s, rate {alignment.ppm:+.1f} ppm ({name})"
    if alignment.model == "piecewise":
        return f"piecewise, breaks: {len(alignment.breaks)} ({name})"
    return f"warp, {len(alignment.knots)} knots ({name})"


def _draw_map(axes: Any, alignment: Alignment) -> None:
    from matplotlib.patheffects import Normal, Stroke

    around = [Stroke(linewidth=4.5, foreground="white"), Normal()]  # parts the line from dark costs beside it
    label = "map"
    for s in TimeMap(alignment).segments:
        axes.plot(s[:, 1], s[:, 0], color="#d62728", linewidth=2.2, label=label, path_effects=around)
        label = "_more"
    label = "break"
    for b in alignment.breaks:
        span = axes.axhspan if b["side"] == "reference" else axes.axvspan
        span(b["start"], b["end"], color="#1f77b4", alpha=0.3, linewidth=0, label=label)
        label = "_more"


def _draw_interval(axes: Any, alignment: Alignment) -> None:
    """The 90 % interval about the map, milliseconds to either side."""
    segments = TimeMap(alignment).segments
    times = [s[:, 1] for s in segments]
    width = np.interp(np.concatenate(times), alignment.knots[:, 1], np.asarray(alignment.confidence_s)) * 1e3
    for t, half in zip(times, np.split(width, np.cumsum([len(t) for t in times])[:-1]), strict=True):
        axes.fill_between(t, -half, half, color="#d62728", alpha=0.3, linewidth=0)
        axes.plot(t[[0, -1]], [0.0, 0.0], color="#d62728", linewidth=1.0)
    axes.margins(y=0.15)
    axes.set_ylabel("90 % interval (ms)")


# How unlike every moment of one side is to every moment of the other, for the pictures that show it.

CELLS = 600  # along a side; longer inputs are averaged down


class Costs(NamedTuple):
    """``cells`` (reference, query) by ``metric``; ``reference`` and ``query`` are first and last time in seconds.

    ``low`` and ``high``: between them lie all cells but the strangest hundredth at either end.
    """

    cells: NDArray[np.float64]
    metric: str
    reference: tuple[float, float]
    query: tuple[float, float]
    low: float
    high: float


def between(x: Any, y: Any, metric: str) -> Costs:
    """The costs of what the methods take: arrays or features of the reference ``x`` and of the query ``y``."""
    (of_x, x_times), (of_y, y_times) = (
        _shrunk(*inputs.frames(side, name)) for side, name in ((x, "reference"), (y, "query"))
    )
    cells = local_costs(of_x, of_y, metric)
    low, high = np.quantile(cells, [0.01, 0.99])
    return Costs(cells, metric, _ends(x_times), _ends(y_times), float(low), float(high))


def _ends(times: NDArray[np.float64]) -> tuple[float, float]:
    return float(times[0]), float(times[-1])


def _shrunk(values: NDArray[Any], times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most CELLS frames: averages of stretches of equal length, with their mean times."""
    if len(values) <= CELLS:
        return np.asarray(values, dtype=np.float64), times
    bounds = np.linspace(0, len(values), CELLS + 1).astype(np.int64)
    counts = np.diff(bounds)
    mean = np.add.reduceat(values.astype(np.float64), bounds[:-1], axis=0) / counts[:, None]
    return mean, np.add.reduceat(times, bounds[:-1]) / counts
