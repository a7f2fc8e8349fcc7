"""What a page shows and plays of one side of a pair, small enough to travel inside it."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners._frames import standard
from mmcli.aligners._sides import Side
from mmcli.artifacts.features import Features

LIMIT = 16_000_000  # bytes of a recording inside the page, about an hour and a half; what is larger is linked
PEAKS_HZ, MOST_PEAKS = 100.0, 60_000
STRIP_FRAMES, STRIP_HEIGHT = 40, 54  # pixels
HEAT_FRAMES, HEAT_ROWS = 1200, 32
SHOWN = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm"}  # by browsers, as it is
LINKED = {".mp3": "audio/mpeg", ".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".m4a": "audio/mp4"}


def of(side: Side, page: Path, *, limit: int = LIMIT) -> dict[str, Any]:
    """One lane: ``name``, ``duration`` in seconds, ``kind`` of picture with its content, ``media`` to play, ``note``.

    ``page`` is where the page will stand, for the links to recordings that are too large to go in. Raises as the
    readers of media do.
    """
    about = side.about()
    lane: dict[str, Any] = {"name": about["name"], "duration": about["duration_s"], "kind": "none", "note": ""}
    if side.has_frames:
        return lane | {"kind": "heat", "heat": heat(side.features)}
    if side.modality in ("subtitle", "text"):
        return lane | {"kind": "lines"}
    if side.modality == "video":
        from mmcli.media import embed, listen, open_clip

        clip: Any = open_clip(side.path, "video")
        found = listen.strip(clip, STRIP_FRAMES, STRIP_HEIGHT)
        strip = {"uri": embed.uri("image/jpeg", found.jpeg), "times": found.times, "width": found.width}
        lane |= {"kind": "strip", "strip": strip | {"height": found.height}}
    if side.has_sound:
        rate = min(PEAKS_HZ, MOST_PEAKS / max(side.sound.duration_s, 1.0))
        lane |= {"peaks": {"rate": rate, "data": _packed(peaks(side.sound, rate))}}
        lane["kind"] = "wave" if lane["kind"] == "none" else lane["kind"]
    return lane | _playable(side, page, limit)


def peaks(sound: Any, rate: float) -> NDArray[np.uint8]:
    """The largest absolute sample of every ``1 / rate`` seconds, 255 for the largest of the clip, uint8 ``(n,)``."""
    size = max(1, round(sound.rate / rate))
    found = []
    rest = np.empty(0, np.float32)
    for block in sound.blocks():
        rest = np.concatenate([rest, block])
        n = len(rest) // size
        found.append(np.abs(rest[: n * size]).reshape(n, size).max(axis=1))
        rest = rest[n * size :]
    if len(rest):
        found.append(np.abs(rest).max(keepdims=True))
    joined = np.concatenate(found)
    return np.asarray(np.round(255 * joined / max(float(joined.max()), 1e-9)), dtype=np.uint8)


def heat(features: Features) -> dict[str, Any]:
    """Values over time as shades: at most HEAT_ROWS rows by HEAT_FRAMES columns, uint8, row after row."""
    values, times = features.flat(), features.times
    columns = np.linspace(0, len(values), min(HEAT_FRAMES, len(values)) + 1).astype(np.int64)
    rows = np.linspace(0, values.shape[1], min(HEAT_ROWS, values.shape[1]) + 1).astype(np.int64)
    by_time = np.add.reduceat(values.astype(np.float64), columns[:-1], axis=0) / np.diff(columns)[:, None]
    both = standard(np.add.reduceat(by_time, rows[:-1], axis=1) / np.diff(rows))
    shades = np.clip(np.round(127.5 + both.T * 60.0), 0, 255).astype(np.uint8)
    return {
        "rows": len(shades),
        "columns": shades.shape[1],
        "start": float(times[0]),
        "end": float(times[-1]),
        "data": _packed(shades),
    }


def _playable(side: Side, page: Path, limit: int) -> dict[str, Any]:
    """``media``: {type, data} inside the page or {type, link} beside it, and a ``note`` where something is amiss."""
    size = side.path.stat().st_size
    suffix = side.path.suffix.lower()
    if side.modality == "video" and suffix in SHOWN and size <= limit:
        media = {"type": SHOWN[suffix], "data": base64.b64encode(side.path.read_bytes()).decode("ascii")}
        return {"media": media, "picture": True}
    if side.has_sound and side.sound.duration_s * 3000 <= limit:  # bytes a second
        from mmcli.media import listen

        data = base64.b64encode(listen.opus(side.sound)).decode("ascii")
        return {"media": {"type": "audio/webm", "data": data}, "picture": False}
    if suffix not in SHOWN | LINKED:
        return {"media": None, "note": f"{side.path.name} cannot be played by a page, and is too large to be put in."}
    link = os.path.relpath(side.path.resolve(), page.resolve().parent)
    note = f"{side.path.name} is too large to be put in; it is played from {link}, beside this page."
    media = {"type": (SHOWN | LINKED)[suffix], "link": Path(link).as_posix()}
    return {"media": media, "picture": suffix in SHOWN, "note": note}


def _packed(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
