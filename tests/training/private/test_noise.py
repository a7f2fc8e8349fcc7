"""The noise is Gaussian, of the size that is claimed, and on a grid that hides the secret's last bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from mmcli.training.private import noise


def seeded(seed: int) -> noise.Read:
    rng = np.random.default_rng(seed)
    return lambda count: rng.bytes(count)


def test_noise_is_normal_of_the_size_that_is_claimed():
    drawn = noise.normal(400_001, seeded(1))
    assert len(drawn) == 400_001
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    (total,) = noise.add([torch.zeros(300_000)], 0.5, 4.0, seeded(2))
    assert float(total.std()) == pytest.approx(4.0 * 0.5 * (1 + 2**-10), rel=0.005)
    pairs = noise.normal(200_000, seeded(3))
    assert abs(np.corrcoef(pairs[:100_000], pairs[100_000:])[0, 1]) < 0.015


@pytest.mark.parametrize("secret", [1 / 3, -2.7e-4, 55.123456789])
def test_every_answer_is_a_whole_number_of_cells_whatever_the_secret(secret: float):
    sums = [torch.full((40, 5), secret), torch.full((7,), -secret)]
    noised = noise.add(sums, 1.0, 2.0, seeded(4))
    assert [tuple(n.shape) for n in noised] == [(40, 5), (7,)]
    for values in noised:
        cells = values / noise.cell(1.0, 207)
        assert bool((cells == cells.round()).all())


def test_rounding_to_the_grid_stays_inside_the_slack_that_is_counted():
    for numbers in (1, 7, 2500, 10**6):
        side = noise.cell(1.5, numbers)
        assert side * np.sqrt(numbers) <= noise.sensitivity(1.5) - 1.5 <= 2 * side * np.sqrt(numbers)


def test_without_noise_nothing_changes():
    sums = [torch.randn(3, 4)]
    assert torch.equal(noise.add(sums, 1.0, 0.0)[0].float(), sums[0])


def test_units_are_drawn_by_their_own_coins():
    sizes = np.array([len(noise.coins(2000, 0.1, seeded(s))) for s in range(300)])
    spread = ((sizes - 200) ** 2).sum() / 180
    assert 1e-4 < stats.chi2.cdf(spread, 300) < 1 - 1e-4
    assert noise.coins(5, 1.0).tolist() == [0, 1, 2, 3, 4]


def test_two_draws_from_the_operating_system_differ():
    assert not np.array_equal(noise.normal(100), noise.normal(100))
    assert abs(noise.count(1000, 5.0) - 1000) < 60
