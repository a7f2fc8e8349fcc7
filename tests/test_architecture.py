"""The map of the house names every room, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmcli import aligners, extractors, fusion
from mmcli.cli.app import COMMANDS
from mmcli.models import blocks, encoders, turns

from .test_layers import INSIDE, LAYERS

ROOT = Path(__file__).resolve().parent.parent
MAP = ROOT / "mmcli" / "docs" / "architecture.md"
PAGES = (MAP, ROOT / ".github" / "CONTRIBUTING.md")
PATH = re.compile(r"(?<![\w./-])(?:\.\./)?((?:mmcli|tests|sample_data|\.ci|\.github)/[\w./-]*[\w/])")
MODULE = re.compile(r"`(mmcli(?:\.\w+)+)`")
FAMILIES = (aligners.registry, fusion.registry, blocks.registry, encoders.registry, turns.registry)
GROUPS = {registry.group for registry in FAMILIES}
GROUPS |= {extractors.registry(modality).group for modality in extractors.MODALITIES}


def rooms() -> list[str]:
    """Every room, and every room inside one."""
    inner = [f"{room}.{name}" for room, order in INSIDE.items() for names in order for name in names.split()]
    return [*(room for layer in LAYERS for room in layer), *(name for name in inner if not name.endswith(".."))]


def described() -> dict[str, str]:
    """The rows of the table of rooms."""
    table = MAP.read_text().split("| room | what it is for |")[1].split("\n\n")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| (.+) \|$", table, re.M))


def test_every_room_is_named_with_what_it_is_for():
    assert set(described()) == set(rooms())
    assert all(len(purpose.split()) >= 3 for purpose in described().values())


def test_rooms_stand_in_the_order_in_which_they_may_import():
    order = list(described())
    ranks = [rank for rank, layer in enumerate(LAYERS) for _ in layer]
    outer = [room for layer in LAYERS for room in layer]
    met = [outer.index(room) for room in order if room in outer]
    assert [ranks[i] for i in met] == sorted(ranks)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_module_on_a_page_exists(page):
    text = page.read_text()
    for path in PATH.findall(text):
        assert (ROOT / path).exists(), f"{page.name} names {path}"
    for module in set(MODULE.findall(text)) - GROUPS:
        place = ROOT / module.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").exists(), f"{page.name} names {module}"


def test_the_groups_of_entry_points_that_the_map_names_are_those_that_are_asked():
    (line,) = re.findall(r"through entry points: (.*?)\n\n", MAP.read_text(), re.S)
    assert set(MODULE.findall(line)) <= GROUPS


def test_every_way_begins_with_a_command():
    ways = MAP.read_text().split("## Six ways through it")[1].split("\n## ")[0]
    commands = re.findall(r"`mmcli (\w+) ", ways)
    assert commands == ["align", "extract", "fuse", "train", "evaluate"]
    assert set(commands) <= set(COMMANDS)


def test_the_readme_leads_to_the_map_and_the_package_carries_it():
    assert "(mmcli/docs/architecture.md)" in (ROOT / "README.md").read_text()
    assert '"docs/*"' in (ROOT / "pyproject.toml").read_text()
