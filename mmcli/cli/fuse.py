"""Bring modalities onto one clock and into one data set.

MANIFEST (csv, jsonl or - for standard input) names features by item, as `mmcli extract` writes them, or holds them:
what it packed (OUT.parquet, OUT.arrow, 'OUT-%06d.tar'), and the arrays of other WebDataset or datasets files. The data
set keeps every modality apart and marks the missing ones; a strategy adds a stream named `fused`. Normalisation is
fitted on the training split only. Without a split column the rows are divided 60/20/20 by a digest of their group or
id. Where the items of a group stand one after another the columns order (a number) or start (seconds) say it, for
`train --context`.

A stream is called by its modality where that has one column, else by the column. `train --modalities` and `evaluate
--retrieve` know it by MODALITY.EXTRACTOR in either case, and by a modality all its streams.

A data set larger than the memory goes into a folder: an output that ends with / or has no suffix. Features files are
read one by one, shards of --shard-size are written, and index.json last; train, evaluate, predict and info take the
folder in place of a file and read what they need. The values are those of the one file. --normalise robust and
--balance match need all items at once and are refused; a --strategy holds the training rows, at most 1 GiB.

With --spans text every frame is a word: each row's column map.text names the alignment of its transcript with the
recording of the reference modality, and streams with a clock are pooled over every word (--span-kind, --pool).

Several features files (npz) are the streams of one item: they are brought onto the clock of the first, through the maps
given by --align, or sampled at --rate, and written as features. Frames at which a stream is undefined are left out.

\b
  mmcli extract digits/manifest.csv -o out | mmcli fuse - -o digits.npz
  mmcli fuse out/manifest.jsonl -o shards/ --shard-size 1GB
  mmcli fuse words.jsonl -o words.npz --spans text --reference audio
  mmcli fuse slides.npz speech.npz --align map.json --rate 25 -o fused.npz
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from mmcli.cli import batching, console, options, progress
from mmcli.cli.options import JsonFlag, Seed, Set
from mmcli.cli.options import command as mm_command
from mmcli.errors import BatchFailedError, UsageError
from mmcli.fusion import registry as strategies
from mmcli.registry import listed

MOST_LEFT_OUT = 0.1  # of the rows; beyond, a data set is not what its manifest says


def configs(values: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the strategy in force."""
    strategy = values["strategy"] or ("concat" if _is_single(values["inputs"]) else "none")
    also = _augmenting(values["balance"], values["set_"])
    if strategy == "none":
        return also
    return {strategy: _config(strategy, values["weight"], values["set_"], also), **also}


