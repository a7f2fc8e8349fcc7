"""No: a pair that does not match, with the reason in words for people and in numbers for programs."""

from __future__ import annotations

from mmcli.errors import MismatchError


def refusal(reason: str, name: str | None, *, statistic: str, value: float, limit: float) -> MismatchError:
    """The error to raise. ``evidence`` holds the numbers; batches write it to failures.jsonl.

    >>> refusal("too far", "b.wav", statistic="ratio", value=0.9, limit=0.5).evidence
    {'statistic': 'ratio', 'value': 0.9, 'limit': 0.5}
    """
    error = MismatchError(
        f"does not match the reference: {reason}", source=name or None, hint="--force makes a map all the same"
    )
    error.evidence = {"statistic": statistic, "value": round(float(value), 6), "limit": limit}
    return error
