"""The media door against ffmpeg: container x codec x trouble, each made by ffmpeg, sox or mkvmerge and read back.

    python tests/benchmarks/media_matrix.py [--peers] [--only WORD] [--share N] [--part K/N] [--keep FOLDER]

Of sound the decoded length and the place of every stretch are compared with what ffmpeg decodes with
``aresample=async`` (gaps in the timestamps are silence), within 1 ms; of pictures the number of frames and their times
with ffprobe's, within half a frame; of several tracks the one that is flagged as the default has to be taken. A cell is
right, refused (with its reason), or wrong. Refusals are fair where ffmpeg reports an error or the file was cut; files
that were cut on purpose are counted in rows of their own.
With ``--peers`` soundfile, librosa and a plain PyAV loop are judged in the same way. At the end also how far the length
that a clip tells before it is decoded (``mmcli info``) lies from what is decoded.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matrix
from matrix import readers, verdict
from matrix.cell import Cell, run, sources
from matrix.ffmpeg import reference

CUT = ", cut"
NEAR_S = 0.05  # a told length: within two packets of the common codecs


def told_s(path: Path, cell: Cell) -> float | None:
    """How far the length that is told lies from the samples that come; None for pictures and refusals."""
    from mmcli.errors import MmcliError
    from mmcli.media import open_clip

    if cell.kind == "video":
        return None
    try:
        clip: Any = open_clip(path, cell.kind)
        return float(clip.duration_s - len(clip.samples()) / clip.rate)
    except MmcliError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", default="", help="cells with this in their name")
    parser.add_argument("--share", type=int, default=1, metavar="N", help="one cell in N")
    parser.add_argument(
        "--part", default="0/1", metavar="K/N", help="every N-th cell from K on: several run side by side"
    )
    parser.add_argument("--whole-only", action="store_true", help="without the files that were cut on purpose")
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    judges: dict[str, Callable[[Path, Cell], Any]] = {
        "mmcli": readers.mmcli_reads, **(readers.PEERS if asked.peers else {})
    }  # fmt: skip
    count: dict[str, Counter[str]] = {f"{name}{of}": Counter() for of in ("", CUT) for name in judges}
    told: dict[str, float] = {}
    unmade = 0
    with tempfile.TemporaryDirectory() as made:
        folder = asked.keep or Path(made)
        folder.mkdir(exist_ok=True)
        sources(folder)
        part, parts = map(int, asked.part.split("/"))
        wanted_cells = [
            c for c in matrix.share(asked.share) if asked.only in c.name and not (asked.whole_only and c.cut)
        ]
        for k, cell in enumerate(wanted_cells[part::parts]):
            path = folder / f"cell{k}.{cell.suffix}"
            try:
                run(cell.make, folder, path)
            except subprocess.CalledProcessError as error:
                unmade += 1
                print(f"not made  {cell.name}: {error.stderr.decode(errors='replace').strip()[-120:]}")
                continue
            wanted, erred = reference(path, cell)
            for name, reads in judges.items():
                if cell.kind == "video" and name in readers.FOR_SOUND:
                    continue
                outcome = verdict.judged(path, cell, wanted, erred, reads)
                count[f"{name}{CUT if cell.cut else ''}"][outcome.verdict] += 1
                if name == "mmcli" and outcome.verdict != "right":
                    print(f"{outcome.verdict:9} {cell.name}: {outcome.reason}", flush=True)
            if (off := told_s(path, cell)) is not None:
                told[cell.name] = off
            if not asked.keep:
                path.unlink()
    print(f"{'':16} {'cells':>6} {'right':>6} {'refused':>8} {'unfairly':>9} {'wrong':>6}")
    for name, c in count.items():
        print(f"{name:16} {sum(c.values()):6} {c['right']:6} {c['refused']:8} {c['refused unfairly']:9} {c['wrong']:6}")
    if unmade:
        print(f"{unmade} cells could not be made by the tools here")
    far = sorted(((off, name) for name, off in told.items() if abs(off) > NEAR_S), key=lambda one: -abs(one[0]))
    print(f"told length: {len(told) - len(far)} of {len(told)} within {NEAR_S * 1000:.0f} ms of what is decoded")
    for off, name in far:
        print(f"  {off * 1000:+8.1f} ms  {name}")


if __name__ == "__main__":
    main()
