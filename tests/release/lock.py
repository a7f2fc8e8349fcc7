"""Writes the lock files here: every package that mmcli (``run.txt``) and its tests (``test.txt``) install, with the
SHA-256 of its file, as pip resolves them on this machine.

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


def needed(items: dict[str, dict[str, Any]], name: str) -> set[str]:
    """The packages that one of them needs, without extras, in the end."""
    todo, seen = [name], set()
    while todo:
        at = todo.pop()
        for text in items[at]["metadata"].get("requires_dist", []):
            wanted = Requirement(text)
            other = canonicalize_name(wanted.name)
            if other not in seen and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
                seen.add(other)
                todo.append(other)
    return seen


def lines(items: dict[str, dict[str, Any]], names: set[str]) -> str:
    """The pins, each with the hash of its file."""
    pins = []
    for name in sorted(names):
        item = items[name]
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        pins.append(f"{name}=={item['metadata']['version']} \\\n    --hash=sha256:{digest}\n")
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
