"""A stream answers to its name, to its modality, and to what made it, whether or not it is the only one."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.errors import UsageError
from mmcli.fusion.fitting import called
from mmcli.training.data import shapes


def data_of(**made_by: str) -> Dataset:
    """Three items; each stream with the extractor that made it ("": somebody brought it)."""
    streams = {}
    for name, extractor in made_by.items():
        meta = {"modality": name.partition("_")[0]} | ({"extractor": extractor} if extractor else {})
        stream = Stream(np.ones((3, 2), np.float32), np.arange(4), np.zeros(3), np.ones(3, bool), meta=meta)
        streams[name.replace("_", ".")] = stream
    return Dataset(streams, ["a", "b", "c"], [""] * 3, [""] * 3)


def test_one_rule_for_one_stream_of_a_modality_and_for_two():
    one, two = data_of(audio="mfcc", series=""), data_of(audio_mfcc="mfcc", audio_logmel="logmel")
    assert called(one, "audio.mfcc") == called(one, "audio") == ["audio"]
    assert called(two, "audio.mfcc") == ["audio.mfcc"]
    assert called(two, "audio") == ["audio.mfcc", "audio.logmel"]
    assert called(one, "audio.logmel") == called(one, "series.x") == called(two, "text.tokens") == []
    assert [s.name for s in shapes(one, ["audio.mfcc"])] == ["audio"]


def test_a_stream_that_something_else_made_is_refused():
    with pytest.raises(UsageError, match=r"no stream 'audio\.logmel'"):
        shapes(data_of(audio="mfcc"), ["audio.logmel"])
