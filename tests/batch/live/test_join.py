"""What a keyed join promises, whatever the order of the rows: one final an id, nothing dropped unsaid, bounded room."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.batch.live.join import Join, Options
from mmcli.errors import InputError, UsageError

MODALITIES = ["audio", "image", "text"]


def played(rows, options=None):
    """Kinds of events by id, after all rows and the end."""
    join = Join(MODALITIES, options or Options())
    events = [event for k, (i, m, t) in enumerate(rows) for event in join.push(i, m, t, f"{i}{m}", 0.0, k)]
    return join, [*events, *join.end()]


ROWS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(MODALITIES), st.floats(0, 40)), min_size=1, max_size=60
)


@given(ROWS, st.sampled_from([Options(), Options(lateness=0), Options(lateness=100), Options(open=2)]))
@settings(max_examples=200, deadline=None)
def test_every_row_is_in_a_final_or_told_late_or_double(rows, options):
    join, events = played(rows, options)
    finals = [e.item for e in events if e.kind == "final"]
    told = sum(e.kind in ("late", "duplicate") for e in events)
    assert sum(len(item.codes) for item in finals) + told == len(rows)
    assert join.counts["rows"] == len(rows)
    assert not join.items


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_with_room_and_time_an_id_has_exactly_one_final_in_any_order(rows):
    _, events = played(rows, Options(lateness=1000, ahead=1000))
    finals = [e.item.id for e in events if e.kind == "final"]
    assert sorted(finals) == sorted({i for i, _, _ in rows})
    _, other = played(rows[::-1], Options(lateness=1000, ahead=1000))
    content = {e.item.id: sorted(e.item.codes) for e in events if e.kind == "final"}
    assert content == {e.item.id: sorted(e.item.codes) for e in other if e.kind == "final"}


@given(ROWS, st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_no_more_items_wait_than_there_is_room_for(rows, room):
    join, events = played(rows, Options(open=room, lateness=1000))
    assert join.counts["peak"] <= room
    assert join.counts["evicted"] == sum(e.why == "evicted" for e in events if e.kind == "final")


def test_revisions_count_up_and_the_final_comes_last():
    join = Join(MODALITIES)
    events = [join.push("a", m, 1.0, m, 0.0) for m in MODALITIES]
    said = [(e.kind, e.item.revision if e.kind == "final" else None) for e in itertools.chain(*events)]
    assert said == [("update", None), ("update", None), ("final", 3)]


def test_a_complete_item_is_not_opened_again_by_a_row_that_is_sent_twice():
    join = Join(["audio", "image"])
    join.push("a", "audio", 5.0, 0, 0.0)
    join.push("a", "image", 5.0, 0, 0.0)
    assert [e.kind for e in join.push("a", "audio", 5.0, 0, 0.0)] == ["duplicate"]
    assert join.closed
    for modality in ("audio", "image"):  # the watermark passes: the id is forgotten, and its stamp is too old
        join.push("b", modality, 60.0, 0, 0.0)
    assert "a" not in join.closed
    assert [e.kind for e in join.push("a", "audio", 5.0, 0, 0.0)] == ["late"]


def test_the_slowest_modality_holds_the_watermark_until_it_is_idle():
    join = Join(["audio", "image"], Options(lateness=1, idle=10, ahead=1e6))
    join.push("a", "image", 0.0, 0, 0.0)
    join.push("b", "audio", 50.0, 0, 1.0)
    assert join.watermark == -1.0
    assert [e.item.id for e in join.push("c", "audio", 51.0, 0, 12.0) if e.kind == "final"] == ["a"]
    assert join.watermark == 50.0


def test_time_alone_closes_what_nobody_adds_to():
    join = Join(["audio", "image"], Options(lateness=1, idle=10))
    join.push("a", "audio", 1.0, 0, 0.0)
    join.push("b", "audio", 9.0, 0, 0.0)
    join.push("c", "image", 1.0, 0, 0.0)
    assert not join.tick(5.0)
    assert [(e.kind, e.item.id) for e in join.tick(30.0)] == [("final", "a"), ("final", "c")]


def test_a_lone_stamp_far_ahead_is_refused_and_two_that_agree_are_taken():
    join = Join(["audio"], Options(ahead=60))
    join.admit(5.0)
    join.push("a", "audio", 5.0, 0, 0.0)
    for stamp in (1e9, float("nan"), float("inf"), 400.0):
        with pytest.raises(InputError):
            join.admit(stamp)
    join.admit(410.0)


@pytest.mark.parametrize("wrong", [{"lateness": -1.0}, {"idle": float("nan")}, {"open": 0}, {"ahead": float("inf")}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError):
        Options(**wrong)
