"""The same work on any ``concurrent.futures.Executor``: a thread pool, an MPI pool, a Ray cluster (``--engine ray``).

Isolation is then the business of the executor: no time limit, no memory limit, no second try. What is computed is
the same. Paths are sent in full: a worker elsewhere has another working directory.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import socket
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from mmcli import threads
from mmcli.artifacts.io import remote
from mmcli.batch.workers import worker
from mmcli.batch.workers.run import Outcome, Work, rebuilt
from mmcli.errors import InputError, MissingError, UsageError, first_line

WINDOW = 256  # tasks submitted and not yet done
LOOK_S, LOOKS = (
    10.0,
    6,
)  # how often a silent executor is asked what is wrong, and how often it may say so: a cluster that
# grows by itself has no worker for a minute, one whose workers are dead never has
PATHS = ("path", "file", "reference", "query", "output")  # what files are called in payloads


def run(tasks: Iterable[tuple[int, dict[str, Any]]], work: Work, executor: Executor) -> Generator[Outcome, None, None]:
    """As :func:`mmcli.batch.workers.run.run`, on ``executor``, which the caller shuts down."""
    setup = json.dumps(work.setup)
    waiting: dict[Future[dict[str, Any]], int] = {}
    source, without = iter(tasks), 0
    try:
        while True:
            while len(waiting) < WINDOW and (task := next(source, None)) is not None:
                waiting[executor.submit(once, work.call, setup, task[1])] = task[0]
            if not waiting:
                return
            done = wait(waiting, timeout=LOOK_S, return_when=FIRST_COMPLETED).done
            trouble = None if done else trouble_of(executor)
            without = without + 1 if trouble else 0
            if trouble and without >= LOOKS:
                raise InputError(trouble, hint="start workers, and run the same command again: it does the rest")
            for future in done:
                yield _outcome(waiting.pop(future), future)
    finally:
        for future in waiting:
            future.cancel()


def trouble_of(executor: Executor) -> str | None:
    """Why an executor can do nothing any more, as far as it says: its own ``trouble()``; None where it has none."""
    ask = getattr(executor, "trouble", None)
    return None if ask is None else ask()


def once(call: str, setup: str, payload: dict[str, Any]) -> dict[str, Any]:
    """One task, wherever the executor runs it; what the setup loads is kept for the next."""
    return worker.attempt(_prepared(call, setup), payload)


@functools.lru_cache(maxsize=4)
def _prepared(call: str, setup: str) -> worker.Do:
    return worker.prepared(call, json.loads(setup))


def located(payload: Any) -> Any:
    """A payload of any batch, with the paths in it (PATHS, and all of ``files``) meaning the same everywhere.

    >>> located({"reference": "/a.wav", "cells": [{"path": None}], "files": {"audio": "s3://b/c.wav"}})
    {'reference': '/a.wav', 'cells': [{'path': None}], 'files': {'audio': 's3://b/c.wav'}}
    """
    match payload:
        case dict():
            out: dict[str, Any] = {}
            for name, value in payload.items():
                if name == "files" and isinstance(value, dict):
                    out[name] = {key: _whole(path) for key, path in value.items()}
                else:
                    out[name] = _whole(value) if name in PATHS and isinstance(value, str) else located(value)
            return out
        case list():
            return [located(value) for value in payload]
        case _:
            return payload


def absolute(payload: dict[str, Any]) -> dict[str, Any]:
    """A payload of :func:`mmcli.batch.plan.plan.payload` whose paths mean the same in every working directory."""
    path, outputs = payload["path"], payload["outputs"]
    return {
        **payload,
        "path": None if path is None else _whole(path),
        "outputs": {key: _whole(target) for key, target in outputs.items()},
    }


def _whole(path: str) -> str:
    # Nothing is shortened: what a/../b is, only the file system knows where a is a link.
    return path if path.startswith("/") or remote.is_url(path) else f"{os.getcwd()}/{path}"  # noqa: PTH109


def _outcome(index: int, future: Future[dict[str, Any]]) -> Outcome:
    failure = future.exception()
    if failure is not None:  # the executor lost the task, or the worker could not start
        return Outcome(index, None, {**worker.described(failure), "class": "WorkerDied", "stage": "worker"}, 1)
    answer = future.result()
    error = answer.get("error")
    if error is not None and error["output"]:
        raise rebuilt(error)
    return Outcome(index, answer.get("value"), error, 1)


# A Ray cluster behind the interface of ``concurrent.futures``.
#
# Every node needs this package and sees the inputs and the output folder under the same paths. A task whose worker or
# node dies is given to another one, up to ``TRIES`` times; an input that takes its worker along every time is recorded
# as failed. There is no time limit and no memory limit an input: those are the cluster's, as is its authentication
# (``RAY_AUTH_TOKEN``).

TRIES = 3  # beyond the first
_HINT = "start one with `ray start --head`, and run this on one of its nodes"


@contextlib.contextmanager
def ray(address: str | None = None) -> Iterator[Executor]:
    """An executor on the cluster at ``address`` (HOST:PORT, of which this machine is a node), or on this machine alone.

    Raises :class:`MissingError` where the extra is not installed, :class:`InputError` where no cluster answers.
    """
    try:
        library: Any = importlib.import_module("ray")
    except ImportError as problem:
        raise MissingError("ray is not installed", hint="pip install 'mmcli[cluster]'") from problem
    if address is not None:
        _knock(address)
    try:
        library.init(
            address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            include_dashboard=None if address else False,
            configure_logging=False,
            runtime_env={"env_vars": dict(threads.ONE)},  # the same bytes whoever computes
        )
    except Exception as problem:  # a node that does not start in time is a bare Exception of ray
        raise InputError(f"no cluster answers ({first_line(problem, 300)})", source=address, hint=_HINT) from problem
    try:
        with contextlib.redirect_stdout(sys.stderr):  # ray tells on standard output of nodes that died
            yield _Cluster(library)
    finally:
        library.shutdown()


def _knock(address: str) -> None:
    """Ray itself tries for minutes. Raises :class:`InputError` where nothing listens at the address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--address {address!r} is not HOST:PORT")
    try:
        with socket.create_connection((host, int(port)), timeout=10.0):
            return
    except (OSError, OverflowError) as problem:
        raise InputError(f"no cluster answers ({problem})", source=address, hint=_HINT) from problem


class _Cluster(Executor):
    """Functions as Ray tasks of one processor each."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._call = library.remote(num_cpus=1, max_retries=TRIES)(called)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As every executor: a future of ``fn(*args, **kwargs)``; ``fn`` is a function of a module."""
        # A head without processors of its own queues tasks for ever where no worker is left: see trouble.
        future: Future[Any] = self._call.remote(f"{fn.__module__}:{fn.__qualname__}", *args, **kwargs).future()
        return future

    def trouble(self) -> str | None:
        """That no node that is alive has a processor, with how many have died; None where one has."""
        nodes = self._library.nodes()
        alive = [node for node in nodes if node.get("Alive")]
        if any(node.get("Resources", {}).get("CPU", 0) > 0 for node in alive):
            return None
        return f"no worker of the cluster is alive: {len(nodes) - len(alive)} of {len(nodes)} nodes are dead"


def called(name: str, *args: Any, **kwargs: Any) -> Any:
    """In a worker: the function by its name, so that what it remembers between tasks is remembered."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)(*args, **kwargs)
