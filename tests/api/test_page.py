"""The page about Python says what happens: its examples are run on the recordings of sample_data."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "mmcli" / "docs" / "python.md"


def test_the_examples_of_the_page_print_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("reading.flac", "reading_shifted.ogg"):
        shutil.copy(ROOT / "sample_data" / "reading" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert tried >= 6
    assert failed == 0
