"""Canonical time warping finds a planted warp between series that have no column in common, and `auto` chooses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.aligners.methods import auto, ctw, dtw
from mmcli.aligners.warp import canonical
from mmcli.artifacts.formats import alignment, features
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app
from mmcli.errors import InputError, MismatchError, UsageError

Pair = tuple[np.ndarray, np.ndarray, np.ndarray]


def smooth(rng: np.random.Generator, frames: int, dims: int, width: int = 31) -> np.ndarray:
    kernel = np.hanning(width) / np.linalg.norm(np.hanning(width))
    rows = [np.convolve(rng.standard_normal(frames + width - 1), kernel, "valid") for _ in range(dims)]
    return np.column_stack(rows)


def planted(seed: int, hidden: int = 3, a: int = 6, b: int = 4, noise: float = 0.02, frames: int = 400) -> Pair:
    """One hidden movement seen through two random projections, the second at another pace; and the true rows of x."""
    rng = np.random.default_rng(seed)
    movement = smooth(rng, frames, hidden)
    s = np.linspace(0, 1, frames)
    pace = s + 0.05 * np.sin(2 * np.pi * s) * rng.choice([-1, 1])
    rows = np.interp(np.linspace(0, 1, int(0.8 * frames)), s, pace) * (frames - 1)
    again = np.column_stack([np.interp(rows, np.arange(frames), c) for c in movement.T])
    x, y = movement @ rng.standard_normal((hidden, a)), again @ rng.standard_normal((hidden, b))
    x, y = (v + noise * v.std() * rng.standard_normal(v.shape) for v in (x, y))
    return x, y, rows


def error(path: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.abs(np.interp(np.arange(len(rows)), path[:, 1], path[:, 0]) - rows)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [{}, {"hidden": 1, "a": 3, "b": 1}, {"a": 20, "b": 2}, {"frames": 2500}])
def test_two_projections_of_one_warped_movement_are_found(seed: int, shape: dict[str, int]) -> None:
    x, y, rows = planted(seed, **shape)
    off = error(ctw.align(x, y).path, rows)
    assert off.mean() < 2.0
    assert np.percentile(off, 95) < 6.0


def test_on_equal_widths_it_sees_through_what_dtw_does_not() -> None:
    """Columns mixed at random: dtw compares what has nothing to do with each other. Unmixed, dtw is as good."""
    for seed in range(5):
        x, y, rows = planted(seed, a=4, b=4)
        own, plain = (error(method.align(x, y).path, rows).mean() for method in (ctw, dtw))
        assert own < 1.5
        assert plain > 2 * own
    rng = np.random.default_rng(9)
    x = smooth(rng, 300, 3)
    y = x[::2] + 0.02 * rng.standard_normal(x[::2].shape)
    rows = np.arange(0.0, 300.0, 2.0)
    assert error(dtw.align(x, y).path, rows).mean() < 1.0
    assert error(ctw.align(x, y).path, rows).mean() < 1.0


@pytest.mark.parametrize("seed", range(10))
def test_the_cost_falls_with_every_turn_and_the_turns_end(seed: int) -> None:
    x, y, _ = planted(seed, noise=0.3)
    for path in canonical.starts(x - x.mean(axis=0), y - y.mean(axis=0)):
        found = canonical.alternate(x, y, path, dims=0, ridge=1e-3, most=30, tolerance=1e-6)
        assert np.all(np.diff(found.costs) < 0)
        assert len(found.costs) <= 30
        assert 0 <= found.cost <= 1
    one = canonical.alternate(x, y, path, dims=0, ridge=1e-3, most=1, tolerance=1e-6)
    assert len(one.costs) == 1


def test_units_and_mixtures_do_not_matter() -> None:
    x, y, _ = planted(3)
    found = ctw.align(x, y, ctw.Config(ridge=1e-9))
    turned = ctw.align(1000.0 * x + 7.0, y @ np.random.default_rng(1).standard_normal((4, 4)), ctw.Config(ridge=1e-9))
    assert found.cost == pytest.approx(turned.cost, abs=0.02)


def test_auto_takes_it_for_two_kinds_and_refuses_strangers() -> None:
    for seed in range(6):
        x, y, rows = planted(seed)
        found = auto.align(x, y)
        assert found.path is not None
        assert error(found.path, rows).mean() < 1.5
        assert "canonical time warping" in found.quality["reason"]
        other = planted(seed + 50)[1]
        with pytest.raises(MismatchError, match="in the space that both share"):
            auto.align(x, other)
        with pytest.raises(MismatchError):
            auto.align(x, np.ascontiguousarray(y[::-1]))
    assert auto.align(x, other, auto.Config(force=True)).quality["verdict"] == "no match (forced)"


def test_features_of_two_extractors_are_two_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y, rows = planted(1, a=4, b=4)

    def save(name: str, values: np.ndarray, extractor: str) -> str:
        times = np.arange(len(values)) / 50.0
        features.save(tmp_path / name, Features(values.astype(np.float32), times, {"extractor": extractor}))
        return str(tmp_path / name)

    ends = [save("a.npz", x, "one"), save("b.npz", y, "other"), "-o", str(tmp_path / "m.json")]
    assert app.run(["align", *ends, "--method", "dtw"]) == 4
    assert "--method ctw" in capsys.readouterr().err
    for method in ("auto", "ctw"):
        assert app.run(["align", *ends, "--method", method, "-q"]) == 0
        found = alignment.load(tmp_path / "m.json")
        assert found.path is not None
        assert error(found.path, rows).mean() < 1.5


@pytest.mark.parametrize("shape", [((1, 3), (9, 2)), ((2, 1), (2, 4)), ((5, 30), (4, 40)), ((900, 1), (3, 2))])
def test_short_and_wide_sides_end_in_a_path(shape: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(s) for s in shape)
    if len(x) == 1:
        with pytest.raises(InputError, match="reference does not change"):
            ctw.align(x, y)
        return
    found = ctw.align(x, y)
    assert found.path is not None
    assert found.path[-1].tolist() == [len(x) - 1, len(y) - 1]


def test_what_does_not_change_and_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="query does not change"):
        ctw.align(np.arange(10.0)[:, None], np.ones((10, 2)))
    with pytest.raises(InputError, match="query does not change"):
        auto.align(np.arange(10.0)[:, None], np.ones((10, 2)))
    for field in ({"dims": -1}, {"ridge": 0.0}, {"most": 0}, {"tolerance": -1.0}):
        with pytest.raises(UsageError):
            ctw.Config(**field)
