"""Writes the lock files here: every package that mmcli (``run.txt``) and its tests (``test.txt``) install, with the
SHA-256 of its file and who asks for it, as pip resolves them on this machine.

    python tests/release/lock.py

The files are of one platform, named in their first lines; elsewhere the ranges of pyproject.toml are installed. torch
is the build for CPUs: the one with CUDA brings gigabytes that neither tests nor demo use.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PLATFORM = f"CPython {sys.version_info.major}.{sys.version_info.minor}, {platform.system()} {platform.machine()}"
HEAD = """\
# {what}, on {platform}. Written by lock.py beside it.
#     pip install --require-hashes -r {folder}/{name}
"""


def resolved() -> dict[str, dict[str, Any]]:
    """What pip would install for the package with its tests, by name: its report (PEP 658's fields)."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        subprocess.run([*command, "--report", str(report), ".[test]", *build_tools()], cwd=ROOT, check=True)
        items = json.loads(report.read_text())["install"]
    return {canonicalize_name(item["metadata"]["name"]): item for item in items}


def build_tools() -> list[str]:
    """What builds the package: installed first, so that it can be built without a fetch of its own."""
    import tomllib

    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"])


def wanted(items: dict[str, dict[str, Any]], name: str) -> set[str]:
    """The packages that one of them asks for itself, without extras."""
    asked = map(Requirement, items[name]["metadata"].get("requires_dist", []))
    here = {canonicalize_name(one.name) for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})}
    return here & items.keys()


def needed(items: dict[str, dict[str, Any]], name: str) -> set[str]:
    """The packages that one of them needs, without extras, in the end."""
    todo, seen = [name], set()
    while todo:
        new = wanted(items, todo.pop()) - seen
        seen |= new
        todo += new
    return seen


def lines(items: dict[str, dict[str, Any]], names: set[str]) -> str:
    """The pins, each with the hash of its file and, where that is known, who asks for it."""
    pins = []
    for name in sorted(names):
        item = items[name]
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        via = sorted(other for other in items if name in wanted(items, other))
        asked = f"    # via {', '.join(via)}\n" if via else ""
        pins.append(f"{name}=={item['metadata']['version']} \\\n    --hash=sha256:{digest}\n{asked}")
    return "".join(pins)


def main() -> None:
    items = resolved()
    run = needed(items, "mmcli")
    folder = HERE.relative_to(ROOT)
    for name, what, extra, names in (
        ("run.txt", "What mmcli needs to run", "", run),
        ("test.txt", "What its tests need besides, and what builds it", "-r run.txt\n", set(items) - run - {"mmcli"}),
    ):
        head = HEAD.format(what=what, platform=PLATFORM, folder=folder, name=name)
        (HERE / name).write_text(head + extra + lines(items, names))
        print(f"{folder}/{name}: {len(names)} packages")


if __name__ == "__main__":
    main()
