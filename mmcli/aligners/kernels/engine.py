"""The door to the exact DTW engine: validated arrays in, cost and path out, by the compiled kernel or by its twin.

What is promised: with ``precision="float32"`` costs run in float32 inside tiles and in float64 between them, and the
cost of the path is within 1e-6 relative of the optimum (usually it is the optimum); with ``"float64"`` within 1e-12.
The cost returned with a path is summed again in float64 from the input. Memory grows with the length, not its square.

Step patterns, as predecessors of ``(i, j)`` in the order in which ties are decided; all weigh 1 but the diagonal of
``symmetric2``, which weighs 2 (Sakoe and Chiba 1978, "Dynamic programming algorithm optimization for spoken word
recognition"):

=========== ===================================================
symmetric1  (i-1, j-1), (i-1, j), (i, j-1)
symmetric2  the same
asymmetric  (i-1, j-1), (i-1, j), (i-1, j-2): one pair a row of x
slope2      (i-1, j-1), (i-2, j-1), (i-1, j-2): at most 2:1
=========== ===================================================

Under ``cosine`` a zero row has no direction: it costs 0 against another zero row and 1 against any other.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple, NoReturn, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.aligners.kernels import costs
from mmcli.aligners.kernels.corridor import checked
from mmcli.errors import InputError, UsageError

METRICS = ("euclidean", "sqeuclidean", "manhattan", "cosine")  # in the order of the codes in csrc/dtw.h
PATTERNS = ("symmetric1", "symmetric2", "asymmetric", "slope2")
PRECISIONS = ("float32", "float64")
KERNELS = ("avx512", "avx2", "base")
ROUNDING = 1e-5  # of `upper`: what only float32 puts above it is not above it


def _extension() -> ModuleType | None:
    try:
        return importlib.import_module("mmcli.aligners.kernels._dtw")
    except ImportError:  # installed without a compiler: the twin serves
        return None


_dtw = _extension()


class Options(TypedDict, total=False):
    """What ``align``, ``distance`` and ``plan`` take by name."""

    metric: str  # one of METRICS; default euclidean
    pattern: str  # one of PATTERNS; default symmetric1
    precision: str  # one of PRECISIONS; default float32
    corridor: NDArray[np.int64] | None  # (n, 2): the columns [lo, hi) that each row of x may use
    open_begin: tuple[bool, bool]  # whether frames of x, of y may be left out at the beginning
    open_end: tuple[bool, bool]  # the same at the end
    upper: float | None  # skip what only paths dearer than this reach
    rest: NDArray[np.float64] | None  # (n,): never more than a path costs behind each row; `upper` skips more
    most: float | None  # give up, with a cost of NaN, after so many cells (the twin never does)
    jobs: int  # threads; they change nothing but the time
    memory: int | None  # bytes that the run may take, path included
    kernel: str | None  # one of kernels() in place of the best


class WarpingPath(NamedTuple):
    """A warping path: ``cost``, and ``path`` int64 (k, 2) of (row of x, row of y), ascending."""

    cost: float
    path: NDArray[np.int64]


class Plan(NamedTuple):
    """What a run will take: ``memory`` in bytes, path included, and the ``tile`` (rows, columns) that it works in.

    ``kept``: between how many rows and columns borders are kept; the larger, the less memory and the more is run twice.
    """

    memory: int
    tile: tuple[int, int]
    kept: tuple[int, int]
    threads: int


def align(x: ArrayLike, y: ArrayLike, **options: Unpack[Options]) -> WarpingPath:
    """The cheapest warping path between the rows of ``x`` (n, d) and ``y`` (m, d), float32 or float64.

    With ``upper`` and an optimum dearer than that the cost is infinite and the path empty. Raises InputError where an
    array cannot be used, no path exists, or the run does not fit the memory; UsageError for an unknown name.

    >>> align([[0.0], [1.0], [2.0]], [[0.0], [2.0]])
    WarpingPath(cost=1.0, path=array([[0, 0], [1, 0], [2, 1]]))
    """
    p = _problem(x, y, options)
    if p.extension is None:
        from mmcli.aligners.kernels import twin

        cost, path = twin.align(p.x, p.y, **p.for_twin())
    else:
        path = np.empty((len(p.x) + len(p.y) - 1, 2), dtype=np.int64)
        cost, length = p.run(path)
        path = path[:length]
    if p.is_too_dear(cost):
        return WarpingPath(float("inf"), np.empty((0, 2), dtype=np.int64))
    return WarpingPath(cost, path)


def distance(x: ArrayLike, y: ArrayLike, **options: Unpack[Options]) -> float:
    """The cost of the cheapest path without the path; arguments and errors as for ``align``.

    It comes straight from the recurrence: with float32 to about 1e-6 relative, less where rows nearly coincide.

    >>> distance([[0.0], [1.0], [2.0]], [[0.0], [2.0]])
    1.0
    """
    p = _problem(x, y, options)
    if p.extension is None:
        from mmcli.aligners.kernels import twin

        cost = twin.distance(p.x, p.y, **p.for_twin())
    else:
        cost, _ = p.run(None)
    return float("inf") if p.is_too_dear(cost) else cost


def lowest(x: ArrayLike, y: ArrayLike, **options: Unpack[Options]) -> NDArray[np.float64]:
    """What every path has cost at least once it is through with each row of ``x``: float64 (n,), never falling.

    At some rows it is the least cost that reaches the row, at others less; with ``upper`` nothing above that is told
    apart, and all are 0 where the run gave up after ``most`` cells or there is no compiled kernel.

    >>> bool((lowest(np.zeros((2, 1)), np.ones((3, 1))) <= [1, 3]).all())
    True
    """
    p = _problem(x, y, options)
    low = np.zeros(len(p.x))
    if p.extension is not None:
        p.run(None, low)
    ceiling = np.inf if p.upper is None else p.upper
    return np.minimum(np.maximum.accumulate(low), ceiling) * (1 - ROUNDING)


def plan(x: ArrayLike, y: ArrayLike, *, path: bool = True, **options: Unpack[Options]) -> Plan:
    """What ``align`` (without ``path``: ``distance``) would allocate with these arguments; nothing is run.

    Raises InputError where that is more than ``memory`` bytes.

    >>> plan(np.zeros((1000, 12)), np.zeros((1000, 12))).memory < 1_000_000
    True
    """
    p = _problem(x, y, options)
    n, m = len(p.x), len(p.y)
    if p.extension is None:  # three rows, two kept rows a block, the steps of one block
        block = 4 * n**0.5 + 3
        size = int(8 * (n + m) * p.x.shape[1] + 24 * m + 16 * m * n / block + block * m + 16 * (n + m))
        return Plan(size, (n, m), (n, m), 1)
    to = np.empty((n + m - 1, 2), dtype=np.int64) if path else None
    fits, size, rows, columns, kept_rows, kept_columns, threads = p.extension.plan(*p.arguments(to))
    if not fits:
        _too_large(size, p.memory)
    return Plan(size, (rows, columns), (kept_rows, kept_columns), threads)


def describe() -> dict[str, object]:
    """Which engine runs here: ``name``, ``instruction_set``, ``compiled`` and, in words, the ``fallback``."""
    if _dtw is None:
        return {"name": "twin", "instruction_set": None, "compiled": False, "fallback": "numpy/numba twin (in use)"}
    return {"name": "dtw", "instruction_set": _dtw.kernel(), "compiled": True, "fallback": "numpy/numba twin"}


def kernels() -> list[str]:
    """The kernels this machine can run, best first; the twin is always there.

    >>> kernels()[-1]
    'twin'
    """
    return [*(k for k in KERNELS if _dtw is not None and _dtw.kernel(k)), "twin"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Problem:
    x: NDArray[Any]
    y: NDArray[Any]
    extension: ModuleType | None  # None: the twin runs it
    metric: str = "euclidean"
    pattern: str = "symmetric1"
    precision: str = "float32"
    corridor: NDArray[np.int64] | None = None
    open_begin: tuple[bool, bool] = (False, False)
    open_end: tuple[bool, bool] = (False, False)
    upper: float | None = None
    rest: NDArray[np.float64] | None = None
    most: float | None = None
    jobs: int = 1
    memory: int | None = None
    kernel: str | None = None

    def for_twin(self) -> dict[str, Any]:
        names = ("metric", "pattern", "corridor", "open_begin", "open_end")
        return {name: getattr(self, name) for name in names}

    def arguments(self, path: NDArray[np.int64] | None) -> tuple[Any, ...]:
        codes = METRICS.index(self.metric), PATTERNS.index(self.pattern), int(self.precision == "float64")
        ends = sum(bool(flag) << k for k, flag in enumerate((*self.open_begin, *self.open_end)))
        upper = float("inf") if self.upper is None else self.upper
        head = self.x, self.y, path, self.corridor, *codes, ends, upper
        tiles = 0, 0, 0  # as the plan has it
        return *head, self.jobs, self.memory or 0, self.kernel, *tiles, self.rest, self.most or 0.0

    def run(self, path: NDArray[np.int64] | None, low: NDArray[np.float64] | None = None) -> tuple[float, int]:
        assert self.extension is not None
        arguments = (*self.arguments(path), low)
        try:
            cost, length = self.extension.align(*arguments)
        except MemoryError:
            _too_large(self.extension.plan(*arguments)[1], self.memory)
        return cost, length

    def is_too_dear(self, cost: float) -> bool:
        """Whether ``upper`` rules the result out; without it, an infinite cost is an error."""
        if self.upper is None and cost == float("inf"):
            raise InputError(
                "no warping path leads from begin to end",
                hint="widen the band or the corridor, or choose another step pattern",
            )
        return self.upper is not None and cost > self.upper * (1 + ROUNDING)


def _problem(x: ArrayLike, y: ArrayLike, options: Options) -> _Problem:
    a, b = costs.pair(x, y)
    kernel = options.get("kernel")
    p = _Problem(x=a, y=b, extension=None if kernel == "twin" else _dtw, **options)
    for kind, name, known in (
        ("metric", p.metric, METRICS),
        ("step pattern", p.pattern, PATTERNS),
        ("precision", p.precision, PRECISIONS),
        ("kernel for this machine", p.kernel, [None, *kernels()]),
    ):
        if name not in known:
            raise UsageError(f"unknown {kind}: {name!r}", hint=f"one of {', '.join(str(k) for k in known if k)}")
    if p.jobs < 1:
        raise UsageError(f"{p.jobs} jobs", hint="at least one thread is needed")
    object.__setattr__(p, "corridor", checked(p.corridor, len(a), len(b)))
    return p


def _too_large(size: int, memory: int | None) -> NoReturn:
    allowed = "the machine has" if memory is None else f"the {memory / 1e6:.1f} MB allowed"
    raise InputError(
        f"this alignment needs {size / 1e6:.1f} MB, more than {allowed}",
        hint="allow more memory, or align shorter pieces",
    )
