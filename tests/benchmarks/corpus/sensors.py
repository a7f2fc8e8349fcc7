"""Two records of one motion: worn otherwise, at other rates, gyroscope against acceleration, optics against inertia."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import sound
from numpy.typing import NDArray
from pool import Made, Pool, kind
from scipy.io import loadmat
from scipy.signal import butter, sosfiltfilt
from scipy.stats import special_ortho_group
from sources import Recording

Array = NDArray[np.float64]
LEAST_S = 58.0  # of a phone's record: a window of 50 s and its lead must lie within


@lru_cache(maxsize=6)
def _broad(path: str) -> dict[str, Array]:
    """Acceleration, angular velocity, optical position and attitude at 285.7 Hz, within the movement."""
    m = loadmat(path)
    moving = np.flatnonzero(m["movement"][:, 0])
    span = slice(moving[0], moving[-1])
    return {k: np.asarray(m[k][span], float) for k in ("imu_acc", "imu_gyr", "opt_pos", "opt_quat")}


def _of_phone(path: Path) -> dict[str, tuple[Array, Array]]:
    """What a phone's application wrote: a file a sensor, seconds in the first column, or in the second behind stamps of
    nanoseconds; then x, y, z or z, y, x."""
    out = {}
    for q, name in (("gyr", "Gyroscope"), ("acc", "Accelerometer"), ("lin", "Linear Acceleration")):
        file = path.with_name(path.name.replace("Gyroscope", name))
        if file.exists():
            first = int("seconds_elapsed" in file.open().readline())
            d = np.genfromtxt(file, delimiter=",", skip_header=1)[:, first : first + 4]
            d = d[np.isfinite(d).all(axis=1)]
            d = d[np.r_[True, np.diff(d[:, 0]) > 0]]
            out[q] = (d[:, 0], d[:, 1:])
    return out


def records(pool: Pool, which: int) -> dict[str, tuple[Array, Array]]:
    """{quantity: (times, values)} of one motion that this pair has not used."""
    if pool.whole:
        return _of_phone(Path(pool.take(_unused(pool, pool.of("phone"))).path))
    if which % 4 == 3:
        rows = _unused(pool, pool.of("phone"))
        mine = pool.take(rows)
        stem = mine.path.rsplit("_", 1)[0]
        out = {}
        for q, suffix in (("acc", "accm"), ("gyr", "gyrm"), ("lin", "lacm")):
            path = Path(f"{stem}_{suffix}.csv")
            if path.exists():
                d = np.genfromtxt(path, delimiter=",", skip_header=1)
                d = d[np.all(np.isfinite(d), axis=1)] if d.ndim == 2 else d[:0, None]
                if len(d) < 2:
                    continue
                d = d[np.r_[True, np.diff(d[:, 0]) > 0]]
                out[q] = (d[:, 0], d[:, 1:4])
        if {"acc", "gyr"} <= set(out) and all(t[-1] - t[0] > LEAST_S for t, _ in out.values()):
            return out
    d = _broad(pool.take(_unused(pool, pool.of("imu"))).path)
    t = np.arange(len(d["imu_acc"])) / 285.7142857
    q = d["opt_quat"]
    q = np.where(np.isfinite(q).all(1)[:, None], q, np.nan)
    # from one attitude to the next: of the moment between them
    turn = np.full((len(q), 1), np.nan)
    turn[1:, 0] = 2 * np.arccos(np.clip(np.abs((q[1:] * q[:-1]).sum(1)), 0, 1)) * 285.7142857
    return {
        "acc": (t, d["imu_acc"]),
        "gyr": (t, d["imu_gyr"]),
        "turn": (t - 0.5 / 285.7142857, turn),
        "pos": (t, d["opt_pos"]),
    }


def _unused(pool: Pool, rows: list[Recording]) -> list[Recording]:
    """Motions that are not yet in the pair: two of its windows of one motion may overlap."""
    return [r for r in rows if f"{r.source}/{r.group}" not in pool.used] or rows


def part(
    record: tuple[Array, Array], start: float, length: float, hz: float, rate: float = 1.0, phase: float = 0.0
) -> tuple[Array, Array]:
    """Sampled anew at hz by a clock by which t_reference = start + rate * t, after a filter below half of hz."""
    t, v = record
    inside = (t >= start - 1) & (t <= start + length + 1)
    t, v = t[inside], v[inside]
    good = np.isfinite(v).all(1)
    source = 1 / float(np.median(np.diff(t)))
    grid = np.arange(t[0], t[-1], 1 / source)
    v = np.stack([np.interp(grid, t[good], c[good]) for c in v.T], 1)
    if hz < 0.9 * source:
        v = sosfiltfilt(butter(4, 0.4 * hz, fs=source, output="sos"), v, axis=0)
    at = np.arange(0, length / rate, 1 / hz) + phase
    return at, np.stack([np.interp(start + rate * at, grid, c) for c in v.T], 1)


def written(
    pool: Pool, a: tuple[Array, Array], b: tuple[Array, Array], names: tuple[str, str], **truth: object
) -> Made:
    """Two CSV files with a column of time."""
    for file, (t, v), name in (("ref.csv", a, names[0]), ("qry.csv", b, names[1])):
        head = ",".join(["time", *(f"{name}{c}" for c in "xyz"[: v.shape[1]])]) if v.shape[1] > 1 else f"time,{name}"
        np.savetxt(pool.folder / file, np.column_stack([t - t[0], v]), "%.6g", ",", header=head, comments="")
    return {"reference": "ref.csv", "query": "qry.csv", "truth": truth}


def _window(pool: Pool, t: Array, length: float) -> float:
    return pool.uniform(t[0] + 1, max(t[-1] - length - 2, t[0] + 1.5))


def _pair(
    pool: Pool, a: str, b: str, *, hz: tuple[float, float], turned: bool, noise: float = 0.05, ppm: float = 0.0
) -> Made:
    """Quantity a of a motion as the reference, b of it as the query, which starts later."""
    kept = records(pool, pool.at)
    if not {a, b} <= set(kept):
        kept = records(pool, 0)
        if pool.whole:
            a, b = "acc", "gyr"
        a, b = (a, b) if {a, b} <= set(kept) else ("turn", "gyr")
    length = min(pool.uniform(25, 50), min(t[-1] - t[0] for t, _ in (kept[a], kept[b])) - 4)
    start, lead, rate = _window(pool, kept[a][0], length), pool.uniform(0, 6), 1 + ppm * 1e-6
    one = part(kept[a], start, length, hz[0])
    two = part(kept[b], start + lead, length - lead - pool.uniform(0, 4), hz[1], rate, pool.uniform(0, 1 / hz[1]))
    first = float(two[0][0])
    v = two[1] @ special_ortho_group.rvs(3, random_state=pool.rng).T if turned and two[1].shape[1] == 3 else two[1]
    v = v + noise * v.std(0) * pool.rng.standard_normal(v.shape)
    end = float(two[0][-1]) - first
    pieces = [(0.0, end, lead + rate * first, rate)]
    return written(pool, one, (two[0], v), (a, b), points=sound.points(pieces))


@kind("imu_turned", 6)
def imu_turned(pool: Pool) -> Made:
    """Worn otherwise: the axes point elsewhere."""
    q = pool.choice(["acc", "gyr"])
    return _pair(pool, q, q, hz=(100, 100), turned=True, ppm=pool.uniform(-300, 300))


@kind("imu_rates", 6)
def imu_rates(pool: Pool) -> Made:
    """100 Hz against 62.5, 200, 50 or 119 Hz, as they are."""
    q = pool.choice(["acc", "gyr"])
    return _pair(pool, q, q, hz=(100, [62.5, 200, 50, 119][pool.at % 4]), turned=False, ppm=pool.uniform(-800, 800))


@kind("imu_gyro_acc", 6)
def imu_gyro_acc(pool: Pool) -> Made:
    """Angular velocity against acceleration of one motion, worn otherwise in half."""
    return _pair(pool, "gyr", "acc", hz=(100, [100, 50, 62.5][pool.at % 3]), turned=pool.flip())


@kind("imu_other", 6)
def imu_other(pool: Pool) -> Made:
    """Another sensor of one motion: cameras that see it turn against a gyroscope, a phone's own linear acceleration."""
    if pool.at % 4 == 3:
        return _pair(pool, "acc", "lin", hz=(100, 50), turned=False)
    return _pair(pool, "turn", "gyr", hz=(120, 100), turned=True, noise=0.02)


