"""JSON, reports, fitted states, csv tables and provenance."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
from pathlib import Path
from typing import Any

import fuzz_seeds
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli._version import __version__
from mmcli.artifacts.formats import fitted, report
from mmcli.artifacts.io import csvfile, jsonfile, provenance
from mmcli.errors import ArtifactError


def test_files_show_changes_line_by_line() -> None:
    lines = report.dumps(fuzz_seeds.report_value()).decode().splitlines()

    assert lines[1] == '  "schema": "mmcli/report@1",'
    assert lines[2].startswith('  "content_sha256": ')
    assert sum(line.startswith('    {"id": ') for line in lines) == 2
    assert "ü" in "".join(lines)


def test_the_seal_is_over_the_canonical_form() -> None:
    content = json.loads(report.dumps(fuzz_seeds.report_value()))
    seal = content.pop("content_sha256")

    assert seal == provenance.sha256_bytes(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def test_text_that_is_not_unicode_is_not_written() -> None:
    """A name that the file system gave us in another encoding."""
    with pytest.raises(ArtifactError, match="not Unicode"):
        report.dumps({"metrics": {}, "notes": ["\udcff"]})


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": None},
        {"metrics": {"accuracy": {"value": float("nan"), "n": 3}}},
        {"metrics": {"accuracy": {"value": 1, "interval": [2, 1]}}},
        {"verdict": {}},
        {"items": [{"id": "a"}, {"id": "a"}]},
        {"items": [{"id": "a", "colour": 1}]},
        {"thing": 1},
        {"curves": object()},
    ],
)
def test_a_wrong_report_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError):
        report.dumps(fuzz_seeds.report_value() | change)


def test_a_fitted_state_carries_the_hash_of_its_config(tmp_path: Path) -> None:
    digest = fitted.save(tmp_path / "tfidf.json", fuzz_seeds.fitted_value())

    assert digest == provenance.sha256_file(tmp_path / "tfidf.json")
    assert fitted.load(tmp_path / "tfidf.json")["config_sha256"] == provenance.config_sha256({"terms": 3})
    with pytest.raises(ArtifactError, match="config_sha256"):
        fitted.dumps(fuzz_seeds.fitted_value() | {"config_sha256": "0" * 64})


CELL = (
    st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.floats() | st.integers()
)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3)))
def test_csv_is_what_other_programs_read(rows: list[list[Any]]) -> None:
    data = csvfile.dumps(["a", "b,c", 'd"e'], rows, verbatim=True)

    found = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))

    assert found == [["a", "b,c", 'd"e'], *([("" if cell is None else str(cell)) for cell in row] for row in rows)]


@given(st.lists(st.lists(CELL, min_size=3, max_size=3)))
def test_a_spreadsheet_runs_no_cell_of_a_csv(rows: list[list[Any]]) -> None:
    data = csvfile.dumps(["a", "=b", "c"], [*rows, ["=cmd|' /C calc'!A0", "@x", "-1.5e3"]])

    written = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))

    for cell in itertools.chain.from_iterable(written):
        assert not cell.startswith(("=", "@", "\t", "\r"))
        if cell.startswith(("+", "-")):
            float(cell)  # a number, as it was
    assert written[-1] == ["'=cmd|' /C calc'!A0", "'@x", "-1.5e3"]


def test_a_row_of_one_empty_cell_is_no_empty_line() -> None:
    assert csvfile.dumps(["a"], [[None]]) == b'a\n""\n'


def test_a_config_has_one_hash_however_it_is_spelt() -> None:
    @dataclasses.dataclass(frozen=True)
    class Config:
        bands: int = 40
        span: tuple[float, float] = (0.0, 1.0)

    found = provenance.config_dict(Config())

    assert found == {"bands": 40, "span": [0.0, 1.0]}
    assert provenance.config_sha256(found) == provenance.config_sha256({"span": (0.0, 1.0), "bands": 40})
    assert provenance.config_sha256(found) != provenance.config_sha256({"span": [0.0, 1.5], "bands": 40})


def test_canonical_json_knows_numpy() -> None:
    value = {"b": np.float64(0.5), "a": np.arange(2), "c": np.bool_(True)}

    assert provenance.canonical_json(value) == '{"a":[0,1],"b":0.5,"c":true}'
    for wrong in (float("nan"), float("inf"), {1}, b""):
        with pytest.raises((ValueError, TypeError)):
            provenance.canonical_json(wrong)


def test_a_source_has_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b.wav"
    path.write_bytes(b"abc")

    found = provenance.source_of(path)

    assert found == {"name": "a?.wav", "size": 3, "sha256": provenance.sha256_bytes(b"abc")}
    assert provenance.version == __version__


@given(
    st.recursive(
        st.integers() | st.floats() | st.text() | st.none(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_parse_accepts_what_we_may_write_and_nothing_else(value: Any) -> None:
    """Python's own encoder writes NaN, lone surrogates and integers of any length."""
    text = json.dumps({"a": value}).encode()
    try:
        found = jsonfile.parse(text, "x")
    except ArtifactError:
        assert any(word in text for word in (b"NaN", b"Infinity", b"\\ud")) or _has_large(value)
    else:
        assert repr(found["a"]) == repr(value)


def _has_large(value: Any) -> bool:
    if isinstance(value, int):
        return not -(2**63) <= value < 2**63
    if isinstance(value, (list, dict)):
        return any(_has_large(item) for item in (value.values() if isinstance(value, dict) else value))
    return False
