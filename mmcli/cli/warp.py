"""Put FILE, which runs on the query's clock, on the reference's clock (or back, with --inverse).

Several files, or a list of them, go into a folder, each under its name, sound as wav. A file that cannot be warped is
named in FOLDER/failures.jsonl and stops no other: exit 3. The same command again does what is new or changed.

FILE is features (npz), sound (pitch is kept; written as wav), film (mp4, mov, mkv, webm), subtitles (srt, vtt, ass), a
TextGrid, or a table (csv) with a column of times. In text files only the times change.

Of a film only the times are rewritten and nothing is encoded anew: pictures always, sound and subtitles with them where
the pace stays within 0.3 %. Where it does not, the sound is left out; it is stretched by warping the film into a wav.
The first picture stands from 0 on, so that every player and reader agrees where the clock begins.

\b
  mmcli align studio.wav camera.mp4 -o map.json
  mmcli warp camera.srt --map map.json -o studio.srt
  mmcli warp camera.mp4 --map map.json -o studio.mp4
  mmcli warp camera.* --map map.json -o studio/
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from mmcli.cli import batching, console
from mmcli.cli.options import Jobs, JsonFlag
from mmcli.cli.options import command as mm_command
from mmcli.errors import UsageError


@mm_command()
def command(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE...]", help="What to put on another clock.")
    ] = None,
    *,
    map_: Annotated[Path, typer.Option("--map", metavar="MAP.json", help="The map, as `mmcli align` writes it.")],
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="OUT|FOLDER", help="Where the result goes; several go into a folder."),
    ],
    inverse: Annotated[bool, typer.Option("--inverse", help="From the reference's clock to the query's.")] = False,
    from_: batching.From = None,
    nul: batching.Null = False,
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
    """Translate the options, warp, say what was guessed."""
    inputs = batching.named(files, from_, nul=nul)
    if not inputs:
        raise UsageError("nothing to warp", hint="name a file")
    batching.refuse_engine(engine, address)
    many = len(inputs) > 1 or from_ is not None or output.endswith("/") or Path(output).is_dir()
    if not many:
        only = {
            "--shard": shard,
            "--retry-failed": retry_failed,
            "--timeout": timeout,
            "--verify-source": verify_source,
            "--engine": engine != "local",
        }
        for name, given in only.items():
            if given:
                raise UsageError(f"{name} is for several files, which go into a folder")
        console.apart({"--output": Path(output)}, [map_, inputs[0]])
        _one(Path(inputs[0]), map_, Path(output), inverse, json)
        return
    if output == "-" or Path(output).is_file():
        raise UsageError("is no folder; several files go into one", source=output)
    from mmcli.batch.jobs import warps
    from mmcli.cli.batching import Listening

    options = batching.options(jobs, timeout, shard, retry_failed, max_failures, verify_source=verify_source)
    listening = Listening(rows=not json, root=output, what="warp")
    with listening as listener, batching.engine(engine, address) as cluster:
        options = dataclasses.replace(options, executor=cluster)
        summary = warps.warp(inputs, map_, Path(output), options, listener, inverse=inverse)
    batching.tell(summary, "mmcli/warped@1", output, json=json)


def _one(file: Path, map_: Path, output: Path, inverse: bool, json: bool) -> None:
    from mmcli.aligners.output import apply
    from mmcli.artifacts.formats import alignment

    clock = apply.warp_file(file, alignment.load(map_), output, inverse=inverse)
    side = "query" if inverse else "reference"
    remark = f" ({clock.remark})" if clock.remark else ""
    if clock.guessed:
        console.warn(f"{clock.guessed} of {clock.told} times lie where the map says nothing; they keep their distance")
    if json:
        facts = {"times": clock.told, "guessed": clock.guessed, "remark": clock.remark or None}
        console.emit({"schema": "mmcli/warped@1", "out": str(output), **facts})
    console.say(f"{output}: {file.name} on the clock of the {side}{remark}")
