"""The child process: reads tasks, a line of JSON each, does them one after another, answers with a line each.

It talks over one socket only. Whatever a task prints goes to /dev/null; a task that closes or replaces the socket ends
the process, and the supervisor draws its conclusions. The protocol, a JSON object a line:

    supervisor: {"call": "module:function", "setup": {...}, "memory": bytes}, then {"task": n, "payload": {...}} ...
    worker:     {"ready": true} or {"refused": {...}}, then {"task": n, "value": {...}} or {"task": n, "error": ...} ...

``module:function`` is called once with the setup and returns what is called with every payload.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from mmcli.artifacts.io import atomic, confined
from mmcli.errors import MmcliError, OutputError

LOST = 70  # exit code of a worker whose socket is gone
Do = Callable[[dict[str, Any]], dict[str, Any]]


def main(descriptor: int, parent: int) -> None:
    """Serve on the socket until it closes."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    home = _folder()
    line = _Line(descriptor)
    first = line.read()
    if first is None:
        return
    atomic.without_flushing()
    try:
        do = prepared(first["call"], first["setup"])
    except Exception as error:  # noqa: BLE001 - every error goes to the supervisor, which decides
        line.write({"refused": described(error)})
        return
    line.write({"ready": True})
    while (task := line.read()) is not None:
        if home is not None:  # the task before may have gone elsewhere, and paths may be relative
            with contextlib.suppress(OSError):  # removed since: whoever names a path below it will say so
                os.chdir(home)
        _limit_memory(first["memory"])
        line.write({"task": task["task"], **attempt(do, task["payload"])})


def prepared(call: str, setup: dict[str, Any]) -> Do:
    """``module:function`` called with the setup: what does the tasks. ``within`` in the setup is a folder that no
    output may leave."""
    module, _, function = call.partition(":")
    do: Do = getattr(importlib.import_module(module), function)(setup)
    if setup.get("within") is None:
        return do

    def inside(payload: dict[str, Any]) -> dict[str, Any]:
        with confined.within(setup["within"]):
            return do(payload)

    return inside


def attempt(do: Do, payload: dict[str, Any]) -> dict[str, Any]:
    """``{"value": ...}`` of a task, or ``{"error": ...}``. Nothing that a task raises gets past."""
    try:
        return {"value": do(payload)}
    except BaseException as error:  # noqa: BLE001 - SystemExit and RecursionError of a task are its failure, not ours
        return {"error": described(error)}


def described(error: BaseException) -> dict[str, Any]:
    """An exception as JSON: class, message, hint, evidence, whether it is the output's failure, where it happened."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        trace = trace.tb_next
    if isinstance(error, MmcliError):
        message, hint = error.what, error.hint
    else:
        message, hint = _text(error), None
    answer: dict[str, Any] = {
        "class": type(error).__name__,
        "message": message or type(error).__name__,
        "stage": getattr(error, "stage", None),
        "output": isinstance(error, OutputError),
        "memory": isinstance(error, MemoryError),
    }
    if hint:
        answer["hint"] = hint
    if isinstance(evidence := getattr(error, "evidence", None), dict):
        answer["evidence"] = evidence
    if isinstance(error, MmcliError) and error.source:
        answer["source"] = error.source
    if not isinstance(error, MmcliError):
        answer["at"] = place
    return answer


def _text(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except Exception:  # noqa: BLE001 - an exception that cannot even be printed
        return ""


class _Line:
    """Lines of JSON over a socket, which must stay the socket it was."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.identity = self._look()
        self.rest = b""

    def read(self) -> dict[str, Any] | None:
        """The next message; None at the end."""
        parts = [self.rest]
        while b"\n" not in parts[-1]:
            self._check()
            try:
                parts.append(os.read(self.descriptor, 1 << 16))
            except OSError:
                os._exit(LOST)
            if not parts[-1]:
                return None
        text, _, self.rest = b"".join(parts).partition(b"\n")
        message: dict[str, Any] = json.loads(text)
        return message

    def write(self, message: dict[str, Any]) -> None:
        """Send one message, whole."""
        self._check()
        data = memoryview(json.dumps(message).encode("ascii") + b"\n")
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:
            os._exit(LOST)

    def _look(self) -> tuple[int, int] | None:
        try:
            status = os.fstat(self.descriptor)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _check(self) -> None:
        # A task may have closed our socket and opened something else under its number.
        if self._look() != self.identity:
            os._exit(LOST)


def _folder() -> str | None:
    """The working directory; None where it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109 - text, as chdir takes it
    except OSError:
        return None


def _limit_memory(limit: int | None) -> None:
    """Let the data of this process grow by ``limit`` bytes from what it is now (Linux)."""
    if limit is None or not sys.platform.startswith("linux"):
        return
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - once a task: no detour
        pages = int(file.read().split()[5])
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = pages * resource.getpagesize() + limit
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def _die_with(parent: int) -> None:
    """Be killed when the supervisor dies, so that no orphan goes on writing (Linux)."""
    if sys.platform.startswith("linux"):
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(LOST)
