"""What programs outside this package import keeps its path, wherever the file stands."""

from __future__ import annotations

import ast
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmcli import aligners, extractors, fusion
from mmcli.models import blocks, encoders

ROOT = Path(__file__).resolve().parent.parent

KEPT = {
    "mmcli.aligners.timemap": "mmcli.artifacts.formats.timemap",
    "mmcli.artifacts.alignment": "mmcli.artifacts.formats.alignment",
    "mmcli.artifacts.features": "mmcli.artifacts.formats.features",
    **{f"mmcli.aligners.{name}": f"mmcli.aligners.methods.{name}" for name in aligners.registry._own()},
}
del KEPT["mmcli.aligners.subtitles"]  # that path is a room; the method was never known by it
GROUPS = {
    "mmcli.aligners": aligners.registry,
    "mmcli.fusion": fusion.registry,
    "mmcli.models.encoders": encoders.registry,
    "mmcli.models.fusion": blocks.registry,
    **{f"mmcli.extractors.{modality}": extractors.registry(modality) for modality in extractors.MODALITIES},
}

ONE_MODULE = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
for kept, place in json.loads(sys.argv[2]).items():
    if kept in sys.modules:
        assert sys.modules[kept] is importlib.import_module(place), kept
        assert sys.modules[kept].__name__ == sys.modules[kept].__spec__.name == place, kept
"""


def run(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(json.dumps, arguments)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imports_of_examples() -> set[str]:
    """The modules that the README, the pages and the demo import from mmcli, in their Python."""
    pages = [ROOT / "README.md", *sorted((ROOT / "mmcli" / "docs").glob("*.md"))]
    written = "".join(page.read_text() for page in pages)
    examples = re.findall(r"^```python\n(?!>>>)(.*?)^```", written, re.M | re.S)
    examples += re.findall(r"<<'EOF'\n(.*?)^EOF$", (ROOT / "sample_data" / "demo.sh").read_text(), re.M | re.S)
    names: set[str] = set()
    for example in examples:
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmcli"):
                names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_the_readme_and_the_demo_use_kept_paths():
    used = imports_of_examples()

    assert {"mmcli.aligners.timemap", "mmcli.artifacts.alignment", "mmcli.artifacts.features"} <= used
    places = {place for place in KEPT.values() if place in used}
    assert not places, f"these have a name that outsiders use: {places}"


@pytest.mark.parametrize("first", ["kept", "place"])
def test_both_names_are_one_module_in_any_order(first):
    kept = ["mmcli.aligners.timemap", "mmcli.artifacts.alignment", "mmcli.artifacts.features", "mmcli.aligners.dtw"]
    if first == "place":
        kept = [KEPT[name] for name in kept] + kept
    orders = [*itertools.permutations(kept[:3]), kept, kept[::-1]]
    for order in (orders[0], orders[3], *orders[-2:]):
        run(ONE_MODULE, order, KEPT)


def test_every_kept_path_is_imported_under_both_names():
    run(ONE_MODULE, sorted(KEPT), KEPT)
    run("from mmcli.aligners.dtw import Config; from mmcli.aligners import dtw; assert dtw.Config is Config")


def test_the_entry_point_groups_are_what_they_were():
    assert {registry.group for registry in GROUPS.values()} == set(GROUPS)
    assert all(registry.group == group for group, registry in GROUPS.items())


def test_a_kept_path_costs_nothing_until_it_is_imported():
    out = run("import sys, mmcli, mmcli.artifacts, mmcli.aligners; print('numpy' in sys.modules)")
    assert out == "False\n"


def test_a_name_that_is_nowhere_is_still_missing():
    for name in ("mmcli.aligners.nothing", "mmcli.artifacts.nothing"):
        with pytest.raises(ModuleNotFoundError, match=name):
            __import__(name)
