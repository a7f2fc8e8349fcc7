"""MicroDVD: ``{first frame}{last frame}line|line``. The rate stands in the first line (``{1}{1}23.976``); a file that
does not say it is refused, for at 25 instead of 23.976 frames a second it would be four seconds off after 100.
"""

from __future__ import annotations

import re

from mmcli.errors import MediaError
from mmcli.media.transcripts import read_aloud_s

SUFFIXES = (".sub",)
CUE = re.compile(r"[{\[](\d{1,8})[}\]][{\[](\d{0,8})[}\]](.*)")
STYLE = re.compile(r"\{[A-Za-z]:[^}]*\}")
RATE = re.compile(r"\d{1,3}(?:[.,]\d{1,6})?")
MOST_RATE = 240.0


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`. Raises MediaError for pictures of text (VobSub), too.

    >>> tiers("{1}{1}25\\n{25}{75}{y:i}la|lo", "x.sub")
    {'': [(1.0, 3.0, 'la lo')]}
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    first = CUE.fullmatch(lines[0][1].strip()) if lines else None
    if first is None:
        raise MediaError(
            "is no MicroDVD file, which begins {1}{1}25",
            source=name,
            hint="a .sub beside an .idx holds pictures of text: read them with a program that recognises characters",
        )
    said = first[3].strip()
    rate = float(said.replace(",", ".")) if RATE.fullmatch(said) else 0.0
    if not 0 < rate <= MOST_RATE:
        raise MediaError(
            "does not say how many frames a second it counts", source=name, hint="put {1}{1}25 (or 23.976) above it"
        )
    out = []
    for number, line in lines[1:]:
        cue = CUE.fullmatch(line.strip())
        if cue is None:
            raise MediaError(f"line {number}: no frames as {{25}}{{75}}", source=name)
        words = " ".join(STYLE.sub("", cue[3]).replace("|", " ").split())
        start = int(cue[1]) / rate
        end = int(cue[2]) / rate if cue[2] else start + read_aloud_s(words)
        if words:
            out.append((start, end, words))
    return {"": out}
