"""How fast the DTW engine is, next to the tools that are installed beside it, and how near to what the machine can do.

    python tests/benchmarks/bench_dtw.py              # about 5 minutes; --quick: 20 s, --long: a minute more

One thread, CPU time of that thread, runs of ours and of a peer alternating in one process, medians. Distance and path,
`euclidean` for us: one square root a cell more than dtaidistance and tslearn, which minimise squares. Extra memory is
the growth of the peak of a fresh process. The limit is the time of the fused multiply-adds and minima that a cell needs
at the rate a one-thread matrix product reaches here. Nothing is installed; absent peers are skipped.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import dtw_peers
import numpy as np

from mmcli.aligners.kernels import coarse, corridor, engine

Run = Callable[[], object]
HERE = Path(__file__).parent
ROUNDS = 11
SIZES = [(1_000, 12), (4_000, 12), (16_000, 12), (16_000, 20), (16_000, 1)]
HEAD = f"{'frames':>7} {'dims':>4}  {'tool':13} {'CPU s':>9} {'ratio':>7} {'extra MB':>9} {'of limit':>8}  cost off by"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


def curves(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth noise and a warped, noisy copy of it, float64 (n, d) each, rows of length one where d > 1."""
    r = np.random.default_rng(seed)
    kernel = np.ones(25) / 25
    x = np.stack([np.convolve(row, kernel, "same") for row in r.normal(size=(d, n))], axis=1)
    t = np.linspace(0, 1, n)
    warp = t + 0.03 * np.sin(6 * np.pi * t)
    y = x[np.clip((warp * (n - 1)).round().astype(int), 0, n - 1)] + r.normal(0, 0.02, (n, d))
    if d > 1:
        x, y = (np.abs(v) / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


def seconds(run: Run) -> float:
    """CPU time of this thread for one call."""
    start = time.thread_time()
    run()
    return time.thread_time() - start


def alternating(runs: dict[str, Run], times: int) -> dict[str, float]:
    """Medians of ``times`` rounds, in each of which every run has its turn."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(times):
        for name, run in runs.items():
            taken[name].append(seconds(run))
    return {name: statistics.median(values) for name, values in taken.items()}


def limit_seconds(n: int, d: int) -> float:
    """For n x n cells if only the multiply-adds and the two minima of each counted, in float32 on one thread."""
    a = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    best = min(seconds(lambda: a @ a) for _ in range(5))
    return n * n * (d + 2) * best / 1024**3


def extra_megabytes(name: str, n: int, d: int) -> float:
    """Growth of the peak memory of a fresh process over one run."""
    code = f"import bench_dtw; print(bench_dtw.growth({name!r}, {n}, {d}))"
    return float(subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, check=True).stdout)


def growth(name: str, n: int, d: int) -> float:
    """In megabytes, after a small run has loaded what there is to load."""
    run = engine.align if name == "ours" else dtw_peers.present()[name]()
    x, y = curves(n, d)
    run(x[:50], y[:50])
    before = memory("VmRSS", reset=True)
    run(x, y)
    return memory("VmHWM") - before


def memory(kind: str, *, reset: bool = False) -> float:
    """Of this process in megabytes, now or at its peak (VmHWM), which ``reset`` starts afresh."""
    status = Path("/proc/self/status")
    if not status.exists():  # not Linux: the peak since the process began
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    if reset:
        ctypes.CDLL(None).malloc_trim(0)  # freed pages that the run would take up again unseen
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in status.read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024 / 1e6


def against_peers(n: int, d: int, peers: dict[str, dtw_peers.Peer], quick: bool) -> None:
    """Ours and each peer at one size."""
    x, y = curves(n, d)
    ours = partial(engine.align, x, y)
    rows = []
    for name, peer in peers.items():
        if n > dtw_peers.LONGEST[name]:
            continue
        peer(x[:60], y[:60])  # compile
        ours()
        slow = n > 4_000 or name not in dtw_peers.SQUARED
        taken = alternating({"ours": ours, name: partial(peer, x, y)}, 1 if quick else 3 if slow else 9)
        if not rows:
            share = limit_seconds(n, d) / taken["ours"]
            rows.append(("ours", taken["ours"], 1.0, f"{share:8.0%}", ours().cost, "euclidean"))
        metric = "sqeuclidean" if name in dtw_peers.SQUARED else "euclidean"
        rows.append((name, taken[name], taken[name] / taken["ours"], " " * 8, peer(x, y)[0], metric))
    for name, cpu, ratio, share, cost, metric in rows:
        best = engine.align(x, y, metric=metric, precision="float64").cost
        off = cost / (best**0.5 if metric == "sqeuclidean" else best) - 1
        print(f"{n:7} {d:4}  {name:13} {cpu:9.4f} {ratio:7.1f} {extra_megabytes(name, n, d):9.1f} {share}  {off:.0e}")


def alone(n: int, d: int) -> None:
    """Ours at a length where the peers' memory ends, and from coarse to fine, in float32 as features files hold it."""
    x, y = (v.astype(np.float32) for v in curves(n, d))
    cpu = seconds(lambda: engine.align(x, y))
    size, share = extra_megabytes("ours", n, d), limit_seconds(n, d) / cpu
    print(f"{n:7} {d:4}  {'ours':13} {cpu:9.4f} {'':7} {size:9.1f} {share:8.0%}")
    start = time.thread_time()
    fast = coarse.align(x, y)
    cpu = time.thread_time() - start
    known = "exact" if fast.exact else f"proved: at most {fast.bound / fast.cost:.1%} above the optimum"
    print(f"{n:7} {d:4}  {'ours, fast':13} {cpu:9.4f} {'':27}{known}")


def variants(n: int, d: int = 12) -> None:
    """Instruction sets, float64 tiles, patterns and a band, as shares of the default's speed."""
    x, y = curves(n, d)
    run = partial(engine.align, x, y)
    runs: dict[str, Run] = {"default": run}
    runs |= {f"kernel {k}": partial(run, kernel=k) for k in engine.kernels()[1:-1]}
    runs |= {"float64": partial(run, precision="float64")}
    runs |= {f"pattern {p}": partial(run, pattern=p) for p in engine.PATTERNS[1:]}
    runs |= {"band 10 %": partial(run, corridor=corridor.band(n, n, 0.1 * n))}
    taken = alternating(runs, 5)
    print(f"\n{n} x {n}, d={d}: CPU s, speed relative to the default ({engine.kernels()[0]})")
    for name, cpu in taken.items():
        print(f"  {name:20} {cpu:8.4f} {taken['default'] / cpu:7.2f}")
    print(f"  the band takes {taken['band 10 %'] / taken['default']:.3f} of the full run")


def threads(n: int, d: int = 12) -> None:
    """Wall time on two threads against one, and against two processes side by side, round by round."""
    x, y = curves(n, d)
    code = f"import bench_dtw; bench_dtw.side_by_side({n}, {d})"
    start_process = partial(subprocess.Popen, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pair = [start_process([sys.executable, "-c", code]) for _ in range(2)]
    for p in pair:
        p.stdout.readline()  # it is ready
    gains, possible = [], []
    for _ in range(ROUNDS):
        wall = {}
        for jobs in (1, 2):
            start = time.perf_counter()
            engine.align(x, y, jobs=jobs)
            wall[jobs] = time.perf_counter() - start
        for p in pair:
            p.stdin.write("go\n")
            p.stdin.flush()
        slower = max(float(p.stdout.readline()) for p in pair)
        gains.append(wall[1] / wall[2])
        possible.append(2 * wall[1] / slower)
    for p in pair:
        p.communicate()
    two, side = statistics.median(gains), statistics.median(possible)
    share = statistics.median(a / b for a, b in zip(gains, possible, strict=True))
    print(f"\n{n} x {n}, d={d}, wall: two threads {two:.2f} times one, two processes {side:.2f}; share {share:.2f}")


def side_by_side(n: int, d: int) -> None:
    """One of two processes: a run at each line that comes in, its wall time printed."""
    x, y = curves(n, d)
    engine.align(x, y)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        engine.align(x, y)
        print(time.perf_counter() - start, flush=True)


SCRIPT = """
import json
import numpy as np
from dtaidistance import dtw
a, b = (np.load(name)["values"].astype(float) for name in ("a.npz", "b.npz"))
path, cost = dtw.warping_path_fast(a, b, include_distance=True)
with open("p.json", "w") as f:
    json.dump({"cost": cost, "path": [list(map(int, p)) for p in path]}, f)
"""


def whole_process(n: int = 4_000, d: int = 12) -> None:
    """`mmcli align` on two npz files against a script that does the same with dtaidistance, CPU of the process."""
    from mmcli.artifacts.formats import features

    align = ["align", "a.npz", "b.npz", "-o", "m.json", "--method", "dtw", "-q"]
    commands = {"mmcli align": ["-m", "mmcli", *align]}
    if "dtaidistance" in dtw_peers.present():
        commands["script with dtaidistance"] = ["-c", SCRIPT]
    taken: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for name, v in zip("ab", curves(n, d), strict=True):
            meta = {"schema": "mmcli/features@1", "mmcli": "0"}
            frames = features.Features(v.astype(np.float32), np.arange(n) / 50, meta)
            features.save(f"{folder}/{name}.npz", frames)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as installed
        for _ in range(7):
            for name, command in commands.items():
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True, env=environment)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                taken[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    said = [f"{name} {statistics.median(cpu):.3f}" for name, cpu in taken.items()]
    print(f"\nwhole process, {n} x {n}, d={d}, CPU s:", *said, sep="  ")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="only 1,000 and 4,000 frames, one round")
    parser.add_argument("--long", action="store_true", help="also 180,000 frames")
    chosen = parser.parse_args()
    if any(os.environ.get(name) != one for name, one in ONE_THREAD.items()):  # read when the libraries are loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    peers = {name: make() for name, make in dtw_peers.present().items()}
    print(f"engine: {engine.kernels()[0]}; peers: {', '.join(peers) or 'none'}\n{HEAD}")
    for n, d in SIZES[:2] if chosen.quick else SIZES:
        against_peers(n, d, peers, chosen.quick)
    for n in [] if chosen.quick else [36_000, 180_000] if chosen.long else [36_000]:
        alone(n, 12)
    variants(4_000 if chosen.quick else 16_000)
    threads(4_000 if chosen.quick else 16_000)
    whole_process()


if __name__ == "__main__":
    main()
