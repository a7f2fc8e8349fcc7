"""The same work on any ``concurrent.futures.Executor``: a thread pool, an MPI pool, a cluster's adapter.

Isolation is then the business of the executor: no time limit, no memory limit, no second try. What is computed is
the same. Paths are sent in full: a worker elsewhere has another working directory.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from mmcli.artifacts.io import remote
from mmcli.batch.workers import worker
from mmcli.batch.workers.run import Outcome, Work, rebuilt

WINDOW = 256  # tasks submitted and not yet done


def run(tasks: Iterable[tuple[int, dict[str, Any]]], work: Work, executor: Executor) -> Generator[Outcome, None, None]:
    """As :func:`mmcli.batch.workers.run.run`, on ``executor``, which the caller shuts down."""
    setup = json.dumps(work.setup)
    waiting: dict[Future[dict[str, Any]], int] = {}
    source = iter(tasks)
    try:
        while True:
            while len(waiting) < WINDOW and (task := next(source, None)) is not None:
                waiting[executor.submit(once, work.call, setup, task[1])] = task[0]
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield _outcome(waiting.pop(future), future)
    finally:
        for future in waiting:
            future.cancel()


def once(call: str, setup: str, payload: dict[str, Any]) -> dict[str, Any]:
    """One task, wherever the executor runs it; what the setup loads is kept for the next."""
    return worker.attempt(_prepared(call, setup), payload)


@functools.lru_cache(maxsize=4)
def _prepared(call: str, setup: str) -> worker.Do:
    return worker.prepared(call, json.loads(setup))


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
