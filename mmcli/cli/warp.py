"""Put FILE, which runs on the query's clock, on the reference's clock (or back, with --inverse).

FILE is features (npz), sound (pitch is kept; written as wav), film (mp4, mov, mkv, webm), subtitles (srt, vtt, ass), a
TextGrid, or a table (csv) with a column of times. In text files only the times change.

Of a film only the times are rewritten and nothing is encoded anew: pictures always, sound and subtitles with them where
the pace stays within 0.3 %. Where it does not, the sound is left out; it is stretched by warping the film into a wav.
The first picture stands from 0 on, so that every player and reader agrees where the clock begins.

\b
  mmcli align studio.wav camera.mp4 -o map.json
  mmcli warp camera.srt --map map.json -o studio.srt
  mmcli warp camera.mp4 --map map.json -o studio.mp4
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmcli.cli import console
from mmcli.cli.options import command as mm_command


@mm_command()
def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to put on another clock.")],
    map_: Annotated[Path, typer.Option("--map", metavar="MAP.json", help="The map, as `mmcli align` writes it.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="Where the result goes.")],
    inverse: Annotated[bool, typer.Option("--inverse", help="From the reference's clock to the query's.")] = False,
) -> None:
    """Translate the options, warp, say what was guessed."""
    from mmcli.aligners import apply
    from mmcli.artifacts import alignment

    clock = apply.warp_file(file, alignment.load(map_), output, inverse=inverse)
    side = "query" if inverse else "reference"
    remark = f" ({clock.remark})" if clock.remark else ""
    if clock.guessed:
        console.warn(f"{clock.guessed} of {clock.told} times lie where the map says nothing; they keep their distance")
    console.say(f"{output}: {file.name} on the clock of the {side}{remark}")
