"""The samples of a decoded frame of libav, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError

Float32 = NDArray[np.float32]
# What libav calls a kind of sample, without the p of planes that lie apart.
_KINDS = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


def values(frame: Any, name: object) -> Float32:
    """The samples of a PyAV frame, float32 ``(n, channels)``; integers scaled to [-1, 1) as libsndfile does.

    ``AudioFrame.to_ndarray`` is not asked: of more than eight channels that lie apart it reads planes until one is
    null, past the last one (PyAV 18), and takes the process along. Raises :class:`MediaError` for an unknown kind of
    samples.
    """
    from av.audio.plane import AudioPlane

    kind = frame.format.name.removesuffix("p")
    if kind not in _KINDS:
        raise MediaError(f"has samples of an unknown kind ({frame.format.name})", source=name)
    channels, count = len(frame.layout.channels), frame.samples
    dtype = np.dtype(_KINDS[kind])
    if frame.format.is_planar:
        planes: list[Any] = [AudioPlane(frame, k) for k in range(channels)]
        data = np.stack([np.frombuffer(plane, dtype, count) for plane in planes]).T
    else:
        plane: Any = AudioPlane(frame, 0)
        data = np.frombuffer(plane, dtype, count * channels).reshape(-1, channels)
    if dtype.kind == "u":
        return np.asarray((data.astype(np.float32) - 128) / 128, np.float32)
    if dtype.kind == "i":
        return np.asarray(data / float(2 ** (8 * dtype.itemsize - 1)), np.float32)
    return np.array(data, np.float32)
