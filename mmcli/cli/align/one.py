"""Map the times of QUERY onto those of REFERENCE.

Both are media files (sound, video, a MIDI score), features (npz) or numeric series (csv, npy); QUERY may also be the
subtitles (srt, vtt, ass) or the text (txt) of the recording, English or what espeak-ng speaks where it is installed. A
film without sound is put where its sudden movements are heard. The map says t_reference for every t_query: an offset, a
rate, lines with breaks, or a warping path; `auto` takes the simplest that explains the pair, and refuses one that does
not match (exit code 4). Sound is compared by log-mel bands unless --feature names another extractor.

--pairs takes a list (jsonl, csv) with the columns id, reference and query, paths relative to it, and where a pair needs
them method, kind, feature, metric, rate, missing, force and METHOD.FIELD. The map of each goes to OUT/ID.json;
OUT/manifest.jsonl lists them, OUT/failures.jsonl what was refused or failed, with the reason (exit code 3). Run again,
it does the rest.

\b
  mmcli align studio.wav camera.mp4 -o map.json
  mmcli align talk.wav talk.txt -o talk.TextGrid --page talk.html
  mmcli align film.mkv late.srt -o map.json
  mmcli align take1.npz take2.npz -o map.json --method dtw --metric cosine --plot map.png
  mmcli align --pairs pairs.jsonl -o maps/ --jobs 4
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmcli.cli import console, options
from mmcli.cli.align import dtw_options
from mmcli.cli.align.pairs import Pairs, Retry, Shard, Timeout, align, refuse
from mmcli.cli.options import JsonFlag, Missing, Set
from mmcli.cli.options import command as mm_command
from mmcli.errors import UsageError

UNMATCHED_S = 0.5  # at an end of a file, from which the summary says that it has no partner


def configs(values: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the method in force."""
    return {values["method"]: _config(values)}


@mm_command(configs)
def command(
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="MAP.json", help="The map; - for standard output; of a list a folder."),
    ],
    reference: Annotated[
        Path | None, typer.Argument(metavar="REFERENCE", help="The file whose clock counts.", show_default=False)
    ] = None,
    query: Annotated[
        Path | None, typer.Argument(metavar="QUERY", help="The file that is mapped onto it.", show_default=False)
    ] = None,
    method: Annotated[str, typer.Option(help="auto, offset, affine, dtw, fastdtw, hmm, ctw (two kinds).")] = "auto",
    feature: Annotated[
        str | None, typer.Option(metavar="NAME", help="The extractor whose frames are compared. [default: by content]")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="euclidean, sqeuclidean, manhattan, cosine. [default: by content]"),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the costs, the path, breaks and confidence.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="One offline page: both recordings, the path, its confidence, two players in step. Recordings go in "
            "as small Opus; films over 16 MB and sounds over 90 minutes are played from beside the page.",
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="same (one recording twice) or rendition, for auto. [default: by content]")
    ] = None,
    rate: Annotated[float | None, typer.Option(metavar="HZ", help="Of series without a time column.")] = None,
    missing: Missing = "refuse",
    language: Annotated[
        str | None,
        typer.Option(
            metavar="CODE", help="Of a text: en, de, fr, ...; all but en need espeak-ng. [default: told by it]"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make a map even where the pair does not match.")] = False,
    no_path: Annotated[bool, typer.Option("--no-path", help="Leave the frame path out of the map.")] = False,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="json, csv, textgrid, srt, vtt, ctm, labels. [default: by the suffix of -o]"),
    ] = None,
    around: dtw_options.Around = None,
    within: dtw_options.Within = None,
    band: dtw_options.Band = None,
    fast: dtw_options.Fast = False,
    matches: dtw_options.Matches = None,
    jobs: dtw_options.Threads = None,
    memory: dtw_options.Memory = None,
    dry_run: dtw_options.DryRun = False,
    pairs: Pairs = None,
    timeout: Timeout = None,
    shard: Shard = None,
    retry_failed: Retry = False,
    set_: Set = None,
    json: JsonFlag = False,
) -> None:
    """Translate the options, align, print."""
    if pairs is not None:
        align(pairs, locals(), _config)
        return
    refuse(locals())
    if reference is None or query is None:
        raise UsageError("REFERENCE and QUERY are needed", hint="or --pairs LIST and a folder")
    console.apart({"--output": output, "--plot": plot, "--page": page}, [reference, query, around])
    for option, path, suffixes in (("--plot", plot, (".png",)), ("--page", page, (".html", ".htm"))):
        if path is not None and path.suffix.lower() not in suffixes:
            raise UsageError(f"{option} writes {suffixes[0][1:]}, not {path.suffix[1:] or path.name}", source=path)
    config = _config(locals())
    import dataclasses

    from mmcli.aligners import pair
    from mmcli.aligners.output import formats
    from mmcli.artifacts.io import atomic

    form = formats.format_of(output, format_)
    if dry_run:
        settings = {"feature": feature, "metric": metric, "config": config, "rate": rate, "missing": missing}
        plan = dtw_options.show(pair.plan_files(reference, query, **settings))
        console.say(f"the run takes {plan['memory_bytes'] / 1e6:.1f} MB with {plan['threads']} threads")
        if json:
            console.emit({"schema": "mmcli/align-plan@1", **plan})
        return
    found = pair.align_files(
        reference,
        query,
        method=method,
        feature=feature,
        metric=metric,
        config=config,
        plot=plot,
        page=page,
        rate=rate,
        missing=missing,
        language=language,
    )
    if no_path:
        found = dataclasses.replace(found, path=None)
    atomic.write_bytes(output, formats.render(found, form))
    _show(found, output)
    if json:
        content = found.to_json()
        content.pop("path", None)
        console.emit({"schema": "mmcli/align@1", "output": str(output), "alignment": content})


