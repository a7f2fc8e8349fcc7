"""Every release made from a data set, in a file beside it, and the budget that they may not pass together.

``DATASET.privacy.ndjson`` holds one line a release. It is written before the release is, so that a run that dies has
been counted. The ledger knows what was made from this data set through mmcli; other data sets made of the same
recordings have ledgers of their own, and their sum is for their owner to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcli.artifacts.io import append
from mmcli.artifacts.io.append import Journal
from mmcli.errors import ArtifactError, InputError, UsageError
from mmcli.training.private.budget import SCALES, Release, as_json, epsilon, from_json


@dataclass
class Ledger:
    """The releases so far; ``budget`` (epsilon, delta) once one was set."""

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    budget: tuple[float, float] | None = None

    def spent(self, delta: float, more: Sequence[Release] = ()) -> float:
        """Epsilon of everything in the ledger and ``more``, together, at ``delta``."""
        together = [*(r for row in self.rows for r in from_json(row["releases"])), *more]
        once = {r for r in together if r.what.startswith(SCALES)}  # models that share them release them once
        return epsilon([*(r for r in together if r not in once), *once], delta)


def beside(dataset: Path) -> Path:
    """Where the ledger of a data set is."""
    return dataset.with_name((dataset.stem if dataset.suffix == ".npz" else dataset.name) + ".privacy.ndjson")


def load(path: Path) -> Ledger:
    """The ledger in a file; an empty one where there is none."""
    ledger = Ledger(path)
    if not path.exists():
        return ledger
    for row in append.read(path):
        try:
            if "budget" in row:
                ledger.budget = float(row["budget"]["epsilon"]), float(row["budget"]["delta"])
                continue
            from_json(row["releases"])
            ledger.rows.append({"what": str(row["what"]), "unit": str(row["unit"]), "releases": row["releases"]})
        except (KeyError, TypeError, ValueError, UsageError) as problem:
            raise ArtifactError(f"is no ledger of releases ({problem})", source=path) from problem
    return ledger


def enter(
    path: Path, what: str, unit: str, releases: Sequence[Release], budget: tuple[float, float] | None, delta: float
) -> tuple[float, int]:
    """Write a release down; returns what all of them cost together at ``delta`` (the budget's, where there is one), and
    how many they are.

    A budget that was set holds until another is. Raises :class:`InputError`, and writes nothing, where the release
    would pass it, or where earlier releases protect other units.
    """
    with Journal(path) as journal:  # locked: two runs cannot both take the last of the budget
        ledger = load(path)
        if odd := next((row for row in ledger.rows if row["unit"] != unit), None):
            raise InputError(
                f"{odd['what']!r} protects each {odd['unit']}, this release each {unit}: their costs do not add up",
                source=path,
                hint=f"use unit={odd['unit']}",
            )
        held = budget or ledger.budget
        delta = held[1] if held else delta
        total = ledger.spent(delta, releases)
        if held is not None and total > held[0]:
            before = ledger.spent(delta)
            raise InputError(
                f"the budget is epsilon {held[0]:g} at delta {delta:g}; {before:.4g} are spent by {len(ledger.rows)} "
                f"releases, and with this one it would be {total:.4g}",
                source=path,
                hint="a smaller epsilon for this one; what is released cannot be taken back",
            )
        if budget is not None and budget != ledger.budget:
            journal.append({"budget": {"epsilon": budget[0], "delta": budget[1]}})
        journal.append({"what": what, "unit": unit, "releases": as_json(releases)})
    return total, len(ledger.rows) + 1


def parse(text: str) -> tuple[float, float]:
    """``epsilon=8,delta=1e-5`` as two numbers.

    >>> parse("epsilon=8,delta=1e-6"), parse("8")
    ((8.0, 1e-06), (8.0, 1e-05))
    """
    values = {"epsilon": "", "delta": "1e-5"}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            name, value = "epsilon", name
        if name not in values:
            raise UsageError(f"--budget has no {name!r}", hint="--budget epsilon=8,delta=1e-5")
        values[name] = value
    try:
        epsilon_, delta = float(values["epsilon"]), float(values["delta"])
    except ValueError:
        raise UsageError(f"--budget {text!r} is not epsilon=NUMBER,delta=NUMBER") from None
    if not (0 < epsilon_ < float("inf") and 0 < delta < 1):
        raise UsageError(f"--budget {text!r}: epsilon above 0, delta between 0 and 1")
    return epsilon_, delta
