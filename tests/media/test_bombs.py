"""Small files made to fill memory or time: every loader ends within 300 MB and 20 s of CPU, with a result or a reason.

They run in a child, whose peak memory and CPU are what the system says.
"""

from __future__ import annotations

import functools
import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

MAX_MB, MAX_CPU_S = 300, 20.0
CHILD = """
import gc, sys, time
from pathlib import Path
from mmcli.errors import MmcliError
from mmcli.aligners.output import apply
from mmcli.artifacts.formats import alignment
from mmcli.media import MediaOptions, intervals, midi, open_clip

def load(path, kind):
    if kind == "intervals":
        intervals.read_tiers(path)
    elif kind == "midi":
        midi.read(path)
    elif kind == "warp":
        apply.warp_file(Path(path).with_suffix(".wav"), alignment.load(path), Path(path + ".out.wav"))
    elif kind == "rows":
        open_clip(path, "series", options=MediaOptions(member="a", row=0))
    else:
        clip = open_clip(path, kind, options=MediaOptions(rate=10.0))
        if kind == "audio":
            clip.samples()
        elif kind == "video":
            for _ in clip.frames():
                pass

for line in sys.stdin.read().splitlines():
    path, kind = line.split("\\t")
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    began = time.process_time()
    try:
        load(path, kind)
        said = "read"
    except MmcliError as error:
        said = "refused: " + str(error).splitlines()[0]
    peak = next(row for row in open("/proc/self/status") if row.startswith("VmHWM"))
    print(int(peak.split()[1]) // 1024, round(time.process_time() - began, 2), said, sep="\\t", flush=True)
"""


def png(width: int, height: int, depth: int, colour: int) -> bytes:
    bits = {0: 1, 2: 3, 4: 2, 6: 4}[colour] * depth
    deflate = zlib.compressobj(6)
    row = bytes(1 + (width * bits + 7) // 8)
    data = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def picture(form: str, mode: str, side: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, form)
    return out.getvalue()


def npz(dtype: str, count: int, members: int = 1) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **{f"a{k}": np.zeros(count, dtype) for k in range(members)})
    return out.getvalue()


def npy(shape: str, descr: str = "'<f8'", body: int = 100) -> bytes:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(body)


def zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def wav(rate: int = 16000, channels: int = 1, declared: int = 1000, body: int = 1000) -> bytes:
    head = (
        b"RIFF"
        + struct.pack("<I", 36 + declared)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels * 2 & 0xFFFFFFFF, channels * 2 & 0xFFFF, 16)
    )
    return head + b"data" + struct.pack("<I", declared) + bytes(body)


def flac_of_silence(rate: int, frames: int) -> bytes:
    """Frames of one constant value, a dozen bytes each (RFC 9639, 9.2.3)."""
    import soundfile

    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", rate, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(frames // 1000):
            file.write(np.zeros(4096 * 1000, np.int16))
    return out.getvalue()


