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

Spans in recordings (`predict --window`, jsonl; or csv, tsv) are scored next to the true ones (csv or tsv with onset,
offset, event_label and filename; TextGrid; srt): by event, where onset and offset lie within a collar, and by segment.
--set events.collar=0.2, events.length (share of a span's length its offset may be off), events.segment, events.offsets.

A recommender (`train --task rank`) is judged by --events: exact lists over the whole catalogue, for known items, new
ones and both, against most popular, item neighbours, predicted popularity and chance; what each modality does for new
items. The last fifth of each user's events in time is held out, and a fifth of the items as new, unless the events
have a split column or --splits names rows; the recipe is fitted again without them. Intervals resample users and items.

\b
  mmcli evaluate model.pt digits.npz -o report.json --plot confusion.png
  mmcli evaluate fused.pt digits.npz --against image.pt --against text.pt -o report.json --html report.html
  mmcli evaluate --compare fused.json text.json
  mmcli evaluate --cv runs/
  mmcli evaluate model.pt digits.npz --split val -o val.json --predictions val.csv
  mmcli evaluate shared.npz --retrieve image,text -o search.json --html search.html
  mmcli evaluate pairs.pt digits.npz --retrieve image,text -o search.json
  mmcli evaluate rec.pt films.npz --events ratings.csv -o report.json --html report.html
  mmcli evaluate map.json truth.json -o report.json
  mmcli evaluate map.json correct.srt --query late.srt -o report.json
  mmcli evaluate spans.jsonl truth.tsv -o report.json --set events.collar=0.5
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmcli.cli import console, ranking
from mmcli.cli import options as the_options
from mmcli.cli.evaluate import compare as comparison
from mmcli.cli.evaluate import folds, rank, search, spans
from mmcli.cli.evaluate import map as maps
from mmcli.cli.evaluate import model as models
from mmcli.cli.evaluate.outputs import Outputs
from mmcli.cli.options import JsonFlag, Seed, Set
from mmcli.cli.options import command as mm_command
from mmcli.errors import UsageError

if TYPE_CHECKING:
    from mmcli.evaluation.intervals.interval import Config


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
    events: Annotated[
        Path | None, typer.Option(metavar="EVENTS", help="Of a recommender: who did what with which item.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(metavar="RULE", help="Which events say yes. [default: as in training]")
    ] = None,
    splits: Annotated[
        Path | None, typer.Option(metavar="FILE.npz[#NAME]", help="Of a recommender: hold out these rows of EVENTS.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="time|random", help="Of a recommender: how events are held out.")
    ] = None,
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
    """Find what is asked for and hand it to its file: reports, folds, a recommender, a search, a map, or a model."""
    targets = {"plot": plot, "predictions": predictions, "html": html}
    models_only = {"media": media, "against": against, "robustness": robustness, "timings": timings}
    written = {"--output": output} | {f"--{name}": path for name, path in targets.items()}
    console.apart(
        written | ({"--json": Path("-")} if json else {}),
        [model, dataset, query, media, events, splits, *(compare or ()), *(against or [])],
    )
    if compare is not None or cv is not None:
        mode = "cv" if compare is None else "compare"
        other = {"cv": compare and cv} | targets | {"strict": strict, "query": query, "retrieve": retrieve}
        _refuse(other | {"split": split != "test"} | models_only, f"does not go with --{mode}")
        intervals = _intervals(set_, seed)
        if model is not None:
            what = "--cv takes the folder of a training" if compare is None else "--compare takes two reports"
            raise UsageError(f"{what} and no model")
        if compare is not None:
            comparison.run(compare, output, intervals, json)
        elif cv is not None:
            folds.run(cv, output, intervals.level, json)
    elif model is not None and ranking.is_model(model):
        other = {"plot": plot, "predictions": predictions, "query": query, "retrieve": retrieve}
        other |= {"split": split != "test", "robustness": robustness, "timings": timings}
        _refuse(other, f"is not for a recommender, and {model.name} is one")
        if events is None or output is None:
            raise UsageError("--events EVENTS and -o REPORT.json are needed", hint="a recommender is judged by events")
        asked = rank.Asked(positive, splits, by, strict)
        outputs = Outputs(output, html=html, media=media, json=json)
        rank.run(model, dataset, events, asked, against or [], _intervals(set_, seed), outputs)
    elif events is not None or positive is not None or splits is not None or by is not None:
        raise UsageError("--events, --positive, --splits and --by are for a recommender (`train --task rank`)")
    elif retrieve is not None:
        intervals = _intervals(set_, seed)
        names = search.modalities(retrieve)
        _refuse({"query": query} | models_only, "does not go with --retrieve")
        encoders, path = (None, model) if dataset is None else (model, dataset)
        if path is None or output is None:
            raise UsageError("DATASET.npz and -o REPORT.json are needed", hint="MODEL.pt before it is for encoders")
        from mmcli.evaluation.report.report import Request

        request = Request(split=split, strict=strict, intervals=intervals)
        outputs = Outputs(output, plot, predictions, html, json=json)
        search.run(names, relevant, encoders, path, request, device, set_ or [], outputs)
    elif relevant != "pair":
        raise UsageError("--relevant is for a search", hint="name the modalities: --retrieve A,B")
    elif model is not None and not spans.is_spans(model) and maps.is_map(model):
        _refuse(targets | {"strict": strict, "set": set_} | models_only, f"is for models, {model.name} is a map")
        if dataset is None or output is None:
            raise UsageError("MAP.json, TRUTH and -o REPORT.json are needed")
        maps.run(model, dataset, query, output, json)
    elif query is not None:
        raise UsageError("--query is for maps")
    elif model is not None and spans.is_spans(model):
        _refuse(targets | {"strict": strict} | models_only, f"is for models, {model.name} holds spans")
        if dataset is None or output is None:
            raise UsageError("SPANS, TRUTH and -o REPORT.json are needed")
        spans.run(model, dataset, spans.configured(set_), output, json)
    elif model is None or dataset is None or output is None:
        needed = {"MODEL.pt": model, "DATASET.npz": dataset, "-o REPORT.json": output}
        missing = " and ".join(name for name, value in needed.items() if value is None)
        raise UsageError(
            f"{missing} missing", hint="or --compare A.json B.json, or --cv RUN/" if model is None else None
        )
    elif model.suffix.lower() == ".npz" and dataset.suffix.lower() == ".pt":
        raise UsageError("the model comes before the data set", hint=f"mmcli evaluate {dataset} {model} ...")
    else:
        from mmcli.evaluation.report.report import Request

        request = Request(
            split=split,
            strict=strict,
            explain=explain,
            robustness=robustness,
            timings=timings,
            intervals=_intervals(set_, seed),
        )
        outputs = Outputs(output, plot, predictions, html, media, json)
        models.run(model, dataset, against or [], request, device, set_ or [], outputs)


def _refuse(others: Mapping[str, Any], why: str) -> None:
    """Options that were given and mean nothing here are an error, not a silence."""
    useless = [name for name, value in others.items() if value]
    if useless:
        raise UsageError(f"--{useless[0]} {why}")


def _intervals(assignments: list[str] | None, seed: int) -> Config:
    from mmcli.evaluation.intervals.interval import Config

    assigned = the_options.split(assignments)
    the_options.refuse_unused(assigned, ["intervals"])
    return the_options.configure(Config, {"seed": str(seed)} | (assigned.get("intervals") or {}), "intervals")
