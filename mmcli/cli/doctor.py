"""Say what this installation has and lacks: versions, compiled kernels, decoders, extras, CUDA, threads and disk.

What is missing comes with the command that brings it. Ends with 2 where a library is missing that commands need.

\b
  mmcli doctor
  mmcli doctor --json > doctor.json
"""

from __future__ import annotations

from typing import Any

from mmcli.cli import console
from mmcli.cli.options import JsonFlag
from mmcli.cli.options import command as mm_command
from mmcli.errors import MissingError


@mm_command()
def command(json: JsonFlag = False) -> None:
    """Look, print, and end with 2 where commands cannot run."""
    from mmcli import installation

    facts = installation.report()
    if json:
        console.emit({"schema": "mmcli/doctor@1", **facts})
    else:
        for name, value in _rows(facts):
            console.data(f"{name:12}  {value}")
    if facts["problems"]:
        raise MissingError("; ".join(facts["problems"]))


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    from mmcli.installation import KERNELS, PROGRAMS

    machine = facts["machine"]
    rows = [("mmcli", f"{facts['mmcli']}, Python {facts['python']}, {facts['platform']}")]
    rows.append(("libraries", ", ".join(f"{n} {v or 'ABSENT'}" for n, v in sorted(facts["libraries"].items()))))
    for name, there in facts["kernels"].items():
        _, what, slower = KERNELS[name]
        cost = "slower" if slower is None else f"about {slower:.0f} times slower"
        state = "compiled" if there else f"the twin in Python, {cost}: install where there is a C compiler"
        rows.append((f"kernel {name}", f"{what}: {state}"))
    decoders = facts["decoders"]
    own = ", ".join(f"{name} {version}" for name, version in decoders["libraries"].items())
    rows.append(("decoders", f"{own}; absent: {', '.join(decoders['absent']) or 'none'}"))
    for extra, lacking in sorted(facts["extras"].items()):
        rows.append((f"[{extra}]", f"pip install 'mmcli[{extra}]' brings {', '.join(lacking)}" if lacking else "there"))
    for name, there in facts["programs"].items():
        rows.append((name, "there" if there else f"absent: {PROGRAMS[name]} need it"))
    cuda = machine["cuda"]
    devices = ", ".join(cuda["devices"]) if cuda else ""
    built = "torch is absent" if cuda is None else f"torch is built for CUDA {cuda['built_for'] or '(none)'}"
    rows.append(("CUDA", f"{built}; devices: {devices or 'none'}"))
    threads = ", ".join(f"{n}={v}" for n, v in machine["threads"].items())
    rows.append(("processors", f"{machine['processors']}{f' ({threads})' if threads else ''}"))
    rows.append(("memory", f"{machine['memory_bytes'] / 1e9:.1f} GB"))
    rows += [("disk", f"{free / 1e9:.1f} GB free {name}") for name, free in machine["free_bytes"].items()]
    return rows
