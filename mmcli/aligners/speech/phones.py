"""The sounds of English in a recording: pocketsphinx's acoustic model, read frame by frame.

The model says how likely each state of each sound is every 10 ms. What counts later is the ratio to the best sequence
of sounds, whatever it says: 0 where a state is as good as anything, negative where it is not. The decoder writes its
scores into a file when asked to; a recording is worked through in chunks, so that these files stay small.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.kernels import spoken
from mmcli.errors import InputError

RATE = 16_000
FRAME = 160  # samples
CHUNK = 6000  # frames
LEAD = 30  # frames before a chunk, for the decoder to settle in
NAT = 1024 * np.log(1.0001)  # nats of a unit of the decoder's scores
NEW_SOUND = 4.0  # nats: log of the number of sounds, about; the price of a new one in the best sequence
PAUSES = ("SIL", "+NSN+")  # silence, noise
NEVER = -300.0  # nats, of a state that the decoder has not reached in its first frame


@dataclass(frozen=True)
class Heard:
    """Ratios float16 (frames, 3 * sounds) and those of silence float32 (frames,), in nats, every 10 ms."""

    ratios: NDArray[np.float16]
    silence: NDArray[np.float32]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The sounds of the model in its order: ARPAbet, silence and two noises."""
    data = Path(_model("en-us/mdef")).read_bytes()
    (described,) = struct.unpack("<i", data[8:12])
    at = 12 + described
    (count,) = struct.unpack("<i", data[at : at + 4])
    return tuple(name.decode() for name in data[at + 40 :].split(b"\0", count)[:count])


@lru_cache(maxsize=1)
def dictionary() -> dict[str, tuple[str, ...]]:
    """The words of the model's dictionary and the sounds of their first pronunciation."""
    entries: dict[str, tuple[str, ...]] = {}
    for row in Path(_model("cmudict-en-us.dict")).read_text(encoding="utf-8").splitlines():
        word, *sounds = row.split()
        if "(" not in word:
            entries[word] = tuple(sounds)
    return entries


def columns(sounds: tuple[str, ...]) -> list[int]:
    """The columns of the states of sounds, one after the other.

    >>> columns(("AA",))
    [6, 7, 8]
    """
    index = {name: k for k, name in enumerate(names())}
    return [spoken.STATES * index[s] + k for s in sounds for k in range(spoken.STATES)]


def hear(samples: NDArray[Any], name: str) -> Heard:
    """The sounds of a recording: ``samples`` at 16 kHz, -1 to 1. 25 kB are kept of a second.

    Raises InputError for a recording shorter than a tenth of a second.
    """
    frames = len(samples) // FRAME
    if frames < 10:
        raise InputError("is too short to hold words", source=name)
    ratios = np.empty((frames, spoken.STATES * len(names())), dtype=np.float16)
    silence = np.empty(frames, dtype=np.float32)
    still = columns(PAUSES)
    parts = max(1, round(frames / CHUNK))
    for k in range(parts):
        start, end = frames * k // parts, frames * (k + 1) // parts
        first = max(0, start - LEAD)
        scores = _scores(samples[first * FRAME : (end + 3) * FRAME])
        if len(scores) < end - first:  # the last frames of a file are no whole window
            scores = np.concatenate([scores, np.repeat(scores[-1:], end - first - len(scores), axis=0)])
        scores = scores[: end - first]
        free = spoken.free_path(scores, NEW_SOUND)
        ratio = np.maximum(scores - free[:, None], NEVER)[start - first :]
        ratios[start:end] = ratio
        silence[start:end] = ratio[:, still].max(axis=1)
    return Heard(ratios, silence)


def _scores(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Log-likelihoods of all states but for a constant of each frame, float32 (frames, states)."""
    from pocketsphinx import Decoder

    states = spoken.STATES * len(names())
    pcm = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2").tobytes()
    with tempfile.TemporaryDirectory(prefix="mmcli-") as folder:
        decoder = Decoder(
            lm=None,
            dict=None,
            loglevel="FATAL",
            samprate=float(RATE),
            allphone_ci=True,
            beam=0.0,
            pbeam=0.0,
            senlogdir=folder,
        )
        decoder.add_allphone_file("sounds", None)
        decoder.activate_search("sounds")
        decoder.start_utt()
        decoder.process_raw(pcm, no_search=False, full_utt=True)
        decoder.end_utt()
        written = [file.read_bytes() for file in Path(folder).iterdir()]
    data = written[0]
    at = data.index(b"endhdr\n") + 7 + 4  # a mark of the byte order follows the head
    # A frame: how many states were looked at, steps from one to the next (bytes), their scores. In the first frame
    # only silence is, afterwards all are.
    early: list[NDArray[np.float32]] = []
    while at < len(data):
        (count,) = struct.unpack_from("<h", data, at)
        if count == states:
            break
        row = np.full(states, NEVER, dtype=np.float32)
        which = np.cumsum(np.frombuffer(data, np.uint8, count, at + 2))
        row[which] = np.frombuffer(data, "<i2", count, at + 2 + count) * -NAT
        early.append(row)
        at += 2 + 3 * count
    rest = np.frombuffer(data, np.uint8, offset=at).reshape(-1, 2 + 3 * states)
    scores = rest[:, 2 + states :].copy().view("<i2") * np.float32(-NAT)
    return np.concatenate([np.array(early, dtype=np.float32).reshape(-1, states), scores])


def _model(path: str) -> str:
    from pocketsphinx import get_model_path

    return str(get_model_path(f"en-us/{path}"))
