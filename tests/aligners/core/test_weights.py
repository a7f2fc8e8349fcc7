"""Every weight of the odds decides: moved by a quarter either way, it changes the verdict on evidence near the margin.

The evidence does not read the weights: of each decision there is a case just below the limit and one just above.
"""

from __future__ import annotations

import dataclasses

import pytest

from mmcli.aligners.core import limits, odds

# The last number but one of each is where the two cases differ: (name, below, above).
CASES: dict[str, tuple[dict[str, float], tuple[str, float, float]]] = {
    "line": ({"heard": 1.0, "share": 0.9, "torn": 0.25}, ("ahead", 1.352, 1.403)),
    "line in doubt": ({"share": 0.9}, ("ahead", 1.469, 1.499)),
    "line of frames": ({"share": 0.95}, ("ahead", 0.944, 0.974)),
    "warp": ({"spectra": 0.75, "steady": 0.05, "copied": 0.1}, ("pitches", 0.7512, 0.7472)),
    "sections": (
        {"gain": 1.2, "elsewhere": 0.5, "steady": 0.03, "copied": 0.1},
        ("agree", 1.0062, 1.0092),
    ),
    "voices": ({"spectra": 0.8, "steady": 0.03, "copied": 0.05}, ("said", 0.7765, 0.7729)),
    "frames": ({}, ("ratio", 0.4586, 0.4548)),
    "text": ({"forwards": -2.5}, ("gain", 0.2366, 0.2446)),
    "movement": ({"z": 4.0, "agrees": 1.0}, ("ahead", 0.880, 0.927)),
    "line and warp": ({"line": 1.0}, ("warp", 0.326, 0.446)),
    "two kinds": ({}, ("ratio", 0.1842, 0.1836)),
    "cues": ({"simple": 1.0, "jumps": 1.0}, ("ahead", 12.8, 13.0)),
}
WEIGHTS = [(d, name) for d, w in limits.WEIGHTS.items() for name in w.by_name]
WEIGHTS += [(d, "at_zero") for d, w in limits.WEIGHTS.items() if w.at_zero]  # two witnesses have none


def verdicts(decision: str) -> list[str]:
    """Of the case below the limit and of the one above."""
    rest, (name, *values) = CASES[decision]
    return [odds.verdict(odds.probability(decision, {**rest, name: value})) for value in values]


def moved(weights: limits.Weights, name: str, sign: int) -> limits.Weights:
    """The weights with one of them a quarter larger or smaller."""
    if name == "at_zero":
        return dataclasses.replace(weights, at_zero=weights.at_zero * (1 + sign / 4))
    return dataclasses.replace(weights, by_name={**weights.by_name, name: weights.by_name[name] * (1 + sign / 4)})


@pytest.mark.parametrize(("decision", "name"), WEIGHTS)
def test_a_weight_moved_by_a_quarter_decides_otherwise(
    decision: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = limits.WEIGHTS[decision]
    assert verdicts(decision) == ["unsure", "match"]
    for sign in (-1, 1):
        monkeypatch.setitem(limits.WEIGHTS, decision, moved(kept, name, sign))
        assert verdicts(decision) != ["unsure", "match"], f"{name} moved by {sign}/4"


def test_no_probability_is_higher_than_known_maps_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, (name, _, above) = CASES["warp"]
    sure = {**rest, name: above, "spectra": 0.1, "pitches": 0.1, "steady": 0.0, "copied": 0.0}
    assert odds.probability("warp", sure) < limits.WEIGHTS["warp"].at_most
    monkeypatch.setitem(limits.WEIGHTS, "warp", dataclasses.replace(limits.WEIGHTS["warp"], at_most=0.7))
    assert odds.verdict(odds.probability("warp", sure)) == "unsure"
