"""Name what there is to choose from: extractors, aligners, strategies, blocks, encoders, rankers, metrics.

With a kind, what each of its members is and the fields of its configuration, with type, default, unit and range, as
`--set NAME.FIELD=VALUE` sets them; with a name, that member alone. Members that other packages add are among them.

\b
  mmcli list
  mmcli list extractors
  mmcli list logmel
  mmcli list metrics --json
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from mmcli.cli import console
from mmcli.cli.kinds import ABOUT, registries
from mmcli.cli.options import JsonFlag
from mmcli.cli.options import command as mm_command
from mmcli.errors import UsageError
from mmcli.registry import Field, Member, nearest


@mm_command()
def command(
    what: Annotated[str | None, typer.Argument(metavar="[KIND|NAME]", help=", ".join(ABOUT))] = None,
    json: JsonFlag = False,
) -> None:
    """Look, print."""
    members = {kind: _members(kind) for kind in ([what] if what in ABOUT else ABOUT)}
    if what is not None and what not in ABOUT:
        known = [*ABOUT, *(member.name for some in members.values() for member in some)]
        called = {
            kind: [m for m in some if what in (m.name, m.name.partition(".")[2])] for kind, some in members.items()
        }
        members = {kind: some for kind, some in called.items() if some}
        if not members:
            raise UsageError(f"nothing is called {what!r}", hint=nearest(what, known))
    if json:
        listed = {kind: [dataclasses.asdict(member) for member in some] for kind, some in members.items()}
        console.emit({"schema": "mmcli/list@1", **listed})
        return
    for kind, some in members.items():
        if what is None:
            console.data(f"{kind} ({ABOUT[kind]})")
            console.data("  " + ", ".join(member.name for member in some))
            continue
        for member in some:
            _tell(member)


def _tell(member: Member) -> None:
    console.data(f"{member.name}: {member.about}")
    wide = max((len(field.name) for field in member.fields), default=0)
    for field in member.fields:
        default = " (from the data)" if field.default is None else f" = {field.default}"
        console.data(f"  {field.name:{wide}}  {field.kind}{default}{'  # ' if field.about else ''}{field.about}")


def _members(kind: str) -> list[Member]:
    if kind == "metrics":
        return _metrics()
    described = []
    for registry, prefix in registries(kind):
        for name in registry.names():
            member = registry.described(name)
            described.append(dataclasses.replace(member, name=f"{prefix}{name}"))
    return described


def _metrics() -> list[Member]:
    from mmcli.evaluation.metrics import tasks

    return [
        Member(f"{task}.{figure.name}", figure.title, [Field("unit", "str", figure.unit, "")] if figure.unit else [])
        for task, figures in tasks.FIGURES.items()
        for figure in figures
    ]
