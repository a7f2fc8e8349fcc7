"""`mmcli predict --window`: what a model says along recordings, or along sound from a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmcli.cli import console
from mmcli.errors import BatchFailedError, UsageError


@dataclass(frozen=True)
class Asked:
    """The options of ``--window``."""

    window: float
    hop: float | None
    raw: str | None
    rate: int | None
    channels: int
    threshold: float | None
    time_unit: str | None


def predict(model: Path, sources: list[str], output: str | None, asked: Asked, device: str) -> None:
    """A line for each span, as soon as it has ended; into a file once all are known."""
    from mmcli.batch.plan.windows import Windows
    from mmcli.training.fit import predictor

    if not sources:
        raise UsageError("nothing to predict", hint="name recordings, a folder or a manifest, or - for sound")
    piped = sources == ["-"]
    if not piped and (asked.raw is not None or asked.rate is not None):
        raise UsageError(
            "--raw and --rate are of a pipe", hint="mmcli predict MODEL.pt - --window S --raw s16le --rate HZ"
        )
    if (asked.raw is None) != (asked.rate is None):
        raise UsageError("raw samples need both", hint="--raw s16le --rate 16000")
    console.apart({"--output": None if output is None else Path(output)}, [model, *sources])
    windows = Windows(asked.window, asked.window if asked.hop is None else asked.hop)
    chosen = predictor.load(model, device)
    if chosen.context is not None:
        raise UsageError("reads the turns of a group; windows of a recording are none", source=model)
    failed = console.Failed()
    lines = _of_pipe(chosen, windows, asked) if piped else _of_files(chosen, sources, windows, asked, failed)
    console.emit_all(lines, output, "spans")
    if failed.count:
        raise BatchFailedError(f"{failed.count} recordings or windows could not be used")


def _of_files(chosen: Any, sources: list[str], windows: Any, asked: Asked, failed: console.Failed) -> Iterator[Any]:
    from mmcli.batch.jobs import spans

    return spans.of_files(
        chosen, sources, windows, threshold=asked.threshold, time_unit=asked.time_unit, failed=failed.add
    )


def _of_pipe(chosen: Any, windows: Any, asked: Asked) -> Iterator[Any]:
    from mmcli.batch.jobs import spans
    from mmcli.media import stream

    def read(size: int) -> bytes:
        return os.read(sys.stdin.fileno(), size)

    name = "standard input"
    if asked.raw is None:
        opened = stream.decoded(read, name)
    else:
        opened = stream.raw(read, asked.raw, asked.rate or 0, asked.channels, name)
    return spans.of_sound(chosen, *opened, windows, threshold=asked.threshold, name="stdin")
