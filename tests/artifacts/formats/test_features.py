"""Features refuse what is not features, in words that say where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import features
from mmcli.artifacts.formats.features import Features
from mmcli.errors import ArtifactError

ONES = np.ones((3, 2), np.float32)
CLOCK = np.arange(3.0)


def test_schema_and_version_are_filled_in() -> None:
    meta = Features(ONES, CLOCK, {}).meta

    assert meta["schema"] == "mmcli/features@1"
    assert meta["mmcli"]


def test_shape_is_told_in_frames_and_width() -> None:
    video = Features(np.zeros((2, 4, 5, 3), np.float32), CLOCK[:2], {"kind": "frames"})

    assert (video.frames, video.width) == (2, 60)
    assert video.flat().shape == (2, 60)
    assert video.flat().base is video.values


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("image", (1, 4, 4, 3)),
        ("frames", (2, 4, 4, 3)),
        ("spectrogram", (2, 40)),
        ("sequence", (2, 3)),
        ("vector", (1, 3)),
        ("tokens", (2, 1)),
    ],
)
def test_each_kind_has_its_shape(kind: str, shape: tuple[int, ...]) -> None:
    Features(np.zeros(shape, np.float32), np.arange(float(shape[0])), {"kind": kind})

    for wrong in [(*shape, 2), shape[:-1]]:
        with pytest.raises(ArtifactError, match=f"are no {kind}"):
            Features(np.zeros(wrong, np.float32), np.arange(float(wrong[0])), {"kind": kind})


@pytest.mark.parametrize(
    ("values", "times", "meta", "words"),
    [
        (ONES.astype(np.float64), CLOCK, {}, "float32 and float64"),
        (ONES, CLOCK.astype(np.float32), {}, "float32 and float64"),
        (ONES, CLOCK[:2], {}, "do not go with"),
        (ONES[:0], CLOCK[:0], {}, "hold nothing"),
        (ONES * np.float32("nan"), CLOCK, {}, "NaN or infinity at frame 0"),
        (ONES, np.array([0.0, 1.0, 1.0]), {}, "do not increase at frame 2"),
        (ONES, np.array([0.0, np.inf, np.inf]), {}, "NaN or infinity at frame 1"),
        (ONES, CLOCK, {"hop": 1}, "unknown key 'hop'"),
        (ONES, CLOCK, {"rate_hz": 0}, "above 0"),
        (ONES, CLOCK, {"schema": "mmcli/features@2"}, "@2"),
        (ONES, CLOCK, {"columns": ["a"]}, "1 columns"),
        (ONES, CLOCK, {"source": {"name": "/home/me/a.wav", "size": 1}}, "no folder"),
        (ONES, CLOCK, {"inputs": [{"name": "out/a.npz"}]}, "no folder"),
        (ONES[:, :1] + 0.5, CLOCK, {"kind": "tokens"}, "token ids"),
        (ONES[:, :1] * 9, CLOCK, {"kind": "tokens", "vocabulary_size": 9}, "below 9"),
    ],
)
def test_what_is_no_features_is_refused(values: Any, times: Any, meta: dict[str, Any], words: str) -> None:
    with pytest.raises(ArtifactError, match=words):
        Features(values, times, meta)


def test_the_frame_with_the_nan_is_named_far_into_the_values() -> None:
    values = np.zeros((500_000, 20), np.float32)
    values[400_001, 3] = np.nan

    with pytest.raises(ArtifactError, match=r"at frame 400001$"):
        Features(values, np.arange(500_000.0), {})


def test_values_spoilt_after_construction_are_not_written() -> None:
    one = Features(ONES.copy(), CLOCK, {})
    one.values[0, 0] = np.nan

    with pytest.raises(ArtifactError):
        features.dumps(one)


def test_meta_without_a_json_form_is_not_written() -> None:
    for value in ({1, 2}, float("nan"), object()):
        with pytest.raises(ArtifactError, match="JSON"):
            features.dumps(Features(ONES, CLOCK, {"config": {"a": value}}))


def test_numpy_numbers_in_meta_become_plain_ones() -> None:
    meta = {"config": {"a": np.float64(0.5), "b": np.int64(3), "c": np.arange(2)}}

    assert features.loads(features.dumps(Features(ONES, CLOCK, meta)), "x").meta["config"] == {
        "a": 0.5,
        "b": 3,
        "c": [0, 1],
    }
