"""Train a model on DATASET and write it as MODEL.

Every stream gets the encoder that suits what it holds (a convolutional network for pictures and spectrograms, a
bidirectional LSTM for tokens, a perceptron for vectors), a fusion block joins them, a head answers. Items may lack
modalities, in training and later. Training stops when the validation split gets no better; the best weights are kept.
The same data, options and seed give the same bytes. MODEL.history.ndjson holds the figures of every epoch. Under
torchrun several processes train one model. Of a folder of shards a batch is read when it is its turn; the model is the
same as of one file.

With --context group an item is answered among the others of its group, in their order: the turns of a dialogue, the
utterances of a video. The manifest says both, in its columns group, and order (a number) or start (seconds); which
files or rows come first means nothing. With --causal no turn sees a later one, so that a dialogue can be answered while
it goes on. Groups are new ones, of any length, where the model is used; turns without a label are read too.

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
  mmcli train dialogues.npz -o dialogues.pt --context group --causal
  mmcli train unlabelled.npz --objective contrastive -o pre.pt
  mmcli train few.npz --init pre.pt -o model.pt
  mmcli train films.npz --task rank --events ratings.csv --positive 'rating>=4' -o rec.pt
  mmcli train raw.npz -o open.pt --private epsilon=3,delta=1e-5 --budget epsilon=8
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from mmcli.cli import console, progress, ranking
from mmcli.cli import given as sources
from mmcli.cli import private as privately
from mmcli.cli.options import command as mm_command
from mmcli.cli.options import configure, refuse_unused, split
from mmcli.cli.train_options import TrainOptions
from mmcli.errors import UsageError
from mmcli.models import blocks
from mmcli.ranking import registry as methods
from mmcli.registry import nearest


def configs(values: dict[str, Any]) -> dict[str, Any]:
    """The configuration in force."""
    given = TrainOptions(**values)
    if given.task == "rank":
        from mmcli.ranking.fit import Config

        return {"rank": configure(Config, split(given.set_).get("rank"), "rank")}
    return {"train": _config(given)}


@mm_command(configs, TrainOptions)
def command(given: TrainOptions) -> None:
    """Translate the options, train, print."""
    if given.task == "rank" or (given.events is not None and given.task == "auto"):
        _rank(given)
        return
    for name in ("events", "positive", "method", "splits", "by", "strict"):
        if getattr(given, name):
            raise UsageError(f"--{name} is for --task rank")
    if given.dataset is None:
        raise UsageError("DATASET is missing", hint="what `mmcli fuse` wrote; only --task rank goes without")
    config = _config(given)
    if not given.dry_run and str(given.output) == "-":
        raise UsageError("a model with its history cannot go to standard output", hint="give -o a file name")
    if given.private is not None:
        from mmcli.training.private import leaks

        if config.fusion == "linear" and config.encoders:
            raise UsageError("--fusion linear has no encoders", hint="name a fusion, --fusion concat, or no --encoder")
        federated = given.clients is not None
        leaks.refuse_options(
            config, resume=given.resume, cv=given.cv is not None, seeds=given.seeds, federated=federated
        )
        privately.train(
            given.dataset,
            given.output,
            config,
            given.private,
            public=given.public,
            items=given.items,
            budget=given.budget,
            clients=given.clients,
            init=given.init,
            audit=given.audit,
            dry_run=given.dry_run,
            json=given.json,
        )
        return
    alone = ("public", "items", "budget", "audit", "clients")
    privately.refuse_alone(**{name: getattr(given, name) for name in alone})
    from mmcli.training import plan, warnings
    from mmcli.training.ensemble import auto
    from mmcli.training.fit import initial
    from mmcli.training.use import run

    data = sources.load(given.dataset)
    if config.target:
        from mmcli.fusion import targets

        data = targets.chosen(data, config.target)
    start = None if given.init is None else initial.load(given.init)
    if given.dry_run:
        _show_plan(run.planned(data, config, start), given.json)
        return
    inputs = [sources.source(path) for path in (given.dataset, given.init) if path is not None]
    if given.cv is not None or given.seeds > 1:
        if given.objective == "contrastive" or (given.init is not None and given.cv is not None):
            what = "--cv and --seeds judge answers, which pre-training does not give"
            if given.objective != "contrastive":
                what = "--cv would test on items that the encoders of --init have seen"
            raise UsageError(what, hint="train one model")
        if given.resume or given.output.suffix == ".pt":
            raise UsageError("several runs go into a folder and are not resumed", hint="give -o a folder")
        several = [dataclasses.replace(config, seed=given.seed + i) for i in range(given.seeds)]
        _several(data, several, given.output, _folds(given.cv), inputs, start, given.json)
        return
    steps, unit = plan.epochs(len(data.rows("train")), config), "epochs"
    if config.fusion == "auto":
        steps, unit = auto.rounds(data, config), "candidates"
    with progress.bar("train", steps, unit) as bar:

        def report(row: dict[str, Any]) -> None:
            figures = [f"{k} {row[k]:.4g}" for k in row if k.startswith(("train_", "val_", "fold_"))]
            bar.advance(1, ", ".join([*filter(None, [row.get("candidate")]), *figures]))

        model = run.train(data, config, given.output, inputs=inputs, again=given.resume, report=report, initial=start)
    if int(os.environ.get("RANK", "0")) == 0:  # of several processes one speaks
        for said in warnings.about(data, model.config):
            console.warn(said)
        _show(model.config["training"], model.config, given.output, given.json)


def _rank(given: TrainOptions) -> None:
    """A recommender: its options, and a refusal of those that mean nothing to it."""
    from mmcli.ranking.fit import Config

    if given.events is None:
        raise UsageError("--task rank learns from events", hint="--events EVENTS.csv: user,item[,rating][,time]")
    nothing: tuple[str, ...] = (
        "target",
        "encoder",
        "modalities",
        "class_weights",
        "sampling",
        "modulation",
        "smoothing",
        "auxiliary",
        "cv",
    )
    nothing += ("private", "public", "items", "budget", "audit", "clients", "resume", "dry_run", "epochs")
    useless = [f"--{name.replace('_', '-')}" for name in nothing if getattr(given, name)]
    usual = {"fusion": None, "objective": "supervised", "effort": "usual", "trust": "auto"}
    useless += [f"--{name}" for name, value in usual.items() if getattr(given, name) != value]
    if useless:
        raise UsageError(f"{useless[0]} is not for --task rank")
    assigned = split(given.set_)
    refuse_unused(assigned, ["rank", *methods.names()])
    config = dataclasses.replace(configure(Config, assigned.pop("rank", None), "rank"), seed=given.seed)
    if given.method is not None:
        config = dataclasses.replace(config, method=given.method)
    settings = {name: configure(methods.load(name).Config, fields, name) for name, fields in assigned.items()}
    ranking.train(
        given.dataset,
        given.events,
        given.output,
        positive=given.positive,
        config=config,
        assigned=settings,
        splits=given.splits,
        by=given.by,
        init=given.init,
        jobs=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        strict=given.strict,
        json=given.json,
    )


def _config(given: TrainOptions) -> Any:
    from mmcli.training.config import TrainConfig

    private = given.private is not None
    fusion = given.fusion or ("linear" if private else "concat")
    if fusion not in (known := ["auto", *blocks.registry.names(), *(["linear"] if private else [])]):
        hint = nearest(fusion, known)
        raise UsageError(f"unknown fusion block {fusion!r}", hint=hint)
    assigned = split(given.set_)
    refuse_unused(assigned, ["train"])
    chosen = configure(TrainConfig, assigned.get("train"), "train")
    names = tuple(name for name in (given.modalities or "").split(",") if name)
    options = {k: getattr(given, k) for k in ("task", "target", "objective", "epochs", "seed", "device")}
    options |= {k: getattr(given, k) for k in ("context", "causal") if getattr(given, k)}
    options["fusion"] = fusion
    for name in ("effort", "trust"):
        if getattr(given, name) != getattr(TrainConfig(), name):
            if fusion != "auto":
                raise UsageError(f"--{name} is for --fusion auto, not for --fusion {fusion}")
            options[name] = getattr(given, name)
    remedies = ("class_weights", "sampling", "modulation", "smoothing", "auxiliary")
    options |= {k: getattr(given, k) for k in remedies if getattr(given, k) is not None}
    config = dataclasses.replace(chosen, modalities=names, encoders=tuple(given.encoder or ()), **options)
    for name, asked in {"--causal": config.causal, "train.reader": config.reader != TrainConfig.reader}.items():
        if asked and not config.context:
            raise UsageError(f"{name} goes with --context group")
    return config


def _folds(cv: str | None) -> int | str:
    """A number of folds, or whose they are."""
    return int(cv) if cv is not None and cv.isdigit() else cv or 0


def _several(
    data: Any, configs: list[Any], output: Path, cv: int | str, inputs: list[dict[str, Any]], start: Any, json: bool
) -> None:
    from mmcli.training.use import run

    if isinstance(cv, str):
        from mmcli.fusion import given_folds

        count = len(given_folds.parts(data, cv)[0])
    else:
        count = max(cv, 1)
    with progress.bar("train", count * len(configs), "runs") as bar:

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
    promise = config["training"].get("promise") or {"by": "folds"}
    where = "folds of the training split" if promise["by"] == "folds" else "the validation split"
    console.table(f"{output}: candidates on {where}", ["", "loss", figure, "weight"], shown)
    _warn(promise, config["task"])
    members = [m["title"] for m in config["model"]["members"]]
    console.say(f"{output}: {config['task']}, {config['training']['parameters']:,} numbers; kept: {', '.join(members)}")
    if json:
        console.emit({"schema": "mmcli/train@1", "output": str(output), "task": config["task"], "candidates": table})


def _warn(promise: dict[str, Any], task: str) -> None:
    """What speaks against the folds, and that nothing does."""
    from mmcli.evaluation.judge.promise import number, unsure

    if not promise.get("figure"):
        return
    for name, scores in promise["collapsed"].items():
        before, after = (number(scores[key]["value"], task) for key in ("folds", "validation"))
        console.warn(
            f"{name}: {promise['figure']} {before} on the folds and {after} on the validation split, which chance does "
            "not explain; have its features seen the labels of the training rows?"
        )
    if promise["fell"] and not promise["collapsed"]:
        console.warn("the validation split gives less than the folds promise, and chance does not explain it")
    if (promise["collapsed"] or promise["fell"]) and promise["by"] == "validation":
        console.warn("the folds are set aside: candidates were compared on the validation split")
    if promise.get("unsure"):
        console.warn(unsure(promise["unsure"]))
    if promise["simplest"]:
        console.warn("no candidate is better than guessing by more than chance allows: the simplest is kept")
    checked = promise.get("validation")
    beside = f", the validation split gives {number(checked['value'], task)}" if checked else ""
    whose = "folds" if promise["by"] == "folds" else "validation"
    console.say(f"promised by the {whose}: {promise['figure']} {number(promise['value'], task)}{beside}")


def _show_plan(planned: dict[str, Any], json: bool) -> None:
    if json:
        console.emit({"schema": "mmcli/train-plan@1"} | planned)
        return
    parts = planned["model"]["modalities"]
    rows = [(p["name"], p["encoder"], ", ".join(f"{k} {v}" for k, v in p["config"].items())) for p in parts]
    console.table(f"{planned['items']['train']} training items", ["stream", "encoder", "sizes"], rows)
    if context := planned["model"].get("context"):
        sizes = ", ".join(f"{k} {v}" for k, v in context["config"].items())
        console.say(f"turns of a group are read by {context['name']} ({sizes})")
    if "space" in planned["model"]:
        purpose = f"contrastive, a space of {planned['model']['space']['width']} dimensions"
    else:
        purpose = f"fusion {planned['model']['fusion']['name']}, {planned['model']['head']['outputs']} outputs"
    console.say(
        f"{purpose}, {planned['parameters']:,} parameters, {planned['batch']} items a step, {planned['steps']} steps"
    )
