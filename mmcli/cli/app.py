"""The command line: which commands there are, and what becomes of their errors and signals.

The help lines stand here and not in the commands' files: ``mmcli --help`` imports none of them.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from mmcli import errors
from mmcli._version import __version__
from mmcli.cli import console, meant
from mmcli.cli.groups import Grouped, parted

COMMANDS = {
    "extract": "Turn media files into feature files (npz).",
    "align": "Map the times of one file onto those of another (json).",
    "follow": "Say where in a recording or score the live sound is (NDJSON).",
    "warp": "Put a file on the other clock of a map.",
    "fuse": "Bring modalities onto one clock and into one data set (npz).",
    "train": "Train a model on a data set (pt).",
    "evaluate": "Score a model on a data set, with intervals (json, plots).",
    "predict": "Run a model on a data set or manifest (NDJSON).",
    "info": "Show what a file holds, and check it.",
    "list": "Name what there is to choose from, with fields, units and defaults.",
    "help": "Show a page: a tutorial, a topic, or what a command can do.",
    "doctor": "Say what this installation has and lacks.",
}

ROOMS = {
    "align": "align.one",
    "evaluate": "evaluate.command",
    "list": "listing",
}  # commands that are a room, and the file they begin in

# The exception classes of the command-line parser, reached through typer because newer releases carry a copy of click.
_ParserUsageError: Any = typer.BadParameter.__bases__[0]
_ParserError: Any = _ParserUsageError.__bases__[0]


class Terminated(BaseException):
    """SIGTERM, as an exception, so that ``finally`` blocks run."""


class Commands(TyperGroup):
    """A group whose commands are imported when they are run, not when they are listed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order in which data flows."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in that carries the help line."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command, imported now."""
        if args[0] in COMMANDS:
            return args[0], load(args[0]), args[1:]
        if not args[0].startswith("-") and not ctx.resilient_parsing:
            from mmcli.registry import nearest

            raise errors.UsageError(f"no such command {args[0]!r}", hint=nearest(args[0], COMMANDS))
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """Import one command and build its parser."""
    module = importlib.import_module(f"mmcli.cli.{ROOMS.get(name, name)}")
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    said, examples = parted(module.__doc__ or "")
    settings = {"help_option_names": ["-h", "--help"]}
    single.command(name, cls=Grouped, help=said, epilog=examples, context_settings=settings)(module.command)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`mmcli COMMAND --help` explains a command. Exit codes: 0 done, 1 our bug, 2 usage, 3 some inputs of a "
    "batch failed, 4 unusable input, 5 cannot write, 130 Ctrl-C, 141 closed pipe, 143 SIGTERM.",
)


def _version(value: bool) -> None:
    if value:
        print(f"mmcli {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and stop.")
    ] = False,
) -> None:
    """Features, alignment, fusion, training and evaluation for multimodal data, from files to files.

    Raw files become features (extract), features find each other in time (align), streams become a data set (fuse), a
    data set a model (train), and a model a report (evaluate).
    """


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code. Nothing but ``--debug`` ever shows a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    program = typer.main.get_command(app)
    if "_MMCLI_COMPLETE" in os.environ:
        program(prog_name="mmcli")
    if not arguments:
        print(program.make_context("mmcli", [], resilient_parsing=True).get_help(), file=sys.stderr)
        return errors.EXIT_USAGE
    signal.signal(signal.SIGTERM, _terminate)
    name = f"mmcli {arguments[0]}" if arguments[0] in COMMANDS else "mmcli"
    try:
        with program.make_context("mmcli", list(arguments)) as context:
            program.invoke(context)
        sys.stdout.flush()
        return errors.EXIT_DONE
    except BaseException as error:  # noqa: BLE001 - the one place where every error ends; bugs are named as such
        if console.settings.debug or "--debug" in arguments:
            traceback.print_exc()
        return _code(meant.explained(error, list(arguments), load), name)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _code(error: BaseException, name: str) -> int:
    """Say in one or two lines what happened and return the exit code for it."""
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if isinstance(error, errors.MmcliError):
        console.warn_lines(f"{name}: {error}")
        return error.exit_code
    if isinstance(error, _ParserError):
        console.warn(f"{name}: {error.format_message()}")
        console.warn(meant.option(error, name) or f"see `{name} --help`")
        return errors.EXIT_USAGE
    if isinstance(error, BrokenPipeError):
        _abandon_stdout()
        return errors.EXIT_CLOSED_PIPE
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        console.warn(f"{name}: interrupted")
        return errors.EXIT_INTERRUPTED
    if isinstance(error, Terminated):
        console.warn(f"{name}: terminated")
        return errors.EXIT_TERMINATED
    if isinstance(error, SystemExit):
        return int(error.code or 0)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        _abandon_stdout()
        console.warn(f"{name}: cannot write: {error.strerror}")
        return errors.EXIT_OUTPUT
    if isinstance(error, MemoryError):
        console.warn(f"{name}: the input does not fit into the memory of this machine")
        return errors.EXIT_INPUT
    console.warn(f"{name}: internal error: {type(error).__name__}: {error}")
    console.warn("this is a bug in mmcli; --debug shows where")
    return errors.EXIT_BUG


def _abandon_stdout() -> None:
    """Send what Python flushes at exit nowhere: it cannot be written, and must not fail a second time."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
