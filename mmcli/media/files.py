"""Checked before any decoder sees a file: that it is a regular file of a bearable size, and what its bytes say."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

from mmcli.errors import MediaError, MissingError
from mmcli.media import limits

MAX_BYTES = {
    "audio": limits.MAX_STREAM_BYTES,
    "video": limits.MAX_STREAM_BYTES,
    "image": limits.MAX_IMAGE_BYTES,
    "text": limits.MAX_TEXT_BYTES,
    "series": limits.MAX_SERIES_BYTES,
    "subtitle": limits.MAX_SUBTITLE_BYTES,
}


def regular(path: Path | str, modality: str | None = None) -> Path:
    """The path, once it is known to be a non-empty regular file (links are followed) within the limit of its modality.

    Raises :class:`MissingError` where there is nothing, :class:`MediaError` for folders, FIFOs, devices, empty files.
    """
    path = Path(path)
    try:
        info = path.stat()
    except FileNotFoundError:
        raise MissingError("no such file", source=path) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise MediaError(f"cannot be opened: {reason}", source=path) from error
    if not stat.S_ISREG(info.st_mode):
        raise MediaError(f"is {_kind(info.st_mode)}, not a file", source=path)
    if info.st_size == 0:
        raise MediaError("is empty (0 bytes)", source=path)
    most = MAX_BYTES.get(modality or "")
    if most is not None and info.st_size > most:
        raise MediaError(f"has {info.st_size:,} bytes, more than the {most:,} that {modality} may have", source=path)
    return path


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def head(path: Path, size: int = 256) -> bytes:
    """The first bytes of a file."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", source=path) from error


def container(first: bytes) -> str | None:
    """The format that the first bytes name: ``wav``, ``mp4``, ``png`` and so on, or None.

    >>> container(b"RIFF....WAVEfmt "), container(b"plain words")
    ('wav', None)
    """
    if first[:4] in (b"RIFF", b"RF64", b"BW64") and first[8:12] in _RIFF:
        return _RIFF[first[8:12]]
    if first[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        if first[8:12] in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif"):
            return "heif"
        return "m4a" if first[8:12] in (b"M4A ", b"M4B ") else "mp4"
    for mark, name in _MARKS.items():
        if first.startswith(mark):
            return name
    if any(first[k : k + 1] == first[k + width : k + width + 1] == b"G" for k, width in ((0, 188), (4, 192))):
        return "ts"
    if len(first) > 1 and first[0] == 0xFF:  # frame sync: 12 bits of ADTS with layer 0, 11 bits of MPEG layer III
        if first[1] & 0xF6 == 0xF0:
            return "aac"
        if first[1] & 0xE6 == 0xE2:
            return "mp3"
    return None


_RIFF = {b"WAVE": "wav", b"WEBP": "webp", b"AVI ": "avi"}
_MARKS = {
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"ID3": "mp3",
    b"FORM": "aiff",
    b"riff\x2e\x91\xcf\x11": "w64",
    b"caff": "caf",
    b".snd": "au",
    b"#!AMR": "amr",
    b"\x0b\x77": "ac3",
    b"wvpk": "wv",
    b"MAC ": "ape",
    b"TTA1": "tta",
    b"\x1a\x45\xdf\xa3": "mkv",
    b"FLV\x01": "flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"\x00\x00\x01\xba": "mpg",
    b"\x00\x00\x01\xb3": "mpg",
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02": "mxf",
    b".RMF": "rm",
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"BM": "bmp",
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "zip",
    b"XDF:": "xdf",
}
# Sound alone; what may hold pictures too; pictures; arrays.
MODALITY = {
    **dict.fromkeys(("wav", "flac", "ogg", "mp3", "aac", "aiff", "m4a", "w64", "caf", "au", "amr", "ac3"), "audio"),
    **dict.fromkeys(("wv", "ape", "tta"), "audio"),
    **dict.fromkeys(("mp4", "mkv", "avi", "ts", "flv", "asf", "mpg", "mxf", "rm"), "video"),
    **dict.fromkeys(("png", "jpg", "gif", "webp", "tiff", "bmp", "heif"), "image"),
    **dict.fromkeys(("npy", "zip", "xdf"), "series"),
}


def refuse_foreign(path: Path, modality: str, welcome: tuple[str, ...], first: bytes | None = None) -> None:
    """Raises :class:`MediaError` where the content is clearly of a format that this modality cannot be read from.

    ``first`` are the first bytes, where they have been read.
    """
    content = container(head(path) if first is None else first)
    if content is not None and MODALITY[content] not in welcome:
        raise MediaError(f"is named or used as {modality}, but holds {content}", source=path)


def npz_has(path: Path, member: str) -> bool:
    """Whether a zip of arrays has a member of this name; False for what is no zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{member}.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return False
