"""`mmcli evaluate MODEL.pt DATASET`: a model on a split of a data set."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import console, given, progress
from mmcli.cli.evaluate.outputs import Outputs, cells, level, rows
from mmcli.cli.private import summary

if TYPE_CHECKING:
    from mmcli.evaluation.report.report import Request

MOST_CLASSES = 20  # in a table; above, the classes are in the report and the plots alone


def run(
    model: Path,
    dataset: Path,
    against: list[Path],
    request: Request,
    device: str,
    assignments: list[str],
    outputs: Outputs,
) -> None:
    """Evaluate, write, print. ``assignments``: what ``--set`` said, for the command that makes the report again."""
    from mmcli.artifacts.io import provenance
    from mmcli.evaluation.judge import verdict
    from mmcli.evaluation.report import report
    from mmcli.training.fit import predictor

    outputs.check()
    data, source = given.data_set(dataset)
    loaded = predictor.load(model, device)
    if name := loaded.config["training"].get("config", {}).get("target"):
        from mmcli.fusion import targets

        data = targets.chosen(data, name)
    judged = given.as_judged(loaded)
    judged.facts["file_bytes"] = model.stat().st_size if model.is_file() else None
    rivals = [given.as_judged(predictor.load(path, device)) for path in against] or verdict.kept(judged)
    words = [model.name, dataset.name, "--split", request.split, "--seed", str(request.intervals.seed)]
    words += ["--explain", str(request.explain)]
    words += [word for path in against for word in ("--against", path.name)]
    words += [word for value in assignments for word in ("--set", value)]
    flags = {"robustness": request.robustness, "timings": request.timings, "strict": request.strict}
    words += [f"--{name}" for name, given_ in flags.items() if given_]
    request = replace(
        request,
        inputs=(provenance.source_of(model), source, *map(provenance.source_of, against)),
        reproduce=shlex.join(["mmcli", "evaluate", *words, "-o", outputs.report.name or console.STDOUT]),
    )
    with progress.bar("evaluate", len(report.STEPS), "steps") as bar:
        result = report.evaluate(judged, data, request, opponents=rivals, step=lambda done: bar.advance(1, done))
    if "privacy" in loaded.config:
        _say_privacy(result, loaded, data)
    pictures = outputs.write(result, report.predictions_table(result))
    _show(result, outputs.report)
    outputs.tell(result, pictures)


def _say_privacy(result: dict[str, Any], predictor: Any, data: Any) -> None:
    """What the model promises, what an attack on it reaches, and that the report is a release of its own."""
    from mmcli.training.private import audit

    result["privacy"] = predictor.config["privacy"] | {"membership": audit.exposure(predictor, data)}
    result["notes"].append(
        "the model may be given away, this report may not: its figures and items come from these rows without noise, "
        "so that on private rows it is a release which no ledger counts"
    )


def _show(result: dict[str, Any], output: Path) -> None:
    """The verdict, the main figures, and what deserves a second look."""
    console.say(result["verdict"]["text"])
    from mmcli.evaluation.judge.verdict import chance
    from mmcli.evaluation.report.page import short

    interval = level(result)
    console.table(f"{output}: {result['split']}", ["", "value", interval, "n"], rows(result))
    classes = [
        (short(name), *(cells(entry[part])[0] for part in ("precision", "recall")), *cells(entry["f1"]))
        for name, entry in result["per_class"].items()
    ]
    if classes and len(classes) <= MOST_CLASSES:
        console.table("by class", ["class", "precision", "recall", "F1", interval, "n"], classes)
    each = {name: entry["shapley"] for name, entry in result["modalities"]["each"].items() if "shapley" in entry}
    if len(each) > 1:
        # What a subset reaches is kept so that more is better; an error is shown as an error.
        sign, verb = (-1, "takes off") if result["task"] == "regress" else (1, "adds to")
        adds = [
            (name, *cells(entry)[:2], *(f"{sign * entry[part]:.3f}" for part in ("alone", "without")))
            for name, entry in each.items()
        ]
        title = f"what each modality {verb} {result['modalities']['primary']} (Shapley)"
        console.table(title, ["modality", "adds", interval, "alone", "without it"], adds)
    if result["slices"]:
        lines = [
            (short(f"{s['by']}: {s['slice']}"), f"{s['value']:.3f}", f"{s['rest']:.3f}", s["n"], chance(s["p"]))
            for s in result["slices"][:5]
        ]
        console.table("worst slices", ["slice", result["config"]["primary"], "elsewhere", "n", "p"], lines)
    if told := result["verdict"].get("promise"):
        console.say(_promised(told, result["task"]))
    for name, entry in result["baselines"].items():
        figure = "accuracy" if "accuracy" in entry else "mae"
        console.say(f"without looking ({name.replace('_', ' ')}): {figure} {entry[figure]:.3f}")
    _show_robustness(result.get("robustness") or {}, interval)
    if privacy := result.get("privacy"):
        console.say(f"private: {summary(privacy)}")
        if attack := privacy["membership"]:
            plain = f", {attack['plain']:.3f} without privacy" if "plain" in attack else ""
            console.say(f"an attack tells training items from test items {attack['private']:.3f} of the time{plain}")
    facts = result["model"]
    if facts.get("file_bytes"):
        console.say(f"{facts['name']}: {facts['parameters']:,} parameters, {facts['file_bytes']:,} bytes on disk")
    if "cost" in result:
        spent = result["cost"]
        console.say(
            f"one item at a time: median {spent['latency_ms']['p50']:g} ms, 95 % within "
            f"{spent['latency_ms']['p95']:g} ms; in batches {spent['items_per_s']:g} items a second"
        )
    for note in result["notes"]:
        console.warn(f"note: {note}")


def _promised(told: dict[str, Any], task: str) -> str:
    """The score by which the model was chosen beside that of these items."""
    from mmcli.evaluation.judge import promise

    whose = "folds of the training split" if told["by"] == "folds" else "the validation split"
    promised, given = (promise.number(told[key]["value"], task) for key in ("promised", "given"))
    allowed = "less than chance allows" if told["broken"] else "within chance"
    return f"promised by {whose}: {told['figure']} {promised}; here {given}, {allowed}"


def _show_robustness(curves: dict[str, Any], interval: str) -> None:
    """What is left at the worst of each curve, and what a temperature does."""
    if curves.get("curves"):
        lines = [
            (c["modality"], c["kind"], f"{c['levels'][-1]:g} {c['unit']}", *cells(_last(c))[:2])
            for c in curves["curves"]
        ]
        console.table("under the worst damage", ["modality", "damage", "of", curves["primary"], interval], lines)
    if scaled := curves.get("temperature"):
        before, after = scaled["before"], scaled["after"]
        console.say(
            f"one temperature of {scaled['temperature']:.3g}, fitted on validation, takes the calibration error from "
            f"{before['ece']:.3f} to {after['ece']:.3f}, log loss from {before['log_loss']:.3f} to "
            f"{after['log_loss']:.3f}"
        )


def _last(curve: dict[str, Any]) -> dict[str, Any]:
    return {"value": curve["values"][-1], "interval": curve["intervals"][-1], "n": ""}
