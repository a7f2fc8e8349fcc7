"""The speech that tests of sound alignment share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmcli.media import open_clip

RATE = 16000


@pytest.fixture(scope="session")
def speech(sample_data: Path) -> np.ndarray:
    """The reading, mono float32 at 16 kHz; tests must not write into it."""
    samples = open_clip(sample_data / "reading/reading.flac", "audio").samples(RATE)
    samples.flags.writeable = False
    return samples
