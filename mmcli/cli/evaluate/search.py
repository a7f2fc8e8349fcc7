"""`mmcli evaluate DATASET.npz --retrieve A,B`: one modality searched with another."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import console, given
from mmcli.cli.evaluate.outputs import Outputs, level, rows
from mmcli.errors import UsageError

if TYPE_CHECKING:
    from mmcli.evaluation.report.report import Request


def modalities(text: str) -> tuple[str, str]:
    """The two names in ``A,B``.

    >>> modalities("image, text")
    ('image', 'text')
    """
    names = [part.strip() for part in text.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise UsageError(f"--retrieve is {text!r}; two modalities are wanted", hint="for example --retrieve image,text")
    return names[0], names[1]


def run(
    names: tuple[str, str],
    relevant: str,
    model: Path | None,
    dataset: Path,
    request: Request,
    device: str,
    assignments: list[str],
    outputs: Outputs,
) -> None:
    """Search, write, print. ``assignments``: what ``--set`` said, for the command that makes the report again."""
    from mmcli.artifacts.io import provenance
    from mmcli.evaluation.judge import spaces
    from mmcli.evaluation.report import report, retrieval
    from mmcli.fusion.fitting import called

    if relevant not in retrieval.RELEVANT:
        raise UsageError(f"--relevant is {relevant!r}", hint="one of: " + ", ".join(retrieval.RELEVANT))
    outputs.check()
    data, source = given.data_set(dataset)
    first, second = (meant[0] if len(meant := called(data, name)) == 1 else name for name in names)
    names = first, second
    asked = report.chosen_rows(data, request.split)
    encoders = [] if model is None else [model]
    words = [*(file.name for file in (*encoders, dataset)), "--retrieve", ",".join(names), "--relevant", relevant]
    words += ["--split", request.split, "--seed", str(request.intervals.seed)]
    words += [word for value in assignments for word in ("--set", value)]
    words += ["--strict"] if request.strict else []
    request = replace(
        request,
        inputs=(*map(provenance.source_of, encoders), source),
        reproduce=shlex.join(["mmcli", "evaluate", *words, "-o", outputs.report.name or console.STDOUT]),
    )
    space = spaces.shared_space(data, names, asked) if model is None else _space(model, device, data, names, asked)
    result = retrieval.evaluate(
        space, names, data, request, relevant=relevant, model=None if model is None else model.name
    )
    pictures = outputs.write(result, retrieval.predictions_table(result))
    _show(result, outputs.report)
    outputs.tell(result, pictures)


def _space(model: Path, device: str, data: Any, names: tuple[str, str], rows: Any) -> Any:
    """The space of encoders that were trained on pairs."""
    from mmcli.evaluation.judge.spaces import Space
    from mmcli.registry import nearest
    from mmcli.training.fit import predictor

    encoders = predictor.load_encoders(model, device)
    for name in names:
        if name not in encoders.modalities:
            raise UsageError(f"the model has no modality {name!r}", hint=nearest(name, encoders.modalities))
    vectors, present = encoders.points(data, rows)
    return Space("contrastive", vectors, present)


def _show(result: dict[str, Any], output: Path) -> None:
    """The sentence, the main figures of both directions, and what was left out."""
    console.say(result["verdict"]["text"])
    lines = [(way, *row) for way in result["curves"]["hit_rate"] for row in rows(result, way)]
    title = f"{output}: {result['split']}, space: {result['config']['space']}"
    console.table(title, ["", "", "value", level(result), "n"], lines)
    for note in result["notes"]:
        console.warn(f"note: {note}")
