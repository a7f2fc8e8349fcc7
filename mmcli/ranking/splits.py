"""Which events are held out: the last of every user in time, a random share, whole items, or rows that are given.

A split by time is the rule. A random one lets a model see what came after the events it is asked for, and flatters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mmcli.artifacts.formats.events import SPLITS, Events
from mmcli.artifacts.io import npz, provenance
from mmcli.errors import ArtifactError, UsageError
from mmcli.registry import nearest

Mask = NDArray[np.bool_]
Matrix = Any  # csr: scipy says nothing of its types
TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
NEW_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class Held:
    """What is held out of some events: ``test`` bool ``(events,)``; ``new`` bool ``(items,)``, items whose events are
    all held out; ``rule`` in words; ``flatters`` where the future can be seen.
    """

    test: Mask
    new: Mask
    rule: str
    flatters: bool = False


def histories(events: Events, keep: Mask | None = None) -> Matrix:
    """Users by items, float32 ones, of the events in ``keep``."""
    user, item = (events.user, events.item) if keep is None else (events.user[keep], events.item[keep])
    shape = (len(events.users), len(events.items))
    matrix = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=shape)
    matrix.data[:] = 1  # a pair stands once
    return matrix


def masked(matrix: Matrix, keep: Mask) -> Matrix:
    """The histories with the columns of ``keep``, bool ``(items,)``, alone filled."""
    result = sp.csr_matrix(matrix @ sp.diags(keep.astype(np.float32)))
    result.eliminate_zeros()
    result.sort_indices()
    return result


def last_of_each(events: Events, keep: Mask, share: float, *, seed: int | None = None) -> Mask:
    """The last ``share`` of every user's kept events in time, rounded down; with a seed a random share instead.

    Ties go by the order of the file. A user of so few events that the share is none keeps them all.
    """
    index = np.flatnonzero(keep)
    user = events.user[index]
    if seed is not None:
        second: NDArray[Any] = np.random.default_rng(seed).random(len(index))
    else:
        second = index.astype(np.float64) if events.time is None else events.time[index]
    order = np.lexsort((index, second, user))
    counts = np.bincount(user, minlength=len(events.users))
    ends = np.cumsum(counts)[user[order]]
    late = np.arange(len(order)) >= ends - np.floor(share * counts + 1e-9).astype(np.int64)[user[order]]
    held = np.zeros(len(events), bool)
    held[index[order[late]]] = True
    return held


def items_by_digest(items: Sequence[str], among: Mask, share: float = NEW_SHARE, salt: str = "") -> Mask:
    """A share of the items of ``among``, bool ``(items,)``: those of the smallest digests, the same everywhere."""
    number = np.flatnonzero(among).tolist()
    digests = [hashlib.sha256(f"{salt}\0{items[i]}".encode()).digest() for i in number]
    order = sorted(range(len(number)), key=digests.__getitem__)
    chosen = np.zeros(len(items), bool)
    chosen[[number[i] for i in order[: int(share * len(number))]]] = True
    return chosen


def hold_out(events: Events, liked: Mask, *, how: str | None = None, given: Path | None = None, seed: int = 0) -> Held:
    """What is held out for the test, of the liked events.

    A ``split`` column counts first, then ``given``, then ``how``: time (the default) or random. Events without times
    are split at random only when asked for. Raises :class:`UsageError`.
    """
    none = np.zeros(len(events.items), bool)
    if given is not None:
        return _given(events, liked, given)
    if events.split is not None and (events.split == SPLITS.index("test")).any() and how is None:
        test = liked & (events.split == SPLITS.index("test"))
        kept = np.bincount(events.item[liked & ~test], minlength=len(none))
        return Held(test, (kept == 0) & (np.bincount(events.item[test], minlength=len(none)) > 0), "the split column")
    if how not in (None, "time", "random"):
        raise UsageError(f"a split by {how!r}", hint=nearest(str(how), ["time", "random"]))
    if how == "random":
        test = last_of_each(events, liked, TEST_SHARE, seed=seed)
        return Held(test, none, f"a random fifth of each user's events (seed {seed})", True)
    if events.time is None:
        raise UsageError("the events have no times, and a split at random flatters", hint="--by random asks for one")
    return Held(last_of_each(events, liked, TEST_SHARE), none, "the last fifth of each user's events in time")


def _given(events: Events, liked: Mask, given: Path) -> Held:
    """Rows of the events file named by an npz of int64 arrays; ``NAME_items`` beside ``NAME``: they are new items."""
    name, _, wanted = str(given).partition("#")
    with provenance.opened(name) as (stream, size):

        def specs(keys: Any) -> dict[str, npz.Spec]:
            return {key: npz.Spec("<i8 <i4 |b1 U", 1, 1) for key in keys}

        arrays = npz.read(stream, size, name, specs, max_bytes=1 << 32, max_members=1000)
    tests = [key for key in arrays if key not in ("positive", "train") and not key.endswith("_items")]
    chosen = [part for part in wanted.split(",") if part] or [k for k in ("test", "last") if k in tests][:1] or tests
    if not wanted and len(chosen) > 1:
        raise UsageError(f"{name} holds the splits {', '.join(tests)}", hint=f"name one: {name}#{tests[0]}")
    test, new = np.zeros(len(events), bool), np.zeros(len(events.items), bool)
    place = {item: i for i, item in enumerate(events.items)}
    for key in chosen:
        if key not in tests:
            raise UsageError(f"{name} holds no split {key!r}", hint=nearest(key, tests))
        rows = arrays[key]
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        if rows.dtype.kind not in "iu" or (len(rows) and not 0 <= rows.min() <= rows.max() < events.rows):
            what = f"split {key!r} names rows that the {events.rows:,} events do not have"
            raise ArtifactError(what, source=name, hint="rows count the lines of events from 0")
        test |= np.isin(events.row, rows)
        if f"{key}_items" in arrays:
            for item in arrays[f"{key}_items"].tolist():
                if str(item) in place:
                    new[place[str(item)]] = True
    return Held(test & liked, new, f"{Path(name).name}#{','.join(chosen)}")


def fingerprint(events: Events, keep: Mask) -> str:
    """A digest of which users met which items, whatever their order: is a model's training the one that is judged?"""
    total = 0
    users = [int.from_bytes(hashlib.blake2b(u.encode(), digest_size=8).digest(), "little") for u in events.users]
    items = [int.from_bytes(hashlib.blake2b(i.encode(), digest_size=8).digest(), "little") for i in events.items]
    a, b = np.array(users or [0], np.uint64), np.array(items or [0], np.uint64)
    with np.errstate(over="ignore"):
        mixed = (a[events.user[keep]] * np.uint64(0x9E3779B97F4A7C15)) ^ (b[events.item[keep]] << np.uint64(1))
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
        total = int(mixed.sum(dtype=np.uint64))
    return f"{int(keep.sum())}:{total:016x}"