@mm_command(configs)
def command(
    inputs: Annotated[list[str], typer.Argument(metavar="MANIFEST|A.npz B.npz...", help="A manifest, or features.")],
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="OUT.npz|FOLDER", help="Data set (file or shards) or features."),
    ],
    strategy: Annotated[
        str | None,
        typer.Option(
            help=f"none, {listed(strategies.names(), 'concat')}. [default: none for a manifest, concat for features]",
            autocompletion=options.completing("strategies", "none"),
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=W|auto", help="Weight of a modality for `weighted`; auto learns them. Repeatable."),
    ] = None,
    normalise: Annotated[
        str | None,
        typer.Option(
            help="zscore, robust, l2, item (each by its own mean and spread), none. [default: zscore for a manifest, "
            "none for features]"
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="M", help="The modality whose clock counts. [default: the first modality column]"),
    ] = None,
    align: Annotated[
        list[Path] | None, typer.Option(metavar="MAP.json", help="The map of one of the features files. Repeatable.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="HZ", help="Frames per second of fused features; of a manifest: of its arrays without a clock."
        ),
    ] = None,
    missing: Annotated[
        str, typer.Option(help="refuse; mean: NaN in arrays of a manifest becomes the mean of the training rows.")
    ] = "refuse",
    pool: Annotated[
        str,
        typer.Option(help="auto, linear, mean, max, last: how features reach a clock; auto pools where it is slower."),
    ] = "auto",
    spans: Annotated[
        str | None,
        typer.Option(
            metavar="MAP.json|M",
            help="Frames are the words of this transcript alignment; of a manifest: of each row's map.M.",
        ),
    ] = None,
    span_kind: Annotated[str, typer.Option(help="word or line, with --spans.")] = "word",
    label_type: Annotated[
        str, typer.Option(help="auto, classes, numbers, sets (classes joined by |): what the label column means.")
    ] = "auto",
    balance: Annotated[
        str,
        typer.Option(
            help="none, weight, augment, match: mend scarce classes or modalities in the training split. --set "
            "augment.flip=true mirrors pictures too."
        ),
    ] = "none",
    match: Annotated[
        str,
        typer.Option(
            help="label, time, neighbour: whom an item borrows from with --balance match; training draws anew each "
            "epoch."
        ),
    ] = "label",
    shard_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Bytes of a shard, with a folder as output. [default: 256MB]")
    ] = None,
    private: Annotated[
        str | None,
        typer.Option(
            "--private",
            metavar="epsilon=E[,delta=D]",
            help="Scales are released with noise, so that `train --private` may use them; needs --bounds. Class counts "
            "with the same noise are said.",
        ),
    ] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option(metavar="STREAM=LOW:HIGH", help="With --private: what values can be at all. Repeatable."),
    ] = None,
    seed: Seed = 0,
    json: JsonFlag = False,
    set_: Set = None,
) -> None:
    """Fuse."""
    if bounds and private is None:
        raise UsageError("--bounds is for --private")
    if private is not None:
        others = {"--strategy": strategy not in (None, "none"), "--balance": balance != "none"}
        others |= {"--normalise": normalise is not None, "features files": _is_single(inputs)}
        if wrong := [name for name, given in others.items() if given]:
            raise UsageError(f"--private does not go with {wrong[0]}", hint="it gives scales, and nothing else")
        normalise = "none"
    if shard_size is not None and (_is_single(inputs) or not _is_folder(output)):
        raise UsageError("--shard-size is for a folder of shards", hint="fuse a manifest into a folder: -o DATASET/")
    if missing not in ("refuse", "mean"):
        raise UsageError(f"--missing {missing}: refuse or mean")
    if _is_single(inputs):
        if missing != "refuse":
            raise UsageError("--missing is for manifests")
        if reference is not None or label_type != "auto" or balance != "none" or match != "label":
            raise UsageError("--reference, --label-type, --balance and --match are for manifests")
        from mmcli.fusion.dataset import single

        strategy = strategy or "concat"
        if strategy == "none":
            raise UsageError("--strategy none keeps streams apart, which needs a manifest", hint="use concat")
        config = _config(strategy, weight, set_)
        how = single.Plan(
            strategy, config, rate, normalise or "none", pool, None if spans is None else Path(spans), span_kind
        )
        summary = _fuse_single(inputs, Path(output), align or [], how)
    else:
        if align or (spans is None and (pool != "auto" or span_kind != "word")):
            raise UsageError(
                "--align, and without --spans also --pool and --span-kind, are for features files",
                hint="in a manifest, column map.MODALITY names the map",
            )
        from mmcli.fusion.dataset.words import Words

        words = None if spans is None else Words(spans, span_kind, "mean" if pool == "auto" else pool)
        if len(inputs) > 1:
            arrays = [name for name in inputs if name.lower().endswith((".npy", ".h5", ".hdf5"))]
            hint = "pass one manifest, or features files ending in .npz"
            if arrays:
                hint = (
                    f"a manifest names the rows of an array: a csv with id, label and a column audio with {arrays[0]}#0"
                )
            raise UsageError("one manifest is needed" if arrays else f"{len(inputs)} manifests", hint=hint)
        from mmcli.fusion.dataset.assemble import Plan
        from mmcli.fusion.dataset.survey import Arrays

        if match != "label" and balance != "match":
            raise UsageError("--match needs --balance match")
        strategy = strategy or "none"
        if strategy == "none" and weight:
            raise UsageError("--weight needs --strategy weighted")
        also = _augmenting(balance, set_)
        if strategy == "none":
            options.refuse_unused(options.split(set_), also)
        config = None if strategy == "none" else _config(strategy, weight, set_, also)
        plan = Plan(strategy, config, normalise or "zscore", reference, label_type, balance, match, seed, words=words)
        if rate is not None and rate <= 0:
            raise UsageError(f"a rate of {rate:g} Hz gives no times")
        plan = dataclasses.replace(plan, arrays=Arrays(rate, missing))
        if also:
            plan = dataclasses.replace(plan, augmenting=also["augment"])
        shard_bytes = None
        if _is_folder(output):
            shard_bytes = int(options.size(shard_size or "256MB", "--shard-size", least=1))
        summary = _fuse_manifest(inputs[0], output, plan, shard_bytes, private, bounds)
    if json:
        console.emit(summary)
    if summary.get("failed"):
        raise BatchFailedError(f"{summary['failed']} rows could not be used and are left out of {output}")
    gone = sum(n for reasons in summary.get("left_out", {}).values() for n in reasons.values())
    if gone > MOST_LEFT_OUT * summary.get("rows", 0):
        raise BatchFailedError(f"{gone} of {summary['rows']} rows are not in {output}: more than a tenth")


