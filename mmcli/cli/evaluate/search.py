"""`mmcli evaluate DATASET.npz --retrieve A,B`: one modality searched with another."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmcli.cli import console, given
from mmcli.errors import UsageError

SHOWN = ("hit_rate@1", "hit_rate@5", "hit_rate@10", "map", "mrr", "ndcg@10", "median_rank")


def modalities(text: str) -> tuple[str, str]:
    """The two names in ``A,B``.

    >>> modalities("image, text")
    ('image', 'text')
    """
    names = [part.strip() for part in text.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise UsageError(f"--retrieve is {text!r}; two modalities are wanted", hint="for example --retrieve image,text")
    return names[0], names[1]


def judge(
    files: tuple[Path | None, Path | None],
    retrieve: str,
    relevant: str,
    output: Path | None,
    settings: Mapping[str, Any],
    targets: Mapping[str, Path | None],
    others: Mapping[str, Any],
) -> dict[str, Any]:
    """Search, write, print; returns the report.

    ``settings`` are split, seed, strict, device, intervals and set; ``targets`` plot, predictions and html; ``others``
    the options that were given and mean nothing here.
    """
    names = modalities(retrieve)
    useless = [name for name, value in others.items() if value]
    if useless:
        raise UsageError(f"--{useless[0]} does not go with --retrieve")
    path = files[0] if files[1] is None else files[1]
    if path is None or output is None:
        raise UsageError("DATASET.npz and -o REPORT.json are needed", hint="MODEL.pt before it is for encoders")
    model = None if files[1] is None else files[0]
    from mmcli.artifacts.formats import report as reports
    from mmcli.artifacts.io import atomic, provenance, table
    from mmcli.evaluation.judge import spaces
    from mmcli.evaluation.report import page, plots, report, retrieval

    if relevant not in retrieval.RELEVANT:
        raise UsageError(f"--relevant is {relevant!r}", hint="one of: " + ", ".join(retrieval.RELEVANT))
    if (plot := targets["plot"]) is not None:
        plots.is_file(plot)
    data, source = given.data_set(path)
    rows = report.chosen_rows(data, settings["split"])
    encoders = [] if model is None else [model]
    words = [
        "mmcli",
        "evaluate",
        *(file.name for file in (*encoders, path)),
        "--retrieve",
        ",".join(names),
        "--relevant",
        relevant,
    ]
    words += ["--split", settings["split"], "--seed", str(settings["seed"])]
    words += [word for value in settings["set"] or [] for word in ("--set", value)]
    words += ["--strict"] if settings["strict"] else []
    request = report.Request(
        split=settings["split"],
        strict=settings["strict"],
        intervals=settings["intervals"],
        inputs=(*map(provenance.source_of, encoders), source),
        reproduce=shlex.join([*words, "-o", output.name or "-"]),
    )
    space = (
        spaces.shared_space(data, names, rows)
        if model is None
        else _space(model, settings["device"], data, names, rows)
    )
    told = None if model is None else model.name
    result = retrieval.evaluate(space, names, data, request, relevant=relevant, model=told)
    reports.save(output, result)
    if (predictions := targets["predictions"]) is not None:
        table.write_csv(predictions, *retrieval.predictions_table(result))
    if (html := targets["html"]) is not None:
        atomic.write_text(html, page.render(reports.load(output) if str(output) != "-" else result))
    drawn = [] if plot is None else plots.save(result, plot)
    _show(result, output)
    for picture in drawn:
        console.note(f"drawn: {picture}")
    return result


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
    rows = []
    for key, entry in result["metrics"].items():
        way, _, name = key.rpartition("/")
        if name in SHOWN:
            low, high = entry["interval"] or (None, None)
            bounds = "" if low is None else f"{low:.3f} to {high:.3f}"
            rows.append((way, name, f"{entry['value']:.3f}", bounds, str(entry["n"])))
    level = f"{100 * result['config']['intervals']['level']:g} % interval"
    console.table(
        f"{output}: {result['split']}, space: {result['config']['space']}", ["", "", "value", level, "n"], rows
    )
    for note in result["notes"]:
        console.warn(f"note: {note}")
