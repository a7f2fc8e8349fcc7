"""From what speaks for a map to the probability that it is right, and from there to one of three answers.

The odds of a decision are a linear function of its evidence on a logarithmic scale, whose weights stand in
core/limits with what is known of them. A map is given as a match where the probability is limits.MATCH or more, refused
below limits.NO, and called unsure between: then it is only written when it is asked for all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from mmcli.aligners.core import limits
from mmcli.errors import MismatchError

Verdict = Literal["match", "unsure", "no match"]


def probability(decision: str, evidence: Mapping[str, float]) -> float:
    """That a map of a decision with this evidence is right, 0.001 to 0.999; the weights stand in limits.WEIGHTS.

    >>> probability("line", {"ahead": 0.0, "heard": 0.0, "share": 0.0, "torn": 0.0}) < 0.05
    True
    """
    weights = limits.WEIGHTS[decision]
    total = weights.at_zero
    for name, weight in weights.by_name.items():
        low, high = weights.ranges.get(name, (-math.inf, math.inf))
        total += weight * min(max(evidence[name], low), high)
    chance = weights.at_most / (1.0 + math.exp(-min(max(total, -50.0), 50.0)))
    return round(min(max(chance, 0.001), 0.999), 4)


def said(decision: str, evidence: Mapping[str, float]) -> dict[str, object]:
    """A decision, its probability and what speaks for it, as a map or a refusal states it.

    >>> said("two kinds", {"ratio": 0.19})["probability"]
    0.525
    """
    rounded = {name: round(float(value), 4) for name, value in evidence.items()}
    return {"decision": decision, "probability": probability(decision, evidence), "evidence": rounded}


def logarithm(chance: float) -> float:
    """The logarithm of the odds of a probability between 0 and 1.

    >>> logarithm(0.5)
    0.0
    """
    return math.log(chance / (1.0 - chance))


def verdict(chance: float) -> Verdict:
    """The answer of three.

    >>> verdict(0.97), verdict(0.5), verdict(0.01)
    ('match', 'unsure', 'no match')
    """
    if chance >= limits.MATCH.value:
        return "match"
    return "unsure" if chance >= limits.NO.value else "no match"


def settled(
    chance: float,
    reason: str,
    name: str | None,
    *,
    force: bool,
    decides: str,
    evidence: Mapping[str, object] | None = None,
) -> str:
    """The verdict as the map states it. Raises MismatchError with the evidence where it is no match or unsure, unless
    ``force``; ``decides`` says what would settle an unsure one, ``evidence`` is what else the error holds."""
    answer = verdict(chance)
    if answer == "match":
        return answer
    if force:
        return "unsure" if answer == "unsure" else "no match (forced)"
    if answer == "unsure":
        what = f"may match the reference or not (probability {chance:.0%}): {reason}"
        error = MismatchError(what, source=name, hint=f"{decides}; --force makes the map all the same")
    else:
        error = MismatchError(
            f"does not match the reference: {reason}", source=name, hint="--force makes a map all the same"
        )
    measured: dict[str, object] = {
        "statistic": "probability",
        "value": chance,
        "limit": limits.MATCH.value,
        "verdict": answer,
        **(evidence or {}),
    }
    error.evidence = measured
    raise error
