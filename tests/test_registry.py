"""The file's name is the name, listed without importing anything."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from mmcli import registry
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


def test_third_party_members_come_through_entry_points(family, monkeypatch):
    point = EntryPoint("json_thing", "json", "family")
    monkeypatch.setattr(
        registry, "entry_points", lambda: EntryPoints([point, EntryPoint("other", "json", "another.family")])
    )

    assert "json_thing" in family.names()
    assert "other" not in family.names()
    assert family.load("json_thing").__name__ == "json"


def test_a_name_that_is_there_twice_is_an_error(family, monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda: EntryPoints([EntryPoint("one", "json", "family")]))

    with pytest.raises(UsageError, match="defined by mmcli and by"):
        family.load("one")
