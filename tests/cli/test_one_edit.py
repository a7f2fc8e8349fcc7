"""A command is one file and one line, an option one parameter: what the map of the house promises."""

from __future__ import annotations

from pathlib import Path

from ..scratch import copied, mmcli

COMMAND = '''
"""Count what FILE holds."""

from pathlib import Path
from typing import Annotated

import typer

from mmcli.cli import console
from mmcli.cli.options import JsonFlag
from mmcli.cli.options import command as mm_command


@mm_command()
def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to count.")],
    json: JsonFlag = False,
) -> None:
    """Count and print."""
    lines = len(file.read_text().splitlines())
    console.emit({"lines": lines}) if json else console.data(f"{lines} lines")
'''


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def test_a_new_command_is_one_file_and_one_line(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    (copy / "cli" / "count.py").write_text(COMMAND)
    edited(copy / "cli" / "app.py", '    "info": ', '    "count": "Count what a file holds.",\n    "info": ')
    (tmp_path / "x.txt").write_text("a\nb\n")

    assert "count     Count what a file holds." in mmcli(copy, "--help")
    assert "Count what FILE holds." in mmcli(copy, "count", "--help")
    assert mmcli(copy, "count", "x.txt") == "2 lines\n"
    assert mmcli(copy, "count", "x.txt", "--json") == '{"lines": 2}\n'
    (tmp_path / "options.toml").write_text("[count]\njson = true\n")
    assert mmcli(copy, "count", "x.txt", "--config", "options.toml") == '{"lines": 2}\n'


def test_a_new_option_is_one_edit(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    edited(
        copy / "cli" / "info.py",
        "    json: JsonFlag = False,\n) -> None:\n",
        '    names: Annotated[bool, typer.Option("--names", help="Only the names.")] = False,\n'
        "    json: JsonFlag = False,\n) -> None:\n",
    )
    (tmp_path / "options.toml").write_text("[info]\nnames = true\n")

    assert "--names" in mmcli(copy, "info", "--help")
    assert "names = true" in mmcli(copy, "info", "x.npz", "--names", "--print-config")
    assert "names = true" in mmcli(copy, "info", "x.npz", "--config", "options.toml", "--print-config")
