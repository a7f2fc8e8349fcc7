"""Damaged media end in a result or one typed error: never another exception, a hang, or a dead process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .conftest import numbered_frames, tone, write_sound, write_video

CHILD = """
import sys
from pathlib import Path
import numpy as np
from mmcli.errors import MmcliError
from mmcli.media import open_clip

seed, modality, scratch = Path(sys.argv[1]), sys.argv[2], sys.argv[5]
rounds, truncations = int(sys.argv[3]), int(sys.argv[4])
data, rng = seed.read_bytes(), np.random.default_rng(int(sys.argv[6]))
target = Path(scratch) / ("m" + seed.suffix)

def use():
    clip = open_clip(target, modality)
    if modality == "audio":
        for block in clip.blocks(8000, 0.3):
            assert np.isfinite(block).all()
    elif modality == "video":
        last = -1.0
        for time, frame in clip.frames(5.0):
            assert time > last and frame.ndim == 3
            last = time
    elif modality == "image":
        assert 0.0 <= clip.pixels.min() and clip.pixels.max() <= 1.0

typed = results = 0
for k in range(rounds + truncations):
    if k < truncations:
        mutant = data[: 1 + k * len(data) // truncations]
    else:
        mutant = bytearray(data)
        for _ in range(rng.integers(1, 9)):
            mutant[rng.integers(len(data))] = rng.integers(256)
    target.write_bytes(mutant)
    print("last", k, flush=True)
    try:
        use()
        results += 1
    except MmcliError as error:
        assert str(error).count("\\n") <= 1, str(error)
        typed += 1
print("done", typed, results)
"""


def seeds(folder: Path) -> list[tuple[Path, str]]:
    """One small file of every kind that a decoder of ours reads."""
    from PIL import Image

    made: list[tuple[Path, str]] = []
    for kind in ("wav", "flac", "mp3", "ogg", "opus", "m4a"):
        made.append((write_sound(folder / f"a.{kind}", tone(16000, 0.5, 2), 16000, kind), "audio"))
    for kind in ("mp4", "webm", "mkv"):
        path = write_video(folder / f"v.{kind}", numbered_frames(5), sound=(tone(48000, 0.5), 48000))
        made += [(path, "video"), (path, "audio")]
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8))
    for kind in ("png", "jpg", "webp", "gif"):
        picture.save(folder / f"i.{kind}")
        made.append((folder / f"i.{kind}", "image"))
    np.save(folder / "s.npy", np.arange(20.0).reshape(10, 2))
    np.savez_compressed(folder / "s.npz", t=np.arange(10.0), x=np.arange(10.0))
    (folder / "s.csv").write_text("t,x\n0,1.5\n1,2.5\n2,-3e4\n")
    made += [(folder / f"s.{kind}", "series") for kind in ("npy", "npz", "csv")]
    (folder / "t.txt").write_text("Grüße, 世界\n")
    (folder / "c.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\nHello\n")
    return [*made, (folder / "t.txt", "text"), (folder / "c.srt", "subtitle")]


def hunt(folder: Path, rounds: int, truncations: int, salt: int) -> None:
    scratch = folder / "scratch"
    scratch.mkdir()
    for seed, modality in seeds(folder):
        arguments = [str(seed), modality, str(rounds), str(truncations), str(scratch), str(salt)]
        child = subprocess.run(
            [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, timeout=60 + rounds, check=False
        )
        lines = child.stdout.splitlines()
        assert child.returncode == 0, f"{seed.name} as {modality}: {lines[-1:]} {child.stderr[-2000:]}"
        _, typed, results = lines[-1].split()
        assert int(typed) > 0 or modality in ("text", "subtitle")
        assert int(typed) + int(results) == rounds + truncations


@pytest.mark.hunt
def test_thousands_of_damaged_files_of_every_kind(tmp_path):
    hunt(tmp_path, rounds=500, truncations=128, salt=1)


def test_a_few_damaged_files_of_every_kind(tmp_path):
    """All in one child, so that starting the decoders is paid once."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    calls = "\n".join(
        f"sys.argv = ['', {str(seed)!r}, {modality!r}, '12', '8', {str(scratch)!r}, '2']; exec(code)"
        for seed, modality in seeds(tmp_path)
    )
    script = f"import sys\ncode = {CHILD!r}\n{calls}"
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)

    assert child.returncode == 0, child.stderr[-2000:]
    done = [line.split() for line in child.stdout.splitlines() if line.startswith("done")]
    assert len(done) == len(seeds(tmp_path))
    assert all(int(typed) + int(results) == 20 for _, typed, results in done)
