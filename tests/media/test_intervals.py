"""Annotations as intervals: what is damaged is refused by name, and nothing is swallowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmcli.errors import InputError, MissingError, UsageError
from mmcli.media import intervals


def grid(path: Path, *tiers: tuple[str, list[tuple[float, float, str]]]) -> Path:
    """A TextGrid in the short form."""
    lines = ['"ooTextFile"', '"TextGrid"', "0", "9", "<exists>", str(len(tiers))]
    for name, rows in tiers:
        lines += ['"IntervalTier"', f'"{name}"', "0", "9", str(len(rows))]
        for start, end, label in rows:
            lines += [str(start), str(end), f'"{label}"']
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", ["gone.csv", "gone.TextGrid", "gone.srt"])
def test_an_annotation_that_is_not_there_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingError, match="no such file"):
        intervals.read(str(tmp_path / name))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(InputError, match="FIFO"):
        intervals.read(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0,inf,a\n", "from 0 s to inf s"),
        ("0,nan,a\n", "to nan s"),
        ("1,0,a\n", "from 1 s to 0 s"),
        ("0,x,a\n", "line 2: start or end is no number"),
        ('0,1,"a\n1,2,b\n', "line 3: unexpected end"),
        (f"0,1,a\n1,2,{'x' * 200_000}\n", "line 3: field larger"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "a.csv").write_text("start,end,label\n" + rows)
    with pytest.raises(InputError, match=message):
        intervals.read(str(tmp_path / "a.csv"))


def test_tiers_of_one_name_are_all_there(tmp_path: Path) -> None:
    path = grid(tmp_path / "a.TextGrid", ("w", [(0, 1, "a")]), ("w", [(1, 2, "b")]), ("w", [(2, 3, "c")]))
    assert intervals.read(str(path)) == [(0.0, 1.0, "a")]
    assert intervals.read(f"{path}#w (2)") == [(1.0, 2.0, "b")]
    assert list(intervals.read_tiers(str(path))) == ["w", "w (2)", "w (3)"]
    with pytest.raises(UsageError, match="no interval tier 'w \\(4\\)'"):
        intervals.read(f"{path}#w (4)")


def test_tables_of_the_dcase_challenges_and_series_of_labels(tmp_path):
    table = tmp_path / "t.tsv"
    table.write_text("filename\tonset\toffset\tevent_label\na.wav\t0.5\t1.5\tbark\nb.wav\t\t\t\n")
    assert intervals.read_recordings(str(table)) == {"a.wav": [(0.5, 1.5, "bark")], "b.wav": []}
    series = tmp_path / "s.csv"
    series.write_text("time,label\n0,walk\n2,run\n5,walk\n")
    assert intervals.read(str(series)) == [(0.0, 2.0, "walk"), (2.0, 5.0, "run"), (5.0, 8.0, "walk")]
    table.write_text("filename\tonset\toffset\tevent_label\na.wav\t0.5\t1.5\tx\nb.wav\t1\t2\ty\n")
    with pytest.raises(InputError, match="2 recordings"):
        intervals.read(str(table))
    series.write_text("time,label\n0,walk\n0,run\n")
    with pytest.raises(InputError, match="do not increase"):
        intervals.read(str(series))
    series.write_text("time,label\n0,walk\n")
    with pytest.raises(InputError, match="how long"):
        intervals.read(str(series))
