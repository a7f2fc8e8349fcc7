"""The file's name is the name, listed without importing anything."""

from __future__ import annotations

import importlib
import shutil
import sys
from importlib.metadata import Distribution, entry_points
from pathlib import Path

import pytest

from mmcli.entry_points import added
from mmcli.errors import UsageError
from mmcli.registry import Registry


@pytest.fixture
def family(tmp_path, monkeypatch):
    package = tmp_path / "family"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("NUMBER = 1")
    (package / "broken.py").write_text("raise RuntimeError('imported')")
    (package / "_private.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.split(".")[0] == "family"]:
        monkeypatch.delitem(sys.modules, name)
    return Registry("thing", "family", [str(package)])


def test_names_are_listed_without_importing(family):
    assert family.names() == ["broken", "one"]


def test_a_member_is_imported_when_asked_for(family):
    assert family.load("one").NUMBER == 1


def test_an_unknown_name_is_answered_with_the_nearest(family):
    with pytest.raises(UsageError, match="unknown thing 'on'") as raised:
        family.load("on")

    assert raised.value.hint == "did you mean 'one'?"


def test_a_new_file_is_a_new_member(family, tmp_path):
    (tmp_path / "family" / "two.py").write_text("NUMBER = 2")
    importlib.invalidate_caches()

    assert "two" in family.names()
    assert family.load("two").NUMBER == 2


def announce(folder, text):
    """A package installed in a folder, with the entry points that it announces."""
    info = folder / "beside-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: beside\nVersion: 1\n")
    (info / "entry_points.txt").write_text(text)


def test_third_party_members_come_through_entry_points(family, tmp_path, monkeypatch):
    announce(tmp_path / "site", "[family]\njson_thing = json\n\n[another.family]\nother = json\n")
    monkeypatch.syspath_prepend(tmp_path / "site")

    assert "json_thing" in family.names()
    assert "other" not in family.names()
    assert family.load("json_thing").__name__ == "json"


@pytest.mark.parametrize("text", ["", "[other]\na = json\n", "  [ family ]\n", "[family]\nx = json\n", "[fam\xe9]\n"])
def test_what_is_seen_at_a_glance_is_what_the_library_says(family, tmp_path, monkeypatch, text):
    announce(tmp_path / "site", text)
    monkeypatch.syspath_prepend(tmp_path / "site")

    for group in ("family", "other", "mmcli.aligners"):
        assert added(group) == {p.name: p.value for p in entry_points(group=group)}


def test_what_lies_in_a_zip_is_asked_of_the_library(tmp_path, monkeypatch):
    announce(tmp_path / "site", "[family]\njson_thing = json\n")
    shutil.make_archive(str(tmp_path / "site"), "zip", tmp_path / "site")
    shutil.copy(tmp_path / "site.zip", tmp_path / "beside-1.egg")
    monkeypatch.syspath_prepend(tmp_path / "beside-1.egg")

    assert added("family") == {p.name: p.value for p in entry_points(group="family")}


def test_a_program_with_packages_of_its_own_is_asked_by_the_library(monkeypatch):
    class Finder:
        @staticmethod
        def find_spec(*_):
            return None

        @staticmethod
        def find_distributions(context):
            yield Packed()

    class Packed(Distribution):
        def read_text(self, filename):
            return {"METADATA": "Name: packed\n", "entry_points.txt": "[packed.family]\nx = json\n"}.get(filename)

        def locate_file(self, path):
            return Path(path)

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    monkeypatch.setattr(sys, "path", [*sys.path, "/another"])  # what was found along the old path is kept

    assert added("packed.family") == {"x": "json"}


def test_a_name_that_is_there_twice_is_an_error(family, tmp_path, monkeypatch):
    announce(tmp_path / "site", "[family]\none = json\n")
    monkeypatch.syspath_prepend(tmp_path / "site")

    with pytest.raises(UsageError, match="defined by mmcli and by"):
        family.load("one")
