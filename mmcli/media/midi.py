"""Notes of a Standard MIDI File (formats 0 and 1), with times in seconds.

Reference: The Complete MIDI 1.0 Detailed Specification, "Standard MIDI Files 1.0", RP-001, 1996. Only what sounds is
read: note on, note off, the tempo map and the sustain of overlapping notes; everything else is stepped over.
"""

from __future__ import annotations

import itertools
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import files

MAX_BYTES = 16 << 20
MAX_EVENTS = 500_000  # notes on and off and changes of tempo: ten times what a symphony has
MAX_DURATION_S = 6 * 3600.0
DRUMS = 9  # the channel whose keys are instruments and not pitches
_TEMPO = 500_000  # microseconds a quarter note until the file says otherwise
_LENGTHS = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


@dataclass(frozen=True, eq=False)
class Score:
    """Notes in order of onset: ``start`` and ``end`` in seconds (n,), ``pitch`` and ``velocity`` (n,) in 0 to 127,
    ``channel`` (n,) in 0 to 15."""

    name: str
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    channel: NDArray[np.int64]

    @property
    def duration_s(self) -> float:
        """When the last note ends."""
        return float(self.end.max())


def read(path: Path | str) -> Score:
    """The notes of a file. Raises MediaError where it is damaged or holds none, MissingError where there is no file."""
    path = files.regular(path)
    if path.stat().st_size > MAX_BYTES:
        raise MediaError(f"is larger than {MAX_BYTES >> 20} MiB", source=path.name)
    return loads(path.read_bytes(), path.name)


def loads(data: bytes, name: str) -> Score:
    """The notes in the bytes of a file; ``name`` is for messages."""
    try:
        events, division = _events(data)
    except (struct.error, IndexError) as error:
        raise MediaError("is cut short or no MIDI file", source=name) from error
    except ValueError as error:
        raise MediaError(str(error), source=name) from error
    notes = _notes(events)
    if not notes:
        raise MediaError("holds no notes", source=name)
    columns = np.array(sorted(notes), dtype=np.int64)
    tempo = [(0, _TEMPO)] + [(tick, value) for tick, _, kind, value in events if kind == "tempo"]
    start, end = (_seconds(columns[:, k], tempo, division) for k in (0, 1))
    if float(end.max()) > MAX_DURATION_S:
        raise MediaError(
            f"lasts {end.max() / 3600:,.0f} hours, more than the {MAX_DURATION_S / 3600:g} it may", source=name
        )
    return Score(name, start, end, columns[:, 2], columns[:, 3], columns[:, 4])


def _events(data: bytes) -> tuple[list[tuple[int, int, str, Any]], int]:
    """(tick, order, kind, value) of all tracks in order of time; and ticks a quarter note, or minus ticks a second."""
    if data[:4] != b"MThd":
        raise ValueError("is no MIDI file")
    length, kind, tracks, division = struct.unpack(">IHHH", data[4:14])
    if kind == 2:
        raise ValueError("holds independent patterns (format 2), not one score")
    if division & 0x8000:
        division = -(256 - (division >> 8)) * (division & 0xFF)  # frames a second times ticks a frame
    if division == 0:
        raise ValueError("has no time base")
    at = 8 + length
    events: list[tuple[int, str, Any]] = []
    for _ in range(tracks):
        if at >= len(data):
            break
        name, size = data[at : at + 4], struct.unpack(">I", data[at + 4 : at + 8])[0]
        if name == b"MTrk":
            events.extend(itertools.islice(_track(data[at + 8 : at + 8 + size]), MAX_EVENTS + 1 - len(events)))
        at += 8 + size
        if len(events) > MAX_EVENTS:
            raise ValueError(f"holds more than {MAX_EVENTS:,} events")
    order = {"tempo": 0, "off": 1, "on": 2}
    events.sort(key=lambda e: (e[0], order[e[1]]))
    return [(tick, k, kind_, value) for k, (tick, kind_, value) in enumerate(events)], division


def _track(data: bytes) -> Iterator[tuple[int, str, Any]]:
    """Tempo changes and notes of one track; a track cut short ends where it is cut."""
    at, tick, running = 0, 0, 0
    while at < len(data):
        delta, at = _number(data, at)
        tick += delta
        status = running
        if data[at] & 0x80:
            status = data[at]
            at += 1
        if status == 0xFF:
            kind = data[at]
            size, at = _number(data, at + 1)
            if kind == 0x51 and size == 3:
                value = int.from_bytes(data[at : at + 3], "big")
                if value > 0:
                    yield tick, "tempo", value
            at += size
            if kind == 0x2F:
                return
        elif status in (0xF0, 0xF7):
            size, at = _number(data, at)
            at += size
        elif status >> 4 in _LENGTHS:
            running = status
            high, channel = status >> 4, status & 0x0F
            if high in (0x8, 0x9):
                key, velocity = data[at], data[at + 1]
                if key > 127 or velocity > 127:
                    raise ValueError("is damaged: a note with a status byte in it")
                yield tick, "on" if high == 0x9 and velocity > 0 else "off", (channel, key, velocity)
            at += _LENGTHS[high]
        else:
            raise ValueError("is damaged: no event begins like this")


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number, at most four bytes, and where it ends."""
    value = 0
    for _ in range(4):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    raise ValueError("is damaged: a number longer than four bytes")


def _notes(events: list[tuple[int, int, str, Any]]) -> list[tuple[int, int, int, int, int]]:
    """(start tick, end tick, pitch, velocity, channel); a note without an end lasts until its key sounds again."""
    sounding: dict[tuple[int, int], deque[tuple[int, int]]] = {}
    notes = []
    last = events[-1][0] if events else 0
    for tick, _, kind, value in events:
        if kind == "tempo":
            continue
        channel, key, velocity = value
        if kind == "on":
            sounding.setdefault((channel, key), deque()).append((tick, velocity))
        elif sounding.get((channel, key)):
            start, loudness = sounding[channel, key].popleft()
            notes.append((start, max(tick, start), key, loudness, channel))
    for (channel, key), left in sounding.items():
        notes.extend((start, max(last, start), key, loudness, channel) for start, loudness in left)
    return notes


def _seconds(ticks: NDArray[np.int64], tempo: list[tuple[int, int]], division: int) -> NDArray[np.float64]:
    """Ticks in seconds under the tempo map.

    >>> _seconds(np.array([0, 480, 960]), [(0, 500000), (480, 250000)], 480).tolist()
    [0.0, 0.5, 0.75]
    """
    if division < 0:
        return np.asarray(ticks / -division, dtype=np.float64)
    at = np.array([t for t, _ in tempo], dtype=np.float64)
    each = np.array([us for _, us in tempo]) * 1e-6 / division
    begun = np.concatenate([[0.0], np.cumsum(np.diff(at) * each[:-1])])
    k = np.searchsorted(at, ticks, side="right") - 1
    return np.asarray(begun[k] + (ticks - at[k]) * each[k])
