"""The hidden Markov model: its training, its sum, and what it does that plain warping does not."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.aligners.methods import hmm
from mmcli.errors import InputError, UsageError


def pair(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A curve, a noisy re-timed copy, and the planted state of each of its frames."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((80, 4)).cumsum(axis=0)
    planted = np.minimum(np.cumsum(np.concatenate([[0], rng.choice([0, 1, 2], size=90, p=[0.3, 0.5, 0.2])])), 79)
    planted[-1] = 79
    return x, x[planted] + 0.05 * rng.standard_normal((91, 4)), planted


def slow_score(x: np.ndarray, y: np.ndarray, path: np.ndarray, model: hmm.Model) -> float:
    """The log-density of the path and the query along it, term by term."""
    total = 0.0
    for t, s in enumerate(path):
        if t:
            total += model.log_moves[s - path[t - 1]]
        for d in range(x.shape[1]):
            v = model.variance[d]
            total += -0.5 * (np.log(2 * np.pi * v) + (y[t, d] - x[s, d]) ** 2 / v)
    return total


def test_a_planted_path_is_found() -> None:
    x, y, planted = pair()
    found = hmm.align(x, y)
    assert found.path is not None
    assert np.array_equal(found.path[:, 1], np.arange(len(y)))
    assert np.abs(found.path[:, 0] - planted).max() <= 1


def test_the_score_is_the_sum_along_the_path() -> None:
    x, y, _ = pair()
    model = hmm.start(x, y, hmm.Config())
    path, score = hmm.best_path(x, y, model)
    assert score == pytest.approx(slow_score(x, y, path, model), rel=1e-9)


def test_no_single_change_of_the_path_is_more_probable() -> None:
    x, y, _ = pair()
    model = hmm.start(x, y, hmm.Config())
    path, score = hmm.best_path(x, y, model)
    for t in range(1, len(path) - 1):
        for s in range(path[t - 1], min(path[t - 1] + 3, len(x))):
            if 0 <= path[t + 1] - s <= 2:
                other = path.copy()
                other[t] = s
                assert slow_score(x, y, other, model) <= score + 1e-9


def test_training_ends_where_the_path_stands_still() -> None:
    x, y, _ = pair()
    config = hmm.Config()
    found = hmm.align(x, y, config)
    assert found.path is not None
    path = found.path[:, 0]
    model = hmm.train(x, y, path, hmm.start(x, y, config), config)
    again, score = hmm.best_path(x, y, model)
    assert np.array_equal(again, path)
    assert found.cost == pytest.approx(-score, rel=1e-9)


def test_the_model_learns_which_dimension_can_be_trusted() -> None:
    rng = np.random.default_rng(1)
    clean = rng.standard_normal((100, 1)).cumsum(axis=0)
    x = np.hstack([clean, 3 * rng.standard_normal((100, 1))])
    y = np.hstack([clean, 3 * rng.standard_normal((100, 1))])
    path = hmm.align(x, y).path
    assert path is not None
    model = hmm.train(x, y, path[:, 0], hmm.start(x, y, hmm.Config()), hmm.Config())
    assert model.variance[0] < 0.1 * model.variance[1]
    assert np.abs(path[:, 0] - path[:, 1]).mean() < 1.0


def test_a_much_longer_reference_is_skipped_through() -> None:
    x = np.random.default_rng(0).standard_normal((100, 3)).cumsum(axis=0)
    found = hmm.align(x, x[::5])
    assert found.path is not None
    assert found.path[-1].tolist() == [99, 19]


def test_one_query_frame_cannot_pass_many_states() -> None:
    with pytest.raises(InputError):
        hmm.align(np.zeros((5, 1)), np.zeros((1, 1)))
    assert hmm.align(np.zeros((1, 1)), np.zeros((1, 1))).path is not None


@pytest.mark.parametrize("fields", [{"iterations": 0}, {"floor": 0.0}, {"stay": 0.6, "skip": 0.5}])
def test_configurations_that_mean_nothing_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        hmm.Config(**fields)  # type: ignore[arg-type]
