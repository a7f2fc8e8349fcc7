"""Show a page: a tutorial, a topic, or what a command can do.

Without a topic the topics are listed. --site writes all pages as one site that needs no network, with a search on its
first page; --man the commands as man pages.

\b
  mmcli help
  mmcli help start
  mmcli help train
  mmcli help --site manual/
  mmcli help --man man/man1
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmcli.cli import console, manual
from mmcli.cli.options import command as mm_command
from mmcli.errors import UsageError
from mmcli.registry import nearest


@mm_command()
def command(
    topic: Annotated[str | None, typer.Argument(metavar="[TOPIC]", help="A page, or a command.")] = None,
    site: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write all pages as one site.")] = None,
    man: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the commands as man pages.")] = None,
) -> None:
    """Find the page, show it."""
    from mmcli.cli.app import COMMANDS

    if site is not None or man is not None:
        from mmcli.cli import site as sites

        if site is not None:
            console.say(f"{site}/index.html: {len(sites.write(site, manual.pages()))} pages")
        if man is not None:
            console.say(f"{man}: {len(sites.write_man(man, COMMANDS))} man pages")
        return
    if topic in COMMANDS:
        console.data(manual.help_of(str(topic)))
        return
    pages = manual.pages()
    if topic is None:
        for page in pages.values():
            console.data(f"{page.topic:13} {COMMANDS.get(page.topic, page.title)}")
        return
    if topic not in pages:
        raise UsageError(f"no page is called {topic!r}", hint=nearest(topic, pages))
    console.data(pages[topic].text.rstrip())