@kind("no_imu", 14)
def no_imu(pool: Pool) -> Made:
    """Another trial or person; another part of one trial; other muscles' tension of two persons."""
    length = pool.uniform(15, 30)
    if pool.at % 3 == 2 and (rows := pool.of("muscle")):
        files = [pool.take(rows) for _ in range(2)]
        if files[0].group != files[1].group:
            out = []
            for f in files:
                d = np.genfromtxt(f.path, delimiter=",", skip_header=1)
                d = d[np.isfinite(d).all(1)]
                out.append((d[:, 0] - d[0, 0], 1e6 * d[:, 1:2]))
            return written(pool, out[0], out[1], ("emg", "emg"), refuse=True)
    q = pool.choice(["acc", "gyr"])
    kept = records(pool, pool.at)
    length = min(length, kept[q][0][-1] - kept[q][0][0] - 4)
    if pool.at % 3 == 1:
        t = kept[q][0]
        half = (t[0] + t[-1]) / 2
        length = min(length, (t[-1] - t[0]) / 2 - 4)
        a, b = part(kept[q], t[0] + 1, length, 100), part(kept[q], half + 1, length, 100)
    else:
        other = records(pool, 0)
        a, b = (
            part(kept[q], _window(pool, kept[q][0], length), length, 100),
            part(other[q], _window(pool, other[q][0], length), length, 100),
        )
    return written(pool, a, b, (q, q), refuse=True)
