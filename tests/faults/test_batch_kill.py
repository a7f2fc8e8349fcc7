"""A batch that is killed and started again ends as if nothing had happened."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

# A task that counts its computations in one file, a byte each: appends of one byte are atomic.
STUB = """
import os
from mmcli.batch.plan import task

def prepare(setup):
    do = task.prepare(setup)
    def counted(payload):
        answer = do(payload)
        if answer["status"] == "done":
            fd = os.open(os.environ["COUNT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(fd, b".")
            os.close(fd)
        return answer
    return counted
"""
RUN = """
import sys
from mmcli.batch.jobs import extract
extract.TASK = "counting_stub:prepare"
from mmcli.cli.app import run
sys.exit(run())
"""


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """200 recordings, two of them damaged."""
    import soundfile

    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "counting_stub.py").write_text(STUB)
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).standard_normal(64_000) * 0.1
    for i in range(200):
        soundfile.write(tmp_path / "in" / f"{i:03d}.wav", noise[: 5_000 + 20 * i], 16_000)
    for i in (7, 150):
        (tmp_path / "in" / f"{i:03d}.wav").write_bytes(b"RIFF nonsense")
    return tmp_path


def start(folder: Path, out: Path, jobs: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-c",
        RUN,
        "extract",
        "in",
        "-o",
        str(out),
        "--jobs",
        str(jobs),
    ]
    path = os.pathsep.join([str(folder / "lib"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "COUNT": str(folder / f"{out.name}.count")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 3, errors
    return errors


def orphans(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. A zombie is dead; under load it can take init seconds to collect it."""
    _, alive = psutil.wait_procs(processes, timeout=5)
    return [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def killed_again_and_again(folder: Path, kills: int, jobs: int) -> None:
    whole, out = folder / "whole", folder / "out"
    started = time.monotonic()
    finish(start(folder, whole, jobs))
    duration = time.monotonic() - started
    expected = tree(whole)
    assert len((folder / "whole.count").read_bytes()) == 198
    count = folder / "out.count"
    rng = random.Random(kills)
    since = 0
    for _ in range(kills):
        since += 1
        process = start(folder, out, jobs)
        time.sleep(rng.uniform(0.1, 0.9) * duration)
        workers = []
        with contextlib.suppress(psutil.NoSuchProcess):
            workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not orphans(workers)
        complete = {n: digest for n, digest in tree(out).items() if n.endswith(".npz") and not n.startswith(".")}
        assert complete.items() <= expected.items()
        if len(complete) == 198:  # what comes after would kill runs that have nothing to do
            finish(start(folder, out, jobs))
            assert tree(out) == expected
            assert len(count.read_bytes()) <= 198 + since * jobs
            shutil.rmtree(out)
            count.unlink()
            since = 0
    finish(start(folder, out, jobs))
    assert tree(out) == expected
    assert len(count.read_bytes()) <= 198 + since * jobs


def test_killed_and_resumed_the_tree_is_that_of_an_undisturbed_run(batch: Path) -> None:
    killed_again_and_again(batch, 20, jobs=2)


@pytest.mark.hunt
def test_killed_500_times(batch: Path) -> None:
    killed_again_and_again(batch, 500, jobs=2)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_first_signal_ends_the_batch_within_seconds_and_it_continues(batch: Path, number: int, code: int) -> None:
    out = batch / "out"
    process = start(batch, out, 2)
    while not list(out.glob("*.npz")):
        time.sleep(0.02)
        assert process.poll() is None
    workers = psutil.Process(process.pid).children(recursive=True)
    asked = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - asked < 5
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert not orphans(workers)
    assert not list(out.glob(".mmcli-tmp-*"))
    finish(start(batch, out, 2))
    assert len(list(out.glob("*.npz"))) == 198


def test_a_killed_worker_costs_its_input_a_second_try_and_nothing_else(batch: Path) -> None:
    out = batch / "out"
    process = start(batch, out, 2)
    while not list(out.glob("*.npz")):
        time.sleep(0.02)
        assert process.poll() is None
    psutil.Process(process.pid).children()[0].kill()
    assert "failed 2" in finish(process)
    finish(start(batch, batch / "whole", 2))
    assert tree(out) == tree(batch / "whole")
