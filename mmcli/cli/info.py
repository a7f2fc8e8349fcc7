"""Show what a file holds, and check it: features, maps, data sets, models, reports, manifests, and media.

\b
  mmcli info talk.npz map.json model.pt talk.wav
  mmcli info data.npz --validate
  mmcli info talk.npz --to talk.parquet
  mmcli info --engine
  mmcli info rec.pt --vectors items.npz
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmcli.cli import console, ranking
from mmcli.cli.options import JsonFlag
from mmcli.cli.options import command as mm_command
from mmcli.errors import InputError, MmcliError, UsageError


@mm_command()
def command(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE...]", help="Artifacts or media files.")] = None,
    validate: Annotated[
        bool,
        typer.Option(
            "--validate", help="Check every byte; media are decoded to the end, and the length that comes said."
        ),
    ] = False,
    engine: Annotated[bool, typer.Option("--engine", help="Which alignment engine runs on this machine.")] = False,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write one features file as a table: csv or parquet.")
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option("--vectors", metavar="OUT.npz", help="Write the item vectors of a recommender, for an index."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Describe every file; one that is unusable is named, and the rest is shown all the same."""
    if not files and not engine:
        raise UsageError("nothing to show", hint="name a file, or say --engine")
    if to is not None and len(files or ()) != 1:
        raise UsageError("--to writes one file", source=to)
    if vectors is not None:
        if len(files or ()) != 1 or not ranking.is_model(files[0] if files else None):
            raise UsageError("--vectors is of one recommender", hint="mmcli info REC.pt --vectors OUT.npz")
        ranking.vectors((files or [])[0], vectors)
        return
    shown: dict[str, Any] = {"schema": "mmcli/info@1"}
    bad: list[str] = []
    if engine:
        from mmcli.aligners.kernels import engine as kernels

        shown["engine"] = kernels.describe()
    if files:
        shown["files"] = []
        for path in files:
            try:
                shown["files"].append({"file": str(path), **describe(path, validate=validate)})
            except MmcliError as error:
                if len(files) == 1:
                    raise
                bad.append(str(path))
                console.warn_lines(f"mmcli info: {error}")
                shown["files"].append({"file": str(path), "error": error.what})
    if to is not None and files:
        _table(files[0], to)
    if json:
        console.emit(shown)
    else:
        for line in _lines({k: v for k, v in shown.items() if k != "schema"}):
            console.data(line)
    if bad:
        raise InputError(f"{len(bad)} of {len(files or ())} files are unusable", source=bad[0])


def describe(path: Path, *, validate: bool = False) -> dict[str, Any]:
    """What a file holds, as plain JSON. Raises the error that says why it is unusable."""
    from mmcli.artifacts.formats import inspect
    from mmcli.errors import ArtifactError, MissingError
    from mmcli.media.door import SUFFIXES

    try:
        schema = inspect.recognise(path)
    except (ArtifactError, MissingError):
        raise
    except InputError:
        schema = None  # not one of ours
    if schema is not None:
        checked = inspect.validate(path, SUFFIXES)
        summary = dict(checked["summary"])
        checks = ["valid"] + (["without content_sha256"] if summary.get("sealed") is False else [])
        return {"schema": checked["schema"], **summary, **({"check": ", ".join(checks)} if validate else {})}
    from mmcli.media import probe

    facts = probe.describe(path)
    if validate:
        facts["check"] = "valid" if "streams" in facts else _decoded(path, facts["modality"])
    return facts


def _decoded(path: Path, modality: str) -> str:
    """Decode a media file to its end; what it takes is thrown away."""
    from mmcli.media import AudioClip, VideoClip, open_clip

    clip = open_clip(path, modality)
    if isinstance(clip, AudioClip):
        count = sum(map(len, clip.blocks()))
        return f"valid, {count} samples, {count / clip.rate:.4f} s"
    if isinstance(clip, VideoClip):
        times = [time for time, _ in clip.frames()]
        return f"valid, {len(times)} frames, the last at {times[-1]:.4f} s"
    return "valid"


def _table(path: Path, target: Path) -> None:
    """A features file as csv or parquet: a column for the time, one for each value of a frame."""
    from mmcli.artifacts.formats import features
    from mmcli.artifacts.io import csvfile

    item = features.load(path)
    names = item.meta.get("columns") or [f"v{i}" for i in range(item.width)]
    flat = item.flat()
    if target.suffix.lower() == ".parquet":
        from mmcli.artifacts.packs import parquet

        parquet.write_columns(target, {"time": item.times} | {name: flat[:, k] for k, name in enumerate(names)})
        console.say(f"{target}: {item.frames} rows, {item.width + 1} columns")
        return
    rows = ([repr(float(t)), *map(str, row)] for t, row in zip(item.times, flat, strict=True))
    csvfile.write(target, ["time", *names], rows)
    console.say(f"{target}: {item.frames} rows, {item.width + 1} columns")


def _lines(value: Any, indent: str = "") -> list[str]:
    """Plain JSON as indented ``name: value`` lines for people."""
    lines: list[str] = []
    items = value.items() if isinstance(value, dict) else ((None, v) for v in value)
    for name, inner in items:
        start = f"{indent}{name}:" if name is not None else f"{indent}-"
        if isinstance(inner, dict) and inner:
            lines += [start, *_lines(inner, indent + "  ")]
        elif isinstance(inner, list) and inner and all(isinstance(i, dict) for i in inner):
            if name != "files":
                lines.append(start)
            for one in inner:
                lines += [*_lines(one, indent + ("  " if name != "files" else "")), ""]
        else:
            lines.append(f"{start} {_short(inner)}")
    return lines


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list):
        text = ", ".join(map(_short, value[:12]))
        return text + (f", ... ({len(value)})" if len(value) > 12 else "")
    return "none" if value is None or value == {} else str(value)
