"""Which method is kept: no more than one standard error under the best, compared as the test is taken."""

from __future__ import annotations

import numpy as np

from mmcli.artifacts.formats.events import Events
from mmcli.ranking import fit


def tried(name: str, figures) -> fit.Tried:
    return fit.Tried([fit.Part(name, None)], None, np.asarray(figures))


def test_the_first_is_kept_that_is_within_one_standard_error_of_the_best():
    rng = np.random.default_rng(0)
    best = tried("best", 0.3 + 0.1 * rng.random(400))
    noise = rng.normal(size=400)
    noise -= noise.mean()
    error = noise.std() / 400**0.5
    near, far = tried("near", best.each - noise - 0.9 * error), tried("far", best.each - noise - 1.1 * error)
    assert fit.preferred([far, near, best]) is near
    assert fit.preferred([far, best]) is best


def test_methods_are_compared_on_random_events_where_the_test_is_random():
    """Late in time everybody meets the fashions of the day, that nobody met before; at random they are met early."""
    rng = np.random.default_rng(1)
    user = np.repeat(np.arange(80), 20)
    old, late = rng.integers(0, 40, (80, 18)), 40 + rng.integers(0, 3, (80, 2))
    events = Events(
        [str(n) for n in range(80)],
        [str(n) for n in range(43)],
        user.astype(np.int32),
        np.concatenate([old, late], 1).ravel().astype(np.int32),
        np.arange(len(user), dtype=np.int64),
        time=np.tile(np.arange(20.0), 80),
        rows=len(user),
    )
    reached = {}
    for by in ("time", "random"):
        _, recipe = fit.train(events, np.ones(len(events), bool), {}, fit.Config(by=by))
        reached[by] = max(row["ndcg@20"] for row in recipe.candidates if row["method"] == "pop")
    assert reached["random"] > reached["time"] + 0.1
