"""What is said in a recording, whoever says it: how likely each sound of English is, every 10 ms.

A person and a synthetic voice share little of their spectra, and two voices in another order share as much. What the
acoustic model hears in them is closer: the probabilities of its 42 sounds, pauses and noises among them, as square
roots, so that their squared distance is that of Hellinger. Other languages are heard in English sounds, alike on both
sides. It takes 3 s of CPU a minute, so only pairs of speech that spectra and pitch classes would refuse are asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import frames, inputs, shuffle_test
from mmcli.aligners.core.shuffle_test import Evidence
from mmcli.aligners.speech import phones
from mmcli.aligners.warp import views
from mmcli.artifacts.formats.features import Features

# The ratio of costs up to which two recordings say the same. People and voices of espeak-ng reading out digits, pieces
# of music, texts, and all of them backwards: of 143 wrong pairs of 8 s and more none lay below 0.90, of 37 right ones
# 32 lay at 0.86 or below. Shorter ones overlap.
LIMIT = 0.86
SHORTEST_S, LONGEST_S = 8.0, 300.0
SOFT = 2.0  # by which log-likelihoods are divided: neighbouring frames are no independent witnesses
MIDDLE_S = 0.0128  # of a frame of the model, from its beginning
TEST_HOP_S = 0.05


def measure(x: Any, y: Any) -> tuple[Evidence, tuple[bool, bool]] | None:
    """The statistic of two AudioClips, and which ends it leaves open; None where they are too short or too long."""
    lengths = [float(frames.comparable(v).times[-1]) for v in (x, y)]
    if min(lengths) < SHORTEST_S or max(lengths) > LONGEST_S:
        return None
    found = [_sounded(v) for v in (x, y)]
    (a, at), (b, bt) = (
        frames.coarse(f.values - f.values.mean(axis=0), f.times, round(TEST_HOP_S / frames.HOP_S)) for f in found
    )
    thin = views.View(a, b, at, bt, "cosine")
    return shuffle_test.best(a, b, TEST_HOP_S, "cosine", ends=thin.ends(), shuffles=4)


def view(x: Any, y: Any) -> views.View:
    """Both sides as what is heard in them."""
    a, b = (_sounded(v) for v in (x, y))
    return views.View(a.values, b.values, a.times, b.times, "sqeuclidean")


@frames.once
def _sounded(sound: Any) -> Features:
    """Square roots of the probabilities of the sounds, float32 (frames, 42), every 10 ms."""
    ratios = phones.hear(sound.samples(phones.RATE), inputs.name_of(sound)).ratios.astype(np.float32)
    best: NDArray[np.float32] = ratios.reshape(len(ratios), len(phones.names()), -1).max(axis=2)
    chance = np.exp(best / SOFT)
    values = np.sqrt(chance / chance.sum(axis=1, keepdims=True)).astype(np.float32)
    times = np.asarray(MIDDLE_S + frames.HOP_S * np.arange(len(values)), dtype=np.float64)
    return Features(values=values, times=times, meta={})
