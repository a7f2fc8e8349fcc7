"""The extractors give what the libraries give, within 1e-5; make_golden.py says by which calls."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli import extractors
from mmcli.media.clips import AudioClip, TextClip

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-5


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_golden", HERE / "make_golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOUND = np.load(HERE / "sound.npz")
FIELDS = maker().FIELDS


def close(found: np.ndarray, golden: np.ndarray) -> None:
    assert found.shape == golden.shape
    assert np.abs(found - golden).max() <= TOLERANCE * max(1.0, float(np.abs(golden).max()))


SLOW = ("cens", "cqt")  # call librosa, which compiles for 20 s in a fresh installation


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[pytest.mark.hunt] if c in SLOW else []) for c in sorted(FIELDS)]
)
def test_equals_the_library(case: str) -> None:
    name, fields = FIELDS[case]
    module = extractors.load(name)
    clip = AudioClip.from_array(SOUND["samples"].astype(np.float32) / np.float32(32768), 22_050)
    found = module.extract(clip, module.Config(**fields)).values
    golden = SOUND[case]
    if case == "f0":  # the pitch where there is one: elsewhere the smallest of many equal dips is a matter of rounding
        clear = found[:, 1] < 0.1
        assert clear.sum() > 30
        found, golden = found[clear, :1], golden[clear]
    if case == "spectral":  # each measure on its own scale
        for column, wanted in zip(found.T, golden.T, strict=True):
            close(column, wanted)
        return
    close(found, golden)


def test_tfidf_equals_scikit_learn() -> None:
    module = extractors.load("tfidf")
    clips = [TextClip(name=str(i), text=text) for i, text in enumerate(maker().TEXTS)]
    state = module.fit(clips, module.Config())
    close(
        np.concatenate([module.extract(clip, module.Config(), state).values for clip in clips]),
        np.load(HERE / "text.npz")["tfidf"],
    )


@pytest.mark.hunt
def test_the_golden_files_are_what_the_libraries_give_today() -> None:
    """Slow in a fresh installation: librosa compiles for 20 s."""
    y = SOUND["samples"].astype(np.float32) / np.float32(32768)
    for case, call in maker().calls().items():
        close(call(y).astype(np.float32), SOUND[case])
