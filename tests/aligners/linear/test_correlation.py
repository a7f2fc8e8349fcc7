"""Windows looked for in a long side block by block are found where a plain sum of products finds them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.linear import windows
from mmcli.aligners.linear.windows import positions, searched


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(30, 3000),
    share=st.floats(0.01, 1.0),
    bands=st.integers(1, 5),
    count=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_blocks_give_what_the_plain_sum_gives(frames: int, share: float, bands: int, count: int, seed: int) -> None:
    """At every place, whatever the lengths of side, window and block."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((frames, bands)).astype(np.float32)
    short = rng.standard_normal((count, max(1, int(share * frames)), bands)).astype(np.float32)
    found = list(windows.Searched(x, 0.0, 1.0).correlations(short))
    for got, w in zip(found, short, strict=True):
        plain = sum(np.correlate(x[:, k].astype(float), w[:, k].astype(float), "valid") for k in range(bands))
        np.testing.assert_allclose(got, plain, atol=1e-4 * np.sqrt(w.size) + 1e-4)


def test_few_at_a_time_are_the_same(monkeypatch) -> None:
    """How many windows are held at once changes nothing."""
    rng = np.random.default_rng(1)
    side = windows.Searched(rng.standard_normal((4000, 8)).astype(np.float32), 0.0, 1.0)
    short = rng.standard_normal((6, 50, 8)).astype(np.float32)
    whole = list(side.correlations(short))
    monkeypatch.setattr(windows, "AT_ONCE", 1)
    for a, b in zip(whole, side.correlations(short), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def test_a_side_kept_for_another_length_of_window_is_made_again() -> None:
    """Spectra and spreads belong to one length of window."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4000, 3)).astype(np.float32)
    kept = windows.Searched(x, 0.0, 1.0)
    for length in (40, 90, 41, 300, 40):
        w = x[100 : 100 + length][None]
        fresh = windows.Searched(x, 0.0, 1.0)
        np.testing.assert_array_equal(kept.spread(length), fresh.spread(length))
        np.testing.assert_array_equal(next(kept.correlations(w)), next(fresh.correlations(w)))


def test_no_more_windows_than_asked_for() -> None:
    """They are set further apart, and still lie where they belong."""
    x = np.random.default_rng(3).standard_normal((2000, 4))
    times = np.arange(2000) * 0.1
    found = positions(searched(x, times, 0.1), x[300:], times[300:] - 30.0, window_s=5.0, most=10)
    assert len(found.centre) <= 11
    np.testing.assert_allclose(found.lag[:, 0], 30.0, atol=0.01)
