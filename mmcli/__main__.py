"""``python -m mmcli`` is ``mmcli``."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    from mmcli.cli.app import run

    raise SystemExit(run())


if __name__ == "__main__":
    main()
