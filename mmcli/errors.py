"""One family of exceptions. Each carries the exit code it ends a command with, and says what, where, and what to do.

The exit codes are part of the contract of the command line:

==== =====================================================================================
0    done
1    our bug
2    usage, also a path or an extra that is missing
3    a batch ended and some inputs failed
4    the input cannot be used: damaged, wrong schema, the files do not match, too large
5    the output cannot be written
130  Ctrl-C, 141 closed pipe, 143 SIGTERM
==== =====================================================================================
"""

from __future__ import annotations

from typing import Any

EXIT_DONE = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3
EXIT_INPUT = 4
EXIT_OUTPUT = 5
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
EXIT_TERMINATED = 143


def printable(text: str) -> str:
    """The text with control and escape characters replaced, so that a file name cannot drive the terminal.

    >>> printable("a" + chr(27) + "[31mb")
    'a?[31mb'
    """
    return "".join(c if c.isprintable() else "?" for c in text)


def first_line(error: BaseException, most: int = 200) -> str:
    """What the error of a library says, in one line of at most ``most`` characters; its type where it says nothing.

    >>> first_line(ValueError("no such layer\\nat 0x7f")), first_line(MemoryError())
    ('no such layer', 'MemoryError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0][:most]


class MmcliError(Exception):
    """Base of every error that a user can cause or mend.

    ``what`` says what is wrong, ``source`` names the input or output it is wrong with, ``hint`` says what to do.
    """

    exit_code = EXIT_BUG

    def __init__(self, what: str, *, source: object = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.source = None if source is None else str(source)
        self.hint = hint

    def __str__(self) -> str:
        """One line, two with a hint: ``source: what``, then what to do."""
        line = self.what if self.source is None else f"{self.source}: {self.what}"
        return printable(line) if self.hint is None else f"{printable(line)}\n{printable(self.hint)}"

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between processes, with everything that was noted on them (``evidence``, ``stage``)."""
        noted = {name: value for name, value in vars(self).items() if name not in ("what", "source", "hint")}
        return _rebuild, (type(self), self.what, self.source, self.hint), noted


def _rebuild(kind: type[MmcliError], what: str, source: str | None, hint: str | None) -> MmcliError:
    return kind(what, source=source, hint=hint)


class UsageError(MmcliError):
    """The command line or a configuration cannot be carried out as written."""

    exit_code = EXIT_USAGE


class MissingError(UsageError):
    """A path that does not exist, or an optional dependency that is not installed."""


class BatchFailedError(MmcliError):
    """A batch came to its end and some of its inputs failed."""

    exit_code = EXIT_SOME_FAILED


class InputError(MmcliError):
    """An input was read and cannot be used."""

    exit_code = EXIT_INPUT


class ArtifactError(InputError):
    """A file that should be one of our artifacts is damaged or does not follow its schema."""


class MediaError(InputError):
    """A media file cannot be decoded, or holds nothing that can be used."""


class MismatchError(InputError):
    """Inputs that do not belong together: different content, widths, hashes or splits.

    ``evidence``: the numbers of a refusal, by name, where it rests on some.
    """

    evidence: dict[str, Any] | None = None


class OutputError(MmcliError):
    """An output could not be written completely; nothing was left half-written."""

    exit_code = EXIT_OUTPUT
