"""``mmcli predict --stream``: rows in, answers out, as long as rows come."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from mmcli.cli import console
from mmcli.errors import BatchFailedError, UsageError


def answer(
    model: Path,
    device: str,
    threshold: float | None,
    waiting: dict[str, Any],
    final_only: bool,
    late: Path | None,
    ack: bool,
    maps: list[str],
) -> None:
    """Rows of standard input as they arrive, joined and answered on standard output."""
    from mmcli.artifacts.io import append
    from mmcli.batch.jobs import predictions
    from mmcli.batch.live.answers import Answers, asked, lines_of, rows_of
    from mmcli.batch.live.join import Options

    console.apart({"--late": late}, [model])
    options = Options(**waiting)
    chosen = asked(model, device)
    predictions.refuse_threshold(chosen, threshold)
    failed = console.Failed()
    clocks = dict(_clock(text) for text in maps)
    answers = Answers(chosen, options, failed.add, final_only=final_only, threshold=threshold, ack=ack, maps=clocks)
    if answers.model.recomputes:
        console.say("the fusion of this model looks across modalities: every answer is computed anew from all of them")

    def read(seconds: float) -> bytes | None:
        sys.stdout.flush()  # once for all rows that came together
        there, _, _ = select.select([sys.stdin], [], [], seconds)
        return os.read(sys.stdin.fileno(), 1 << 16) if there else None

    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    with contextlib.ExitStack() as files:
        aside = None if late is None else files.enter_context(append.Journal(late))

        def give(line: dict[str, Any]) -> None:
            if aside is not None and ("late" in line or "duplicate" in line):
                aside.append(line)
            else:
                sys.stdout.write(encode(line) + "\n")

        try:
            for line in rows_of(lines_of(read, min(1.0, max(options.idle, 0.05))), answers, time.monotonic):
                give(line)
        except BrokenPipeError:
            raise
        except BaseException:
            for line in answers.end():
                give(line)
            sys.stdout.flush()
            _closing(answers, failed)
            raise
        for line in answers.end():
            give(line)
        sys.stdout.flush()
    _closing(answers, failed)
    if failed.count:
        rows = "1 row was" if failed.count == 1 else f"{failed.count} rows were"
        raise BatchFailedError(f"{rows} bad and left out")


def _clock(text: str) -> tuple[str, Any]:
    from mmcli.artifacts.formats import alignment
    from mmcli.artifacts.formats.timemap import TimeMap

    modality, equals, path = text.partition("=")
    if not (modality and equals and path):
        raise UsageError(f"--map {text!r}", hint="a modality and its map: --map audio=map.json")
    return modality, TimeMap(alignment.load(path))


def _closing(answers: Any, failed: console.Failed) -> None:
    """What became of the rows."""
    counts = answers.join.counts
    console.say(
        f"{answers.number} rows: {counts['final']} final answers, {counts['late']} late, {counts['duplicate']} double, "
        f"{failed.count} bad, {counts['evicted']} closed for room; at most {counts['peak']} items open"
    )
