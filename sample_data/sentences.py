"""Sentences that narrow a digit down without naming it.

A clue is a property with two wordings and the digits it is true of. A sentence joins two clues of different kinds
("odd, and larger than four") that together still fit at least two digits, so the sentence alone never settles which
one it is. A digit whose name occurs in a sentence is not among the digits that the sentence may be said of.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Clue:
    """One property: its kind, its wordings, the digits that it is true of."""

    kind: str
    wordings: tuple[str, ...]
    digits: frozenset[int]


def _clue(kind: str, digits: str, *wordings: str) -> Clue:
    return Clue(kind, wordings, frozenset(int(digit) for digit in digits))


def _sizes() -> list[Clue]:
    clues = []
    for bound in (4, 5):
        word = NAMES[bound]
        above = "".join(str(digit) for digit in range(bound + 1, 10))
        below = "".join(str(digit) for digit in range(bound))
        clues.append(_clue("size", above, f"larger than {word}", f"more than {word}"))
        clues.append(_clue("size", below, f"smaller than {word}", f"less than {word}"))
    return clues


# The four is in neither clue about loops: a hand closes its top or leaves it open.
CLUES: tuple[Clue, ...] = (
    _clue("parity", "13579", "odd", "an odd number"),
    _clue("parity", "02468", "even", "an even number"),
    *_sizes(),
    _clue("factors", "2357", "prime", "a prime number"),
    _clue("factors", "0149", "a perfect square", "the square of a whole number"),
    _clue("shape", "0689", "written with a closed loop", "round somewhere, with a loop that closes"),
    _clue("shape", "12357", "written without any loop", "drawn with no closed loop"),
    _clue("shape", "147", "made of straight strokes", "drawn with straight lines only"),
)


def sentences(fewest: int, most: int) -> list[tuple[str, frozenset[int]]]:
    """Every sentence that may be said of ``fewest`` to ``most`` digits, with those digits."""
    found = []
    for first, second in itertools.permutations(CLUES, 2):
        if first.kind == second.kind:
            continue
        for one, other in itertools.product(first.wordings, second.wordings):
            text = f"{one}, and {other}"
            named = {NAMES.index(word) for word in re.findall(r"[a-z]+", text) if word in NAMES}
            digits = (first.digits & second.digits) - named
            if fewest <= len(digits) <= most:
                found.append((text, digits))
    return found
