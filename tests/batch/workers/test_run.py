"""The supervisor ends every batch, blames the guilty inputs and only them, whatever they do."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from mmcli.batch.workers import run
from mmcli.errors import MmcliError, OutputError

STUB = """
import ctypes, os, sys, time

def prepare(setup):
    if setup.get("broken"):
        raise ValueError("cannot start")
    if setup.get("dies"):
        os._exit(9)
    return do

def recurse(n):
    return recurse(n + 1) + 1

def do(payload):
    how = payload["how"]
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how == "exit":
        os._exit(3)
    elif how == "sysexit":
        sys.exit(3)
    elif how == "raise":
        raise ZeroDivisionError("nought")
    elif how == "recurse":
        recurse(0)
    elif how == "hang":
        time.sleep(1000)
    elif how == "memory":
        held = [bytearray(64 << 20) for _ in range(10000)]
    elif how == "print":
        sys.stdout.write("garbage" * 100000)
        sys.stdout.flush()
        os.write(1, b"more" * 10000)
        os.write(2, b"more" * 10000)
    elif how == "close":
        os.closerange(0, 1000)
    elif how == "replace":
        os.closerange(3, 1000)
        for i in range(50):
            os.open("/dev/null", os.O_RDWR)
    elif how == "babble":
        for fd in range(3, 1000):
            try:
                os.write(fd, b"not json\\n" * 10)
            except OSError:
                continue
    elif how == "once":
        if not os.path.exists(payload["flag"]):
            open(payload["flag"], "w").close()
            os._exit(1)
    elif how == "threads":
        return {name: value for name, value in os.environ.items() if name.endswith("NUM_THREADS")}
    elif how == "leave":
        os.chdir("/")
    elif how == "where":
        return {"where": os.getcwd()}
    elif how == "full":
        from mmcli.errors import OutputError
        raise OutputError("no space", source="x")
    return {"n": payload["n"] * 2}
"""
FATAL = ["segfault", "abort", "exit", "hang", "close", "replace", "babble", "memory"]
RAISED = ["raise", "recurse", "sysexit"]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "misbehaving_stub.py").write_text(textwrap.dedent(STUB))
    monkeypatch.syspath_prepend(tmp_path / "lib")
    return "misbehaving_stub:prepare"


def outcomes(
    stub: str, hows: list[str], jobs: int, limits: run.Limits | None = None, **extra: Any
) -> list[run.Outcome]:
    tasks = [(i, {"n": i, "how": how, **extra}) for i, how in enumerate(hows)]
    limits = limits or run.Limits(time_s=4.0, memory=128 << 20)
    found = list(run.run(tasks, run.Work(stub, {}), jobs, limits))
    return sorted(found, key=lambda o: o.index)


@pytest.mark.parametrize("jobs", [1, 4])
def test_all_tasks_are_done_once(stub: str, jobs: int) -> None:
    found = outcomes(stub, ["well"] * 100, jobs)
    assert [o.value for o in found] == [{"n": 2 * i} for i in range(100)]
    assert all(o.attempts == 1 for o in found)


@pytest.mark.parametrize("jobs", [1, 4])
def test_every_way_to_misbehave_costs_the_guilty_input_alone(stub: str, jobs: int) -> None:
    hows: list[str] = []
    for how in [*FATAL, *RAISED, "print"]:
        hows += ["well", "well", how, "well"]
    found = outcomes(stub, hows, jobs)
    assert len(found) == len(hows)
    for how, outcome in zip(hows, found, strict=True):
        if how in FATAL:
            assert outcome.error is not None, how
            expected = {"hang": "Timeout", "memory": "MemoryError"}.get(how, "WorkerDied")
            assert outcome.error["class"] == expected, how
            assert outcome.attempts == (1 if how == "hang" else 2), how
        elif how in RAISED:
            assert outcome.error is not None
            assert outcome.attempts == 1
            assert outcome.error["class"] in ("ZeroDivisionError", "RecursionError", "SystemExit")
        else:
            assert outcome.error is None, (how, outcome)
            assert outcome.value == {"n": 2 * outcome.index}


def test_a_signal_is_named(stub: str) -> None:
    (found,) = outcomes(stub, ["segfault"], 1)
    assert found.error is not None
    assert "SIGSEGV" in found.error["message"]


def test_an_input_that_fails_once_is_done_the_second_time(stub: str, tmp_path: Path) -> None:
    found = outcomes(stub, ["well", "once", "well"], 1, flag=str(tmp_path / "flag"))
    assert [o.error for o in found] == [None] * 3
    assert [o.attempts for o in found] == [1, 2, 1]


def test_workers_are_replaced_after_their_term(stub: str) -> None:
    found = outcomes(stub, ["well"] * 25, 2, run.Limits(time_s=5.0, tasks=3))
    assert len(found) == 25


def test_a_worker_computes_with_one_thread(stub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are those that the libraries read, whatever the shell says."""
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")]
    for name in names:
        monkeypatch.setenv(name, "7")
    (found,) = outcomes(stub, ["threads"], 1)
    assert found.value is not None
    assert {name: found.value[name] for name in names} == dict.fromkeys(names, "1")


def test_a_task_that_changes_the_folder_does_not_take_the_next_along(stub: str) -> None:
    found = outcomes(stub, ["leave", "where"], 1)
    assert [o.value for o in found] == [{"n": 0}, {"where": str(Path.cwd())}]


def test_a_full_disk_ends_the_batch(stub: str) -> None:
    with pytest.raises(OutputError, match="no space"):
        outcomes(stub, ["well", "full", "well"], 2)


@pytest.mark.parametrize("setup", [{"broken": True}, {"dies": True}])
def test_a_worker_that_cannot_start_ends_the_batch_at_once(stub: str, setup: dict[str, Any]) -> None:
    with pytest.raises(MmcliError, match=r"cannot start|before they were ready"):
        list(run.run([(0, {"how": "well", "n": 0})], run.Work(stub, setup), 2))


def test_large_payloads_do_not_lock_up(stub: str) -> None:
    tasks = [(i, {"n": i, "how": "well", "ballast": "x" * 700_000}) for i in range(12)]
    assert len(list(run.run(tasks, run.Work(stub, {}), 2))) == 12


def test_closing_early_kills_the_workers_at_once(stub: str) -> None:
    work = run.run(((i, {"n": i, "how": "well" if i < 3 else "hang"}) for i in range(50)), run.Work(stub, {}), 2)
    next(work)
    start = time.monotonic()
    work.close()
    assert time.monotonic() - start < 5
