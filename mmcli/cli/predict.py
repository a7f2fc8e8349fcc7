"""Run MODEL on raw files, a folder, a manifest or a data set, and print one JSON object an item.

Each line holds id, prediction, probabilities (absent for regression) and the modalities that were present. Raw files go
through the extractors that the model was trained with, with what they learned then; any part of the modalities may be
there. An item that cannot be read is named on standard error and has no line: exit 3. A manifest of features is what
`mmcli extract` writes; its features are normalised as the model's training data were. Through a pipe (-) each row of
raw files or text is answered before the next is read. A model is data; a program that it names (TorchScript) is run
only with --allow-programs.

With --stream the rows of standard input are events: id, modality, t (seconds) and values, text or a path, in any order.
An answer comes as soon as one modality is there and again (revision) with each other one; one is final: when all are
there, or when the watermark, the newest stamps less --lateness, has passed. Rows that came too late or twice are lines
of their own; a bad one is named, and the stream goes on (exit 3). Ctrl-C and SIGTERM give the finals of what is open.

A model trained with --context group reads an item among the others of its group: rows need group, and order or start.
Through a pipe a causal one answers each turn before the next is read, any other when the stream ends.

With a folder as output every item is predicted on its own in worker processes, into FOLDER/predictions.jsonl; what
cannot be read is named in FOLDER/failures.jsonl, and the same command again does what is new or changed.

With --window S a recording is answered along its length: windows of S seconds every --hop S (trained with `extract
--segments FILE --window S`), a line for each span of one answer: {"id", "start", "end", "prediction", "probability"}.
Sound through a pipe (-) is answered while it comes: a container, or raw samples with --raw KIND --rate HZ.

A recommender (`train --task rank`) answers histories, a line each: NDJSON {"user": "u1", "history": ["a", "b"]}, or
events. Items that nobody has met stand in the lists by their content; --new adds items outside the catalogue, whose
place in each list is told; --explain gives the exact part of each score that every item of the history is, and for new
items every modality.

\b
  mmcli predict digits.pt clip.mp4
  mmcli predict digits.pt recordings/ --explain -o predictions.jsonl
  mmcli predict digits.pt --from list.txt -o predictions/ --jobs 8
  mmcli predict digits.pt features/manifest.jsonl
  mmcli predict digits.pt digits.npz --split test | head -3
  mmcli predict digits.pt shards/ -o predictions.jsonl
  sensors | mmcli predict digits.pt - --stream --lateness 3 --final-only
  mmcli predict events.pt long.wav --window 1 --hop 0.5 > spans.jsonl
  arecord -f S16_LE -r 16000 | mmcli predict events.pt - --window 1 --raw s16le --rate 16000
  mmcli predict rec.pt histories.jsonl -k 20 --explain
  mmcli predict rec.pt - --new poster.jpg < histories.jsonl
  mmcli predict rec.pt histories.jsonl -o lists/ --jobs 8 --shard 3/10
  mmcli predict rec.pt --similar 42
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmcli.cli import batching, console, given, ranking, spans, streaming
from mmcli.cli.options import Jobs, JsonFlag, TimeUnit
from mmcli.cli.options import command as mm_command
from mmcli.errors import BatchFailedError, UsageError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.dataset import Dataset


@mm_command()
def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.pt", help="What `mmcli train` wrote.")],
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE...]", help="Files, folders, a manifest (- for one), or a data set."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE.jsonl|FOLDER", help="[default: standard output]"),
    ] = None,
    from_: batching.From = None,
    nul: batching.Null = False,
    split: Annotated[str | None, typer.Option(help="Only the items of one split of a data set. [default: all]")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add which seconds, regions and words spoke for the prediction.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, metavar="P", help="Predict labels from P on; null for a class below P."),
    ] = None,
    k: Annotated[int | None, typer.Option("-k", min=1, metavar="N", help="Items in a list. [default: 20]")] = None,
    new: Annotated[
        list[str] | None,
        typer.Option(metavar="NEW.npz|FILE", help="Items the recommender does not know. Repeatable."),
    ] = None,
    among: Annotated[
        str | None, typer.Option(metavar="IDS", help="Only these items: A,B,C or a file with one a line.")
    ] = None,
    similar: Annotated[
        str | None, typer.Option(metavar="ID|FILE", help="The items most like one, instead of lists for users.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    window: Annotated[
        float | None, typer.Option(metavar="S", help="Answer along recordings, so many seconds at a time.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(metavar="S", help="--window: from one to the next. [default: no overlap]")
    ] = None,
    raw: Annotated[
        str | None, typer.Option(metavar="KIND", help="--window: the pipe is raw samples, s16le or f32le.")
    ] = None,
    rate: Annotated[int | None, typer.Option(metavar="HZ", help="--raw: samples a second.")] = None,
    channels: Annotated[int, typer.Option(min=1, metavar="N", help="--raw: channels, mixed to one.")] = 1,
    stream: Annotated[bool, typer.Option("--stream", help="Standard input (-) is events; see above.")] = False,
    lateness: Annotated[
        float | None, typer.Option(metavar="S", help="--stream: how late a row may come, of its time. [default: 2]")
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option(metavar="S", help="--stream: a modality silent for so long holds nobody. [default: 10]"),
    ] = None,
    open_: Annotated[
        int | None, typer.Option("--open", metavar="N", help="--stream: items that wait at a time. [default: 10000]")
    ] = None,
    ahead: Annotated[
        float | None,
        typer.Option(metavar="S", help="--stream: a lone stamp further ahead is refused. [default: 60]"),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="M=MAP.json", help="--stream: modality M keeps the query clock of this map."),
    ] = None,
    final_only: Annotated[bool, typer.Option("--final-only", help="--stream: final answers only.")] = False,
    late: Annotated[
        Path | None, typer.Option("--late", metavar="FILE", help="--stream: late and double rows go there.")
    ] = None,
    ack: Annotated[
        bool,
        typer.Option(
            "--ack", help='--stream: {"ack": ...} for each row that is dealt with: its own ack, or its number.'
        ),
    ] = False,
    time_unit: TimeUnit = None,
    allow_programs: Annotated[
        bool,
        typer.Option(
            "--allow-programs",
            help="Run a TorchScript file that MODEL names: it can do whatever you can. [default: refuse]",
        ),
    ] = False,
    jobs: Jobs = None,
    timeout: batching.Timeout = None,
    engine: batching.Engine = "local",
    address: batching.Address = None,
    shard: batching.Shard = None,
    retry_failed: batching.RetryFailed = False,
    verify_source: batching.VerifySource = False,
    max_failures: batching.MaxFailures = None,
    json: JsonFlag = False,
) -> None:
    """Translate the options, predict, print."""
    if allow_programs:
        from mmcli.extractors import weights

        weights.allow_program("all")
    batching.refuse_engine(engine, address)
    if ranking.is_model(model):
        _refuse(
            {"--split": split, "--threshold": threshold, "--from": from_, "--time-unit": time_unit},
            "is not for a recommender",
        )
        if output is not None and batching.is_folder(output):
            _refuse({"--new": new, "--similar": similar}, "is for lists in a file, not in a folder")
            options = batching.options(jobs, timeout, shard, retry_failed, max_failures, verify_source=verify_source)
            ranking.predict_many(
                model, sources or [], output, options, batching.engine(engine, address), k or 20, among, explain, json
            )
            return
        many = {"--jobs": jobs, "--timeout": timeout, "--shard": shard, "--retry-failed": retry_failed}
        many |= {"--max-failures": max_failures, "--json": json, "--engine": engine != "local"}
        many |= {"--verify-source": verify_source}
        _refuse(many, "is for many histories: name a folder, -o LISTS/")
        ranking.predict(
            model,
            sources or [],
            output,
            k=k or 20,
            new=new or [],
            among=among,
            similar=similar,
            explain=explain,
        )
        return
    if window is not None:
        refused: dict[str, Any] = {
            "--split": split,
            "--explain": explain,
            "--stream": stream,
            "--json": json,
            "--jobs": jobs,
        }
        refused |= {
            "--engine": engine != "local",
            "--shard": shard,
            "--timeout": timeout,
            "--retry-failed": retry_failed,
        }
        _refuse(refused | {"--max-failures": max_failures}, "does not go with --window")
        if output is not None and batching.is_folder(output):
            raise UsageError("spans go into a file", source=output, hint="-o spans.jsonl")
        inputs = batching.named(sources, from_, nul=nul)
        along = spans.Asked(window, hop, raw, rate, channels, threshold, time_unit)
        spans.predict(model, inputs, output, along, device)
        return
    _refuse({"--hop": hop, "--raw": raw, "--rate": rate, "--channels": channels != 1}, "goes with --window")
    only = {"-k": k, "--new": new, "--among": among, "--similar": similar}
    _refuse(only, "is for a recommender")
    inputs = batching.named(sources, from_, nul=nul)
    if not inputs:
        raise UsageError("nothing to predict", hint="name files, a folder, a manifest or a data set")
    waiting = {"lateness": lateness, "idle": idle, "open": open_, "ahead": ahead}
    if stream:
        if inputs != ["-"]:
            raise UsageError("--stream reads standard input", hint="mmcli predict MODEL.pt - --stream")
        for name, given_ in {"-o": output, "--split": split, "--explain": explain}.items():
            if given_:
                raise UsageError(f"{name} is not for --stream")
        chosen_waiting = {name: value for name, value in waiting.items() if value is not None}
        streaming.answer(model, device, threshold, chosen_waiting, final_only, late, ack, map_ or [])
        return
    for name, asked in {**waiting, "final-only": final_only, "late": late, "ack": ack, "map": map_}.items():
        if asked:
            raise UsageError(f"--{name} is for --stream")
    if output is not None and batching.is_folder(output):
        if split is not None:
            raise UsageError("--split is for a data set, whose predictions go into a file")
        options = batching.options(jobs, timeout, shard, retry_failed, max_failures, verify_source=verify_source)
        _many(
            inputs,
            model,
            output,
            options,
            {"device": device, "threshold": threshold, "explain": explain, "time_unit": time_unit},
            json,
            batching.engine(engine, address),
        )
        return
    for_many = {"--jobs": jobs, "--timeout": timeout, "--shard": shard, "--retry-failed": retry_failed}
    for_many |= {"--max-failures": max_failures, "--json": json, "--verify-source": verify_source}
    for_many |= {"--engine": engine != "local"}
    for name, value in for_many.items():
        if value:
            raise UsageError(f"{name} is for many raw files", hint="name a folder: -o PREDICTIONS/")
    _stream(inputs, model, output, split, explain, threshold, device, time_unit)


def _refuse(options: dict[str, Any], why: str) -> None:
    for name, value in options.items():
        if value:
            raise UsageError(f"{name} {why}")


def _many(
    inputs: list[str], model: Path, output: str, options: Any, how: dict[str, Any], json: bool, engine: Any
) -> None:
    """Each item on its own, in worker processes, with a journal."""
    from mmcli.batch.jobs import predictions
    from mmcli.cli.batching import Listening

    if any(_is_data_set(name) for name in inputs):
        raise UsageError("a data set is predicted whole, into a file", source=output, hint="-o predictions.jsonl")
    listening = Listening(rows=not json, root=output, what="predict", header=False)
    with batching.folder(output) as (out, _), listening as listener, engine as executor:
        options = dataclasses.replace(options, executor=executor)
        summary = predictions.predict(inputs, model, out, options, listener, **how)
    batching.tell(summary, "mmcli/predicted@1", output, json=json)


def _stream(
    sources: list[str],
    model: Path,
    output: str | None,
    split: str | None,
    explain: bool,
    threshold: float | None,
    device: str,
    time_unit: str | None,
) -> None:
    """All items in this process, some at a time; a line each as it is known."""
    import numpy as np

    from mmcli.batch.jobs import predictions
    from mmcli.evaluation.report.report import chosen_rows
    from mmcli.training.fit import predictor

    console.apart({"--output": None if output is None else Path(output)}, [model, *sources])
    chosen = predictor.load(model, device)
    predictions.refuse_threshold(chosen, threshold)
    failed = console.Failed()

    def lines() -> Iterator[dict[str, Any]]:
        lonely = False  # it is said once
        for data, asked in _parts(sources, chosen, failed, split, time_unit):
            rows = np.arange(data.items, dtype=np.int64) if split is None else chosen_rows(data, split)
            rows = rows if asked is None else asked
            if chosen.context is not None and not lonely and (data.group[rows] == "").all():
                lonely = True
                console.warn("an item without a group is answered alone, without a context")
            yield from predictions.lines(chosen, data, rows, threshold=threshold, explain=explain)

    console.emit_all(lines(), output, "items")
    if failed.count == 1:
        raise BatchFailedError("1 item could not be used and has no line")
    if failed.count:
        raise BatchFailedError(f"{failed.count} items could not be used and have no line")


def _is_data_set(source: str) -> bool:
    from mmcli.artifacts.formats import shards

    return source.lower().endswith(".npz") or shards.is_folder(source)


def _parts(
    sources: list[str], chosen: Any, failed: console.Failed, split: str | None, time_unit: str | None
) -> Iterator[tuple[Dataset, Any]]:
    """The items as data sets, and the rows that are asked for (None: all): a data set and a manifest of features whole,
    raw files some at a time, rows that come through a pipe one at a time.
    """
    import sys

    from mmcli.artifacts.formats import manifest
    from mmcli.batch.plan import company, raw
    from mmcli.fusion.dataset import assemble, words

    if len(sources) == 1 and _is_data_set(sources[0]):
        yield given.load(Path(sources[0])), None
        return
    rows = raw.Rows(sys.stdin.buffer) if sources == ["-"] else None
    if raw.is_raw(sources) if rows is None else rows.raw:
        if split is not None:
            raise UsageError("--split is for a data set or a manifest of features")
        told = (chosen.modalities, chosen.name, time_unit)
        if rows is None:
            chunks = raw.chunks(sources, *told, together=chosen.context is not None)
        elif chosen.context is None:
            chunks = rows.chunks(*told)
        else:
            chunks = company.chunks(rows, *told, causal=bool(chosen.context["config"].get("causal")))
        for chunk in chunks:
            for item, reason in chunk.failed:
                failed.add(item, reason)
            if chunk.dataset is not None:
                yield chunk.dataset, chunk.asked
        return
    if len(sources) != 1:
        raise UsageError("several sources have to be raw files or folders", hint="name one manifest of features")
    whole = manifest.load(sources[0]) if rows is None else rows.whole()
    spans, reference = words.as_trained(chosen.modalities)
    assembled = assemble.assemble(whole, assemble.Plan(normalise="none", words=spans, reference=reference))
    for item, reason in assembled.failed:
        console.warn(f"{item}: left out: {reason}")
    failed.count += int(assembled.dataset.meta.get("errors", 0))
    yield assembled.dataset, None
