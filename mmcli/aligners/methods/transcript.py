"""The lines and words of a text in a recording of it: when each is spoken, see :mod:`mmcli.aligners.speech.transcript`.

A text has no clock of its own: the result holds ``segments``, lines and words in the time of the recording, and no
knots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.aligners.core import inputs
from mmcli.aligners.core.odds import probability, said
from mmcli.aligners.speech import transcript
from mmcli.aligners.speech.language import named
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.media.clips import AudioClip, TextClip

ACCEPTS = (("audio", "text"),)


@dataclass(frozen=True)
class Config:
    """The language of the text, and what happens to one that is not what is spoken."""

    language: str | None = None  # en, de, ...: a code of espeak-ng; None: told by its words
    force: bool = False  # make a map even where the text is not what is spoken, if any of it is found


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """When the lines and words of the text ``y``, a TextClip, are spoken in the AudioClip ``x``.

    Raises InputError where the text holds no words, MissingError where its language needs espeak-ng, MismatchError
    with the evidence where it is not what is spoken.
    """
    if not (isinstance(x, AudioClip) and isinstance(y, TextClip)):
        raise inputs.incomparable([inputs.kind_of(v) for v in (x, y)], [inputs.name_of(v) for v in (x, y)])
    reading = transcript.align(x, y.text, y.name, language=config.language, force=config.force)
    segments = transcript.segments_of(reading)
    return Alignment(
        model="warp",
        knots=np.empty((0, 2)),
        quality={
            "ratio": None,
            "verdict": reading.verdict,
            "reason": _reason(reading, segments),
            "probability": probability("text", reading.evidence),
            "candidates": [said("text", reading.evidence)],
        },
        method=inputs.method_entry("transcript", config),
        reference=inputs.about(x),
        query=inputs.about(y),
        segments=segments,
    )


def _reason(reading: transcript.Reading, segments: list[dict[str, Any]]) -> str:
    """The evidence, for people."""
    lines = [s for s in segments if s["kind"] == "line"]
    unspoken = sum(not s["spoken"] for s in lines)
    reason = f"{len(lines) - unspoken} of {len(lines)} lines are spoken"
    reason += f"; in order they fit {reading.gain:.2f} nats a frame better than backwards"
    if reading.language != "en":
        reason += f"; {named(reading.language)}, its sounds from espeak-ng"
    if reading.guessed:
        reason += ", sounded out by their letters: " + " ".join(reading.guessed[:8])
    return reason
