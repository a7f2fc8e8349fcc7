"""What ``--print-config`` prints, ``--config`` reads back to the same options."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from mmcli.cli import app
from mmcli.cli.options import as_toml


def printed(capsys, *arguments: str | Path) -> str:
    assert app.run([*map(str, arguments), "--print-config"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--rate", "100", "--set", "logmel.hop_s=0.02", "--set", "table.raw.categories=9", "--audio", "logmel,mfcc"],
        ["--fitted", "a.json", "--fitted", 'b"\\c.json', "--missing", "interpolate", "--jobs", "3"],
        ["--set", "frames.settings=width=8,height=8", "--set", "pixels.color=grey"],
    ],
)
def test_printed_options_are_read_back(options, capsys, tmp_path):
    first = printed(capsys, "extract", "some thing.wav", "-o", "out/", *options)
    (tmp_path / "options.toml").write_text(first)

    assert printed(capsys, "extract", "--config", tmp_path / "options.toml") == first


def test_methods_that_share_a_name_are_told_apart(capsys, tmp_path):
    text = printed(capsys, "extract", "a.csv", "-o", "out/", "--rate", "50")

    assert tomllib.loads(text)["extract"]["set"]["series.raw"] == {"rate": 50.0}


def test_a_table_of_such_a_method_may_be_written_without_quotes(capsys, tmp_path):
    (tmp_path / "options.toml").write_text("[extract.set.series.raw]\nrate = 50.0\n")
    text = printed(capsys, "extract", "a.csv", "-o", "out/", "--config", tmp_path / "options.toml")

    assert tomllib.loads(text)["extract"]["set"]["series.raw"] == {"rate": 50.0}


def test_every_text_and_number_survives():
    @dataclasses.dataclass(frozen=True)
    class Config:
        pair: tuple[float, float] = (0.1, 1e300)
        word: str = 'a"b\\c\x7f\x01\nü'
        nothing: int | None = None

    values = {"inputs": [Path("a\tb.wav"), "c\x7f.wav"], "json": False, "rate": None, "set_": ["x"], "jobs": 2}
    assert tomllib.loads(as_toml("do", values, {"a.b": Config()})) == {
        "do": {
            "inputs": ["a\tb.wav", "c\x7f.wav"],
            "json": False,
            "jobs": 2,
            "set": {"a.b": {"pair": [0.1, 1e300], "word": 'a"b\\c\x7f\x01\nü'}},
        }
    }
