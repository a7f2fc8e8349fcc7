"""A time column is in seconds; one that plainly is not is refused with the unit to give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import features
from mmcli.cli import app
from mmcli.errors import MediaError
from mmcli.media import MediaOptions, open_clip, timeunit

PLAINLY = {
    "epoch in s": (1.7e9 + np.arange(5) * 0.01, "s"),
    "epoch in ms": (1.7e12 + np.arange(5) * 10, "ms"),
    "epoch in us": (1.7e15 + np.arange(5) * 10_000, "us"),
    "epoch in ns": (1.7e18 + np.arange(5) * 1e7, "ns"),
    "50 Hz in ms": (np.arange(120) * 20.0, "ms"),
    "60 Hz in whole ms": (np.round(np.arange(12) * 1000 / 60), "ms"),
    "60 Hz in ms": (np.arange(120) * 1000 / 60, "ms"),
    "with a gap": (np.concatenate([np.arange(100), 500 + np.arange(100)]) * 10.0, "ms"),
    "100 Hz in us": (np.arange(120) * 10_000.0, "us"),
    "100 Hz in ns": (np.arange(120) * 1e7, "ns"),
}
MAY_BE = {
    "seconds": np.arange(500) * 1.0,
    "100 Hz": np.arange(5000) * 0.01,
    "a logger, few rows": np.arange(50) * 10.0,
    "minutes": np.arange(5000) * 60.0,
    "hours": np.arange(5000) * 3600.0,
    "days": np.arange(500) * 86400.0,
    "events": np.cumsum(np.random.default_rng(1).exponential(8.0, 300) + 0.1),
    "one row": np.array([5.0]),
}


@pytest.mark.parametrize("what", PLAINLY)
def test_what_is_plainly_no_seconds_is_told_its_unit(what: str) -> None:
    times, unit = PLAINLY[what]
    with pytest.raises(MediaError, match="not like seconds") as raised:
        timeunit.seconds(times, None, Path("a.csv"))
    assert f"--time-unit {unit}," in str(raised.value.hint)
    assert np.allclose(timeunit.seconds(times, unit, Path("a.csv")), times * timeunit.UNITS[unit])


@pytest.mark.parametrize("what", MAY_BE)
def test_what_may_be_seconds_is_read_as_seconds(what: str) -> None:
    assert timeunit.seconds(MAY_BE[what], None, Path("a.csv")) is MAY_BE[what]


def table(path: Path, times: np.ndarray, values: np.ndarray) -> Path:
    path.write_text(
        "time,x\n" + "".join(f"{t!r},{v!r}\n" for t, v in zip(times.tolist(), values.tolist(), strict=True))
    )
    return path


def test_every_kind_of_series_asks(tmp_path: Path) -> None:
    times = np.arange(120) * 20.0
    table(tmp_path / "a.csv", times, times)
    np.savez(tmp_path / "a.npz", time=times, x=times)
    np.save(tmp_path / "a.npy", np.array(list(zip(times, times, strict=True)), [("t", "f8"), ("x", "f8")]))
    for suffix in ("csv", "npz", "npy"):
        with pytest.raises(MediaError, match="looks like ms"):
            open_clip(tmp_path / f"a.{suffix}", "series")
        clip = open_clip(tmp_path / f"a.{suffix}", "series", options=MediaOptions(time_unit="ms"))
        assert getattr(clip, "rate_hz", None) == pytest.approx(50.0)


def test_the_commands_take_the_unit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(3)
    values = np.cumsum(rng.normal(size=600))
    a = table(tmp_path / "a.csv", np.arange(500) * 20.0, values[50:550])
    b = table(tmp_path / "b.csv", np.arange(500) * 20.0, values[:500])
    out = tmp_path / "a.npz"
    assert app.run(["extract", str(a), "-o", str(out)]) == 4
    assert "--time-unit ms" in capfd.readouterr().err
    assert app.run(["extract", str(a), "-o", str(out), "--time-unit", "ms"]) == 0
    assert features.load(out).times[-1] == pytest.approx(9.98)
    assert "times in ms" in features.load(out).meta["notes"]
    assert app.run(["extract", str(a), "-o", str(out), "--time-unit", "min"]) == 2

    assert app.run(["info", str(a)]) == 0
    assert "looks like ms (steps of 20): say --time-unit ms" in capfd.readouterr().out

    align = ["align", str(a), str(b), "-o", str(tmp_path / "m.json"), "--method", "offset"]
    assert app.run(align) == 4
    assert app.run([*align, "--time-unit", "ms"]) == 0
    assert json.loads((tmp_path / "m.json").read_text())["offset_s"] == pytest.approx(-1.0, abs=0.05)


def test_changes_that_float32_cannot_hold_are_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clock = table(tmp_path / "a.csv", np.arange(10) * 0.02, 1.7e9 + np.arange(10) * 1.0)
    assert app.run(["extract", str(clock), "-o", str(tmp_path / "a.npz")]) == 0
    assert "column 'x': float32 cannot hold 9 of its 9 changes" in capfd.readouterr().err
    fine = table(tmp_path / "b.csv", np.arange(10) * 0.02, 1e30 * np.arange(10))
    assert app.run(["extract", str(fine), "-o", str(tmp_path / "b.npz")]) == 0
    assert "float32 cannot" not in capfd.readouterr().err
