"""No command writes over what it reads, or two things into one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmcli.cli import console
from mmcli.errors import UsageError


def test_outputs_beside_their_inputs_are_fine(tmp_path):
    console.apart({"-o": tmp_path / "r.json", "--html": None, "--plot": tmp_path}, [tmp_path / "m.pt", None, "-"])
    console.apart({"-o": Path("-")}, [Path("-")])


@pytest.mark.parametrize("way", ["m.pt", "./m.pt", "x/../m.pt", "link.pt"])
def test_an_output_is_no_input_however_it_is_written(tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.pt").touch()
    (tmp_path / "link.pt").symlink_to("m.pt")
    with pytest.raises(UsageError, match=r"-o would write over the input m\.pt"):
        console.apart({"-o": Path(way)}, [Path("m.pt")])


def test_two_outputs_are_two_files():
    with pytest.raises(UsageError, match="--html would write over what -o writes"):
        console.apart({"-o": Path("a"), "--html": Path("b/../a")}, [])
    with pytest.raises(UsageError, match="--json and -o both write to standard output"):
        console.apart({"-o": Path("-"), "--json": Path("-")}, [])
