"""Folds of items for cross-validation: classes in equal shares, and a group (speaker, video) never on both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import InputError, MismatchError


def make(
    rows: NDArray[np.int64], classes: NDArray[np.int64] | None, groups: NDArray[np.str_], folds: int, seed: int
) -> list[NDArray[np.int64]]:
    """``rows`` divided into ``folds`` parts; ``classes`` and ``groups`` hold one entry for each row.

    Items of one group (an empty name is no group) stay together. Groups go, largest first, into the fold that they
    leave most even: in number and in the shares of the classes. Raises :class:`InputError` where there are fewer
    groups than folds.
    """
    rng = np.random.default_rng([seed, folds])
    names = np.array([g or f"\0{i}" for i, g in enumerate(groups.tolist())])
    distinct, member = np.unique(names, return_inverse=True)
    if len(distinct) < folds:
        found = f"{folds} folds need as many groups; there are {len(distinct)}"
        raise InputError(found, hint="lower the number of folds")
    kinds = np.zeros(len(rows), np.int64) if classes is None else classes
    count = np.zeros((len(distinct), int(kinds.max(initial=0)) + 1))
    np.add.at(count, (member, kinds), 1.0)
    turn = rng.permutation(len(distinct))
    turn = turn[np.argsort(-count[turn].sum(1), kind="stable")]
    held = np.zeros((folds, count.shape[1]))
    place = np.zeros(len(distinct), np.int64)
    wanted = np.maximum(count.sum(0) / folds, 1e-9)
    for group in turn:
        # the fold whose fullness, in the classes of this group and in all, is least
        full = (held / wanted) @ count[group] / count[group].sum() + held.sum(1) / wanted.sum()
        place[group] = int(np.argmin(full))
        held[place[group]] += count[group]
    return [np.sort(rows[place[member] == fold]) for fold in range(folds)]


def refuse_leak(groups: NDArray[np.str_], first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    """Raises :class:`MismatchError`, naming the group, where one has items on both sides."""
    both = (set(groups[first].tolist()) & set(groups[second].tolist())) - {""}
    if both:
        raise MismatchError(
            f"group {min(both)!r} has items on both sides of a split",
            hint="give every item of a group the same split",
        )
