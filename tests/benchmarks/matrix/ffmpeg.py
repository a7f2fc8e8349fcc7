"""What ffmpeg says of a file: the samples on their clock, or the times of the pictures."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from matrix.cell import Cell


def probed(path: Path, *what: str) -> dict[str, Any]:
    done = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *what, str(path)], capture_output=True, check=False)
    return dict(json.loads(done.stdout or b"{}"))


def reference(path: Path, cell: Cell) -> tuple[Any, bool]:
    """(samples, rate, other fair lengths) or the times of the pictures, as ffmpeg has them; and whether it erred."""
    facts = probed(path, "-show_format", "-show_streams")
    streams = [s for s in facts.get("streams", []) if s["codec_type"] == cell.kind]
    if not streams:
        return None, True
    start = float(facts["format"].get("start_time", 0.0))
    if facts["format"]["format_name"] != "mpegts":  # there a clock that began anew after 33 bits: all of it is shown
        start = max(0.0, start)
    chosen = next((k for k, s in enumerate(streams) if s["disposition"]["default"]), 0)
    kind = cell.kind[0]
    check = subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-map", f"0:{kind}:{chosen}", "-f", "null", "-"],
        capture_output=True, check=False, timeout=900,
    )  # fmt: skip
    erred = bool(check.stderr.strip()) or check.returncode != 0
    entries = "frame=pts_time,best_effort_timestamp_time,nb_samples"
    frames = probed(path, "-select_streams", f"{kind}:{chosen}", "-show_entries", entries).get("frames", [])
    if kind == "v":
        known = [float(f["best_effort_timestamp_time"]) for f in frames if "best_effort_timestamp_time" in f]
        step = float(np.median(np.diff(known))) if len(known) > 1 else 0.0
        times: list[float] = []
        for f in frames:  # the last ones, which the decoder held back, may have no time
            told = f.get("best_effort_timestamp_time")
            times.append(float(told) - start if told is not None else (times[-1] if times else 0.0) + step)
        # Before the beginning that an edit list sets: decoded for what follows, not shown; some decoders give them too.
        return [t for t in times if t > -0.9 * step], erred
    rate, channels = int(streams[chosen]["sample_rate"]), int(streams[chosen]["channels"])
    tick = eval_fraction(streams[chosen]["time_base"])
    hard = max(0.0005, 1.3 * tick if tick < 0.005 else 0.1)
    if "ogg" in facts["format"]["format_name"]:
        hard = 0.1  # libav gives single packets of Vorbis a wrong time
    asks = f"aresample=async=1:min_comp=0.0005:min_hard_comp={hard}:first_pts=0"
    filters = [] if "chained" in cell.name else ["-af", asks]  # the clock begins anew: one part after the other
    raw = subprocess.run(
        ["ffmpeg", "-v", "quiet", "-nostdin", "-i", str(path), "-map", f"0:a:{chosen}", *filters, "-f", "f32le", "-"],
        capture_output=True, check=False, timeout=900,
    ).stdout  # fmt: skip
    samples = (
        np.frombuffer(raw[: len(raw) // 4 // channels * 4 * channels], np.float32).reshape(-1, channels).mean(axis=1)
    )
    begin = float(facts["format"].get("start_time", 0.0))
    lead = round(max(0.0, start - begin) * rate)
    if (
        streams[chosen]["codec_name"] == "opus"
        and begin > 0
        and frames
        and "matroska" in facts["format"]["format_name"]
    ):
        late = float(frames[0].get("pts_time", 0.0)) - begin
        lead += (
            round(late * rate) if 0 < late < 0.008 else 0
        )  # ffmpeg 5 counts from the priming, later ones from the sound
    if streams[chosen]["codec_name"] == "vorbis" and "ogg" in facts["format"]["format_name"] and frames:
        lead += round((float(frames[0].get("pts_time", 0.0)) - start) * rate)
    stream = streams[chosen]
    ends = [
        float(s["duration"]) + max(0.0, float(s.get("start_time", 0.0))) - start for s in [stream] if "duration" in s
    ]
    samples = samples[lead:]
    if facts["format"]["format_name"] in ("mpegts", "mpeg") and frames:
        # Of these ffmpeg takes the start of the tracks asked for; the clock here is that of the file, for all tracks.
        samples = np.concatenate([np.zeros(round((float(frames[0].get("pts_time", start)) - start) * rate)), samples])
    return (samples, rate, ends), erred


def eval_fraction(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)
