"""The same work on a Ray cluster, behind the interface of ``concurrent.futures``: what ``--engine ray`` uses.

Every node needs this package and sees the inputs and the output folder under the same paths. A task whose worker or
node dies is given to another one, up to ``TRIES`` times; an input that takes its worker along every time is recorded as
failed. There is no time limit and no memory limit an input: those are the cluster's, as is its authentication
(``RAY_AUTH_TOKEN``).
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

from mmcli.batch.workers.run import THREADS
from mmcli.errors import InputError, MissingError, UsageError, first_line

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
            runtime_env={"env_vars": dict.fromkeys(THREADS, "1")},  # the same bytes whoever computes
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as problem:
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
        self._call = library.remote(num_cpus=1, max_retries=TRIES)(called)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As every executor: a future of ``fn(*args, **kwargs)``; ``fn`` is a function of a module."""
        future: Future[Any] = self._call.remote(f"{fn.__module__}:{fn.__qualname__}", *args, **kwargs).future()
        return future


def called(name: str, *args: Any, **kwargs: Any) -> Any:
    """In a worker: the function by its name, so that what it remembers between tasks is remembered."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)(*args, **kwargs)
