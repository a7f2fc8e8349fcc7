"""A score as sound, plain enough to be compared with any rendition: decaying harmonics, no drums."""

from __future__ import annotations

from typing import Any

import numpy as np

RATE = 22_050
HARMONICS = 6
DECAY_S = 0.6  # after which a note has fallen to a third
ATTACK_S = 0.004  # as of a struck or plucked note: with a slow one, maps led to 6 ms before the sound set in
RELEASE_S = 0.05
TAIL_S = 0.5
HELD_S = 8.0  # after which a held note has fallen by 116 dB
MAX_NOTE_S = 100_000.0  # of notes in all, one after another: minutes of work


def sounded(score: Any) -> Any:
    """An AudioClip of the notes of a :class:`mmcli.media.midi.Score`, at 22,050 Hz.

    Amplitudes of harmonics fall as 1/k; drums are left out. Raises InputError where nothing else is there.
    """
    from mmcli.errors import InputError
    from mmcli.media.clips import AudioClip
    from mmcli.media.midi import DRUMS

    tonal = np.flatnonzero(score.channel != DRUMS)
    if len(tonal) == 0:
        raise InputError("holds nothing but drums", source=score.name)
    lengths = np.minimum(score.end - score.start, HELD_S)
    if float(lengths[tonal].sum()) > MAX_NOTE_S:
        raise InputError(
            f"holds {lengths[tonal].sum():,.0f} s of notes, more than {MAX_NOTE_S:,.0f}", source=score.name
        )
    out = np.zeros(int((score.duration_s + TAIL_S) * RATE) + 1, dtype=np.float32)
    for i in tonal.tolist():
        first = int(score.start[i] * RATE)
        held = max(float(lengths[i]), 0.05)
        t = np.arange(int((held + RELEASE_S) * RATE)) / RATE
        t = t[: len(out) - first]
        f = 440.0 * 2 ** ((int(score.pitch[i]) - 69) / 12)
        wave = np.zeros(len(t))
        for k in range(1, HARMONICS + 1):
            if k * f < RATE / 2:
                wave += np.sin(2 * np.pi * k * f * t) / k
        envelope = np.exp(-t / DECAY_S) * np.minimum(t / ATTACK_S, 1.0)
        envelope *= np.clip((held + RELEASE_S - t) / RELEASE_S, 0, 1)
        out[first : first + len(t)] += (wave * envelope * (int(score.velocity[i]) / 127)).astype(np.float32)
    peak = float(np.abs(out).max())
    return AudioClip.from_array(out / peak if peak > 0 else out, RATE, name=score.name)
