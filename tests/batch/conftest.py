"""Small inputs, a listener that remembers, and a task that misbehaves on request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli import extractors
from mmcli.batch.jobs import extract
from mmcli.batch.plan import plan
from mmcli.batch.plan.plan import Stream
from mmcli.batch.workers import run


class Heard:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.lines: list[str] = []
        self.begun: tuple[int, int] | None = None
        self.failures = 0

    def say(self, message: str) -> None:
        self.said.append(message)

    def begin(self, inputs: int, size: int, workers: int) -> None:
        self.begun = (inputs, size)

    def advance(self, size: int, seconds: float, failed: bool) -> None:
        self.failures += failed

    def row(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def write_tones(folder: Path, count: int, seconds: float = 0.12) -> Path:
    """Wav files of different tones at 8 kHz."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    t = np.arange(int(seconds * 8000)) / 8000
    for i in range(count):
        soundfile.write(folder / f"tone{i:04d}.wav", 0.3 * np.sin(2 * np.pi * (200 + 7 * i) * t), 8000)
    return folder


@pytest.fixture
def tones(tmp_path: Path) -> Callable[..., Path]:
    return lambda count, name="in": write_tones(tmp_path / name, count)


@pytest.fixture
def go(heard: Heard) -> Callable[..., extract.Summary]:
    """Run a batch: ``go(source, out, only="audio", named={"audio": ["mfcc"]}, **options)``."""

    def call(
        source: Path | str | list[Any],
        out: Path,
        only: str = "auto",
        named: Any = None,
        config: Any = None,
        **fields: Any,
    ) -> extract.Summary:
        sources = source if isinstance(source, list) else [source]
        return extract.extract(sources, out, chosen(only, named or {}, config or {}), options(only, **fields), heard)

    return call


def chosen(only: str, named: dict[str, list[str]], config: dict[str, Any]) -> dict[str, list[Stream]]:
    """Streams of the named extractors, with the fields in ``config`` by extractor."""
    found: dict[str, list[Stream]] = {}
    for modality, names in plan.chosen(named, only).items():
        kinds = {n: extractors.registry(modality).load(n).Config for n in names}
        found[modality] = [plan.stream(modality, n, kind(**config.get(n, {}))) for n, kind in kinds.items()]
    return found


def options(only: str = "auto", **fields: Any) -> extract.Options:
    """Options for short tests: in this process unless ``jobs`` says how many workers there are."""
    if "jobs" not in fields:
        fields["executor"] = ThreadPoolExecutor(1)
    return extract.Options(modality=only, **{"limits": run.Limits(time_s=60.0), **fields})


@pytest.fixture
def tree() -> Callable[[Path], dict[str, str]]:
    """Every file below a folder with the digest of its content."""
    return lambda folder: {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
