"""What is refused before any method starts, and how it is said."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.aligners.core import inputs
from mmcli.artifacts.formats.features import Features
from mmcli.errors import InputError, MismatchError


def test_double_precision_is_kept_and_integers_become_it() -> None:
    (x, _), (y, _) = inputs.checked(np.ones((3, 1), np.float64), np.ones((3, 1), np.int32))
    assert x.dtype == y.dtype == np.float64
    assert inputs.checked(np.ones((3, 1), np.float32), np.ones((3, 1)))[0][0].dtype == np.float32


def test_a_message_names_the_file_the_frame_and_the_dimension() -> None:
    x = np.zeros((5, 2))
    x[3, 1] = np.nan
    with pytest.raises(InputError) as refused:
        inputs.frames(x, "query")
    assert str(refused.value) == "the query holds NaN (frame 3, dimension 1)"


def test_differing_widths_name_both_sides_and_what_to_do() -> None:
    a = Features(np.zeros((4, 3), np.float32), np.arange(4.0), {"source": {"name": "a.wav", "size": 1}})
    with pytest.raises(MismatchError) as refused:
        inputs.checked(a, np.zeros((4, 2)))
    assert refused.value.what == "the reference a.wav has 3 values a frame, the query has 2 values"
    assert refused.value.hint is not None


def test_a_series_of_numbers_is_one_value_a_frame() -> None:
    (x, t), _ = inputs.checked([1.0, 2.0, 3.0], [1.0, 2.0])
    assert x.shape == (3, 1)
    assert t.tolist() == [0.0, 1.0, 2.0]


def test_deeper_frames_are_flattened() -> None:
    (x, _), _ = inputs.checked(np.zeros((4, 2, 3)), np.zeros((5, 6)))
    assert x.shape == (4, 6)
