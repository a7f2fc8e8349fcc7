"""Maps that people keep go on meaning what they meant, and are written again as they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import provenance

HERE = Path(__file__).resolve().parent
KNOWN = json.loads((HERE / "values.json").read_text())
MODELS = ("offset", "affine", "piecewise", "warp")


@pytest.mark.parametrize("name", MODELS)
def test_a_kept_map_says_what_it_said(name: str) -> None:
    """To a nanosecond, and nothing where it said nothing."""
    found = alignment.load(HERE / f"{name}.json")
    assert found.model == name
    for side in ("to_reference", "to_query"):
        wanted = np.array([np.nan if v is None else v for v in KNOWN[name][side]])
        assert getattr(TimeMap(found), side)(KNOWN["times"]) == pytest.approx(wanted, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", [*MODELS, "text"])
def test_a_kept_map_is_written_again_byte_for_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a package of the version that wrote it: that is part of the file."""
    data = (HERE / f"{name}.json").read_bytes()
    monkeypatch.setattr(provenance, "version", json.loads(data)["mmcli"])
    assert alignment.dumps(alignment.loads(data, name)) == data


def test_every_field_of_the_schema_is_in_a_kept_map() -> None:
    """A field that is added later gets a golden file too."""
    seen = {key for name in (*MODELS, "text") for key in json.loads((HERE / f"{name}.json").read_text())}
    assert set(alignment._REQUIRED) | set(alignment._OPTIONAL) <= seen


@pytest.mark.parametrize("name", MODELS)
def test_there_and_back_again(name: str) -> None:
    m = TimeMap(alignment.load(HERE / f"{name}.json"))
    t = np.array(KNOWN["times"])
    back = m.to_reference(m.to_query(t))
    known = np.isfinite(back)
    # where two segments touch in the query, one moment of it has two places on the reference
    assert np.abs(back[known] - t[known])[t[known] != 14.0].max() < 1e-9
    assert m.invert().to_query(t) == pytest.approx(m.to_reference(t), abs=1e-9, nan_ok=True)
