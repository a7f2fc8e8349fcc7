"""Rows that stay in their files: whatever is asked of them is what the array would give, and nothing else is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.artifacts.formats.dataset import Stream
from mmcli.artifacts.io import lazy
from mmcli.errors import UsageError


def stream(lengths: list[int], reads: list[int] | None = None) -> tuple[Stream, Stream]:
    """The same stream in memory and lazily; ``reads`` takes the items that were read."""
    count = np.array(lengths, np.int64)
    offsets = lazy.offsets_of(count)
    values = np.random.default_rng(0).normal(size=(int(offsets[-1]), 2)).astype(np.float32)
    times = np.arange(float(offsets[-1]))

    def reader(array):
        def read(item: int):
            if reads is not None:
                reads.append(item)
            return array[offsets[item] : offsets[item + 1]]

        return read

    rows = lazy.Rows(reader(values), count, (2,), values.dtype)
    clock = lazy.Rows(reader(times), count, (), times.dtype)
    there = count > 0
    return (
        Stream(values, offsets, times, there, meta={"kind": "sequence"}),
        Stream(rows, offsets, clock, there, meta={"kind": "sequence"}),
    )


def same(a: Stream, b: Stream) -> None:
    held = b.held()
    for key in ("values", "times", "offsets", "present"):
        assert np.array_equal(getattr(a, key), getattr(held, key)), key


LENGTHS = st.lists(st.integers(0, 4), min_size=1, max_size=8)


@given(LENGTHS, st.data())
def test_any_slice_is_that_of_the_array(lengths, data):
    held, rows = stream(lengths)
    start = data.draw(st.integers(0, len(held.values)))
    stop = data.draw(st.integers(0, len(held.values)))

    assert np.array_equal(rows.values[start:stop], held.values[start:stop])
    assert rows.values.shape == held.values.shape


@given(LENGTHS, st.data())
def test_choosing_leaving_out_and_changing_commute_with_reading(lengths, data):
    held, rows = stream(lengths)
    chosen = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=9)), np.int64)
    gone = np.array(data.draw(st.lists(st.booleans(), min_size=len(chosen), max_size=len(chosen))))

    a, b = (s.select(chosen).without(gone) for s in (held, rows))
    a.values, b.values = (lazy.changed(s.values, lambda values: values * 2) for s in (a, b))

    same(a, b)


def test_only_the_items_that_are_asked_for_are_read():
    reads: list[int] = []
    _, rows = stream([1, 2, 0, 3], reads)

    part = rows.select(np.array([3, 1], np.int64)).without(np.array([False, True]))
    assert reads == []

    assert part.item(0).values.shape == (3, 2)
    assert part.item(1).values.shape == (0, 2)
    assert set(reads) == {3}


def test_made_items_may_follow():
    held, rows = stream([1, 2])
    made = [np.full((3, 2), 7, np.float32), np.zeros((0, 2), np.float32)]

    found = rows.values.followed_by(made)

    assert np.array_equal(found[:], np.concatenate([held.values, *made]))


def test_rows_in_files_never_turn_into_an_array_by_themselves():
    _, rows = stream([1, 2])

    with pytest.raises(UsageError, match="in memory") as raised:
        np.asarray(rows.values)

    assert "into one file" in str(raised.value)
