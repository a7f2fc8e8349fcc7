"""Scores: notes at their times, and whatever a file holds, notes or one MediaError in bounded time and memory."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.core import sides
from mmcli.errors import InputError, MediaError, MissingError
from mmcli.media import midi

END = b"\x00\xff\x2f\x00"


def number(value: int) -> bytes:
    """A variable-length number."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(0x80 | value & 0x7F)
    return bytes(reversed(out))


def track(*events: bytes, size: int | None = None) -> bytes:
    body = b"".join(events)
    return b"MTrk" + struct.pack(">I", len(body) if size is None else size) + body


def file(*tracks: bytes, kind: int = 1, division: int = 480, count: int | None = None, length: int = 6) -> bytes:
    head = struct.pack(">IHHH", length, kind, len(tracks) if count is None else count, division)
    return b"MThd" + head + b"".join(tracks)


def on(delta: int, key: int = 60, velocity: int = 64, channel: int = 0) -> bytes:
    return number(delta) + bytes([0x90 | channel, key, velocity])


def off(delta: int, key: int = 60, channel: int = 0) -> bytes:
    return number(delta) + bytes([0x80 | channel, key, 0])


def tempo(delta: int, microseconds: int) -> bytes:
    return number(delta) + b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


SCALE = file(
    track(tempo(0, 500_000), tempo(960, 250_000), END),
    track(*(e for k in range(8) for e in (on(0, 60 + k), off(240, 60 + k))), END),
)


def spans(data: bytes) -> list[tuple[float, float, int]]:
    found = midi.loads(data, "x.mid")
    return list(zip(found.start.tolist(), found.end.tolist(), found.pitch.tolist(), strict=True))


def test_notes_lie_where_the_tempo_map_puts_them() -> None:
    """A quaver is a quarter of a second, and half of that after two beats."""
    times = [0.0, 0.25, 0.5, 0.75, 1.0, 1.125, 1.25, 1.375, 1.5]
    assert spans(SCALE) == [(times[k], times[k + 1], 60 + k) for k in range(8)]


def test_running_status_goes_on_through_events_of_other_kinds() -> None:
    events = on(0) + b"\x60\x3c\x00" + tempo(0, 500_000) + b"\x00\x3e\x40" + b"\x00\xf0\x01\xf7" + b"\x60\x3e\x00"
    assert spans(file(track(events, END))) == [(0.0, 0.1, 60), (0.1, 0.2, 62)]


def test_overlapping_notes_of_one_key_end_in_the_order_in_which_they_began() -> None:
    assert spans(file(track(on(0), on(240), off(240), off(240)))) == [(0.0, 0.5, 60), (0.25, 0.75, 60)]


def test_time_code_divisions_do_not_know_tempo() -> None:
    division = (256 - 25) << 8 | 40  # 25 frames a second of 40 ticks
    assert spans(file(track(tempo(0, 1), on(1000), off(500)), division=division)) == [(1.0, 1.5, 60)]


def test_a_note_without_an_end_lasts_to_the_last_event() -> None:
    assert spans(file(track(on(0), on(480, 62), off(480, 62)))) == [(0.0, 1.0, 60), (0.5, 1.0, 62)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no MIDI file"),
        (b"MThd", "cut short"),
        (b"RIFF" + SCALE[4:], "no MIDI file"),
        (file(track(END)), "no notes"),
        (file(), "no notes"),
        (file(count=65_535), "no notes"),
        (file(*[track()] * 65_535), "no notes"),
        (file(track(on(0), off(9)), division=0), "no time base"),
        (file(track(on(0), off(9)), division=0xE700), "no time base"),
        (file(track(on(0), off(9)), kind=2), "independent patterns"),
        (file(track(on(0), off(9)), length=2**32 - 1), "no notes"),
        (file(track(b"\x00\x3c\x40")), "no event begins"),
        (file(track(b"\x00\xf1\x00")), "no event begins"),
        (file(track(on(0, 60), b"\x00\x90\xbc\x40")), "status byte in it"),
        (file(track(b"\xff\xff\xff\xff\x7f" + on(0))), "longer than four bytes"),
        (file(track(on(0), off(2**28 - 1)), division=1), "hours"),
        (file(track(on(0), *[b"\xff\xff\xff\x7f\x90\x3c\x40"] * 2000)), "hours"),
        (file(track(b"\x00\x90", b"\x3c\x40\x00" * 600_000)), "more than 500,000 events"),
    ],
)
def test_what_is_no_score_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(MediaError, match=said) as raised:
        midi.loads(data, "x.mid")
    assert raised.value.source == "x.mid"


