"""Score MODEL on a split of DATASET: every figure with its interval, what it confuses, and whether the split is clean.

REPORT.json holds all of it; a table of the main figures goes to standard error. --plot draws the confusion matrix (or
the scatter of a regression) into a png or svg file, or every figure into a folder; --html writes the report as one
page. With --against (or candidates kept by `train --fusion auto`) the report says whether fusion helps.

With --retrieve A,B a data set is searched: how often an item's A finds its B among those of all items, and B its A, in
the space that `fuse --strategy cca` fitted on the training split, or in that of MODEL.pt, where it holds encoders that
were trained on pairs (`train --objective contrastive`). --relevant label looks for any item of the label.

A map is scored next to TRUTH: another map (json), pairs of times (csv: t_reference, t_query), or the lines or words of
the reference (TextGrid, srt, csv: start, label) where the map is of their text, or --query holds them in the query's
time. Errors, shares within limits, correct segments, the perceptual metric, how honest the intervals are.

\b
  mmcli evaluate model.pt digits.npz -o report.json --plot confusion.png
  mmcli evaluate fused.pt digits.npz --against image.pt --against text.pt -o report.json --html report.html
  mmcli evaluate --compare fused.json text.json
  mmcli evaluate --cv runs/
  mmcli evaluate model.pt digits.npz --split val -o val.json --predictions val.csv
  mmcli evaluate shared.npz --retrieve image,text -o search.json --html search.html
  mmcli evaluate pairs.pt digits.npz --retrieve image,text -o search.json
  mmcli evaluate map.json truth.json -o report.json
  mmcli evaluate map.json correct.srt --query late.srt -o report.json
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from mmcli.cli import console, given
from mmcli.cli import options as the_options
from mmcli.cli.evaluate import search
from mmcli.cli.evaluate.map import is_map, judge
from mmcli.cli.options import JsonFlag, Seed, Set
from mmcli.cli.options import command as mm_command
from mmcli.cli.private import summary
from mmcli.errors import UsageError


def configs(values: dict[str, Any]) -> dict[str, Any]:
    """How intervals are made."""
    return {"intervals": _intervals(values["set_"], values["seed"])}


@mm_command(configs)
def command(
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL.pt", help="The model, as `mmcli train` writes it; or a map (json).")
    ] = None,
    dataset: Annotated[
        Path | None,
        typer.Argument(metavar="DATASET", help="What `mmcli fuse` wrote, npz or folder; or TRUTH."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="REPORT.json", help="The report; - for standard output.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A.json B.json", help="Compare two reports on the same items instead."),
    ] = None,
    cv: Annotated[
        Path | None,
        typer.Option("--cv", metavar="RUN/", help="Gather the folds and seeds of a training folder instead."),
    ] = None,
    query: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of a map: the labels of the query (srt, TextGrid, csv).")
    ] = None,
    split: Annotated[str, typer.Option(help="test, val, train, or all.")] = "test",
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png|FOLDER", help="Draw the main figure, or all into a folder.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write every prediction as a table.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="REPORT.html", help="Write the report as one page that needs nothing else.")
    ] = None,
    media: Annotated[
        Path | None, typer.Option(metavar="MANIFEST", help="Show pictures and sounds of this manifest in the page.")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="A.pt", help="Compare with another model on the same items. Repeatable."),
    ] = None,
    retrieve: Annotated[
        str | None,
        typer.Option(
            "--retrieve", metavar="A,B", help="Search modality B of a data set with A, and A with B, instead."
        ),
    ] = None,
    relevant: Annotated[
        str, typer.Option(metavar="pair|label", help="What a search looks for: the item itself, or any of its label.")
    ] = "pair",
    explain: Annotated[
        int, typer.Option(min=0, metavar="N", help="Explain the N most wrong items: seconds, regions, words.")
    ] = 10,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Add curves under damage, and temperature scaling.")
    ] = False,
    timings: Annotated[
        bool,
        typer.Option("--timings", help="Add latency and throughput: the one part that differs from run to run."),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a data set with leaks between its splits.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "cpu",
    seed: Seed = 0,
    set_: Set = None,
    json: JsonFlag = False,
) -> None:
    """Translate the options, evaluate, write, print."""
    models_only: dict[str, Any] = {"media": media, "against": against, "robustness": robustness, "timings": timings}
    written = {"--output": output, "--plot": plot, "--predictions": predictions, "--html": html}
    if json:
        written["--json"] = Path("-")
    console.apart(written, [model, dataset, query, media, *(compare or ()), *(against or [])])
    if compare is not None or cv is not None:
        meaningless = {"plot": plot, "predictions": predictions, "html": html, "strict": strict, "query": query}
        meaningless |= {"retrieve": retrieve, "split": split != "test"} | models_only
        _refuse("compare" if compare is not None else "cv", {"cv": compare and cv} | meaningless)
    if compare is not None:
        _compare(compare, model, output, _intervals(set_, seed), json)
        return
    if cv is not None:
        _gather(cv, model, output, _intervals(set_, seed).level, json)
        return
    if retrieve is not None:
        settings = {"split": split, "seed": seed, "strict": strict, "device": device, "set": set_}
        settings["intervals"] = _intervals(set_, seed)
        targets = {"plot": plot, "predictions": predictions, "html": html}
        others: dict[str, Any] = {"query": query} | models_only
        _emit(
            search.judge((model, dataset), retrieve, relevant, output, settings, targets, others),
            output,
            split,
            json,
        )
        return
    if relevant != "pair":
        raise UsageError("--relevant is for a search", hint="name the modalities: --retrieve A,B")
    if model is not None and is_map(model):
        others = {"plot": plot, "predictions": predictions, "html": html, "strict": strict, "set": set_} | models_only
        judge(model, dataset, query, output, json, others)
        return
    if query is not None:
        raise UsageError("--query is for maps")
    if model is None or dataset is None or output is None:
        raise UsageError(
            "MODEL.pt, DATASET.npz and -o REPORT.json are needed", hint="or --compare A.json B.json, or --cv RUN/"
        )
    from mmcli.artifacts.formats import manifest
    from mmcli.artifacts.formats import report as reports
    from mmcli.artifacts.io import provenance, table
    from mmcli.evaluation.judge import verdict
    from mmcli.evaluation.report import plots, report
    from mmcli.training.fit import predictor

    if media is not None:
        if html is None:
            raise UsageError("--media is for the page", hint="name it: --html REPORT.html")
        manifest.load(media)  # what is wrong with it is said before the work and not after it
    if model.suffix.lower() == ".npz" and dataset.suffix.lower() == ".pt":
        raise UsageError("the model comes before the data set", hint=f"mmcli evaluate {dataset} {model} ...")
    if plot is not None:
        plots.is_file(plot)  # the same
    data, source = given.data_set(dataset)
    found = predictor.load(model, device)
    judged = given.as_judged(found)
    judged.facts["file_bytes"] = model.stat().st_size if model.is_file() else None
    rivals = [given.as_judged(predictor.load(path, device)) for path in against or []] or verdict.kept(judged)
    options = {"split": split, "seed": seed, "explain": explain, "strict": strict, "against": against, "set": set_}
    options |= {"robustness": robustness, "timings": timings}
    request = report.Request(
        split=split,
        strict=strict,
        explain=explain,
        robustness=robustness,
        timings=timings,
        intervals=_intervals(set_, seed),
        inputs=(provenance.source_of(model), source, *map(provenance.source_of, against or [])),
        reproduce=_reproduce(model, dataset, output, options),
    )
    result = report.evaluate(judged, data, request, opponents=rivals)
    if "privacy" in found.config:
        _say_privacy(result, found, data)
    reports.save(output, result)
    if predictions is not None:
        table.write_csv(predictions, *report.predictions_table(result))
    if html is not None:
        _write_page(html, media, reports.load(output) if str(output) != "-" else result)
    drawn = [] if plot is None else plots.save(result, plot)
    _show(result, output)
    for path in drawn:
        console.note(f"drawn: {path}")
    _emit(result, output, split, json)


def _say_privacy(result: dict[str, Any], found: Any, data: Any) -> None:
    """What the model promises, what an attack on it finds, and that the report is a release of its own."""
    from mmcli.training.private import audit

    result["privacy"] = found.config["privacy"] | {"membership": audit.exposure(found, data)}
    result["notes"].append(
        "the model may be given away, this report may not: its figures and items come from these rows without noise, "
        "so that on private rows it is a release which no ledger counts"
    )


def _emit(result: dict[str, Any], output: Path | None, split: str, json: bool) -> None:
    """The main figures of a report on standard output, where asked for."""
    if json:
        console.emit(
            {
                "schema": "mmcli/evaluate@1",
                "output": str(output),
                "split": split,
                "items": len(result["items"]),
                "metrics": result["metrics"],
                "verdict": result["verdict"],
                "clean": result["integrity"]["clean"],
            }
        )


def _refuse(mode: str, others: dict[str, Any]) -> None:
    """Options that were given and mean nothing in this mode are an error, not a silence."""
    useless = [name for name, value in others.items() if value]
    if useless:
        raise UsageError(f"--{useless[0]} does not go with --{mode}")


def _compare(pair: tuple[Path, Path], model: Path | None, output: Path | None, config: Any, json: bool) -> None:
    """Two reports, one sentence; with -o also a report of the comparison."""
    from mmcli.artifacts.formats import report as reports
    from mmcli.evaluation.report import comparing

    if model is not None:
        raise UsageError("--compare takes two reports and no model")
    names = (pair[0].name, pair[1].name) if pair[0].name != pair[1].name else (str(pair[0]), str(pair[1]))
    result = comparing.compare(reports.load(pair[0]), reports.load(pair[1]), config, names)
    console.say(result["verdict"]["text"])
    if output is not None:
        reports.save(output, result)
    if json:
        console.emit({"schema": "mmcli/evaluate@1", "compare": result["compare"], "verdict": result["verdict"]})


def _gather(folder: Path, model: Path | None, output: Path | None, level: float, json: bool) -> None:
    """The runs of a folder in one sentence; with -o also as a report."""
    from mmcli.artifacts.formats import report as reports
    from mmcli.artifacts.io import jsonfile
    from mmcli.evaluation.report import folds

    if model is not None:
        raise UsageError("--cv takes the folder of a training and no model")
    if not (folder / "run.json").is_file():
        raise UsageError(f"{folder} holds no run.json", hint="`mmcli train -o FOLDER --cv K`, or --seeds N, writes it")
    result = folds.gather(jsonfile.load(folder / "run.json"), level)
    console.say(result["verdict"]["text"])
    rows = [
        (name, entry["value"], result["folds"]["spread"][name]["over_folds_sd"], *_figure(entry)[1:])
        for name, entry in result["metrics"].items()
    ]
    console.table(str(folder), ["", "mean", "sd over folds", f"{100 * level:g} % interval", "n"], rows)
    if output is not None:
        reports.save(output, result)
    if json:
        console.emit({"schema": "mmcli/evaluate@1", "metrics": result["metrics"], "verdict": result["verdict"]})


def _write_page(html: Path, media: Path | None, result: dict[str, Any]) -> None:
    from mmcli.artifacts.io import atomic
    from mmcli.evaluation.report import page

    shown, left_out = ({}, []) if media is None else page.gather(media, result)
    for line in left_out:
        console.warn(f"not shown: {line}")
    atomic.write_text(html, page.render(result, shown))


def _intervals(assignments: list[str] | None, seed: int) -> Any:
    from mmcli.evaluation.intervals import interval

    assigned = the_options.split(assignments)
    the_options.refuse_unused(assigned, ["intervals"])
    return the_options.configure(interval.Config, {"seed": str(seed)} | (assigned.get("intervals") or {}), "intervals")


def _reproduce(model: Path, dataset: Path, output: Path, options: dict[str, Any]) -> str:
    """The command that makes this report again, with names and no folders."""
    words = ["mmcli", "evaluate", model.name, dataset.name, "--split", options["split"], "--seed", str(options["seed"])]
    words += ["--explain", str(options["explain"])]
    words += [word for path in options["against"] or [] for word in ("--against", path.name)]
    words += [word for value in options["set"] or [] for word in ("--set", value)]
    words += [f"--{name}" for name in ("robustness", "timings", "strict") if options[name]]
    return shlex.join([*words, "-o", output.name or "-"])


# Above this many, the classes are in the report and the plots alone.
MOST_CLASSES = 20

SHOWN = {
    "classify": ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "auroc_macro", "log_loss", "brier", "ece"),
    "multilabel": ("f1_samples", "f1_micro", "f1_macro", "exact_match", "hamming_loss", "average_precision_macro"),
    "regress": ("mae", "rmse", "r2", "pearson", "spearman", "acc2_nonnegative", "acc2_positive", "acc7"),
}


def _show(result: dict[str, Any], output: Path) -> None:
    """The verdict, the main figures, and what deserves a second look."""
    console.say(result["verdict"]["text"])
    from mmcli.evaluation.report.page import chance, short

    metrics = result["metrics"]
    rows = [(name, *_figure(metrics[name])) for name in SHOWN[result["task"]] if name in metrics]
    level = f"{100 * result['config']['intervals']['level']:g} % interval"
    console.table(f"{output}: {result['split']}", ["", "value", level, "n"], rows)
    classes = [
        (short(name), *(_figure(entry[part])[0] for part in ("precision", "recall")), *_figure(entry["f1"]))
        for name, entry in result["per_class"].items()
    ]
    if classes and len(classes) <= MOST_CLASSES:
        console.table("by class", ["class", "precision", "recall", "F1", level, "n"], classes)
    each = {name: entry["shapley"] for name, entry in result["modalities"]["each"].items() if "shapley" in entry}
    if len(each) > 1:
        # What a subset reaches is kept so that more is better; an error is shown as an error.
        sign, verb = (-1, "takes off") if result["task"] == "regress" else (1, "adds to")
        adds = [
            (name, *_figure(entry)[:2], *(f"{sign * entry[part]:.3f}" for part in ("alone", "without")))
            for name, entry in each.items()
        ]
        title = f"what each modality {verb} {result['modalities']['primary']} (Shapley)"
        console.table(title, ["modality", "adds", level, "alone", "without it"], adds)
    if result["slices"]:
        lines = [
            (short(f"{s['by']}: {s['slice']}"), f"{s['value']:.3f}", f"{s['rest']:.3f}", s["n"], chance(s["p"]))
            for s in result["slices"][:5]
        ]
        console.table("worst slices", ["slice", result["config"]["primary"], "elsewhere", "n", "p"], lines)
    for name, entry in result["baselines"].items():
        figure = "accuracy" if "accuracy" in entry else "mae"
        console.say(f"without looking ({name.replace('_', ' ')}): {figure} {entry[figure]:.3f}")
    _show_robustness(result.get("robustness") or {}, level)
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


def _show_robustness(found: dict[str, Any], level: str) -> None:
    """What is left at the worst of each curve, and what a temperature does."""
    if found.get("curves"):
        rows = [
            (c["modality"], c["kind"], f"{c['levels'][-1]:g} {c['unit']}", *_figure(_last(c))[:2])
            for c in found["curves"]
        ]
        console.table("under the worst damage", ["modality", "damage", "of", found["primary"], level], rows)
    if scaled := found.get("temperature"):
        before, after = scaled["before"], scaled["after"]
        console.say(
            f"one temperature of {scaled['temperature']:.3g}, fitted on validation, takes the calibration error from "
            f"{before['ece']:.3f} to {after['ece']:.3f}, log loss from {before['log_loss']:.3f} to "
            f"{after['log_loss']:.3f}"
        )


def _last(curve: dict[str, Any]) -> dict[str, Any]:
    return {"value": curve["values"][-1], "interval": curve["intervals"][-1], "n": ""}


def _figure(entry: dict[str, Any]) -> tuple[str, str, str]:
    value = "-" if entry["value"] is None else f"{entry['value']:.3f}"
    bounds = entry["interval"]
    return value, "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}", str(entry["n"])
