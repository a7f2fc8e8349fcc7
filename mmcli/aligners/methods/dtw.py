"""Exact dynamic time warping: the cheapest monotone path between two sequences of frames, in bounded memory.

The recurrence is that of Sakoe and Chiba 1978, "Dynamic programming algorithm optimization for spoken word
recognition"; :mod:`mmcli.aligners.kernels.engine` says which step patterns there are, how ties fall and how exact the
result is. What is minimised and what is reported can be set to agree with other tools:

============ =========== ========== ======
tool         metric      pattern    report
============ =========== ========== ======
librosa      euclidean   symmetric1 sum
fastdtw      euclidean   symmetric1 sum
dtaidistance sqeuclidean symmetric1 root
dtw-python   euclidean   symmetric2 sum
============ =========== ========== ======
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.aligners.core.inputs import warped
from mmcli.aligners.kernels import coarse, corridor, engine, matches
from mmcli.artifacts.formats import alignment, timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.io import provenance
from mmcli.errors import MismatchError, UsageError

ACCEPTS = (("features", "features"),)
Times = NDArray[np.float64]
Values = NDArray[Any]
Side = Literal["none", "reference", "query", "both"]


@dataclass(frozen=True)
class Config:
    """What is minimised, where the path may run, and what the run may take."""

    metric: Literal["euclidean", "sqeuclidean", "manhattan", "cosine"] = "euclidean"  # between two frames
    pattern: Literal["symmetric1", "symmetric2", "asymmetric", "slope2"] = "symmetric1"  # which steps a path may take
    precision: Literal["float32", "float64"] = "float32"  # inside tiles: within 1e-6 of the optimum, or within 1e-12
    report: Literal["sum", "root", "mean"] = "sum"  # the cost: sum along the path, its square root, or mean of a pair
    band: float | None = None  # whole width of a band about the diagonal, as a share of the query, above 0
    band_s: float | None = None  # the same in seconds of the query
    around: str | None = None  # the file of an earlier map: the path stays near it
    within_s: float = 0.5  # how near, seconds on either side, 0 or more
    open_begin: Side = "none"  # of which side frames may be left out at the beginning
    open_end: Side = "none"  # and at the end
    fast: bool = False  # coarse to fine; the map says whether the path was proved the best, or how far off it may be
    matches: int = 0  # find the query in so many places of the reference that do not overlap; the map is of the best
    jobs: int = 1  # threads; they change nothing but the time
    memory_mb: float | None = None  # what the run may take; more is refused before it starts

    def __post_init__(self) -> None:
        for name in ("band", "band_s", "memory_mb"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} {value} is not above 0")
        if self.within_s < 0 or self.jobs < 1:
            raise UsageError("within_s must be 0 or more, jobs 1 or more")
        if sum(v is not None for v in (self.band, self.band_s, self.around)) > 1:
            raise UsageError("only one of band, band_s and around can hold")
        if self.matches < 0:
            raise UsageError("matches must be 0 or more")
        limited = any(v is not None for v in (self.band, self.band_s, self.around))
        if (self.fast or self.matches) and (limited or self.open_begin != "none" or self.open_end != "none"):
            raise UsageError("fast and matches go without bands, corridors and open ends")
        if self.fast and self.matches:
            raise UsageError("fast and matches do not go together")


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """The cheapest warping path between ``x`` (the reference) and ``y``: arrays (frames, dims) or Features.

    ``path`` int64 (k, 2) leads from (0, 0) to the last pair, unless an end is open; ``cost`` is summed in float64 from
    the values given, float64 included. With ``fast`` the result says whether it is ``exact``, else by how much the
    optimum may be below the cost (``bound``); with ``matches`` it lists the places found in the reference.

    Raises InputError for NaN, Inf, empty input, for what does not fit the memory, and where no path exists;
    MismatchError for differing widths.

    >>> warp = align(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [2.0]]))
    >>> warp.cost, warp.path.tolist()
    (1.0, [[0, 0], [1, 0], [2, 1]])
    """
    (xv, xt), (yv, yt) = inputs.checked(x, y)
    options = _options(config, xt, yt)
    more: dict[str, Any] = {}
    if config.matches:
        places = _places(xv, yv, config.matches, options)
        cost, path = places[0]
        more["matches"] = [_place(cost, path, xt, config.report) for cost, path in places]
    elif config.fast:
        quick = coarse.align(xv, yv, **options)
        cost, path = quick.cost, quick.path
        lowest = _reported(cost - quick.bound, path, config.report)
        more = {"exact": quick.exact, "bound": _reported(cost, path, config.report) - lowest}
    else:
        cost, path = engine.align(xv, yv, **options)
    result = warped(x, y, path, _reported(cost, path, config.report), name="dtw", config=_recorded(config))
    return dataclasses.replace(result, **more)


def plan(x: Any, y: Any, config: Config = Config()) -> engine.Plan:
    """What ``align`` would allocate, without running it. Raises InputError where it does not fit the memory.

    >>> plan(np.zeros((3, 1)), np.zeros((2, 1))).threads
    1
    """
    (xv, xt), (yv, yt) = inputs.checked(x, y)
    return engine.plan(xv, yv, **_options(config, xt, yt))


def distance(x: Any, y: Any, config: Config = Config()) -> float:
    """The cost alone, without a path; ``report`` "mean" needs one and is refused.

    >>> distance(np.array([[0.0], [3.0]]), np.array([[0.0], [5.0]]), Config(metric="sqeuclidean", report="root"))
    2.0
    """
    if config.report == "mean":
        raise UsageError("the mean over a path needs the path", hint="use align, or report sum or root")
    (xv, xt), (yv, yt) = inputs.checked(x, y)
    cost = engine.distance(xv, yv, **_options(config, xt, yt))
    return float(np.sqrt(cost)) if config.report == "root" else cost


def _options(config: Config, xt: Times, yt: Times) -> engine.Options:
    options = engine.Options(
        metric=config.metric,
        pattern=config.pattern,
        precision=config.precision,
        jobs=config.jobs,
        memory=None if config.memory_mb is None else int(config.memory_mb * 1e6),
    )
    allowed = _corridor(config, xt, yt)
    if allowed is not None:
        options["corridor"] = allowed
    if config.open_begin != "none":
        options["open_begin"] = (config.open_begin in ("reference", "both"), config.open_begin in ("query", "both"))
    if config.open_end != "none":
        options["open_end"] = (config.open_end in ("reference", "both"), config.open_end in ("query", "both"))
    return options


def _places(x: Values, y: Values, count: int, options: engine.Options) -> list[engine.WarpingPath]:
    """The best places of the query in the reference, best first."""
    best = matches.matches(y, x, count, **options)
    if not best:
        raise MismatchError("the query is found nowhere in the reference", hint="is the query the shorter of the two?")
    return [engine.WarpingPath(match.cost, np.ascontiguousarray(match.path[:, ::-1])) for match in best]


def _place(cost: float, path: NDArray[np.int64], xt: Times, report: str) -> dict[str, float]:
    """A match as the map states it: seconds of the reference, from the first frame to the last."""
    start, end = xt[path[0, 0]], xt[path[-1, 0]]
    return {"start": float(start), "end": float(end), "cost": _reported(cost, path, report)}


def _corridor(config: Config, xt: Times, yt: Times) -> corridor.Corridor | None:
    n, m = len(xt), len(yt)
    hop_x, hop_y = inputs.hop_of(xt), inputs.hop_of(yt)
    if config.band is not None:
        return corridor.band(n, m, config.band * m)
    if config.band_s is not None:
        return corridor.band(n, m, config.band_s / hop_y)
    if config.around is None:
        return None
    prior = timemap.TimeMap(alignment.load(config.around))
    query = prior.to_query(xt)
    known = np.isfinite(query)
    if not known.any():
        raise MismatchError(f"the map says nothing about the reference's {n} frames", source=config.around)
    columns = np.interp(query[known], yt, np.arange(m, dtype=np.float64))
    points = np.column_stack([np.flatnonzero(known), columns])
    return corridor.around(points, n, m, config.within_s / hop_y, config.within_s / hop_x)


def _reported(cost: float, path: NDArray[np.int64], report: str) -> float:
    return float(np.sqrt(cost)) if report == "root" else cost / len(path) if report == "mean" else cost


def _recorded(config: Config) -> Config:
    """The configuration as the map states it: what changes the result, and of a file its content, not its place."""
    around = None if config.around is None else f"sha256:{provenance.sha256_file(Path(config.around))}"
    return dataclasses.replace(config, jobs=1, memory_mb=None, around=around)
