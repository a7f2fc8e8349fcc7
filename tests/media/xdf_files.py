"""XDF files, chunk by chunk, as the specification says: what LabRecorder would have written."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

CODES = {"float32": "<f4", "double64": "<f8", "int16": "<i2", "int32": "<i4"}


def chunk(tag: int, content: bytes) -> bytes:
    length = len(content) + 2
    size = 1 if length < 256 else 4
    return bytes([size]) + length.to_bytes(size, "little") + struct.pack("<H", tag) + content


def count(n: int) -> bytes:
    return b"\x01" + bytes([n]) if n < 256 else b"\x04" + n.to_bytes(4, "little")


def header(key: int, name: str, kind: str, form: str, channels: int, rate: float, labels: Sequence[str] = ()) -> bytes:
    named = "".join(f"<channel><label>{label}</label></channel>" for label in labels)
    return chunk(
        2,
        struct.pack("<I", key)
        + f'<?xml version="1.0"?><info><name>{name}</name><type>{kind}</type><channel_count>{channels}</channel_count>'
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{form}</channel_format><created_at>0</created_at>"
        f"<desc><channels>{named}</channels></desc></info>".encode(),
    )


def samples(key: int, values: np.ndarray, stamps: np.ndarray, form: str, every: int = 1) -> bytes:
    """A chunk of numbers; every so many samples have a stamp of their own, the others are counted on from it."""
    rows = [
        (b"\x08" + struct.pack("<d", stamp) if k % every == 0 else b"\x00") + row.tobytes()
        for k, (row, stamp) in enumerate(zip(values.astype(CODES[form]), stamps, strict=True))
    ]
    return chunk(3, struct.pack("<I", key) + count(len(rows)) + b"".join(rows))


def marker(key: int, text: str, stamp: float) -> bytes:
    data = text.encode()
    return chunk(3, struct.pack("<I", key) + count(1) + b"\x08" + struct.pack("<d", stamp) + count(len(data)) + data)


def offset(key: int, at: float, value: float) -> bytes:
    """A measurement of how much later the clock of the recorder is."""
    return chunk(4, struct.pack("<Idd", key, at, value))


def footer(key: int) -> bytes:
    return chunk(6, struct.pack("<I", key) + b'<?xml version="1.0"?><info></info>')


def write(path: Path, *chunks: bytes) -> Path:
    path.write_bytes(b"XDF:" + chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>') + b"".join(chunks))
    return path
