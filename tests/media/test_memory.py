"""Long recordings are streamed: their length costs time, not memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import add_sound, sound_stream, tone

CHILD = """
import sys
from mmcli.media import open_clip
clip = open_clip(sys.argv[1], "audio")
count = sum(len(block) for block in clip.blocks(16000))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(count, int(peak.split()[1]) // 1024)
"""


def streamed(path: Path, timeout: float) -> tuple[int, int]:
    """Samples at 16 kHz and the peak memory, in MB, of a child that reads them block by block."""
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc, which this system lacks")
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, timeout=timeout, check=True
    )
    count, peak = child.stdout.split()
    return int(count), int(peak)


def long_wav(path: Path, hours: float, rate: int = 44100) -> Path:
    """A wav of silence whose bytes are a hole in the file: 3 hours of stereo take no room on the disk."""
    size = round(hours * 3600 * rate) * 4
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += (1).to_bytes(2, "little") + (2).to_bytes(2, "little") + rate.to_bytes(4, "little")
    head += (rate * 4).to_bytes(4, "little") + (4).to_bytes(2, "little") + (16).to_bytes(2, "little")
    with path.open("wb") as file:
        file.write(head + b"data" + size.to_bytes(4, "little"))
        file.truncate(len(head) + 8 + size)
    return path


def test_twenty_minutes_cost_as_little_as_one(tmp_path):
    count, peak = streamed(long_wav(tmp_path / "long.wav", 1 / 3), 120)

    assert count == 1200 * 16000
    assert peak <= 200


@pytest.mark.hunt
def test_a_three_hour_wav_costs_at_most_500_mb(tmp_path):
    count, peak = streamed(long_wav(tmp_path / "long.wav", 3.0), 600)

    assert count == 3 * 3600 * 16000
    assert peak <= 500


@pytest.mark.hunt
@pytest.mark.parametrize("kind", ["m4a", "ogg"])
def test_a_three_hour_compressed_recording_costs_at_most_500_mb(tmp_path, kind):
    """Encoded from pieces of a minute, so that making the file needs no memory either."""
    path = tmp_path / f"long.{kind}"
    minute = tone(16000, 60.0)
    if kind == "ogg":
        import soundfile

        with soundfile.SoundFile(path, "w", 16000, 1, format="OGG", subtype="VORBIS") as file:
            for _ in range(180):
                file.write(minute[:, 0])
    else:
        import av

        with av.open(str(path), "w") as container:
            stream = sound_stream(container, minute, 16000, "aac")
            for k in range(180):
                add_sound(container, stream, minute, 16000, delay=k * len(minute), last=k == 179)
    count, peak = streamed(path, 600)

    assert count == pytest.approx(3 * 3600 * 16000, abs=16000)
    assert peak <= 500
