"""What there is to read: the pages of mmcli/docs and the help of every command, by topic."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import dataclass
from importlib import resources
from typing import Any

from mmcli.cli import docstrings

ORDER = (
    *("start", "gallery", "maps", "fusing", "python", "notebook", "batches", "live", "ranking", "privacy", "recipes"),
    *("formats", "limits", "measured", "api", "extending", "architecture"),
)  # as one would read them


@dataclass(frozen=True)
class Page:
    """``topic`` is how it is asked for; ``text`` is Markdown, whose first line is the title."""

    topic: str
    text: str
    command: bool = False

    @property
    def title(self) -> str:
        """The first heading."""
        return self.text.partition("\n")[0].removeprefix("# ")


def pages() -> dict[str, Page]:
    """All pages: those of mmcli/docs first, then the commands in the order in which data flows."""
    from mmcli.cli.app import COMMANDS

    folder = resources.files("mmcli") / "docs"
    files = {name.removesuffix(".md"): folder / name for name in _names(folder)}
    files["recipes"] = folder / "recipes" / "README.md"
    texts = {topic: file.read_text(encoding="utf-8") for topic, file in files.items()}
    texts["notebook"] = of_notebook((folder / "notebook.ipynb").read_text(encoding="utf-8"))
    texts["api"] = docstrings.page()
    order = [*ORDER, *sorted(set(texts) - set(ORDER))]
    written = {topic: Page(topic, texts[topic]) for topic in order}
    return written | {name: Page(name, of_command(name), command=True) for name in COMMANDS}


def _names(folder: Any) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name.endswith(".md")]


def of_notebook(text: str) -> str:
    """A notebook (nbformat 4) as a page: its words, its code, and what that printed.

    >>> cells = [{"cell_type": "markdown", "source": ["# A"]}, {"cell_type": "code", "source": "1", "outputs": []}]
    >>> of_notebook(json.dumps({"cells": cells}))
    '# A\\n\\n```python\\n1\\n```\\n'
    """
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            said = output.get("text") or output["data"]["text/plain"]
            parts.append(f"```text\n{''.join(said).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def of_command(name: str) -> str:
    """What `--help` prints of a command, 80 columns wide, as a page."""
    return f"# mmcli {name}\n\n```text\n{help_of(name)}\n```\n"


def help_of(name: str) -> str:
    """What `--help` prints of a command, 80 columns wide, without colour."""
    from mmcli.cli.app import load

    said, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            load(name).main(["--help"], prog_name=f"mmcli {name}", standalone_mode=True)
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(line.rstrip() for line in said.getvalue().splitlines()).strip()
