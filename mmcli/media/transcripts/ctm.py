"""CTM, the time marks of NIST's scoring: ``RECORDING CHANNEL START LENGTH WORD [CONFIDENCE]``, a tier a recording.

``;;`` begins a comment. Alternatives (``<ALT_BEGIN>``) are no words, and are left out.
"""

from __future__ import annotations

from mmcli.errors import MediaError

SUFFIXES = (".ctm",)
RECORDINGS = True
FIELDS = 5


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`.

    >>> tiers("a 1 0.5 0.25 hello", "x.ctm")
    {'a': [(0.5, 0.75, 'hello')]}
    """
    out: dict[str, list[tuple[float, float, str]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split(";;")[0].split()
        if not fields:
            continue
        if len(fields) < FIELDS:
            raise MediaError(f"line {number}: recording, channel, start, length and word are needed", source=name)
        if fields[4].startswith("<ALT"):
            continue
        try:
            start, length = float(fields[2]), float(fields[3])
        except ValueError:
            raise MediaError(f"line {number}: start or length is no number", source=name) from None
        out.setdefault(fields[0], []).append((start, start + length, fields[4]))
    return out
