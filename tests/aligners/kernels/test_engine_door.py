"""What the engine refuses, what it says it will take, and that it can be stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mmcli.aligners.kernels import engine
from mmcli.errors import InputError, UsageError

X = np.zeros((4, 2))
needs_extension = pytest.mark.skipif(
    len(engine.kernels()) == 1, reason="no compiler was there when the package was built"
)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.full((4, 2), np.nan), "nan at frame 0, value 0"),
        (np.array([[0.0, 0.0], [0.0, np.inf]]), "inf at frame 1, value 1"),
        (np.array([[0.0, -1e39]]), "-1e\\+39 at frame 0, value 1"),
        (np.zeros((0, 2)), "shape \\(0, 2\\)"),
        (np.zeros(4), "shape \\(4,\\)"),
        (np.zeros((4, 3)), "has 3"),
        (np.zeros((1, 4097)), "at most 4096"),
        (np.array([["a", "b"]]), "holds <U1"),
        (np.zeros((4, 2), dtype=complex), "holds complex128"),
    ],
)
def test_what_cannot_be_aligned_is_refused_in_one_clear_line(bad: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says) as left:
        engine.align(bad, X)
    assert "\n" not in left.value.what
    with pytest.raises(InputError, match=says):
        engine.align(X, bad)


@pytest.mark.parametrize("rows", [[[0, 2]] * 3, [[0, 2]] * 3 + [[2, 2]], [[-1, 2]] * 4, [[0, 5]] * 4, [[2, 1]] * 4])
def test_a_corridor_outside_the_matrix_is_refused(rows: list[list[int]]) -> None:
    with pytest.raises(InputError, match="corridor"):
        engine.align(X, X, corridor=np.array(rows))


@pytest.mark.parametrize("kernel", engine.kernels())
def test_no_path_is_an_error_that_says_so(kernel: str) -> None:
    with pytest.raises(InputError, match="no warping path"):
        engine.align(np.zeros((2, 1)), np.zeros((9, 1)), pattern="slope2", kernel=kernel)
    with pytest.raises(InputError, match="no warping path"):
        engine.distance(X, X, corridor=np.array([[0, 1], [3, 4], [3, 4], [3, 4]]), kernel=kernel)


@pytest.mark.parametrize(
    "options", [{"metric": "l2"}, {"pattern": "symetric1"}, {"precision": "float16"}, {"kernel": "sse9"}, {"jobs": 0}]
)
def test_unknown_names_are_usage_errors(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        engine.align(X, X, **options)  # type: ignore[arg-type]


def test_describe_names_the_engine_that_runs() -> None:
    said = engine.describe()
    assert set(said) == {"name", "instruction_set", "compiled", "fallback"}
    assert said["instruction_set"] == (engine.kernels()[0] if said["compiled"] else None)


def test_without_the_extension_the_twin_serves_with_the_same_results() -> None:
    code = """
        import sys
        sys.modules["mmcli.aligners.kernels._dtw"] = None
        import numpy as np
        from mmcli.aligners.kernels import engine
        r = np.random.default_rng(0)
        found = engine.align(r.random((60, 2)), r.random((50, 2)), pattern="symmetric2", jobs=2)
        print(engine.describe()["name"], engine.kernels(), repr(found.cost), len(found.path))
    """
    r = np.random.default_rng(0)
    found = engine.align(r.random((60, 2)), r.random((50, 2)), pattern="symmetric2")
    name, kernels, cost, length = _python(code).stdout.split()
    assert (name, kernels, int(length)) == ("twin", "['twin']", len(found.path))
    assert float(cost) == pytest.approx(found.cost, rel=1e-12)


@pytest.mark.hunt
def test_without_a_compiler_the_package_still_builds(root: Path, tmp_path: Path) -> None:
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, tmp_path)
    shutil.copytree(root / "mmcli", tmp_path / "mmcli", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    command = [sys.executable, "setup.py", "build"]
    environment = {**os.environ, "CC": "no-such-compiler"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = [p.name for p in (tmp_path / "build").rglob("*") if p.name in ("engine.py", "_dtw.abi3.so")]
    assert built == ["engine.py"]


@needs_extension
def test_memory_is_known_before_the_run_and_refused_where_it_does_not_fit() -> None:
    x = np.zeros((20_000, 2), dtype=np.float32)
    free = engine.plan(x, x)
    tight = engine.plan(x, x, memory=free.memory - 1_000_000)
    assert tight.memory < free.memory
    assert tight.kept > free.kept
    assert engine.plan(x, x, path=False).memory < tight.memory
    for run in (engine.plan, engine.align):
        with pytest.raises(InputError, match=r"needs [0-9.]+ MB, more than the 1.0 MB allowed"):
            run(x, x, memory=1_000_000)


@needs_extension
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's peak as Linux tells it")
@pytest.mark.parametrize("memory", [None, 4_000_000])
def test_a_run_takes_what_its_plan_says(memory: int | None) -> None:
    """Elsewhere, and for children of Linux's processes, the peak that rusage tells is the parent's too."""
    code = f"""
        import numpy as np
        from mmcli.aligners.kernels import engine
        def peak():
            with open("/proc/self/status") as f:
                return int(next(line for line in f if line.startswith("VmHWM")).split()[1]) * 1024
        x = np.random.default_rng(0).random((12000, 2), dtype=np.float32)
        engine.align(x[:300], x[:300])
        before = peak()
        engine.align(x, x, memory={memory})
        print(peak() - before, engine.plan(x, x, memory={memory}).memory)
    """
    taken, planned = map(int, _python(code).stdout.split())
    assert planned / 4 < taken < planned + 1_500_000  # more by the allocator's own pages


@needs_extension
@pytest.mark.parametrize("path", [True, False])
def test_ctrl_c_stops_a_run_that_would_take_minutes(path: bool) -> None:
    code = f"""
        import signal, numpy as np
        from mmcli.aligners.kernels import engine
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        x = np.zeros((400_000, 8), dtype=np.float32)
        try:
            (engine.align if {path} else engine.distance)(x, x, jobs=2)
        except KeyboardInterrupt:
            print("stopped")
    """
    assert _python(code).stdout == "stopped\n"


@needs_extension
@pytest.mark.hunt
def test_no_leak_over_10000_calls() -> None:
    code = """
        import numpy as np
        from mmcli.aligners.kernels import engine
        from mmcli.errors import InputError
        r = np.random.default_rng(0)
        x, y = r.random((90, 3)), r.random((70, 3))
        def some(count):
            for k in range(count):
                engine.align(x, y, pattern=engine.PATTERNS[k % 4], precision=engine.PRECISIONS[k % 2])
                engine.distance(x, y, open_end=(True, True))
                try:
                    engine.align(x[:9], y, pattern="slope2")
                except InputError:
                    pass
                try:
                    engine.align(x, y, memory=1000)
                except InputError:
                    pass
            # Not ru_maxrss: that starts at what the test process held when it forked, and would hide growth.
            return int(next(row for row in open("/proc/self/status") if row.startswith("VmHWM")).split()[1])
        print(some(500), some(9500))
    """
    before, after = map(int, _python(code).stdout.split())
    assert after - before < 500  # kilobytes; one lost kilobyte a call would be 10,000


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=120
    )