def _is_single(inputs: list[str]) -> bool:
    return all(name.lower().endswith(".npz") for name in inputs)


def _augmenting(balance: str, set_: list[str] | None) -> dict[str, Any]:
    """The configuration of ``augment`` where it is in force."""
    from mmcli.fusion.dataset import augment

    if balance != "augment":
        return {}
    return {"augment": options.configure(augment.Config, options.split(set_).get("augment"), "augment")}


def _config(strategy: str, weight: list[str] | None, set_: list[str] | None, also: Iterable[str] = ()) -> Any:
    module = strategies.load(strategy)
    assigned = options.split(set_)
    options.refuse_unused(assigned, [strategy, *also])
    if not weight:
        return options.configure(module.Config, assigned.get(strategy), strategy)
    if strategy != "weighted":
        raise UsageError("--weight needs --strategy weighted")
    if weight == ["auto"]:
        return module.Config(auto=True)
    weights = {}
    for text in weight:
        name, _, value = text.rpartition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            raise UsageError(f"--weight {text!r} is not NAME=NUMBER") from None
    return module.Config(weights=weights)


def _fuse_single(inputs: list[str], output: Path, maps: list[Path], plan: Any) -> dict[str, Any]:
    from mmcli.artifacts.formats import features
    from mmcli.fusion.dataset import single

    fused, notes = single.fuse(single.open_inputs([Path(name) for name in inputs]), single.load_maps(maps), plan)
    for note in notes:
        console.say(note)
    features.save(output, fused)
    frames, width = fused.values.shape
    console.say(f"{output}: {frames} frames of width {width}, {plan.strategy} of {len(inputs)} streams")
    return {"schema": "mmcli/fuse@1", "output": str(output), "frames": frames, "width": width}


def _is_folder(output: str) -> bool:
    """A data set in shards is meant; a device or pipe without a suffix is a file."""
    from mmcli.artifacts.io import remote

    if remote.is_url(output):
        raise UsageError("a data set is written to a local file or folder", source=output)
    return batching.is_folder(output) and (Path(output).is_dir() or not Path(output).exists())


def _fuse_manifest(
    source: str,
    output: str,
    plan: Any,
    shard_bytes: int | None,
    private: str | None = None,
    bounds: list[str] | None = None,
) -> dict[str, Any]:
    from mmcli.artifacts.formats import dataset, manifest, shards
    from mmcli.fusion.dataset import assemble

    rows = manifest.load(source)
    with progress.bar("fuse", len(rows.rows)) as bar:
        assembled = assemble.assemble(rows, plan, bar, lazily=shard_bytes is not None)
    data = assembled.dataset
    for item, reason in assembled.failed:
        console.warn(f"{item}: left out: {reason}")
    for note in assembled.notes:
        console.say(note)
    for split, reasons in assembled.left_out.items():
        console.say(f"left out of {split}: " + ", ".join(f"{n} because: {reason}" for reason, n in reasons.items()))
    told: dict[str, Any] = {}
    if private is not None:
        from mmcli.training.private import ledger, scales

        epsilon, delta = ledger.parse(private)
        released = scales.scaled(data, scales.bounds_of(bounds or []), epsilon, delta)
        data = released.dataset
        ledger.enter(ledger.beside(Path(output)), f"fuse {Path(output).name}", "item", [released.release], None, delta)
        told = {"privacy": {"epsilon": epsilon, "delta": delta, "unit": "item", "counts": released.counts}}
        console.say(
            f"scales released at epsilon {epsilon:g}, delta {delta:g} for each item; `train --private` counts it"
        )
        if released.counts:
            console.say("about " + ", ".join(f"{name} {n}" for name, n in released.counts.items()) + " training items")
    if shard_bytes is None:
        dataset.save(output, data)
    else:
        shards.save(output, data, shard_bytes)
    streams = {
        name: {"items": int(s.present.sum()), "frame": list(s.values.shape[1:]), "kind": s.meta["kind"]}
        for name, s in data.streams.items()
    }
    shown = [(n, s["kind"], s["items"], " x ".join(map(str, s["frame"]))) for n, s in streams.items()]
    splits = {name: int((data.split == name).sum()) for name in ("train", "val", "test")}
    console.table(f"{output}: {data.items} items", ["stream", "kind", "items", "frame"], shown)
    console.say("splits: " + ", ".join(f"{name} {n}" for name, n in splits.items()))
    return {
        "schema": "mmcli/fuse@1",
        "output": str(output),
        "items": data.items,
        "splits": splits,
        "streams": streams,
        "failed": len(assembled.failed),
        "rows": len(rows.rows),
        "left_out": assembled.left_out,
        **told,
    }
