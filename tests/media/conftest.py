"""Real media files, made when a test asks for them: no binary is stored, no encoder beyond the dependencies used."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "u8.wav": ("WAV", "PCM_U8"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
PYAV = {"m4a": "aac", "webm": "libopus", "mkv": "aac", "mp4": "aac"}


def tone(rate: int, seconds: float, channels: int = 1, hz: float = 440.0) -> np.ndarray:
    """A sine of amplitude 0.5, float32 ``(n, channels)``; every channel the same."""
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def peak_hz(samples: np.ndarray, rate: int) -> float:
    """The strongest frequency, to a few hundredths of a Hz (parabola through the spectrum's top)."""
    spectrum = np.log(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) + 1e-12)
    top = int(np.argmax(spectrum[1:-1])) + 1
    a, b, c = spectrum[top - 1 : top + 2]
    return float((top + 0.5 * (a - c) / (a - 2 * b + c)) * rate / len(samples))


def write_sound(path: Path, samples: np.ndarray, rate: int, kind: str) -> Path:
    """The samples ``(n, channels)`` encoded as ``kind``, a key of SNDFILE or PYAV."""
    if kind in SNDFILE:
        import soundfile

        form, subtype = SNDFILE[kind]
        soundfile.write(path, samples, rate, format=form, subtype=subtype)
        return path
    import av

    with av.open(str(path), "w") as container:
        add_sound(container, sound_stream(container, samples, rate, PYAV[kind]), samples, rate)
    return path


def sound_stream(container: Any, samples: np.ndarray, rate: int, codec: str) -> Any:
    """A new sound track of an open PyAV container; every track must be there before the first packet."""
    stream = container.add_stream(codec, rate=rate)
    stream.layout = "mono" if samples.shape[1] == 1 else "stereo"
    stream.codec_context.format = "flt" if codec == "libopus" else "fltp"
    return stream


def add_sound(
    container: Any, stream: Any, samples: np.ndarray, rate: int, *, delay: int = 0, last: bool = True
) -> None:
    """Encodes the samples ``(n, channels)``, beginning ``delay`` samples late; ``last``: no more will follow."""
    import av

    layout, form = stream.layout.name, stream.codec_context.format.name
    fifo = av.AudioFifo()
    whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
    whole.sample_rate = rate
    for frame in av.AudioResampler(format=form, layout=layout, rate=rate).resample(whole):
        frame.pts = None
        fifo.write(frame)
    if not stream.codec_context.is_open:
        stream.codec_context.open()
    step = stream.codec_context.frame_size or 960
    at = delay
    while (frame := fifo.read(step, partial=True)) is not None:
        frame.pts, frame.time_base = at, Fraction(1, rate)
        at += frame.samples
        container.mux(stream.encode(frame))
    if last:
        container.mux(stream.encode(None))


def numbered_frames(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frame ``k`` is grey of level ``20 + 8 k``, with a white square in its top left corner."""
    frames = []
    for k in range(count):
        frame = np.full((height, width, 3), 20 + 8 * k, np.uint8)
        frame[: height // 3, : width // 4] = 255
        frames.append(frame)
    return frames


def write_video(
    path: Path, frames: list[np.ndarray], rate: int = 10, *, sound: tuple[np.ndarray, int] | None = None, delay: int = 0
) -> Path:
    """Frames as mp4 or mkv (H.264) or webm (VP9), by the suffix of ``path``, with a sound track where one is given."""
    import av

    webm = path.suffix == ".webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9" if webm else "libx264", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "10", "b": "0", "cpu-used": "8"} if webm else {"crf": "5", "g": "5"}
        track = None if sound is None else sound_stream(container, *sound, "libopus" if webm else "aac")
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            add_sound(container, track, *sound, delay=delay)
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Callable[..., Path]:
    """``sound(kind, rate=.., seconds=.., channels=..)``: the path of a 440 Hz tone."""

    def make(kind: str, *, rate: int = 16000, seconds: float = 1.0, channels: int = 1, name: str = "tone") -> Path:
        return write_sound(tmp_path / f"{name}.{kind}", tone(rate, seconds, channels), rate, kind)

    return make
