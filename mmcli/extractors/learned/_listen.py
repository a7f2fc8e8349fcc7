"""Sound through a transformer, window by window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mmcli.artifacts.formats.features import Features
from mmcli.extractors import _sound
from mmcli.extractors.learned import _file, _tensors
from mmcli.extractors.learned._transformer import Model


def extract(clip: Any, config: Any, model: Model) -> Features:
    """A vector for the recording, or the steps of all its windows with their times.

    Windows of one length are computed together. A model that fills every input up to a fixed length (Whisper) gives
    steps for the filling too; they are left out.
    """
    rate = int(model.listener.sampling_rate)
    sound = _sound.prepare(clip, _sound.SoundConfig(sample_rate=rate))
    pool = model.pooling(config.pool)
    total, samples = np.zeros(0), 0
    rows: list[np.ndarray] = []
    times: list[np.ndarray] = []
    windows = _tensors.whole_windows(_tensors.lengthened(sound.blocks()), round(config.window_s * rate))
    for together in _tensors.alike(windows, config.batch):
        length = len(together[0])
        answer = _answer(together, rate, model, clip.name)
        if answer.ndim == 2:
            answer = answer[:, np.newaxis]
        if pool == "none":
            for steps in answer:
                rows.append(steps)
                times.append((samples + (np.arange(len(steps)) + 0.5) * (length / len(steps))) / rate)
                samples += length
            continue
        vectors = answer[:, 0] if pool == "first" else answer.mean(axis=1, dtype=np.float64)
        weighted = vectors.astype(np.float64).sum(axis=0) * length
        total = total + weighted if samples else weighted
        samples += length * len(together)
    if pool == "none":
        found: Features = _file.sequence(clip, np.concatenate(rows), np.concatenate(times), config)
        return found
    pooled: Features = _file.vector(clip, model.united(np.asarray(total / samples)[np.newaxis], config.unit)[0], config)
    return pooled


def _answer(windows: list[np.ndarray], rate: int, model: Model, name: str) -> np.ndarray:
    """(n, steps, dims) or (n, dims)."""
    inputs = model.listener(windows, sampling_rate=rate, return_tensors="pt")
    wanted = {key: value for key, value in inputs.items() if key in ("input_values", "input_features", "is_longer")}
    answer = model.hidden(wanted, "audio", name)
    filled = getattr(model.listener, "n_samples", None)
    if filled and answer.ndim == 3 and len(windows[0]) < filled:
        answer = answer[:, : max(1, math.ceil(answer.shape[1] * len(windows[0]) / filled))]
    return answer