@functools.lru_cache(maxsize=1)
def film(width: int, height: int) -> bytes:
    """An mp4 of black pictures."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for k in range(2):
            frame = av.VideoFrame.from_ndarray(np.zeros((height * 3 // 2, width), np.uint8), format="yuv420p")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def disagreeing(width: int, height: int, declared: tuple[int, int]) -> bytes:
    """A film whose header says another size than its stream."""
    data = film(width, height)
    at = data.index(b"avc1", data.index(b"stsd"))
    return data[:at] + data[at:].replace(struct.pack(">HH", width, height), struct.pack(">HH", *declared), 1)


def far_time(seconds: float) -> bytes:
    """A Matroska file of two packets of sound, the second days after the first."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=48000)
        stream.layout = "mono"
        for at in (0.0, seconds):
            frame = av.AudioFrame.from_ndarray(np.ones((1, 4800), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, round(at * 48000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def hdf5(columns: int, chunk: int) -> bytes:
    """Two rows of zeros, of which nothing, or one chunk that holds all of a row, is stored."""
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        array = file.create_dataset("a", shape=(2, columns), dtype="f4", chunks=(1, chunk), compression="gzip")
        array[0, :1] = 0.0
    return out.getvalue()


def xdf(header: str, samples: bytes = b"") -> bytes:
    """A recording of one stream with this header, and one chunk of samples."""

    def chunk(tag: int, body: bytes) -> bytes:
        return b"\x04" + struct.pack("<IH", len(body) + 2, tag) + body

    head = b'<?xml version="1.0"?><info><version>1.0</version></info>'
    stream = struct.pack("<I", 1)
    return b"XDF:" + chunk(1, head) + chunk(2, stream + header.encode()) + chunk(3, stream + samples)


XML = (
    "<info><name>a</name><type>EEG</type><channel_count>{}</channel_count><nominal_srate>100</nominal_srate>"
    "<channel_format>float32</channel_format></info>"
)
LAUGHS = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
SRT = "1\n00:00:01,000 --> 00:00:02,000\nx{}\n\n"
GRID = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0 1 <exists> 1\n"IntervalTier" "a" 0 1 {}\n'
MB = 1_000_000
BOMBS: dict[str, tuple[str, Callable[[], bytes | str]]] = {
    "grey1.png": ("image", lambda: png(8000, 8000, 1, 0)),
    "grey8.png": ("image", lambda: png(6100, 6100, 8, 0)),
    "rgb8.png": ("image", lambda: png(4000, 4000, 8, 2)),
    "rgba16.png": ("image", lambda: png(3000, 3000, 16, 6)),
    "grey16.png": ("image", lambda: png(6100, 6100, 16, 0)),
    "large.png": ("image", lambda: png(12000, 12000, 1, 0)),
    "largest-allowed.png": ("image", lambda: png(3400, 3500, 8, 2)),
    "largest-alpha.png": ("image", lambda: png(2600, 2700, 8, 6)),
    "a.webp": ("image", lambda: picture("WEBP", "RGB", 3600)),
    "a.gif": ("image", lambda: picture("GIF", "L", 6100)),
    "a.jpg": ("image", lambda: picture("JPEG", "RGB", 3500)),
    "a.tiff": ("image", lambda: picture("TIFF", "1", 2800)),
    "a.bmp": ("image", lambda: picture("BMP", "1", 2800)),
    "bytes.npz": ("series", lambda: npz("i1", 64 * MB)),
    "many.npz": ("series", lambda: npz("i1", MB, 60)),
    "doubles.npz": ("series", lambda: npz("f8", 8 * MB)),
    "declared.npz": ("series", lambda: zipped("a.npy", npy("(100000000000,)"))),
    "no-array.npz": ("series", lambda: zipped("a.npy", bytes(60 * MB))),
    "declared.npy": ("series", lambda: npy("(1000000000000, 8)")),
    "nested.npy": ("series", lambda: npy("(" * 60 + "1" + ",)" * 20)),
    "bytes.npy": ("series", lambda: npy("(990000,)", "'|i1'", 990_000)),
    "wide.csv": ("series", lambda: "1," * 499_999 + "1\n"),
    "long.csv": ("series", lambda: "1\n" * 490_000),
    "quotes.csv": ("series", lambda: '"' * 990_000),
    "empty.csv": ("series", lambda: "a,b\n" + "\n" * 990_000),
    "newlines.srt": ("subtitle", lambda: SRT.format("\n" * 900_000)),
    "braces.srt": ("subtitle", lambda: SRT.format("{" * 900_000)),
    "tags.srt": ("subtitle", lambda: SRT.format("<i" * 400_000)),
    "cues.srt": ("subtitle", lambda: SRT.format("") * 25_000),
    "lines.srt": ("subtitle", lambda: SRT.format(("{\\" * 500 + "\n") * 900)),
    "header.vtt": ("subtitle", lambda: "WEBVTT\n" + "a" * 900_000),
    "times.vtt": ("subtitle", lambda: "WEBVTT\n\n" + "00:00 --> " * 90_000),
    "digits.srt": ("subtitle", lambda: "1" * 900_000),
    "drawing.ass": ("subtitle", lambda: "[Events]\nFormat: Start, End, Text\nDialogue: 0,1," + "{" * 800_000),
    "latin.srt": ("subtitle", lambda: SRT.format("\xe9") * 20_000),
    "unstored.h5": ("rows", lambda: hdf5(60 * MB, 2 * MB)),
    "chunk.h5": ("rows", lambda: hdf5(30 * MB, 30 * MB)),
    "member.npz": ("rows", lambda: npz("i1", 30 * MB)),
    "laughs.xdf": ("series", lambda: xdf(f'<!DOCTYPE l [<!ENTITY a "{"x" * 999}">{LAUGHS}]>' + XML.format("&j;"))),
    "samples.xdf": ("series", lambda: xdf(XML.format(8), b"\x08" + struct.pack("<Q", 1 << 40) + bytes(1000))),
    "channels.xdf": ("series", lambda: xdf(XML.format(2_000_000_000), b"\x01\x01" + bytes(1000))),
    "quotes.TextGrid": ("intervals", lambda: GRID.format('1 0 1 "' + '""' * 450_000)),
    "count.TextGrid": ("intervals", lambda: GRID.format("999999999999 0 1")),
    "digits.TextGrid": ("intervals", lambda: GRID.format("1" * 900_000)),
    "minus.TextGrid": ("intervals", lambda: GRID.format("-" * 900_000)),
    "a.txt": ("text", lambda: "\n" * 990_000),
    "bytes.txt": ("text", lambda: "\xff" * 900_000),
    "header.wav": ("audio", lambda: wav(declared=0x7FFE0000)),
    "rate.wav": ("audio", lambda: wav(rate=4_000_000_000, declared=990_000, body=990_000)),
    "channels.wav": ("audio", lambda: wav(channels=65_535, declared=990_000, body=990_000)),
    "slow.wav": ("audio", lambda: wav(rate=10, declared=990_000, body=990_000)),
    "silence.flac": ("audio", lambda: flac_of_silence(48_000, 14_000)),
    "far.mkv": ("audio", lambda: far_time(6 * 24 * 3600.0)),
    "hours.mkv": ("audio", lambda: far_time(3500.0)),
    "16k.mp4": ("video", lambda: film(6400, 6400)),
    "disagreeing.mp4": ("video", lambda: disagreeing(6400, 6400, (64, 64))),
    "4k.mp4": ("video", lambda: film(3840, 2160)),
    "a.mid": ("midi", lambda: b"MThd\0\0\0\x06\0\1\xff\xff\0\x60" + b"MTrk\xff\xff\xff\xff" + b"\x81" * 900_000),
}  # fmt: skip


def mapped(folder: Path, name: str, offset: float) -> Path:
    """A map of a few bytes beside the sound it is for."""
    (folder / name).with_suffix(".wav").write_bytes(wav(declared=320_000, body=320_000))
    facts = {"name": "a.wav", "sha256": "0" * 64, "duration_s": 10.0}
    found = {
        "schema": "mmcli/alignment@1", "mmcli": "0.1.0", "model": "offset", "offset_s": offset, "rate": 1.0, "ppm": 0.0,
        "knots": [[offset, 0.0], [offset + 10, 10.0]], "breaks": [], "confidence_s": [0.01, 0.01],
        "quality": {"ratio": None, "verdict": "not judged", "reason": ""}, "method": {"name": "offset", "config": {}},
        "cost": 0.0, "reference": facts, "query": facts,
    }  # fmt: skip
    (folder / name).write_text(json.dumps(found))
    return folder / name


MAPS = {"day.json": 50_000.0, "ages.json": 1e12, "minutes.json": 600.0}


def spent(folder: Path) -> dict[str, tuple[int, float, str]]:
    """Of every file its peak memory in MB, CPU seconds, and what came of it, as one child met them in turn."""
    lines, names = [], []
    for name, (kind, make) in BOMBS.items():
        try:
            data = make()
        except ModuleNotFoundError:  # an extra that is not installed; then it reads no such file either
            continue
        names.append(name)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode("latin-1"))
        assert (folder / name).stat().st_size <= 1_000_000, name
        lines.append(f"{folder / name}\t{kind}")
    lines += [f"{mapped(folder, name, offset)}\twarp" for name, offset in MAPS.items()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": "100000"}
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input="\n".join(lines),
        capture_output=True, text=True, timeout=600, check=False, env=environment,
    )  # fmt: skip
    rows = [row.split("\t") for row in child.stdout.splitlines()]
    assert len(rows) == len(lines), child.stderr[-2000:]
    return {
        name: (int(memory), float(cpu), said) for name, (memory, cpu, said) in zip([*names, *MAPS], rows, strict=True)
    }


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc, which is absent"
)
def test_no_small_file_takes_much_memory_or_time(tmp_path: Path) -> None:
    """One test for all, so that they are made and met once however many processes run the tests."""
    costs = spent(tmp_path)

    assert {name: cost for name, cost in costs.items() if cost[0] > MAX_MB or cost[1] > MAX_CPU_S} == {}
    # A map is refused where it belongs to other files.
    assert [costs[name][2].split(":")[0] for name in MAPS] == ["refused", "refused", "read"]
