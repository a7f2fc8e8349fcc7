"""How the figures of a page are written: those of one kind with as many decimals, so that a column can be read down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

LEAST, MOST = 3, 9  # decimals
ERRORS = ("mae", "rmse")  # figures in the unit of the labels, which may be of any size


@dataclass(frozen=True)
class Numbers:
    """``decimals`` of every figure of a page, of its differences, and of the ends of their intervals."""

    decimals: int = LEAST

    def number(self, value: Any) -> str:
        """A figure; what is no fraction as it is.

        >>> Numbers().number(0.75), Numbers().number(12345.6), Numbers().number(None), Numbers().number("x")
        ('0.750', '12345.600', '', 'x')
        """
        if value is None:
            return ""
        return self._written(value, "") if isinstance(value, float) else str(value)

    def signed(self, value: Any) -> str:
        """A difference with its sign; what is nothing at these decimals has none.

        >>> Numbers().signed(0.25), Numbers().signed(-0.25), Numbers().signed(-0.00004)
        ('+0.250', '−0.250', '0.000')
        """
        return "" if value is None else self._written(float(value), "+")

    def bounds(self, interval: Any, plus: bool = False) -> str:
        """An interval in words.

        >>> Numbers().bounds([0.1, 0.25]), Numbers().bounds([-0.1, 0.25], plus=True), Numbers().bounds(None)
        ('0.100 to 0.250', '−0.100 to +0.250', '')
        """
        if interval is None:
            return ""
        form = self.signed if plus else self.number
        return f"{form(float(interval[0]))} to {form(float(interval[1]))}"

    def _written(self, value: float, sign: str) -> str:
        text = f"{value:{sign}.{self.decimals}f}"
        return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−", 1)


def numbers_of(report: dict[str, Any]) -> Numbers:
    """Three decimals, and more where the errors of a regression would not show three digits of themselves.

    >>> numbers_of({"task": "regress", "metrics": {"mae": {"value": 0.00123}, "rmse": {"value": 0.002}}})
    Numbers(decimals=5)
    """
    errors = [report["metrics"].get(name, {}).get("value") for name in ERRORS]
    sizes = [abs(error) for error in errors if error]
    if report["task"] != "regress" or not sizes:
        return Numbers()
    return Numbers(min(max(LEAST, 2 - math.floor(math.log10(min(sizes)))), MOST))
