"""A TextGrid that promises more intervals than it holds is damaged, whatever the number."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmcli.errors import InputError
from mmcli.media import intervals


@pytest.mark.parametrize("count", ["2", "9000000000", "1e18", "-1"])
def test_a_count_of_billions_takes_no_memory(tmp_path: Path, count: str) -> None:
    file = tmp_path / "a.TextGrid"
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2\n<exists>\n1\n"IntervalTier"\n"word"\n0\n2\n'
    file.write_text(f'{head}{count}\n0\n2\n"hello"\n')
    with pytest.raises(InputError, match="damaged"):
        intervals.read_tiers(str(file))
    file.write_text(f'{head}1\n0\n2\n"hello"\n')
    assert [len(rows) for rows in intervals.read_tiers(str(file)).values()] == [1]
