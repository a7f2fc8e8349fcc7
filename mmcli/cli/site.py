"""All pages as one site in a folder, and the commands as man pages. Nothing is fetched, now or when it is read."""

from __future__ import annotations

import base64
import json
import re
from importlib import resources
from pathlib import Path

from markupsafe import Markup

from mmcli._version import __version__
from mmcli.artifacts.io import atomic, html
from mmcli.cli.manual import Page, help_of

_LINK = re.compile(r'href="(?:\.\./)*(?:[\w./-]*/)?([\w-]+)\.md(#[\w-]*)?"')
_PICTURE = re.compile(r'(?<=<img src=")pictures/([\w-]+\.png)(?=")')
_OUTSIDE = re.compile(r'<a href="(?!https?:|#|[\w-]+\.html)[^"]*">(.*?)</a>', re.DOTALL)


def write(folder: Path, pages: dict[str, Page]) -> list[Path]:
    """Write ``index.html``, which searches, and a page a topic. Returns what was written."""
    from markdown_it import MarkdownIt

    drawn = MarkdownIt("commonmark").enable("table")
    atomic.make_folder(folder)
    menu = [{"topic": page.topic, "title": page.title, "command": page.command} for page in pages.values()]
    words = {page.topic: " ".join(sorted(set(re.findall(r"[\w-]{3,}", page.text.lower())))) for page in pages.values()}
    written = []
    for topic, page in {"index": Page("index", "# mmcli\n"), **pages}.items():
        body = _LINK.sub(lambda m: f'href="{_target(m[1], pages)}.html{m[2] or ""}"', drawn.render(page.text))
        body = _PICTURE.sub(lambda m: _embedded(m[1]), body)
        body = _OUTSIDE.sub(r"\1", body)  # of the repository, not of the site
        body = re.sub(r"<(pre|table)>", r'<\1 tabindex="0">', body)  # what scrolls is reached by the keyboard
        values = {
            "title": page.title, "body": Markup(body), "menu": menu, "topic": topic, "version": __version__,
            "words": Markup(json.dumps(words).replace("<", "\\u003c")) if topic == "index" else "",
        }  # fmt: skip
        path = folder / f"{topic}.html"
        atomic.write_text(path, html.render("mmcli.cli", "site", values))
        written.append(path)
    return written


def _target(stem: str, pages: dict[str, Page]) -> str:
    if stem in pages:
        return stem
    return "recipes" if stem == "README" else "index"


def _embedded(name: str) -> str:
    """A picture of mmcli/docs/pictures as a data URI: pages show nothing that lies beside them."""
    content = (resources.files("mmcli") / "docs" / "pictures" / name).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def write_man(folder: Path, commands: dict[str, str]) -> list[Path]:
    """Write ``mmcli-COMMAND.1`` for each command, with what `--help` prints of it."""
    atomic.make_folder(folder)
    written = []
    for name, summary in commands.items():
        text = "\n".join(_roff(line) for line in help_of(name).splitlines())
        head = (
            f'.TH MMCLI-{name.upper()} 1 "" "mmcli {__version__}" "mmcli"\n.SH NAME\nmmcli-{name} \\- {_roff(summary)}'
        )
        path = folder / f"mmcli-{name}.1"
        atomic.write_text(path, f"{head}\n.SH DESCRIPTION\n.nf\n{text}\n.fi\n")
        written.append(path)
    return written


def _roff(line: str) -> str:
    r"""A line that roff takes as it is.

    >>> _roff(".a - b"), _roff("x\\y")
    ('\\&.a \\- b', 'x\\ey')
    """
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{line}" if line.startswith((".", "'")) else line
