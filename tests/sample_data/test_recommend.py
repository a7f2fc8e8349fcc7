"""What the data of recommend.sh promise: small, whole, licensed, the planted events made by their rule."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import events, manifest

ROOT = Path(__file__).resolve().parents[2] / "sample_data"


@pytest.mark.parametrize("name", ["movies", "stamps"])
def test_a_set_is_small_and_its_events_are_of_its_items(name):
    files = [path for path in (ROOT / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 1_500_000
    rows = manifest.load(ROOT / name / "items.csv").rows
    table = events.load(ROOT / name / "events.csv", [row.id for row in rows])
    assert not table.notes
    assert set(table.items) == {row.id for row in rows}
    assert f"{name}/" in (ROOT / "LICENSE-DATA").read_text()


def test_every_cell_of_the_stamps_is_a_file_and_every_file_a_cell():
    rows = list(csv.DictReader((ROOT / "stamps/items.csv").open(encoding="utf-8")))
    named = {row[kind] for row in rows for kind in ("image", "audio")}
    held = {str(p.relative_to(ROOT / "stamps")) for p in (ROOT / "stamps").glob("*/*")}
    assert named == held


def test_the_planted_events_are_those_of_the_rule(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    import recommend_data

    rows = list(csv.DictReader((ROOT / "stamps/items.csv").open(encoding="utf-8")))
    names = [row["id"] for row in rows]
    made = recommend_data.plant(recommend_data.numbers(ROOT / "stamps", names), seed=0)
    written = [tuple(line) for line in csv.reader((ROOT / "stamps/events.csv").open(encoding="utf-8"))][1:]
    same = np.mean([(f"u{u:03d}", names[i], str(t)) == line for (u, i, t), line in zip(made, written, strict=True)])
    assert same > 0.99  # decoders of sound may differ in the last bit
    assert recommend_data.CARRIER == "audio"
    assert "recommend_data" in sys.modules
