"""What a pair is tested by, before it is warped."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import soundfile

from mmcli.aligners.warp import views
from mmcli.media.clips import AudioClip


@pytest.mark.needs("espeak-ng")
def test_silence_at_the_ends_is_no_evidence_of_what_is_said(tmp_path):
    """Different sentences of one voice, and one sentence by two: silence before and behind changes neither."""
    said = {"a": ("en-us", "The river froze in November."), "b": ("en-us", "Wash every cup before dinner."),
            "c": ("en-gb", "The river froze in November.")}  # fmt: skip
    ratios = {}
    for silence in (0.0, 0.8):
        clips = {}
        for name, (voice, words) in said.items():
            path = tmp_path / f"{name}.wav"
            subprocess.run(["espeak-ng", "-v", voice, "-w", str(path), words], check=True)
            samples, rate = soundfile.read(path)
            loud = np.flatnonzero(np.abs(samples) > 0.01)
            gap = np.zeros(round(silence * rate))
            clips[name] = AudioClip.from_array(np.concatenate([gap, samples[loud[0] : loud[-1]], gap]), rate)
        for other in ("b", "c"):
            found = views.voices_test(clips["a"], clips[other])
            if found is not None:  # without silence they may be shorter than is asked
                ratios[other, silence] = found[0].ratio

    assert ratios["b", 0.8] > 0.85 > ratios["c", 0.8]
