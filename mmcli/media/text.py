"""Text files: UTF-8, or UTF-16 and UTF-32 with their byte order mark. Other encodings are refused, and named where they
can be told; only of subtitles, most of which are older than UTF-8, is the encoding told apart and read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.errors import MediaError
from mmcli.media import files
from mmcli.media.clips import TextClip

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions


def read(path: Path, options: MediaOptions) -> TextClip:
    """The clip of a text file; line ends become ``\\n``. Raises :class:`MediaError` for text of no characters."""
    files.refuse_foreign(path, "text", ())
    text = decoded(path)
    if not text.strip():
        raise MediaError("holds no text", source=path)
    return TextClip(name=path.name, path=path, text=text)


MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
SAMPLE = 32_768  # bytes that an encoding is told from


def decoded(path: Path, *, told_apart: bool = False) -> str:
    """The characters of a file, without its byte order mark; line ends become ``\\n``.

    ``told_apart``: where it is no UTF-8, the encoding is told from its letters. Raises :class:`MediaError` for what is
    in no known encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", source=path) from error
    name = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        if name != "utf-8-sig":
            raise MediaError(f"is damaged: it is no {name.upper()} after its mark", source=path) from None
        looks = _encoding(data, error.start)
        if told_apart and looks is not None:
            return _lines(data.decode(looks, "replace"), path)
        line = data.count(b"\n", 0, error.start) + 1
        raise MediaError(
            f"is not UTF-8: byte 0x{data[error.start]:02x} in line {line}",
            source=path,
            hint=f"convert it, for example: iconv -f {(looks or 'windows-1252').upper()} -t UTF-8",
        ) from None
    return _lines(text, path)


def _lines(text: str, path: Path) -> str:
    if "\x00" in text:
        raise MediaError("holds NUL characters: it is binary, or UTF-16 without a mark", source=path)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding(data: bytes, first: int) -> str | None:
    """What the bytes around the first one that is no UTF-8 are most likely written in; None where nothing fits."""
    from charset_normalizer import from_bytes

    begin = max(0, first - 1024)
    begin = data.rfind(b"\n", 0, begin) + 1 if begin else 0
    best = from_bytes(data[begin : begin + SAMPLE]).best()
    return None if best is None or b"\x00" in data[:SAMPLE] else str(best.encoding)
