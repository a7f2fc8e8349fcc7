"""``python -m mmcli`` is ``mmcli``."""

from __future__ import annotations

import os
import sys

from mmcli import threads


def main() -> None:
    """Run the command line and exit with its code."""
    _stand_in()
    threads.use_one()
    from mmcli.cli.app import run

    raise SystemExit(run())


def _stand_in() -> None:
    """Open the null device for each standard stream that is closed.

    A file that is opened later would otherwise take its number, and talk for the terminal would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # takes the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


if __name__ == "__main__":
    main()
