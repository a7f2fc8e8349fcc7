"""The lock names everything that the package and its tests need, in versions that they allow, each with its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text())
PIN = re.compile(r"^([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}(?:\n    # via [a-z0-9, -]+)?$", re.M)


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((HERE / name).read_text()))


@pytest.mark.parametrize(
    ("wanted", "files"),
    [
        (PROJECT["project"]["dependencies"], ["run.txt"]),
        (PROJECT["project"]["optional-dependencies"]["test"], ["run.txt", "test.txt"]),
        (PROJECT["build-system"]["requires"], ["run.txt", "test.txt"]),
    ],
    ids=["run", "test", "build"],
)
def test_every_requirement_is_pinned_within_its_range(wanted: list[str], files: list[str]) -> None:
    pinned = {name: version for file in files for name, version in pins(file).items()}
    for text in wanted:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is in no lock: python tests/release/lock.py"
        version = pinned[name].partition("+")[0]
        assert requirement.specifier.contains(version), f"{name} {version}: python tests/release/lock.py"


@pytest.mark.parametrize("name", ["run.txt", "test.txt"])
def test_every_line_is_a_pin_with_a_hash_and_names_no_place(name: str) -> None:
    text = (HERE / name).read_text()
    rest = PIN.sub("", text)
    assert [line for line in rest.splitlines() if line and not line.startswith("#")] == ["-r run.txt"] * (
        name == "test.txt"
    )
    assert "://" not in text


def test_no_package_stands_in_both() -> None:
    assert not pins("run.txt").keys() & pins("test.txt").keys()