def test_a_tempo_of_nothing_is_passed_over() -> None:
    assert spans(file(track(tempo(0, 0), on(480), off(480)))) == [(0.5, 1.0, 60)]


def test_lengths_that_lie_are_not_believed() -> None:
    """A track or an event that claims more than the file holds ends with the file."""
    long_event = b"\x00\xff\x01\xff\xff\xff\x7f"
    assert spans(file(track(on(0), off(480), long_event, size=2**32 - 1))) == [(0.0, 0.5, 60)]


def check(data: bytes) -> None:
    """Notes in order with finite times, or a MediaError."""
    try:
        found = midi.loads(data, "x.mid")
    except MediaError:
        return
    assert np.isfinite(found.start).all()
    assert np.all(found.end >= found.start)
    assert np.all(np.diff(found.start) >= 0)
    assert found.start.min() >= 0
    assert found.duration_s <= midi.MAX_DURATION_S
    for values, most in ((found.pitch, 127), (found.velocity, 127), (found.channel, 15)):
        assert 0 <= values.min() <= values.max() <= most


def test_every_truncation_gives_notes_or_a_refusal() -> None:
    for end in range(len(SCALE)):
        check(SCALE[:end])


@given(st.lists(st.tuples(st.integers(0, len(SCALE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=500)
def test_every_mutation_gives_notes_or_a_refusal(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SCALE)
    for at, value in changes:
        data[at] = value
    check(bytes(data))


@given(st.binary(max_size=200), st.integers(0, 65_535), st.integers(0, 2))
@settings(max_examples=500)
def test_any_bytes_as_a_track_give_notes_or_a_refusal(body: bytes, division: int, kind: int) -> None:
    check(file(track(body), division=division, kind=kind))


@pytest.mark.parametrize(
    "data",
    [
        file(track(b"\x00\x90", b"\x3c\x40\x00" * 500_000)),
        file(track(b"\x00\x90", b"\x3c\x40\x00" * 24_000, b"\x3c\x00\x00" * 24_000)),  # one key, 24,000 deep
        file(*[track(b"\x00\xff\x51\x03\x07\xa1\x20" * 3)] * 20_000),
    ],
    ids=["notes", "deep", "tempos"],
)
def test_memory_is_bounded_by_events_and_not_by_what_the_file_claims(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of the limit here, which is a tenth of the time."""
    monkeypatch.setattr(midi, "MAX_EVENTS", 50_000)
    tracemalloc.start()
    try:
        check(data)
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()


def test_files_that_are_none_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        midi.read(tmp_path / "none.mid")
    (tmp_path / "big.mid").write_bytes(b"MThd" + bytes(midi.MAX_BYTES))
    with pytest.raises(MediaError, match="larger than 16 MiB"):
        midi.read(tmp_path / "big.mid")


def test_what_would_take_hours_to_sound_is_refused_and_a_held_note_is_not() -> None:
    held = midi.loads(file(track(on(0), off(480 * 2 * 600))), "x.mid")  # ten minutes
    assert sides.sounded(held).duration_s == pytest.approx(600.5, abs=0.1)
    many = file(*[track(*[on(0, 60)] * 20_000, off(480 * 40, 60))])
    with pytest.raises(InputError, match="s of notes, more than 100,000"):
        sides.sounded(midi.loads(many, "x.mid"))
