"""RTTM, who speaks when: ``SPEAKER RECORDING CHANNEL START LENGTH <NA> <NA> NAME ...``, a tier a recording.

Only SPEAKER lines are read (NIST, Rich Transcription 2009 evaluation plan, appendix A).
"""

from __future__ import annotations

from mmcli.errors import MediaError

SUFFIXES = (".rttm",)
RECORDINGS = True
FIELDS = 8


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`.

    >>> tiers("SPEAKER a 1 0.5 2.0 <NA> <NA> anna <NA> <NA>", "x.rttm")
    {'a': [(0.5, 2.5, 'anna')]}
    """
    out: dict[str, list[tuple[float, float, str]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        if len(fields) < FIELDS:
            raise MediaError(f"line {number}: a SPEAKER line has {FIELDS} fields and more", source=name)
        try:
            start, length = float(fields[3]), float(fields[4])
        except ValueError:
            raise MediaError(f"line {number}: start or length is no number", source=name) from None
        out.setdefault(fields[1], []).append((start, start + length, fields[7]))
    return out
