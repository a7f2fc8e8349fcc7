"""The bill of materials says who asks for what."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("release_build", HERE / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_component_hangs_on_the_package(build) -> None:
    lock = (HERE / "run.txt").read_text()
    names = re.findall(r"^([a-z0-9-]+)==", lock, re.M)
    content = {
        "metadata": {"component": {"name": "mmcli", "bom-ref": "root"}},
        "components": [{"name": name, "bom-ref": f"ref-{name}"} for name in names],
    }

    below = {one["ref"]: one["dependsOn"] for one in build.graph(lock, content)}

    assert below.keys() == {"root", *(f"ref-{name}" for name in names)}
    assert {"ref-numpy", "ref-torch", "ref-av"} <= set(below["root"])
    assert "ref-numpy" in below["ref-scipy"]
    assert below["ref-numpy"] == []
    reached, todo = set(), ["root"]
    while todo:
        at = todo.pop()
        if at not in reached:
            reached.add(at)
            todo += below[at]
    assert below.keys() - reached <= {"ref-setuptools"}  # torch asks for it on newer Pythons only
