"""Run MODEL on a data set, or on a manifest of features, and print one JSON object an item.

Each line holds id, prediction, probabilities (absent for regression) and the modalities that were present. A manifest
of features is what `mmcli extract` writes; its features are normalised as the model's training data were.

\b
  mmcli predict digits.pt digits.npz | head -3
  mmcli predict digits.pt features/manifest.jsonl -o predictions.jsonl
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmcli.cli import console
from mmcli.cli.options import command as mm_command
from mmcli.errors import BatchFailedError

if TYPE_CHECKING:
    from mmcli.artifacts.dataset import Dataset


@mm_command()
def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.pt", help="What `mmcli train` wrote.")],
    source: Annotated[str, typer.Argument(metavar="DATASET.npz|MANIFEST", help="The items; - for a manifest.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.jsonl", help="[default: standard output]")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only the items of one split. [default: all]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
) -> None:
    """Translate the options, predict, print."""
    from mmcli.artifacts import atomic, jsonfile
    from mmcli.training import answers, predictor

    chosen = predictor.load(model, device)
    data, failed = _items(source)
    lines = answers.lines(chosen.predict(data, None if split is None else data.rows(split)))
    if output is None or str(output) == "-":
        for line in lines:
            console.emit(line)
    else:
        atomic.write_text(output, "".join(jsonfile.one_line(line) for line in lines))
        console.say(f"{output}: {len(data.id) if split is None else len(data.rows(split))} items")
    if failed:
        raise BatchFailedError(f"{failed} rows of {source} could not be used and have no line")


def _items(source: str) -> tuple[Dataset, int]:
    from mmcli.artifacts import dataset, manifest

    if source.lower().endswith(".npz"):
        return dataset.load(source), 0
    from mmcli.fusion import assemble

    found: Any = assemble.assemble(manifest.load(source), assemble.Plan(normalise="none"))
    for item, reason in found.failed:
        console.warn(f"{item}: left out: {reason}")
    return found.dataset, found.dataset.meta.get("errors", 0)
