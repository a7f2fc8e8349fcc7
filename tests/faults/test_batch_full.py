"""A disk that is full in the middle of a batch, and media that are damaged in every way, end it as promised."""

from __future__ import annotations

import hashlib
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def mmcli(folder: Path, *arguments: str, largest: int | None = None) -> tuple[int, str]:
    """Run `mmcli extract`; no file may grow beyond ``largest`` bytes, the way a disk is full for large files first."""
    before: Callable[[], None] | None = None
    if largest is not None:

        def before() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    found = subprocess.run(
        [sys.executable, "-m", "mmcli", "extract", *arguments],
        cwd=folder,
        preexec_fn=before,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in found.stderr
    return found.returncode, found.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_full_disk_ends_the_batch_with_5_and_the_rerun_completes(tmp_path: Path, jobs: str) -> None:
    import soundfile

    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).standard_normal(40_000) * 0.1
    for i in range(30):
        soundfile.write(tmp_path / "in" / f"{i:02d}.wav", noise[: 35_000 if i == 17 else 3_000], 16_000)
    code, errors = mmcli(tmp_path, "in", "-o", "out", "--jobs", jobs, largest=30_000)
    assert code == 5
    assert "cannot be written" in errors
    assert not list((tmp_path / "out").glob(".mmcli-tmp-*"))
    assert not (tmp_path / "out" / "manifest.jsonl").exists()
    done = tree(tmp_path / "out")
    assert mmcli(tmp_path, "in", "-o", "out", "--jobs", jobs)[0] == 0
    assert mmcli(tmp_path, "in", "-o", "whole", "--jobs", "1")[0] == 0
    whole = tree(tmp_path / "whole")
    assert tree(tmp_path / "out") == whole
    for name, digest in done.items():
        if name.endswith(".npz"):
            assert whole[name] == digest  # nothing was torn


def seeds(folder: Path, sample_data: Path) -> list[Path]:
    """One small file of every format."""
    import soundfile
    from PIL import Image

    folder.mkdir()
    t = np.arange(4000) / 8000
    tone = 0.3 * np.sin(2 * np.pi * 300 * t)
    for suffix in ("wav", "flac", "ogg", "mp3"):
        soundfile.write(folder / f"a.{suffix}", tone, 8000)
    picture = Image.fromarray((np.random.default_rng(0).random((20, 30, 3)) * 255).astype(np.uint8))
    for suffix in ("png", "jpg", "webp", "gif"):
        picture.save(folder / f"p.{suffix}")
    (folder / "t.txt").write_text("odd, and larger than four")
    (folder / "s.csv").write_text("time,x\n0,1\n1,2\n2,4\n")
    (folder / "v.mp4").write_bytes((sample_data / "clip" / "bunny.mp4").read_bytes())
    return sorted(folder.iterdir())


def damaged(tmp_path: Path, sample_data: Path, cuts: int, flips: int) -> int:
    """Write the mutants of all seeds into one folder, each under its own name; returns how many there are."""
    rng = random.Random(7)
    target = tmp_path / "in"
    target.mkdir()
    count = 0
    for seed in seeds(tmp_path / "seeds", sample_data):
        data = seed.read_bytes()
        many = 6 if seed.suffix == ".mp4" else 1  # a film costs as much as all the others
        for k in range(max(1, cuts // many)):
            at = len(data) * k // cuts
            (target / f"{seed.stem}{seed.suffix[1:]}-cut{k:03d}{seed.suffix}").write_bytes(data[:at])
            count += 1
        for k in range(max(1, flips // many)):
            mutant = bytearray(data)
            for _ in range(rng.randint(1, 8)):
                mutant[rng.randrange(len(mutant))] = rng.randrange(256)
            (target / f"{seed.stem}{seed.suffix[1:]}-flip{k:03d}{seed.suffix}").write_bytes(bytes(mutant))
            count += 1
    return count


def survives(tmp_path: Path, sample_data: Path, cuts: int, flips: int) -> None:
    from mmcli.artifacts.formats import manifest
    from mmcli.artifacts.io import append

    count = damaged(tmp_path, sample_data, cuts, flips)
    code, errors = mmcli(tmp_path, "in", "-o", "out", "--jobs", "2", "--timeout", "60", "--max-failures", "100%")
    assert code == 3, errors
    rows = manifest.load(tmp_path / "out" / "manifest.jsonl").rows
    assert len(rows) == count
    assert all(row.error or row.cells for row in rows)
    for failure in append.read(tmp_path / "out" / "failures.jsonl"):
        typed = ("MediaError", "InputError", "MissingError", "WorkerDied", "Timeout", "MemoryError")
        assert failure["class"] in typed, failure


def test_damaged_media_fail_one_by_one(tmp_path: Path, sample_data: Path) -> None:
    """12 truncations and 10 mutants of each format; 64 and 50 in the hunt."""
    survives(tmp_path, sample_data, 12, 10)


@pytest.mark.hunt
def test_damaged_media_fail_one_by_one_at_length(tmp_path: Path, sample_data: Path) -> None:
    survives(tmp_path, sample_data, 64, 50)
