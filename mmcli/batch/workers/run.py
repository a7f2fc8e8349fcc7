"""The supervisor: hands tasks to worker processes and survives whatever they do.

A worker that dies is replaced. The input it was at is tried once more, alone in a fresh worker, and then recorded; what
it had been given beyond that goes back to the others. A task over its time is killed and recorded. Results come in the
order in which they are done; what is computed does not depend on the number of workers.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mmcli import threads
from mmcli.errors import MmcliError, OutputError

AHEAD = 8  # tasks a worker is given beyond the one it is at, so that it never waits for us
AHEAD_BYTES = 1 << 16  # and how much of them: less than a socket holds, so that we never wait for it
MAX_ANSWER = 1 << 24
FALSE_STARTS = 3
NOTED = ("evidence", "stage")  # what is noted on an error beside its message, and kept where it is made anew
HINT = "MMCLI_WORKER_STDERR=1 shows what the workers say"
FAREWELL_S = 10.0  # for a worker that has been told to end
START_S = 300.0  # a cold file system can take minutes for the first imports
_BOOT = (
    "import sys,json;sys.path[:]=json.loads(sys.argv[1]);import mmcli.batch.workers.worker as worker;"
    "worker.main(int(sys.argv[2]),int(sys.argv[3]))"
)


@dataclass(frozen=True)
class Limits:
    """What one input may cost."""

    time_s: float | None = 3600.0  # seconds; None: no limit
    memory: int | None = None  # bytes on top of an idle worker (Linux); None: its share of this machine
    tasks: int | None = 2000  # inputs until a worker is replaced by a fresh one; None: never
    again: bool = True  # an input whose worker died is tried once more, alone


@dataclass(frozen=True)
class Work:
    """What is called in the workers: ``module:function``, with a setup that is plain JSON."""

    call: str
    setup: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """One task is over: with a value, or with an error as :func:`mmcli.batch.workers.worker.described` gives it."""

    index: int
    value: dict[str, Any] | None
    error: dict[str, Any] | None
    attempts: int


@dataclass
class _Task:
    index: int
    payload: dict[str, Any]
    attempts: int = 0

    def line(self) -> bytes:
        return json.dumps({"task": self.index, "payload": self.payload}).encode("ascii") + b"\n"


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    socket: socket.socket
    alone: bool
    ready: bool = False
    given: int = 0
    stopping: bool = False
    queue: deque[tuple[_Task, int]] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)
    received: bytearray = field(default_factory=bytearray)

    @property
    def bytes_ahead(self) -> int:
        return sum(size for _, size in self.queue)


def run(
    tasks: Iterable[tuple[int, dict[str, Any]]], work: Work, jobs: int, limits: Limits | None = None
) -> Generator[Outcome, None, None]:
    """Do all tasks, (index, payload) each, in ``jobs`` worker processes; yields each outcome once, as it is known.

    Raises :class:`OutputError` as soon as a task reports one: a disk that is full for one input is full for all.
    Closing the generator, or an exception in the caller, kills the workers.
    """
    supervisor = _Supervisor(work, jobs, limits or Limits())
    try:
        yield from supervisor.outcomes(iter(tasks))
    finally:
        supervisor.close()


class _Supervisor:
    def __init__(self, work: Work, jobs: int, limits: Limits) -> None:
        self.jobs = jobs
        self.limits = limits
        memory = limits.memory if limits.memory is not None else share_of_memory(jobs)
        self.hello = json.dumps({"call": work.call, "setup": work.setup, "memory": memory}).encode("ascii") + b"\n"
        self.workers: list[_Worker] = []
        self.again: deque[_Task] = deque()  # given to a worker that died before it came to them
        self.alone: deque[_Task] = deque()  # was with a worker when it died
        self.selector = selectors.DefaultSelector()
        self.exhausted = False
        self.false_starts = 0

    def outcomes(self, tasks: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[Outcome]:
        """The loop: hire, give, listen, until nothing is left."""
        while True:
            self._hire_and_give(tasks)
            if not self.workers:
                return
            for key, _ in self.selector.select(self._patience()):
                yield from self._listen(key.data)
            yield from self._expire()

    def close(self) -> None:
        """Kill what still runs. Outputs are complete or absent, so there is nothing to wait for."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.wait()
            worker.socket.close()
        self.workers.clear()
        self.selector.close()

    # -- giving

    def _hire_and_give(self, tasks: Iterator[tuple[int, dict[str, Any]]]) -> None:
        while self.alone and len(self.workers) < self.jobs:
            self._give(self._hire(alone=True), self.alone.popleft())
        while True:
            worker = self._roomiest()
            task = self._next(tasks) if worker is not None or len(self.workers) < self.jobs else None
            if task is None:
                break
            if worker is None or (worker.queue and len(self.workers) < self.jobs):
                worker = self._hire(alone=False)
            self._give(worker, task)
        for worker in self.workers:
            # Idle with nothing to come, or at the end of its term: the end of its input is its farewell.
            if not worker.queue and not worker.stopping and (worker.alone or self.exhausted or self._over(worker)):
                worker.stopping, worker.since = True, time.monotonic()
                worker.socket.shutdown(socket.SHUT_WR)

    def _next(self, tasks: Iterator[tuple[int, dict[str, Any]]]) -> _Task | None:
        if self.again:
            return self.again.popleft()
        if self.exhausted:
            return None
        following = next(tasks, None)
        if following is None:
            self.exhausted = True
            return None
        return _Task(*following)

    def _roomiest(self) -> _Worker | None:
        """The worker with the shortest queue that still has room."""
        open_ones = [
            w
            for w in self.workers
            if not w.alone
            and not w.stopping
            and not self._over(w)
            and len(w.queue) <= AHEAD
            and w.bytes_ahead < AHEAD_BYTES
        ]
        return min(open_ones, key=lambda w: len(w.queue), default=None)

    def _over(self, worker: _Worker) -> bool:
        return self.limits.tasks is not None and worker.given >= self.limits.tasks

    def _hire(self, *, alone: bool) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, json.dumps(sys.path), str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("MMCLI_WORKER_STDERR") else subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,  # Ctrl-C is for us alone
                env={**os.environ, **threads.ONE},
            )
        worker = _Worker(process, ours, alone)
        self.workers.append(worker)
        self.selector.register(ours, selectors.EVENT_READ, worker)
        self._send(worker, self.hello)
        return worker

    def _give(self, worker: _Worker, task: _Task) -> None:
        line = task.line()
        if not worker.queue:
            worker.since = time.monotonic()
        task.attempts += 1
        worker.given += 1
        worker.queue.append((task, len(line)))
        self._send(worker, line)

    def _send(self, worker: _Worker, line: bytes) -> None:
        with contextlib.suppress(OSError):  # it died; _listen hears of it and takes its tasks back
            worker.socket.sendall(line)

    # -- listening

    def _deadline(self, worker: _Worker) -> float:
        """When to stop waiting for a worker; infinity for never."""
        if worker.stopping:
            return worker.since + FAREWELL_S
        if not worker.ready:
            return worker.since + START_S
        if worker.queue and self.limits.time_s is not None:
            return worker.since + self.limits.time_s
        return math.inf

    def _patience(self) -> float | None:
        end = min(map(self._deadline, self.workers))
        return None if end == math.inf else max(0.0, end - time.monotonic())

    def _listen(self, worker: _Worker) -> Iterator[Outcome]:
        try:
            data = worker.socket.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            yield from self._bury(worker)
            return
        worker.received += data
        *lines, rest = worker.received.split(b"\n")
        worker.received = bytearray(rest)
        try:
            if len(rest) > MAX_ANSWER:
                raise ValueError("endless answer")
            for line in lines:  # what comes before garbage counts
                yield from self._hear(worker, json.loads(line))
        except (ValueError, KeyError, TypeError):  # not our protocol: something else writes to the socket
            worker.process.kill()
            yield from self._bury(worker)

    def _hear(self, worker: _Worker, message: dict[str, Any]) -> Iterator[Outcome]:
        if "refused" in message:
            raise rebuilt(message["refused"])
        worker.since = time.monotonic()
        if "ready" in message:
            worker.ready = True
            return
        task = worker.queue[0][0] if worker.queue else None
        if task is None or task.index != message["task"]:
            raise ValueError("an answer to no question")
        error = message.get("error")
        if error is not None and error["output"]:
            raise rebuilt(error)
        worker.queue.popleft()
        if error is not None and error["memory"] and not worker.alone and self.limits.again:
            self.alone.append(task)  # a fresh process may have the room
            return
        yield Outcome(task.index, message.get("value"), error, task.attempts)

    def _bury(self, worker: _Worker, why: str | None = None) -> Iterator[Outcome]:
        """Take the tasks of a dead worker back, and blame the one it was at."""
        code = worker.process.wait()
        self.selector.unregister(worker.socket)
        worker.socket.close()
        self.workers.remove(worker)
        tasks = [task for task, _ in worker.queue]
        if not tasks:
            return
        if worker.ready:
            self.false_starts = 0
            guilty, rest = tasks[0], tasks[1:]
        else:  # not the doing of a task: none was begun
            self.false_starts += 1
            if self.false_starts >= FALSE_STARTS:
                ending = why or f"ended with {_ending(code)}"
                raise MmcliError(f"{FALSE_STARTS} workers in a row {ending} before they were ready", hint=HINT)
            guilty, rest = None, tasks
        for task in reversed(rest):
            task.attempts -= 1
            self.again.appendleft(task)
        if guilty is None:
            return
        if why is None and not worker.alone and self.limits.again:
            self.alone.append(guilty)
            return
        kind, message = ("Timeout", why) if why else ("WorkerDied", f"its worker ended with {_ending(code)}")
        error = {"class": kind, "message": message, "stage": "worker", "output": False, "memory": False}
        yield Outcome(guilty.index, None, error, guilty.attempts)

    def _expire(self) -> Iterator[Outcome]:
        now = time.monotonic()
        for worker in [w for w in self.workers if self._deadline(w) <= now]:
            worker.process.kill()
            took = self.limits.time_s if worker.ready else START_S
            yield from self._bury(worker, f"took longer than {took:g} s")


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def rebuilt(error: dict[str, Any]) -> MmcliError:
    """The error of a worker as an exception of this process, of the class it had there where that is one of ours."""
    import mmcli.errors

    kind = getattr(mmcli.errors, error["class"], None)
    if not (isinstance(kind, type) and issubclass(kind, MmcliError)):
        kind = OutputError if error["output"] else MmcliError
    message = error["message"] if kind is not MmcliError else f"{error['class']}: {error['message']}"
    answer = kind(message, source=error.get("source"), hint=error.get("hint"))
    for noted in NOTED:
        if error.get(noted) is not None:
            setattr(answer, noted, error[noted])
    return answer


def share_of_memory(jobs: int) -> int:
    """Bytes that each of ``jobs`` workers may use: four fifths of what there is."""
    return memory() * 4 // (5 * jobs)


def memory() -> int:
    """Bytes of memory of this machine, or of the container where that has fewer."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:  # noqa: PTH123
                text = file.read().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def default_jobs() -> int:
    """The processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
