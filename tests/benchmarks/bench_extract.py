"""How fast a batch of extraction is, and what it adds to its work. Every figure is printed with what it is compared to.

    python tests/benchmarks/bench_extract.py [speed overhead scaling plan]

All but ``plan`` need the 3,000 recordings in ../shared/data/spoken_digits. Wall-clock figures
mean something only on a machine with nothing else to do; comparisons are interleaved, medians of five.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402 - after the thread counts are set

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT.parent / "shared" / "data" / "spoken_digits" / "recordings"
ROUNDS = 5
MMCLI = [sys.executable, "-m", "mmcli"]
NATIVE = ["--audio", "mfcc", "--set", "mfcc.sample_rate=native"]

PLAIN = """
import pathlib, sys
import librosa, numpy as np
out = pathlib.Path(sys.argv[2])
out.mkdir()
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.wav")):
    y, sr = librosa.load(path, sr=None)
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=13, n_mels=64, n_fft=256, win_length=200, hop_length=80)
    np.savez(out / (path.stem + ".npz"), mfcc=mfcc)
"""


def say(text: str) -> None:
    print(text, flush=True)


def timed(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def interleaved(commands: dict[str, Callable[[Path], list[str]]]) -> dict[str, list[tuple[float, float]]]:
    """Each command in turn, ROUNDS times, into a fresh folder each time.

    The folders are removed at the end: ext4 without a journal passes over every inode that was freed in the last
    minutes, one by one, and files made beside thousands of removed ones cost up to twenty times as much.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for number in range(ROUNDS):
            for name, command in commands.items():
                found[name].append(timed(command(Path(folder, f"{name}-{number}"))))
    return found


def warmed(*commands: Callable[[Path], list[str]]) -> None:
    """Bytecode and numba's cache are there for everyone, as after the first use of an installation."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", tempfile.mkdtemp(prefix="bench-pyc-"))
    with tempfile.TemporaryDirectory() as folder:
        for number, command in enumerate(commands):
            timed(command(Path(folder, str(number))))


def median(pairs: list[tuple[float, float]], which: int) -> float:
    return statistics.median(p[which] for p in pairs)


def extract(jobs: int, *more: str) -> Callable[[Path], list[str]]:
    return lambda out: [*MMCLI, "extract", str(RECORDINGS), "-o", str(out), "--jobs", str(jobs), *NATIVE, *more]


def speed() -> None:
    """3,000 recordings: two jobs against a plain script, start-up included, and the same values."""
    plain = [sys.executable, "-c", PLAIN, str(RECORDINGS)]
    scripted: Callable[[Path], list[str]] = lambda out: [*plain, str(out)]  # noqa: E731
    warmed(scripted, extract(2))
    found = interleaved({"plain": scripted, "mmcli": extract(2)})
    a, b = found["plain"], found["mmcli"]
    ratios = sorted(x[0] / y[0] for x, y in zip(a, b, strict=True))
    say(
        f"speed: plain script {median(a, 0):.2f} s (CPU {median(a, 1):.2f}), mmcli --jobs 2 {median(b, 0):.2f} s "
        f"(CPU {median(b, 1):.2f}): {median(a, 0) / median(b, 0):.2f} times faster "
        f"(rounds {ratios[0]:.2f} to {ratios[-1]:.2f}; wanted 1.7); by CPU, two full cores: "
        f"{2 * median(a, 1) / median(b, 1):.2f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        timed([*plain, f"{folder}/plain"])
        timed(extract(2)(Path(folder) / "mmcli"))
        worst = 0.0
        for path in sorted(Path(folder, "plain").glob("*.npz")):
            one = np.load(path)["mfcc"].T
            two = np.load(Path(folder, "mmcli", f"{path.stem}.audio.mfcc.npz"))["values"]
            worst = max(worst, float(np.abs(one - two).max() / np.abs(one).max()))
        say(f"speed: largest difference of any value {worst:.1e} of the largest value of its recording")


def overhead() -> None:
    """CPU a file that the runner adds to decoding, computing and writing in one process."""
    bare = (
        "import sys,pathlib;from mmcli.artifacts.io import atomic;from mmcli.artifacts.formats import features;"
        "from mmcli.extractors.audio import mfcc;"
        "from mmcli.media import open_clip;atomic.without_flushing();c=mfcc.Config(sample_rate='native');"
        "out=pathlib.Path(sys.argv[2]);out.mkdir();"
        "[features.save(out/f'{p.stem}.npz',mfcc.extract(open_clip(p,'audio'),c)) "
        "for p in sorted(pathlib.Path(sys.argv[1]).glob('*.wav'))]"
    )
    commands = {"bare": lambda out: [sys.executable, "-c", bare, str(RECORDINGS), str(out)], "one": extract(1)}
    warmed(*commands.values())
    found = interleaved(commands)
    count = len(list(RECORDINGS.glob("*.wav")))
    added = (median(found["one"], 1) - median(found["bare"], 1)) / count
    say(f"overhead: {1000 * added:.2f} ms of CPU a file over a bare loop, start-up included (wanted at most 1)")


def scaling() -> None:
    """Two jobs against two independent runs of one job, side by side, over half of the recordings each."""
    ratios = []
    command = extract(1)
    warmed(command)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            start = time.perf_counter()
            runs = [
                subprocess.Popen(
                    [*command(Path(folder, f"half{i}-{number}")), "--shard", f"{i}/2"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for i in (1, 2)
            ]
            for run in runs:
                run.wait()
            side_by_side = time.perf_counter() - start
            together, _ = timed(extract(2)(Path(folder, f"both-{number}")))
            ratios.append(side_by_side / together)
    say(f"scaling: two jobs reach {statistics.median(ratios):.2f} of two runs side by side (wanted 0.9)")


PLAN = """
import sys, time
from pathlib import Path
from mmcli.batch.jobs import extract
from mmcli.batch.plan import streams
used = {m: [streams.stream(m, n) for n in names] for m, names in streams.chosen({}).items()}
start, cpu = time.perf_counter(), time.process_time()
plan = extract.dry([Path(sys.argv[1])], Path(sys.argv[2]), used, extract.Options())
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1000
print(len(plan.tasks), time.perf_counter() - start, time.process_time() - cpu, peak)
"""


def plan() -> None:
    """Planning 100,000 rows."""
    folder = Path(tempfile.mkdtemp())
    for i in range(100):
        (folder / f"d{i:02d}").mkdir()
    with (folder / "m.jsonl").open("w") as file:
        for i in range(100_000):
            path = f"d{i % 100:02d}/{i:06d}.wav"
            (folder / path).touch()
            file.write(json.dumps({"id": f"i{i:06d}", "split": "train", "label": "x", "audio": path}) + "\n")
    for source in ("m.jsonl", "."):
        out = subprocess.run(
            [sys.executable, "-c", PLAN, str(folder / source), str(folder / "out")],
            capture_output=True,
            text=True,
            check=True,
        )
        tasks, wall, cpu, peak = map(float, out.stdout.split())
        what = "rows of a manifest" if source != "." else "files of a folder"
        say(f"plan: {tasks:,.0f} {what} in {wall:.1f} s (CPU {cpu:.1f}), {peak:.0f} MB (wanted 5 s, 200 MB)")
    shutil.rmtree(folder)


BENCHMARKS = {f.__name__: f for f in (speed, overhead, scaling, plan)}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        if name != "plan" and not RECORDINGS.is_dir():
            say(f"{name}: skipped, ../shared/data/spoken_digits is absent")
            continue
        BENCHMARKS[name]()
