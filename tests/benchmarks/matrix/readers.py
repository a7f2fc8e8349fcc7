"""mmcli, and what people use besides, each in the way its manual shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from matrix.cell import Cell


def mmcli_reads(path: Path, cell: Cell) -> Any:
    from mmcli.media import open_clip

    clip: Any = open_clip(path, cell.kind)
    if cell.kind == "video":
        return [time for time, _ in clip.frames()]
    return clip.samples(), clip.rate


def soundfile_reads(path: Path, cell: Cell) -> Any:
    import soundfile

    data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return data.mean(axis=1), rate


def librosa_reads(path: Path, cell: Cell) -> Any:
    import warnings

    import librosa

    warnings.simplefilter("ignore")  # it says of every file that it tries another reader

    return librosa.load(path, sr=None, mono=True)


def pyav_reads(path: Path, cell: Cell) -> Any:
    import av

    with av.open(str(path)) as container:
        if cell.kind == "video":
            return [f.time for f in container.decode(video=0)]
        stream = container.streams.audio[0]
        parts, rate = [], stream.rate
        for frame in container.decode(stream):
            data = frame.to_ndarray()
            data = data.T if frame.format.is_planar else data.reshape(-1, len(frame.layout.channels))
            scale = 1.0 if data.dtype.kind == "f" else float(2 ** (8 * data.dtype.itemsize - 1))
            parts.append(((data.astype(np.float32) - (128 if data.dtype == np.uint8 else 0)) / scale).mean(axis=1))
        return np.concatenate(parts), rate


PEERS = {"soundfile": soundfile_reads, "librosa": librosa_reads, "PyAV loop": pyav_reads}
FOR_SOUND = ("soundfile", "librosa")  # which say nothing about pictures
