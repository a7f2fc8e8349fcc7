"""Every number that decides does: moved by a quarter, it changes what is said of a small made input near its margin.

The inputs stand in limit_cases/, a file for each kind of decision, and do not read the limits. Of most, one case lies
below and one above, so that a value moved either way is noticed, by the unmoved run here too.
"""

import dataclasses
import importlib
import pkgutil

import pytest

from mmcli.aligners.core import limits
from mmcli.aligners.core.limits import Limit
from tests.aligners.core import limit_cases
from tests.aligners.core.limit_cases.case import CASES

NAMES = [name for name, value in vars(limits).items() if isinstance(value, Limit)]
# The best of the wrong lies beyond the worst of the right, or the limit beyond both: texts of other languages that lack
# 0.44 of their words are taken for English.
THIN = {"STRANGE"}
HIGH_IS_RIGHT = {"ARRIVAL", "SHORT_ENOUGH", "MANY_SHARE", "PITCHES_VARIED", "VARIED", "LEAST_NULL", "WHOLE"}

for module in pkgutil.iter_modules(limit_cases.__path__):
    importlib.import_module(f"{limit_cases.__name__}.{module.name}")


def moved(limit: Limit, sign: int) -> Limit:
    """The limit a quarter lower or higher; whole numbers by one at least."""
    step = max(1, round(abs(limit.value) / 4)) if isinstance(limit.value, int) else abs(limit.value) / 4
    return dataclasses.replace(limit, value=limit.value + sign * step)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_decides_and_moved_by_a_quarter_decides_otherwise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case, expected = CASES[name]
    assert case() == expected
    limit: Limit = getattr(limits, name)
    changes = []
    for sign in (-1, 1):
        monkeypatch.setattr(limits, name, moved(limit, sign))
        changes.append(case() != expected)
    assert all(changes), f"{name} moved down: {changes[0]}, up: {changes[1]}"


def test_every_case_is_of_a_limit() -> None:
    assert set(CASES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_lies_between_its_figures(name: str) -> None:
    """A margin that is closed shows here; the thin ones are listed."""
    limit: Limit = getattr(limits, name)
    if limit.right is None or limit.wrong is None:
        return
    low, high = sorted((limit.right, limit.wrong))
    closed = not low <= limit.value <= high or (limit.right > limit.wrong) != (name in HIGH_IS_RIGHT)
    assert closed == (name in THIN)
