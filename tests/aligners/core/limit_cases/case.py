"""A case of a limit: what is decided near it, and what of that is right. The inputs do not read the limits."""

from collections.abc import Callable
from typing import Any

from mmcli.errors import MismatchError

RATE = 16_000
CASES: dict[str, tuple[Callable[[], Any], Any]] = {}


def decides(name: str, expected: Any) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Registers what is decided near a limit, and what of it is right."""

    def register(case: Callable[[], Any]) -> Callable[[], Any]:
        assert name not in CASES
        CASES[name] = case, expected
        return case

    return register


def near(name: str, function: Callable[[Any], Any], below: Any, above: Any, expected: Any = (False, True)) -> None:
    """A case of one function on either side of the limit."""
    decides(name, list(expected))(lambda: [function(below), function(above)])


def verdict(align: Callable[[], Any]) -> Any:
    """What comes of it, or "refused"."""
    try:
        return align()
    except MismatchError:
        return "refused"
