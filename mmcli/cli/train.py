"""Train a model on DATASET and write it as MODEL.

Every stream gets the encoder that suits what it holds (a convolutional network for pictures and spectrograms, a
bidirectional LSTM for tokens, a perceptron for vectors), a fusion block joins them, a head answers. Items may lack
modalities, in training and later. Training stops when the validation split gets no better; the best weights are kept.
The same data, options and seed give the same bytes. MODEL.history.ndjson holds the figures of every epoch. Under
torchrun several processes train one model. Of a folder of shards a batch is read when it is its turn; the model is the
same as of one file.

With --objective contrastive MODEL holds encoders and no classifier: each modality learns to find its partner among
other items (InfoNCE), labels are not needed. --init trains on from them, or from any model's encoders.

With --task rank MODEL recommends: --events says which user liked which item (csv or NDJSON: user,item[,rating|weight]
[,time][,split]), DATASET what the items are (it may be left out, and lack any modality). `auto` compares methods on
the last tenth of each user's events in time and keeps the best, or the sum of the best two; items that nobody has met
are placed by their content, each modality with a weight learned on items that were taken for new. All events given
are trained on, but for rows marked test, and what --splits or --by leave out. The model holds no user: a user is a
history. --init REC.pt adds the events of further users without starting over.

With --private MODEL may be given away: what it tells of any one item of DATASET is bounded by epsilon and delta. What
leaks beside the gradients is refused with the way out, MODEL holds no history and no count of these rows, and a ledger
beside DATASET adds up what was released. Its default fusion is linear, a sum of one linear map for each modality.

\b
  mmcli train digits.npz -o digits.pt
  mmcli train digits.npz -o pair.pt --modalities audio,text --fusion attention --seed 3
  mmcli train unlabelled.npz --objective contrastive -o pre.pt
  mmcli train few.npz --init pre.pt -o model.pt
  mmcli train films.npz --task rank --events ratings.csv --positive 'rating>=4' -o rec.pt
  mmcli train raw.npz -o open.pt --private epsilon=3,delta=1e-5 --budget epsilon=8
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mmcli.cli import console, given, progress, ranking
from mmcli.cli import private as privately
from mmcli.cli.options import JsonFlag, Seed, Set, configure, refuse_unused, split
from mmcli.cli.options import command as mm_command
from mmcli.errors import UsageError
from mmcli.models import blocks
from mmcli.ranking import registry as methods
from mmcli.registry import listed, nearest


def configs(values: dict[str, Any]) -> dict[str, Any]:
    """The configuration in force."""
    if values["task"] == "rank":
        from mmcli.ranking.fit import Config

        return {"rank": configure(Config, split(values["set_"]).get("rank"), "rank")}
    return {"train": _config(values)}


@mm_command(configs)
def command(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL.pt", help="The model.")],
    dataset: Annotated[
        Path | None, typer.Argument(metavar="DATASET", help="What `mmcli fuse` wrote, npz or folder.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="auto, classify, regress, multilabel, rank. auto: by the labels; rank with --events.")
    ] = "auto",
    fusion: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"How modalities are joined: {listed(blocks.registry.names(), 'concat')}; auto: an ensemble of "
            "candidates, compared on folds; linear: with --private. [default: concat; linear with --private]",
        ),
    ] = None,
    modalities: Annotated[
        str | None, typer.Option(metavar="A,B", help="Streams to use. [default: all but `fused`]")
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(metavar="STREAM=NAME", help="Encoder of a stream. Repeatable. [default: by what it holds]"),
    ] = None,
    objective: Annotated[
        str, typer.Option(help="supervised; contrastive: pre-train encoders on pairs, without labels (InfoNCE).")
    ] = "supervised",
    init: Annotated[
        Path | None, typer.Option(metavar="MODEL.pt", help="Start from the encoders of this model.")
    ] = None,
    epochs: Annotated[
        int, typer.Option(metavar="N", help="Passes over the training split, at most; 0: 50, fewer for many items.")
    ] = 0,
    seed: Seed = 0,
    class_weights: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Rare classes count more: none, inverse, effective (Cui et al. 2019)."),
    ] = None,
    sampling: Annotated[
        str | None, typer.Option(metavar="NAME", help="all; balanced: an epoch draws every class equally often.")
    ] = None,
    modulation: Annotated[
        float | None,
        typer.Option(metavar="ALPHA", help="OGM-GE (Peng et al. 2022): leading modalities learn slower. 0: off."),
    ] = None,
    smoothing: Annotated[
        float | None, typer.Option(metavar="P", help="Label smoothing (Szegedy et al. 2016). [default: 0.05]")
    ] = None,
    auxiliary: Annotated[
        float | None,
        typer.Option(metavar="W", help="Weight of each modality's own loss beside the fused one. [default: 0.5]"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda. auto: CUDA where it is.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from MODEL.resume.pt if a run was killed.")] = False,
    cv: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="K folds (classes even, groups together, own scales, nothing made), into the folder given by -o.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="N seeds from --seed on, into a folder.")] = 1,
    events: Annotated[
        Path | None, typer.Option(metavar="EVENTS", help="To recommend: who did what with which item; - for a pipe.")
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Which events say yes, as 'rating>=4'. [default: from 4/5 of the best on]"),
    ] = None,
    method: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Of rank: {listed(['auto', *methods.names()], 'auto')}.")
    ] = None,
    splits: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz[#NAME]", help="Of rank: leave out these rows of EVENTS, and NAME_items."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="time|random", help="Of rank: leave out the last, or a random, fifth.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Of rank: refuse events of which a test row is older than a training row.")
    ] = False,
    private: privately.Private = None,
    public: privately.PublicFiles = None,
    items: privately.Items = None,
    budget: privately.Budget = None,
    audit: privately.Audit = False,
    clients: privately.Clients = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the network that fits the data and stop.")] = False,
    json: JsonFlag = False,
    set_: Set = None,
) -> None:
    """Translate the options, train, print."""
    if task == "rank" or (events is not None and task == "auto"):
        _rank(locals())
        return
    ranks = {"events": events, "positive": positive, "method": method, "splits": splits, "by": by, "strict": strict}
    for name, value in ranks.items():
        if value:
            raise UsageError(f"--{name} is for --task rank")
    if dataset is None:
        raise UsageError("DATASET is missing", hint="what `mmcli fuse` wrote; only --task rank goes without")
    config = _config(locals())
    if not dry_run and str(output) == "-":
        raise UsageError("a model with its history cannot go to standard output", hint="give -o a file name")
    if private is not None:
        from mmcli.training.private import leaks

        if config.fusion == "linear" and config.encoders:
            raise UsageError("--fusion linear has no encoders", hint="name a fusion, --fusion concat, or no --encoder")
        leaks.refuse_options(config, resume=resume, cv=cv is not None, seeds=seeds)
        privately.train(
            dataset,
            output,
            config,
            private,
            public=public,
            items=items,
            budget=budget,
            clients=clients,
            init=init,
            audit=audit,
            dry_run=dry_run,
            json=json,
        )
        return
    privately.refuse_alone(public=public, items=items, budget=budget, audit=audit, clients=clients)
    from mmcli.training import plan
    from mmcli.training.ensemble import auto
    from mmcli.training.fit import initial
    from mmcli.training.use import run

    data = given.load(dataset)
    start = None if init is None else initial.load(init)
    if dry_run:
        _show_plan(run.planned(data, config, start), json)
        return
    inputs = [given.source(path) for path in (dataset, init) if path is not None]
    if cv is not None or seeds > 1:
        if objective == "contrastive" or (init is not None and cv is not None):
            what = "--cv and --seeds judge answers, which pre-training does not give"
            if objective != "contrastive":
                what = "--cv would test on items that the encoders of --init have seen"
            raise UsageError(what, hint="train one model")
        if resume or output.suffix == ".pt":
            raise UsageError("several runs go into a folder and are not resumed", hint="give -o a folder")
        several = [dataclasses.replace(config, seed=seed + i) for i in range(seeds)]
        _several(data, several, output, cv or 0, inputs, start, json)
        return
    steps, unit = plan.epochs(len(data.rows("train")), config), "epochs"
    if config.fusion == "auto":
        steps, unit = auto.rounds(data, config), "candidates"
    with progress.bar("train", steps, unit) as bar:

        def report(row: dict[str, Any]) -> None:
            figures = [f"{k} {row[k]:.4g}" for k in row if k.startswith(("train_", "val_", "fold_"))]
            bar.advance(1, ", ".join([*filter(None, [row.get("candidate")]), *figures]))

        model = run.train(data, config, output, inputs=inputs, again=resume, report=report, initial=start)
    if int(os.environ.get("RANK", "0")) == 0:  # of several processes one speaks
        _show(model.config["training"], model.config, output, json)


def _rank(values: dict[str, Any]) -> None:
    """A recommender: its options, and a refusal of those that mean nothing to it."""
    from mmcli.ranking.fit import Config

    if values["events"] is None:
        raise UsageError("--task rank learns from events", hint="--events EVENTS.csv: user,item[,rating][,time]")
    nothing = ("encoder", "modalities", "class_weights", "sampling", "modulation", "smoothing", "auxiliary", "cv")
    private = ("private", "public", "items", "budget", "audit", "clients")
    useless = [f"--{n.replace('_', '-')}" for n in (*nothing, *private, "resume", "dry_run", "epochs") if values[n]]
    useless += [f"--{n}" for n, usual in (("fusion", None), ("objective", "supervised")) if values[n] != usual]
    if useless:
        raise UsageError(f"{useless[0]} is not for --task rank")
    assigned = split(values["set_"])
    refuse_unused(assigned, ["rank", *methods.names()])
    config = dataclasses.replace(
        configure(Config, assigned.pop("rank", None), "rank"),
        seed=values["seed"],
        **({} if values["method"] is None else {"method": values["method"]}),
    )
    settings = {name: configure(methods.load(name).Config, fields, name) for name, fields in assigned.items()}
    ranking.train(
        values["dataset"],
        values["events"],
        values["output"],
        positive=values["positive"],
        config=config,
        assigned=settings,
        splits=values["splits"],
        by=values["by"],
        init=values["init"],
        jobs=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        strict=values["strict"],
        json=values["json"],
    )


def _config(values: dict[str, Any]) -> Any:
    from mmcli.training.config import TrainConfig

    private = values.get("private") is not None
    values = values | {"fusion": values["fusion"] or ("linear" if private else "concat")}
    if values["fusion"] not in (known := ["auto", *blocks.registry.names(), *(["linear"] if private else [])]):
        hint = nearest(values["fusion"], known)
        raise UsageError(f"unknown fusion block {values['fusion']!r}", hint=hint)
    assigned = split(values["set_"])
    refuse_unused(assigned, ["train"])
    chosen = configure(TrainConfig, assigned.get("train"), "train")
    names = tuple(name for name in (values["modalities"] or "").split(",") if name)
    options = {k: values[k] for k in ("task", "objective", "fusion", "epochs", "seed", "device")}
    remedies = ("class_weights", "sampling", "modulation", "smoothing", "auxiliary")
    options |= {k: values[k] for k in remedies if values[k] is not None}
    return dataclasses.replace(chosen, modalities=names, encoders=tuple(values["encoder"] or ()), **options)


def _several(
    data: Any, configs: list[Any], output: Path, cv: int, inputs: list[dict[str, Any]], start: Any, json: bool
) -> None:
    from mmcli.training.use import run

    with progress.bar("train", max(cv, 1) * len(configs), "runs") as bar:

        def report(row: dict[str, Any]) -> None:
            bar.advance(1, ", ".join(f"{k} {row[k]:.4g}" for k in row if k.startswith("test_")))

        summary = run.train_series(data, configs, output, cv=cv, inputs=inputs, initial=start, report=report)
    rows = [(row["file"], *(row[name] for name in summary["scores"])) for row in summary["runs"]]
    console.table(f"{output}: {len(rows)} runs", ["model", *summary["scores"]], rows)
    for name, value in summary["scores"].items():
        spread = "" if value["sd"] is None else f", standard deviation {value['sd']:.4g}"
        console.say(f"{name}: mean {value['mean']:.4g}{spread}, {value['n']} runs")
    if json:
        console.emit(summary | {"output": str(output)})


def _show(facts: dict[str, Any], config: dict[str, Any], output: Path, json: bool) -> None:
    if config.get("candidates"):
        _show_candidates(config, output, json)
        return
    if "init" in facts:
        taken, fresh = (", ".join(facts["init"][k]) for k in ("taken", "fresh"))
        console.say(f"encoders taken: {taken}" + (f"; started fresh: {fresh}" if fresh else ""))
    best = facts["history"][facts["best_epoch"] - 1]
    figures = ", ".join(f"{name.removeprefix('val_')} {best[name]:.4g}" for name in best if name.startswith("val_"))
    console.say(
        f"{output}: {config['task']}, {', '.join(config['modalities'])}; {facts['parameters']:,} parameters, "
        f"best of {len(facts['history'])} epochs: {facts['best_epoch']}"
        + (f"; validation: {figures}" if figures else "; no validation split, the last epoch is kept")
    )
    if json:
        keep = {k: facts[k] for k in ("parameters", "best_epoch", "items")}
        console.emit({"schema": "mmcli/train@1", "output": str(output), "task": config["task"], "best": best} | keep)


def _show_candidates(config: dict[str, Any], output: Path, json: bool) -> None:
    table = config["candidates"]
    figure = "mae" if config["task"] == "regress" else "accuracy"
    shown = [(c["title"], c["loss"], c[figure], c.get("weight", "")) for c in table]
    console.table(f"{output}: candidates on folds of the training split", ["", "loss", figure, "weight"], shown)
    members = [m["title"] for m in config["model"]["members"]]
    console.say(f"{output}: {config['task']}, {config['training']['parameters']:,} numbers; kept: {', '.join(members)}")
    if json:
        console.emit({"schema": "mmcli/train@1", "output": str(output), "task": config["task"], "candidates": table})


def _show_plan(planned: dict[str, Any], json: bool) -> None:
    if json:
        console.emit({"schema": "mmcli/train-plan@1"} | planned)
        return
    parts = planned["model"]["modalities"]
    rows = [(p["name"], p["encoder"], ", ".join(f"{k} {v}" for k, v in p["config"].items())) for p in parts]
    console.table(f"{planned['items']['train']} training items", ["stream", "encoder", "sizes"], rows)
    if "space" in planned["model"]:
        purpose = f"contrastive, a space of {planned['model']['space']['width']} dimensions"
    else:
        purpose = f"fusion {planned['model']['fusion']['name']}, {planned['model']['head']['outputs']} outputs"
    console.say(
        f"{purpose}, {planned['parameters']:,} parameters, {planned['batch']} items a step, {planned['steps']} steps"
    )
