"""Films: re-encoded, cut, at another rate, silent; of another scene."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import sound
from pool import Made, Pool, kind
from sources import Recording


def length(path: Path | str) -> float:
    """Of a file, s."""
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json", str(path)],
        capture_output=True,
        check=True,
    )
    return float(json.loads(out.stdout)["format"]["duration"])


def frame(path: str) -> float:
    """Seconds of a frame: what is cut elsewhere is rounded to one by whoever cuts."""
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=avg_frame_rate",
        "-of",
        "json",
    ]
    out = subprocess.run([*command, path], capture_output=True, check=True)
    n, _, d = json.loads(out.stdout)["streams"][0]["avg_frame_rate"].partition("/")
    return int(d) / int(n)


def encode(
    source: str,
    target: Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    filters: str = "scale=320:-2",
    crf: int = 30,
) -> Path:
    """A part of a film through x264, silent."""
    span = ["-ss", f"{start:.3f}"] + (["-t", f"{end - start:.3f}"] if end is not None else [])
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            *span,
            "-i",
            source,
            "-an",
            "-vf",
            filters,
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            str(crf),
            "-pix_fmt",
            "yuv420p",
            str(target),
        ],
        check=True,
    )
    return target


def _film(pool: Pool) -> tuple[Recording, float]:
    r = pool.take([r for r in pool.of("film") if length(r.path) > 6])
    return r, min(length(r.path), 40.0)


@kind("film_coded", 5)
def film_coded(pool: Pool) -> Made:
    """Small, dark and coarse, some seconds later."""
    film, n = _film(pool)
    lead = round(pool.uniform(0, n / 4) / frame(film.path)) * frame(film.path)
    ref = encode(film.path, pool.folder / "ref.mp4", end=n)
    look = pool.choice(
        [
            "scale=240:-2",
            "scale=256:-2,eq=brightness=-0.15:contrast=0.8",
            "scale=200:-2,boxblur=2",
            "scale=320:-2,hue=s=0",
        ]
    )
    qry = encode(film.path, pool.folder / "qry.mp4", start=lead, end=n, filters=look, crf=38)
    return {"reference": ref.name, "query": qry.name, "truth": {"points": sound.points([(0, n - lead, lead, 1.0)])}}


@kind("film_rate", 5)
def film_rate(pool: Pool) -> Made:
    """Sped up from 24 to 25, slowed, at another number of frames a second."""
    film, n = _film(pool)
    rate = [25 / 24, 24 / 25, 1.001, 25 / 23.976][pool.at % 4]
    lead = round(pool.uniform(0, n / 5) / frame(film.path)) * frame(film.path)
    ref = encode(film.path, pool.folder / "ref.mp4", end=n)
    qry = encode(
        film.path,
        pool.folder / "qry.mp4",
        start=lead,
        end=n,
        filters=f"scale=256:-2,setpts=PTS/{rate:.6f},fps={[25, 24, 30, 25][pool.at % 4]}",
    )
    return {
        "reference": ref.name,
        "query": qry.name,
        "truth": {"points": sound.points([(0, (n - lead) / rate, lead, rate)])},
    }


@kind("film_cut", 5)
def film_cut(pool: Pool) -> Made:
    """A scene is missing."""
    film, n = _film(pool)
    step = frame(film.path)
    dropped = round(min(pool.uniform(1, 3), n / 5) / step) * step
    at = round(pool.uniform(0.3, 0.7) * n / step) * step - dropped / 2 // step * step
    ref = encode(film.path, pool.folder / "ref.mp4", end=n)
    gone = f"select='not(between(t,{at - step / 2:.4f},{at + dropped - step / 2:.4f}))'"
    look = f"fps={1 / step:.6f},{gone},setpts=N/FRAME_RATE/TB,scale=256:-2"
    qry = encode(film.path, pool.folder / "qry.mp4", end=n, filters=look)
    pieces = [(0.0, at, 0.0, 1.0), (at, n - dropped, at + dropped, 1.0)]
    return {
        "reference": ref.name,
        "query": qry.name,
        "truth": {"points": sound.points(pieces, 0.5, 0.15), "tolerance": 0.12},
    }


@kind("no_film", 8)
def no_film(pool: Pool) -> Made:
    """Another film, or the other half of one."""
    film, n = _film(pool)
    if pool.at % 2:
        ref = encode(film.path, pool.folder / "ref.mp4", end=n / 2 - 0.2)
        qry = encode(film.path, pool.folder / "qry.mp4", start=n / 2, end=n, filters="scale=256:-2")
    else:
        other = pool.take([r for r in pool.of("film") if r.group != film.group])
        ref = encode(film.path, pool.folder / "ref.mp4", end=min(n, 20.0))
        qry = encode(other.path, pool.folder / "qry.mp4", end=min(length(other.path), 20.0))
    return {"reference": ref.name, "query": qry.name, "truth": {"refuse": True}}
