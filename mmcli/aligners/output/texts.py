"""Text files on another clock: their times are rewritten in place, every other byte stays.

Subtitles (srt, vtt, ass), Praat TextGrids (long and short), tables with a column of times. UTF-16, which Praat writes,
comes back as UTF-16.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator

from mmcli.errors import MediaError

TEXTS = (".srt", ".vtt", ".ass", ".ssa", ".textgrid", ".csv", ".tsv")
TIME_COLUMNS = (
    *(b"time", b"t", b"time_s", b"start", b"end", b"start_s", b"end_s", b"seconds"),
    *(b"onset", b"begin", b"timestamp"),
)
Clock = Callable[[float], float]

_CUE = rb"((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})"
_ARROW = re.compile(rb"^(\s*)" + _CUE + rb"(\s*-->\s*)" + _CUE, re.M)
_INSIDE = re.compile(rb"(<)((?:\d+:)?\d{2}:\d{2}\.\d{3})(>)")  # of WebVTT: when the next word is due
_EVENT = re.compile(rb"^((?:Dialogue|Comment):[^,\r\n]*,\s*)" + _CUE + rb"(\s*,\s*)" + _CUE, re.M)
# What a TextGrid is made of: strings, in which "" is a quote, and numbers; of names and indices nothing is needed.
_VALUE = re.compile(rb'"(?:[^"]|"")*"|(?<![\w\[.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w\].])')
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def retimed(data: bytes, suffix: str, clock: Clock, name: str) -> bytes:
    """The bytes of a text file with its times on another clock and everything else as it was.

    Raises :class:`MediaError` where there are no times, or what should be one is none.

    >>> retimed(b"1\\n00:00:01,000 --> 00:00:02,500 X1:1\\nhi\\n", ".srt", lambda t: t + 60, "a.srt")
    b'1\\n00:01:01,000 --> 00:01:02,500 X1:1\\nhi\\n'
    """
    if (encoding := _UTF16.get(data[:2])) is not None:
        try:
            text = data[2:].decode(encoding)
        except UnicodeDecodeError as error:
            raise MediaError("is damaged: half a character of UTF-16", source=name) from error
        return data[:2] + retimed(text.encode(), suffix, clock, name).decode().encode(encoding)
    if suffix in (".csv", ".tsv"):
        return _table(data, b"\t" if suffix == ".tsv" else b",", clock, name)
    if suffix == ".textgrid":
        return _grid(data, clock, name)
    pattern = _EVENT if suffix in (".ass", ".ssa") else _ARROW
    out, count = pattern.subn(
        lambda m: m[1] + _stamp(clock(_seconds(m[2])), m[2]) + m[3] + _stamp(clock(_seconds(m[4])), m[4]), data
    )
    if count == 0:
        raise MediaError("holds no cues", source=name)
    if suffix == ".vtt":
        out = _INSIDE.sub(lambda m: m[1] + _stamp(clock(_seconds(m[2])), m[2]) + m[3], out)
    return out


def _seconds(stamp: bytes) -> float:
    *hours, minutes, seconds = stamp.replace(b",", b".").split(b":")
    return (int(hours[0]) if hours else 0) * 3600 + int(minutes) * 60 + float(seconds)


def _stamp(t: float, like: bytes) -> bytes:
    """The time written as another one is: same mark, same digits; hours where it has them or an hour is reached.

    >>> _stamp(3725.5, b"0:00:01.00")
    b'1:02:05.50'
    """
    mark = b"," if b"," in like else b"."
    digits = len(like.partition(mark)[2])
    units = round(t * 10**digits)
    whole, rest = divmod(units, 10**digits)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    text = b"%02d:%02d%s%0*d" % (minutes, seconds, mark, digits, rest)
    if like.count(b":") == 2:
        return b"%0*d:" % (len(like.partition(b":")[0]), hours) + text
    return (b"%02d:" % hours if hours else b"") + text


def _table(data: bytes, comma: bytes, clock: Clock, name: str) -> bytes:
    """The columns whose names say time, start or end; all other cells untouched, quotes and line breaks in them too."""
    rows = list(_rows(data, comma))
    if not rows:
        raise MediaError("is empty", source=name)
    head = [_bare(data[a:b]).lower().removeprefix(b"\xef\xbb\xbf") for a, b in rows[0]]
    head = [c.strip().strip(b'"') for c in head]
    columns = [k for k, c in enumerate(head) if c in TIME_COLUMNS]
    if not columns:
        wanted = ", ".join(c.decode() for c in TIME_COLUMNS)
        raise MediaError("has no column of times in its first line", source=name, hint=f"name it one of: {wanted}")
    out, at = [], 0
    for row in rows[1:]:
        for k in columns:
            if k >= len(row):
                continue
            start, end = row[k]
            cell = data[start:end]
            if not _bare(cell):
                continue
            try:
                t = clock(float(_bare(cell)))
            except ValueError as error:
                line = data.count(b"\n", 0, start) + 1
                raise MediaError(f"line {line}: {cell[:40]!r} is no time", source=name) from error
            quote = b'"' if cell.startswith(b'"') else b""
            out += [data[at:start], quote, b"%.6f" % t, quote]
            at = end
    return b"".join([*out, data[at:]])


def _rows(data: bytes, comma: bytes) -> Iterator[list[tuple[int, int]]]:
    """Where the cells of every line begin and end; commas and line breaks between quotes belong to a cell."""
    mark = re.escape(comma)
    cell = re.compile(rb'((?:"(?:[^"]|"")*")?[^' + mark + rb"\r\n]*)(" + mark + rb"|\r\n|\n|\r|\Z)")
    row: list[tuple[int, int]] = []
    at = 0
    while at < len(data) or row:
        piece = cell.match(data, at)
        assert piece is not None  # the pattern matches nothing at all too, and the end
        row.append(piece.span(1))
        at = piece.end()
        if piece[2] != comma:
            yield row
            row = []


def _bare(cell: bytes) -> bytes:
    return cell.strip().strip(b'"').strip()


def _grid(data: bytes, clock: Clock, name: str) -> bytes:
    """A TextGrid: walked as it is built, so that counts and what stands in labels are never taken for times."""
    values = list(_VALUE.finditer(data))
    times: list[re.Match[bytes]] = []
    try:
        if [v[0] for v in values[:2]] != [b'"ooTextFile"', b'"TextGrid"']:
            raise MediaError("is no TextGrid in text form", source=name)
        times += values[2:4]
        at = 5
        for _ in range(int(float(values[4][0]))):
            kind, count = values[at][0], int(float(values[at + 4][0]))
            times += values[at + 2 : at + 4]
            at += 5
            step = 3 if kind == b'"IntervalTier"' else 2
            for k in range(count):
                first = at + step * k
                times += values[first : first + step - 1]
                if not values[first + step - 1][0].startswith(b'"'):
                    raise ValueError("a label is missing")
            at += step * count
        out, end = [], 0
        for value in times:
            out += [data[end : value.start()], b"%.6f" % clock(float(value[0]))]
            end = value.end()
    except (IndexError, ValueError, OverflowError) as error:
        raise MediaError("is damaged: a tier ends before its last interval", source=name) from error
    return b"".join([*out, data[end:]])
