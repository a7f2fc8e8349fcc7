"""``--set NAME.FIELD=VALUE`` and ``--config FILE.toml`` reach the fields they name, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from mmcli.cli import options
from mmcli.errors import UsageError


@dataclass(frozen=True)
class Config:
    hop_s: float = 0.01
    bands: int = 40
    deltas: bool = False
    window: Literal["hann", "hamming"] = "hann"
    limit: int | None = None
    size: tuple[int, int] = (8, 8)
    steps: tuple[float, ...] = ()


def test_values_take_the_type_of_their_field():
    text = {"hop_s": "1e-2", "bands": "64", "deltas": "yes", "window": "hamming", "limit": "none", "size": "16,32"}

    assert options.configure(Config, text, "mel") == Config(0.01, 64, True, "hamming", None, (16, 32))
    assert options.configure(Config, {"limit": "3", "steps": "1,2.5"}, "mel") == Config(limit=3, steps=(1.0, 2.5))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"hops": "1"}, "did you mean 'hop_s'"),
        ({"bands": "4.5"}, "is not a whole number"),
        ({"deltas": "maybe"}, "is not true or false"),
        ({"window": "box"}, "one of: hann, hamming"),
        ({"size": "8"}, "2 values are needed"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(fields, said):
    with pytest.raises(UsageError) as raised:
        options.configure(Config, fields, "mel")

    assert said in str(raised.value)


def test_an_assignment_without_a_method_is_refused():
    with pytest.raises(UsageError, match=r"NAME\.FIELD=VALUE"):
        options.split(["hop_s=1"])


def test_an_assignment_to_a_method_not_in_use_is_refused():
    with pytest.raises(UsageError, match="not in use"):
        options.refuse_unused(options.split(["mfcc.n=1"]), ["logmel"])


def test_names_with_dots_keep_them():
    assert options.split(["audio.mfcc.coefficients=20"]) == {"audio.mfcc": {"coefficients": "20"}}
