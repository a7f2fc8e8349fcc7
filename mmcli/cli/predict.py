"""Run MODEL on raw files, a folder, a manifest or a data set, and print one JSON object an item.

Each line holds id, prediction, probabilities (absent for regression) and the modalities that were present. Raw files go
through the extractors that the model was trained with, with what they learned then; any part of the modalities may be
there. An item that cannot be read is named on standard error and has no line: exit 3. A manifest of features is what
`mmcli extract` writes; its features are normalised as the model's training data were.

\b
  mmcli predict digits.pt clip.mp4
  mmcli predict digits.pt recordings/ --explain -o predictions.jsonl
  mmcli predict digits.pt features/manifest.jsonl
  mmcli predict digits.pt digits.npz --split test | head -3
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmcli.cli import console, outputs, subject
from mmcli.cli.options import command as mm_command
from mmcli.errors import BatchFailedError, UsageError

if TYPE_CHECKING:
    from mmcli.artifacts.dataset import Dataset


@mm_command()
def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.pt", help="What `mmcli train` wrote.")],
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Files, folders, a manifest (- for one), or a data set.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.jsonl", help="[default: standard output]")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only the items of one split of a data set. [default: all]")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add which seconds, regions and words spoke for the prediction.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, metavar="P", help="Predict labels from P on; null for a class below P."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
) -> None:
    """Translate the options, predict, print."""
    from mmcli.artifacts import atomic, jsonfile
    from mmcli.training import predictor

    outputs.apart({"--output": output}, [model, *sources])
    chosen = predictor.load(model, device)
    if threshold is not None and chosen.task == "regress":
        raise UsageError("--threshold is for classes and labels, the model predicts numbers")
    failed = _Failed()
    lines: list[str] = []
    for data in _parts(sources, chosen, failed):
        for line in _lines(chosen, data, split, explain, threshold):
            if output is None or str(output) == "-":
                console.emit(line)
            else:
                lines.append(jsonfile.one_line(line))
    if output is not None and str(output) != "-":
        atomic.write_text(output, "".join(lines))
        console.say(f"{output}: {len(lines)} items")
    if failed.count:
        raise BatchFailedError(f"{failed.count} items could not be used and have no line")


class _Failed:
    """Items without a line, named as they come."""

    count = 0

    def add(self, item: str, reason: str) -> None:
        self.count += 1
        console.warn(f"{item}: left out: {reason}")


def _parts(sources: list[str], chosen: Any, failed: _Failed) -> Iterator[Dataset]:
    """The items as data sets: a data set and a manifest of features whole, raw files some at a time."""
    from mmcli.artifacts import dataset, manifest
    from mmcli.batch import raw
    from mmcli.fusion import assemble

    if len(sources) == 1 and sources[0].lower().endswith(".npz"):
        yield dataset.load(sources[0])
        return
    if raw.is_raw(sources):
        for chunk in raw.chunks(sources, chosen.modalities, chosen.name):
            for item, reason in chunk.failed:
                failed.add(item, reason)
            if chunk.dataset is not None:
                yield chunk.dataset
        return
    if len(sources) != 1:
        raise UsageError("several sources have to be raw files or folders", hint="name one manifest of features")
    found = assemble.assemble(manifest.load(sources[0]), assemble.Plan(normalise="none"))
    for item, reason in found.failed:
        console.warn(f"{item}: left out: {reason}")
    failed.count += int(found.dataset.meta.get("errors", 0))
    yield found.dataset


def _lines(
    chosen: Any, data: Dataset, split: str | None, explain: bool, threshold: float | None
) -> Iterator[dict[str, Any]]:
    import numpy as np

    from mmcli.training import answers

    rows = np.arange(data.items, dtype=np.int64) if split is None else data.rows(split)
    found = chosen.predict(data, rows)
    spoken = _explained(chosen, data, rows, found) if explain else None
    for i, line in enumerate(answers.lines(found)):
        if threshold is not None:
            _apply(threshold, line, chosen.task)
        if spoken is not None:
            line["explanation"] = spoken[i]
        yield line


def _apply(threshold: float, line: dict[str, Any], task: str) -> None:
    """Labels from the threshold on; a class that does not reach it is not predicted."""
    chances = line["probabilities"]
    if task == "multilabel":
        line["prediction"] = [name for name, p in chances.items() if p >= threshold]
    elif max(chances.values()) < threshold:
        line["prediction"] = None


def _explained(chosen: Any, data: Dataset, rows: Any, found: Any) -> list[dict[str, Any]]:
    """What spoke for each item's prediction; the class, label or value that it is about stands in ``toward``."""
    import numpy as np

    from mmcli.evaluation import gradients

    if len(rows) == 0:
        return []
    targets = np.zeros(len(rows), np.int64) if found.probabilities is None else found.probabilities.argmax(axis=1)
    access = subject.of(chosen).access
    spoken = gradients.explain(access, data, rows, np.asarray(targets, np.int64))
    for entry in spoken:
        entry["toward"] = "value" if chosen.classes is None else chosen.classes[entry["toward"]]
    return spoken
