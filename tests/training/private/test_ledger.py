"""Epsilon is what other accountants say, and never less than the truth."""

from __future__ import annotations

import pytest

from mmcli.errors import InputError, MissingError, UsageError
from mmcli.training.private import ledger
from mmcli.training.private.ledger import PrivateConfig, Release

pytest.importorskip("dp_accounting", reason="needs the extra private")

# rate, noise, steps, and epsilon at delta 1e-5 by the PRV accountant of opacus 1.6.0 (bench_private.py prints it anew)
PRV = [
    (0.105, 2.0, 300, 4.43137),
    (0.105, 1.0, 300, 13.10674),
    (0.105, 0.7, 300, 27.20231),
    (0.01, 1.0, 3000, 3.20252),
    (0.01, 0.6, 3000, 12.05513),
    (0.004, 0.8, 10000, 3.54504),
    (0.5, 4.0, 100, 5.87903),
    (1.0, 10.0, 100, 4.38741),
    (1 / 600, 1.0, 36000, 1.66056),
]


@pytest.mark.parametrize(("rate", "noise", "steps", "theirs"), PRV)
def test_epsilon_is_within_a_percent_of_another_accountant(rate, noise, steps, theirs):
    assert ledger.epsilon([Release("training", noise, rate, steps)], 1e-5) == pytest.approx(theirs, rel=0.01)


@pytest.mark.parametrize("mu", [0.05, 0.27, 1.0, 2.5])
def test_epsilon_is_never_below_the_exact_curve(mu):
    total = ledger.epsilon([Release("a", 2**0.5 / mu), Release("b", 20**0.5 / mu, 1.0, 10)], 1e-5)
    assert ledger.exact(mu, 1e-5) <= total <= 1.001 * ledger.exact(mu, 1e-5)


@pytest.mark.parametrize(("rate", "steps"), [(1.0, 50), (0.1, 100)])
def test_the_noise_that_is_solved_for_spends_the_budget_and_no_more(rate, steps):
    beside = [ledger.counting(2.0, 1e-5)]
    noise = ledger.solve(2.0, 1e-5, rate, steps, beside)
    assert 1.99 < ledger.epsilon([*beside, Release("training", noise, rate, steps)], 1e-5) <= 2.0


def test_what_is_spent_already_cannot_be_spent_again():
    with pytest.raises(UsageError, match="is spent already"):
        ledger.solve(1.0, 1e-5, 1.0, 50, [Release("scales 12", 2.0)])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"epsilon": -1.0},
        {"epsilon": 1.0, "delta": 0.0},
        {"epsilon": 1.0, "unit": "user"},
        {"epsilon": 1.0, "clip": 0.0},
        {"epsilon": float("nan")},
        {"epsilon": 1.0, "low": 3.0, "high": 1.0},
    ],
)
def test_settings_that_promise_nothing_are_refused(wrong):
    with pytest.raises(UsageError):
        PrivateConfig(**wrong)


def test_a_ledger_adds_up_and_refuses_what_would_pass_its_budget(tmp_path):
    path, one = tmp_path / "d.privacy.ndjson", [Release("training", 10.0, 1.0, 50)]
    first, _ = ledger.enter(path, "train a.pt", "item", one, (5.0, 1e-5), 1e-5)
    second, count = ledger.enter(path, "train b.pt", "item", one, None, 1e-5)
    assert count == 2
    assert first < second < 2 * first
    before = path.read_text()
    with pytest.raises(InputError, match="the budget is epsilon 5") as refused:
        ledger.enter(path, "train c.pt", "item", one, None, 1e-5)
    assert refused.value.exit_code == 4
    assert path.read_text() == before
    ledger.enter(path, "train c.pt", "item", one, (9.0, 1e-5), 1e-5)  # said aloud, a budget may grow
    with pytest.raises(InputError, match="do not add up"):
        ledger.enter(path, "train d.pt", "group", one, None, 1e-5)


def test_scales_that_two_models_share_are_counted_once(tmp_path):
    path, scales = tmp_path / "d.privacy.ndjson", Release("scales 1f", 3.0)
    total = 0.0
    for name in "ab":
        total, _ = ledger.enter(path, name, "item", [scales, Release("training", 10.0, 1.0, 50)], None, 1e-5)
    assert total == pytest.approx(ledger.epsilon([scales, Release("both", 10.0, 1.0, 100)], 1e-5))


def test_without_the_accountant_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dp_accounting", None)
    with pytest.raises(MissingError, match="dp_accounting"):
        ledger.epsilon([Release("training", 1.2345)], 1e-5)
