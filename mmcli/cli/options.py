"""Options that commands share, written once, and the translation of text into configurations.

A command is a plain function with annotated parameters under ``@command``, which adds the common options, reads
``--config FILE.toml`` and answers ``--print-config``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mmcli.cli import console, tomlconfig
from mmcli.errors import UsageError

Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, metavar="N", help="Worker processes. [default: the processors this process may use]"),
]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="Fixes every random choice.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME.FIELD=VALUE", help="Set a field of a method's configuration. Repeatable."),
]


def gaps(value: str) -> str:
    """What becomes of gaps in a series, as it stands; raises :class:`UsageError` for a word that is not known."""
    if value not in ("refuse", "interpolate"):
        raise UsageError(f"--missing {value!r}", hint="refuse or interpolate")
    return value


Missing = Annotated[str, typer.Option(metavar="HOW", callback=gaps, help="Gaps in series: refuse or interpolate.")]

_COMMON: dict[str, tuple[Any, Any]] = {
    "quiet": (
        Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but warnings and errors.")],
        False,
    ),
    "verbose": (Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")], False),
    "config": (
        Annotated[
            Path | None,
            typer.Option(
                "--config",
                metavar="FILE.toml",
                help="Read options from the table named like the command. Flags win.",
                is_eager=True,
                callback=tomlconfig.apply,
            ),
        ],
        None,
    ),
    "print_config": (
        Annotated[bool, typer.Option("--print-config", help="Print the options in force as TOML and stop.")],
        False,
    ),
    "debug": (Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")], False),
}

Configs = Callable[[dict[str, Any]], dict[str, Any]]


def command(configs: Configs | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command: the common options are added to its own.

    A parameter whose name would hide a builtin carries an underscore at its end (``set_``). ``configs`` maps the
    command's parameters to the configurations of the methods in force ({name: dataclass}), which ``--print-config``
    prints beside the options.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in _COMMON.items()
        ]
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]

        @functools.wraps(function)
        def wrapper(**values: Any) -> None:
            common = {name: values.pop(name) for name in _COMMON}
            console.settings.quiet = common["quiet"]
            console.settings.verbose = int(common["verbose"])
            console.settings.debug = common["debug"]
            if common["print_config"]:
                found = configs(values) if configs else {}
                console.data(tomlconfig.render(function.__module__.rpartition(".")[2], values, found))
                return
            function(**values)

        wrapper.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in [*own, *added]}
        del wrapper.__wrapped__
        return wrapper

    return decorate
