"""From what speaks for a map to the probability that it is right, and from there to one of three answers.

The odds of a decision are a linear function of its evidence on a logarithmic scale. Those of lines of sound are near a
logistic regression on 80 right lines and 111 strangers (``tests/benchmarks/corpus/odds.py choose``), the others were
set by hand on pairs of the same split: all are in-sample there. A map is given as a match where the probability is
limits.MATCH or more, refused below limits.NO, and called unsure between: then it is only written when it is asked for
all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmcli.aligners.core import limits
from mmcli.errors import MismatchError

Verdict = Literal["match", "unsure", "no match"]


@dataclass(frozen=True)
class Odds:
    """``log odds = at_zero + sum of weight * evidence``; evidence outside of ``ranges`` counts as their end."""

    at_zero: float
    weights: dict[str, float]
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def probability(self, evidence: Mapping[str, float]) -> float:
        """That a map with this evidence is right, 0.001 to 0.999.

        >>> Odds(-2.0, {"nats": 1.0}).probability({"nats": 2.0})
        0.5
        """
        total = self.at_zero
        for name, weight in self.weights.items():
            low, high = self.ranges.get(name, (-math.inf, math.inf))
            total += weight * min(max(evidence[name], low), high)
        return round(min(max(1.0 / (1.0 + math.exp(-min(max(total, -50.0), 50.0))), 0.001), 0.999), 4)


# Of the decisions, by name: what each is made of stands where the evidence is gathered.
ODDS = {
    "line": Odds(-4.6, {"ahead": 2.36, "heard": 2.92, "share": 1.1}, {"ahead": (0.0, 3.5)}),
    # Where short windows do not hold it: so a line crosses a warp. Movements by their strength are noisy, and pass.
    "line in doubt": Odds(-7.2, {"ahead": 4.0, "share": 3.5}, {"ahead": (0.0, 2.2)}),
    "line of frames": Odds(-7.2, {"ahead": 4.0, "share": 5.0}, {"ahead": (0.0, 3.0)}),
    # Strangers' pitch classes lie about 0.98 with a deviation of 0.045, their spectra about 0.95 with 0.07: what counts
    # is how far below that a pair lies, and only so far.
    "warp": Odds(
        33.4,
        {"spectra": -10.0, "pitches": -30.0, "steady": -25.0, "copied": -5.0, "repeats": -4.0},
        {"spectra": (0.45, 1.2), "pitches": (0.7, 1.2)},
    ),
    "voices": Odds(34.6, {"said": -40.0, "steady": -70.0, "copied": -40.0}, {"said": (0.5, 1.2)}),
    "frames": Odds(16.0, {"ratio": -32.0}),
    # How much better the words fit than backwards, and how well at all, nats a frame.
    "text": Odds(3.0, {"gain": 15.0, "forwards": 2.0}, {"gain": (-1.0, 1.0), "forwards": (-4.0, -2.2)}),
    "movement": Odds(-6.0, {"z": 0.5, "ahead": 2.6, "agrees": 3.2}),
    "line and warp": Odds(0.0, {"line": 1.0, "warp": 1.0}, {"line": (-3.0, 3.0), "warp": (-3.0, 3.0)}),
    "two kinds": Odds(40.0, {"ratio": -210.0}),
    # Pieces beyond the first: strangers find some, too. A rate that is neither 1 nor has a name speaks against cues.
    "cues": Odds(
        -3.7, {"ahead": 0.55, "on_time": 3.0, "simple": 2.4, "jumps": -2.0}, {"ahead": (0.0, 15.0), "jumps": (0.0, 3.0)}
    ),
}


def said(decision: str, evidence: Mapping[str, float]) -> dict[str, object]:
    """A decision, its probability and what speaks for it, as a map or a refusal states it.

    >>> said("two kinds", {"ratio": 0.19})["probability"]
    0.525
    """
    rounded = {name: round(float(value), 4) for name, value in evidence.items()}
    return {"decision": decision, "probability": ODDS[decision].probability(evidence), "evidence": rounded}


def logarithm(probability: float) -> float:
    """The logarithm of the odds of a probability between 0 and 1.

    >>> logarithm(0.5)
    0.0
    """
    return math.log(probability / (1.0 - probability))


def verdict(probability: float) -> Verdict:
    """The answer of three.

    >>> verdict(0.97), verdict(0.5), verdict(0.01)
    ('match', 'unsure', 'no match')
    """
    if probability >= limits.MATCH.value:
        return "match"
    return "unsure" if probability >= limits.NO.value else "no match"


def settled(
    probability: float,
    reason: str,
    name: str | None,
    *,
    force: bool,
    decides: str,
    evidence: Mapping[str, object] | None = None,
) -> str:
    """The verdict as the map states it. Raises MismatchError with the evidence where it is no match or unsure, unless
    ``force``; ``decides`` says what would settle an unsure one, ``evidence`` is what else the error holds."""
    answer = verdict(probability)
    if answer == "match":
        return answer
    if force:
        return "unsure" if answer == "unsure" else "no match (forced)"
    if answer == "unsure":
        what = f"may match the reference or not (probability {probability:.0%}): {reason}"
        error = MismatchError(what, source=name, hint=f"{decides}; --force makes the map all the same")
    else:
        error = MismatchError(
            f"does not match the reference: {reason}", source=name, hint="--force makes a map all the same"
        )
    measured: dict[str, object] = {
        "statistic": "probability",
        "value": probability,
        "limit": limits.MATCH.value,
        "verdict": answer,
        **(evidence or {}),
    }
    error.evidence = measured
    raise error
