"""Text files: UTF-8 with or without a byte order mark. Other encodings are refused, never guessed."""

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


def decoded(path: Path) -> str:
    """The characters of a UTF-8 file, without its byte order mark."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", source=path) from error
    if data[:4] in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"):
        raise MediaError("is UTF-32, not UTF-8", source=path, hint="convert it: iconv -f UTF-32 -t UTF-8")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise MediaError("is UTF-16, not UTF-8", source=path, hint="convert it: iconv -f UTF-16 -t UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MediaError(
            f"is not UTF-8: byte 0x{data[error.start]:02x} in line {line}",
            source=path,
            hint="convert it, for example: iconv -f WINDOWS-1252 -t UTF-8",
        ) from None
    if "\x00" in text:
        raise MediaError("holds NUL characters: it is binary, or UTF-16 without a mark", source=path)
    return text.replace("\r\n", "\n").replace("\r", "\n")
