"""Windows lie inside a recording, speak for every moment once, and have the label of their middle."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmcli.batch.plan import windows
from mmcli.batch.plan.items import Cell, Item
from mmcli.batch.plan.windows import Windows
from mmcli.errors import InputError, UsageError


@pytest.mark.parametrize(("window", "hop"), [(1.0, 1.0), (1.0, 0.25), (0.5, 2.0), (0.3, 0.1), (20.0, 1.0)])
def test_every_moment_is_spoken_for_once_where_windows_touch(window, hop):
    how, duration = Windows(window, hop), 7.3
    starts = how.starts(duration)
    assert all(start + window <= duration + 1e-9 for start in starts) or len(starts) == 1
    assert duration - (starts[-1] + window) < hop  # no room for another one
    stretches = [how.stretch(k, len(starts), duration) for k in range(len(starts))]
    assert stretches[0][0] == 0.0
    assert stretches[-1][1] == duration
    assert all(a[1] == pytest.approx(b[0]) for a, b in itertools.pairwise(stretches))


def recording(folder, seconds, name="long"):
    import soundfile

    soundfile.write(folder / f"{name}.wav", np.zeros(int(seconds * 8000), np.float32), 8000)
    return Item(name, (Cell("audio", "audio", str(folder / f"{name}.wav")),))


def test_windows_have_the_label_of_their_middle(tmp_path):
    spans = [(1.0, 2.0, "a"), (1.6, 3.0, "b")]
    pieces = windows.cut(recording(tmp_path, 4.0), Windows(0.5, 0.5), spans)
    assert [p.label for p in pieces] == ["none", "none", "a", "a|b", "b", "b", "none", "none"]
    assert {p.group for p in pieces} == {"long"}
    assert pieces[0].id == "long/0001"
    assert (pieces[2].start, pieces[2].end) == (1.0, 1.5)


def test_what_has_no_length_or_no_sense_is_refused():
    with pytest.raises(InputError, match="no sound, film or series"):
        windows.cut(Item("x", (Cell("text", "text", text="words"),)), Windows(1.0, 1.0))
    with pytest.raises(UsageError, match="--hop 0"):
        Windows(1.0, 0.0)
    with pytest.raises(UsageError, match="too many"):
        Windows(0.001, 0.001).starts(1e6)
