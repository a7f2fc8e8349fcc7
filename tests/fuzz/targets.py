"""What is searched for damage: a format, sound files of it, and what reading one has to keep.

A file is read, or refused by a typed error of at most two lines; anything else that is raised is a finding.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pages
import reading
import seeds

from mmcli.errors import MmcliError


@dataclass(frozen=True)
class Target:
    """A format: ``use`` reads the file at a path and checks what it got; ``words`` are what such files are made of."""

    name: str
    suffix: str
    seeds: Callable[[], list[bytes]]
    use: Callable[[Path], None]
    words: tuple[str, ...] = ()
    text: bool = True
    sealed: bool = False  # whether its pages carry checksums
    reads: tuple[str, ...] = ("mmcli.media",)  # whose branches guide the search

    def sensible(self, data: bytes) -> bytes:
        """Of a text most mutants in UTF-8: what is none is refused early, or its encoding told, which is slow; of pages
        most with a checksum that fits."""
        if self.sealed and zlib.crc32(data) % 8:
            return pages.sealed(data)
        return data.decode("utf-8", "replace").encode() if self.text and zlib.crc32(data) % 8 else data

    def attempt(self, data: bytes, folder: Path) -> str:
        """``read`` or ``refused``; raises what no file may raise."""
        path = folder / f"a{self.suffix}"
        path.write_bytes(data)
        try:
            self.use(path)
        except MmcliError as error:
            refusal = error
        else:
            return "read"
        words = str(refusal)
        assert words.count("\n") <= 1, f"{words.count(chr(10)) + 1} lines: {words!r}"
        assert words.replace("\n", "").isprintable(), f"control characters: {words!r}"
        assert refusal.exit_code in (2, 4), f"exit code {refusal.exit_code}: {words!r}"
        return "refused"


CUE_WORDS = (
    "-->",
    "00:00:01,000",
    "99:59:59,999",
    "-1:00",
    "WEBVTT",
    "NOTE",
    "STYLE",
    "Dialogue: ",
    "Format: ",
    "[Events]",
    "{\\p1}",
    "{\\i1}",
    "\\N",
    "<v ",
    "</v>",
    "\n\n",
    "\ufeff",
    "{1}{2}",
    "[Script Info]",
    "Style: ",
    "0:00:01.00",
)


TEXTS = (
    Target("srt", ".srt", lambda: [seeds.CUES], reading.subtitle, CUE_WORDS, reads=("mmcli.media", "pysubs2")),
    Target("vtt", ".vtt", lambda: [seeds.VTT], reading.subtitle, CUE_WORDS, reads=("mmcli.media", "pysubs2")),
    Target("ass", ".ass", lambda: [seeds.ASS], reading.subtitle, CUE_WORDS, reads=("mmcli.media", "pysubs2")),
    Target(
        "textgrid",
        ".TextGrid",
        lambda: [seeds.GRID, seeds.SHORT_GRID],
        reading.intervals,
        ('"ooTextFile"', '"TextGrid"', "<exists>", '"IntervalTier"', '"TextTier"', '""', "1e999", "-1", "size = "),
    ),
    Target(
        "csv",
        ".csv",
        lambda: [b"t,x\n0,1.5\n1,2.5\n2,-3e4\n", b"1\t2\n3\t4\n", b"time;y\n0;1\n1;2\n"],
        reading.series,
        ("time", "timestamp", "nan", "inf", "1e999", "-0", ",", ";", "\t", '"', "\r\n", "\ufeff", "1_0", "id", "audio"),
    ),
    Target(
        "intervals",
        ".csv",
        lambda: [b'start,end,label\n0,1,a\n1,2.5,"b c"\n'],
        reading.intervals,
        ("start", "nan", "inf"),
    ),
    Target(
        "txt", ".txt", lambda: [b"one two\n", "\ufeffGr\u00fc\u00dfe".encode(), "a b".encode("utf-16")], reading.text
    ),
    Target(
        "map",
        ".json",
        seeds.maps,
        reading.map,
        ("NaN", "1e999", "null", "[]", "{}", '"warp"', '"piecewise"', '"affine"', '"breaks"', '"segments"', '"path"'),
        reads=("mmcli.artifacts",),
    ),
    Target(
        "manifest",
        ".csv",
        lambda: [seeds.ROWS],
        reading.manifest,
        ("id", "split", "../", "audio.", "num.", "map.", "#1", '"', "nan"),
        reads=("mmcli.artifacts",),
    ),
    Target(
        "lines",
        ".jsonl",
        lambda: [seeds.LINES],
        reading.manifest,
        ('{"mmcli": {', '"root"', '"id"', "1e999", "NaN", "\\ud800", "../", "null", "[]"),
        reads=("mmcli.artifacts",),
    ),
)
MEDIA = (
    Target(
        "wav",
        ".wav",
        seeds.wav,
        reading.sound,
        ("RIFF", "RF64", "WAVE", "fmt ", "data", "LIST", "fact", "ds64"),
        text=False,
    ),
    Target(
        "png",
        ".png",
        seeds.png,
        reading.image,
        ("IHDR", "IDAT", "IEND", "tRNS", "PLTE", "eXIf", "iCCP", "acTL"),
        text=False,
        reads=("mmcli.media", "PIL"),
    ),
    Target(
        "npz",
        ".npz",
        seeds.npz,
        reading.series,
        ("PK\x03\x04", "PK\x01\x02", "\x93NUMPY", "'descr'", "'<f8'", "'shape'"),
        text=False,
        reads=("mmcli.media", "zipfile"),
    ),
    Target("midi", ".mid", seeds.mid, reading.score, ("MThd", "MTrk", "\xff\x51\x03", "\xff\x2f\x00"), text=False),
    Target("npy", ".npy", seeds.npy, reading.series, ("\x93NUMPY", "'descr'", "'<f8'", "'shape'", "True"), text=False),
    *(
        Target(kind, f".{kind}", lambda kind=kind: seeds.picture(kind), reading.image, text=False)
        for kind in ("jpeg", "webp", "gif", "tiff", "bmp")
    ),
    *(
        Target(
            kind,
            f".{kind}",
            lambda kind=kind: seeds.sound(kind),
            reading.sound,
            text=False,
            sealed=kind in ("ogg", "opus"),
        )
        for kind in ("flac", "mp3", "ogg", "opus", "m4a")
    ),
    *(
        Target(
            f"{kind}-{read.__name__}",
            f".{kind}",
            lambda form=form, codec=codec: seeds.film(form, codec),
            read,
            text=False,
        )
        for kind, form, codec in (
            ("mp4", "mp4", "libx264"),
            ("mkv", "matroska", "libx264"),
            ("webm", "webm", "libvpx-vp9"),
        )
        for read in (reading.film, reading.sound)
    ),
)
TARGETS = {target.name: target for target in (*TEXTS, *MEDIA)}


def dictionary(target: Target) -> str:
    """The words in the syntax of libFuzzer."""
    data = (word.encode("latin-1" if not target.text else "utf-8") for word in target.words)
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in data)
    return "".join(f'"{word}"\n' for word in quoted)


def matching(names: str) -> list[Target]:
    """The targets whose name matches a pattern."""
    return [target for target in TARGETS.values() if re.fullmatch(names, target.name)]