def _config(values: dict[str, Any]) -> Any:
    """The configuration of the method, from --set and the options that are its fields by another name."""
    from mmcli import aligners

    method, kind, force = values["method"], values["kind"], values["force"]
    module = aligners.registry.load(method)
    assigned = options.split(values["set_"])
    options.refuse_unused(assigned, [method])
    fields = assigned.get(method, {}) | dtw_options.fields(values)
    if (kind or force) and method != "auto":
        raise UsageError(f"{'--kind' if kind else '--force'} is for --method auto, {method} was asked for")
    if kind:
        fields["kind"] = kind
    if force:
        fields["force"] = "true"
    return options.configure(module.Config, fields, method)


def _show(found: Any, output: Path) -> None:
    """One screen: what was found, between what, how well."""
    rows: list[tuple[str, object]] = [("model", found.model)]
    if found.offset_s is not None:
        rows.append(("offset", f"{round(found.offset_s, 4) + 0.0:+.4f} s"))
        rows.append(("rate", f"{found.rate:.6f} ({found.ppm:+.1f} ppm)"))
    if len(found.knots):
        for side, column in (("reference", 0), ("query", 1)):
            about, start, end = getattr(found, side), found.knots[0, column], found.knots[-1, column]
            rows.append((side, f"{about['name']}, {start:.2f} to {end:.2f} s"))
            rest = [(0.0, start), (end, about["duration_s"] or end)]
            beyond = [f"{a:.2f} to {b:.2f} s" for a, b in rest if b - a > UNMATCHED_S]
            if beyond and found.model in ("piecewise", "warp"):
                rows.append(("", f"no partner for {' and '.join(beyond)}"))
        rows.append(("knots", len(found.knots)))
    else:  # a text: its lines have times in the reference, none of their own
        heard = [s for s in found.segments or [] if s["start"] is not None]
        where = f", {min(s['start'] for s in heard):.2f} to {max(s['end'] for s in heard):.2f} s" if heard else ""
        rows.append(("reference", f"{found.reference['name']}{where}"))
        rows.append(("query", found.query["name"]))
    for gap in found.breaks:
        rows.append((f"only in {gap['side']}", f"{gap['start']:.3f} to {gap['end']:.3f} s"))
    if found.ambiguous is not None:
        other = found.ambiguous
        rows.append(("ambiguous", f"the {other['side']} repeats itself: {other['shift_s']:+} s fits nearly as well"))
    if found.cost is not None:
        rows.append(("cost", f"{found.cost:.6g}"))
    rows.append(("match", found.quality["verdict"]))
    rows.append(("evidence", found.quality["reason"]))
    console.table(f"{output}: {found.method['name']}", ["", ""], rows)
