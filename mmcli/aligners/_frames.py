"""The frames by which sound is compared where no feature is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.features import Features

HOP_S = 0.01  # the path is within half of it, averaged over neighbouring frames well below
RANGE_DB = 50.0  # below the loudest band: what is softer is taken as silence, so that noise floors cost nothing


def comparable(sound: Any) -> Features:
    """Log-mel bands of an audio clip, float32 (frames, 64), every 10 ms, made fit for comparison.

    Everything softer than 50 dB below the loudest band counts as silence, and every band has mean 0 and deviation 1
    over the file: gain, equalisation and the noise floor then matter little, and the cosine compares shapes.
    """
    from mmcli import extractors

    module = extractors.load("logmel")
    found: Features = module.extract(sound, module.Config(hop_s=HOP_S))
    x = found.flat().astype(np.float64)
    x = standard(np.maximum(x, x.max() - RANGE_DB))
    return replace(found, values=np.ascontiguousarray(x, dtype=np.float32))


def pitch_classes(sound: Any) -> Features:
    """Chroma of an audio clip, float32 (frames, 12), every 20 ms, logarithmic so that soft notes count too.

    What two renditions of a piece share when instruments, voices and rooms differ.
    """
    from mmcli import extractors

    found: Features = extractors.load("chroma").extract(sound)
    return replace(found, values=np.log1p(10.0 * found.values).astype(np.float32))


def standard(x: NDArray[Any]) -> NDArray[np.float64]:
    """Every column with mean 0 and deviation 1; a constant column becomes 0.

    >>> standard(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    x = np.asarray(x, dtype=np.float64)
    deviation = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(deviation > 1e-6, deviation, 1.0))


def coarse(values: NDArray[Any], times: NDArray[np.float64], factor: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Means of every ``factor`` frames, and their mean times; what is left over at the end is left out.

    >>> coarse(np.arange(5.0)[:, None], np.arange(5.0), 2)[0].ravel().tolist()
    [0.5, 2.5]
    """
    if factor <= 1 or len(values) < 2 * factor:
        return values, times
    n = len(values) // factor * factor
    return (
        values[:n].reshape(n // factor, factor, -1).mean(axis=1),
        times[:n].reshape(n // factor, factor).mean(axis=1),
    )


def stacked(values: NDArray[Any], width: int) -> NDArray[np.float32]:
    """Every frame together with its neighbours, ``width`` frames in all (odd), side by side; ends are repeated.

    >>> stacked(np.array([[1.0], [2.0], [3.0]]), 3).tolist()
    [[1.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 3.0]]
    """
    padded = np.pad(values, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.hstack([padded[k : k + len(values)] for k in range(width)]).astype(np.float32)
