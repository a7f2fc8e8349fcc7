"""Sound for several extractors is decoded once, and is the same sound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mmcli import extractors
from mmcli.media import limits
from mmcli.media.clips import AudioClip
from mmcli.media.kept import KeptClip

RATE = 22_050


class Counted:
    """A decoder that counts how often it runs, and pieces of uneven length."""

    def __init__(self) -> None:
        self.times = 0
        self.samples = np.random.default_rng(0).standard_normal(RATE * 2).astype(np.float32) * np.float32(0.1)

    def __call__(self) -> Iterator[np.ndarray]:
        self.times += 1
        yield from np.array_split(self.samples, 7)

    def clip(self) -> AudioClip:
        return AudioClip(name="x", rate=RATE, channels=1, duration_s=2.0, decode=self)


def test_every_rate_is_decoded_once() -> None:
    decoder = Counted()
    clip = KeptClip.keeping(decoder.clip())
    for rate in (16_000, 16_000, None, RATE, 16_000):
        for block_s in (0.1, 30.0):
            found = np.concatenate(list(clip.blocks(rate, block_s)))
            assert np.array_equal(found, decoder.clip().samples(rate))
    assert decoder.times - 10 == 2  # the ten are those compared with


@pytest.mark.parametrize("name", ["logmel", "mfcc", "chroma", "onset", "f0", "rms", "spectral"])
def test_an_extractor_after_others_gives_the_same_bytes(name: str) -> None:
    clip = KeptClip.keeping(Counted().clip())
    for other in ("mfcc", "rms", name):
        found = extractors.load(other).extract(clip)
    assert np.array_equal(found.values, extractors.load(name).extract(Counted().clip()).values)


def test_what_is_left_halfway_or_too_long_is_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Counted()
    clip = KeptClip.keeping(decoder.clip())
    next(clip.blocks(None, 0.5))
    assert len(clip.samples()) == RATE * 2
    monkeypatch.setattr(limits, "KEPT_BYTES", RATE * 4)
    short = KeptClip.keeping(decoder.clip())
    decoder.times = 0
    assert np.array_equal(short.samples(), short.samples())
    assert decoder.times == 2
