"""Map the times of QUERY onto those of REFERENCE.

Both are media files (sound, video, a MIDI score), features (npz) or numeric series (csv, npy); QUERY may also be the
subtitles (srt, vtt, ass) or the text (txt) of the recording, English or what espeak-ng speaks where it is installed. A
film without sound is put where its sudden movements are heard. The map says t_reference for every t_query: an offset, a
rate, lines with breaks, or a warping path; `auto` takes the simplest that explains the pair, and refuses one that does
not match (exit code 4). Sound is compared by log-mel bands unless --feature names another extractor.

--pairs takes a list (jsonl, csv) with the columns id, reference and query, paths relative to it, and where a pair needs
them method, kind, feature, metric, rate, missing, time_unit, force and METHOD.FIELD. Each map goes to OUT/ID.json;
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

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import console
from mmcli.cli.align.options import AlignOptions, configuration, parameters
from mmcli.cli.options import command as mm_command
from mmcli.errors import UsageError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.alignment import Alignment

UNMATCHED_S = 0.5  # at an end of a file, from which the summary says that it has no partner
PICTURES = {"plot": (".png",), "page": (".html", ".htm")}


def configs(values: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the method in force."""
    return {values["method"]: configuration(AlignOptions(**values))}


@mm_command(configs)
@parameters
def command(**values: Any) -> None:
    """Translate the options, align, print."""
    given = AlignOptions(**values)
    if given.pairs is not None:
        from mmcli.cli.align.pairs import align

        align(given)
        return
    for name in ("timeout", "shard", "retry_failed"):
        if getattr(given, name):
            raise UsageError(f"--{name.replace('_', '-')} is for --pairs")
    reference, query, output = given.reference, given.query, given.output
    if reference is None or query is None:
        raise UsageError("REFERENCE and QUERY are needed", hint="or --pairs LIST and a folder")
    console.apart({"--output": output, "--plot": given.plot, "--page": given.page}, [reference, query, given.around])
    for option, suffixes in PICTURES.items():
        path: Path | None = getattr(given, option)
        if path is not None and path.suffix.lower() not in suffixes:
            raise UsageError(f"--{option} writes {suffixes[0][1:]}, not {path.suffix[1:] or path.name}", source=path)
    config = configuration(given)
    from mmcli.aligners.output import formats
    from mmcli.aligners.pair import align_files
    from mmcli.artifacts.io import atomic

    form = formats.format_of(output, given.format_)
    if given.dry_run:
        _plan(given, config)
        return
    alignment = align_files(
        reference,
        query,
        method=given.method,
        feature=given.feature,
        metric=given.metric,
        config=config,
        plot=given.plot,
        page=given.page,
        rate=given.rate,
        missing=given.missing,
        time_unit=given.time_unit,
        language=given.language,
    )
    if given.no_path:
        alignment = dataclasses.replace(alignment, path=None)
    atomic.write_bytes(output, formats.render(alignment, form))
    _show(alignment, output)
    if given.json:
        content = alignment.to_json()
        content.pop("path", None)
        console.emit({"schema": "mmcli/align@1", "output": str(output), "alignment": content})


def _plan(given: AlignOptions, config: Any) -> None:
    """What a run would take."""
    from mmcli.aligners.pair import plan_files

    assert given.reference is not None
    assert given.query is not None
    plan = plan_files(
        given.reference,
        given.query,
        feature=given.feature,
        metric=given.metric,
        config=config,
        rate=given.rate,
        missing=given.missing,
        time_unit=given.time_unit,
    )
    console.say(f"the run takes {plan.memory / 1e6:.1f} MB with {plan.threads} threads")
    if given.json:
        sizes = {"tile": list(plan.tile), "kept": list(plan.kept), "threads": plan.threads}
        console.emit({"schema": "mmcli/align-plan@1", "memory_bytes": plan.memory, **sizes})


def _show(alignment: Alignment, output: Path) -> None:
    """One screen: the map, between what, how well."""
    rows: list[tuple[str, object]] = [("model", alignment.model)]
    if alignment.offset_s is not None:
        rows.append(("offset", f"{round(alignment.offset_s, 4) + 0.0:+.4f} s"))
        rows.append(("rate", f"{alignment.rate:.6f} ({alignment.ppm:+.1f} ppm)"))
    if len(alignment.knots):
        for side, column in (("reference", 0), ("query", 1)):
            about, start, end = getattr(alignment, side), alignment.knots[0, column], alignment.knots[-1, column]
            rows.append((side, f"{about['name']}, {start:.2f} to {end:.2f} s"))
            rest = [(0.0, start), (end, about["duration_s"] or end)]
            beyond = [f"{a:.2f} to {b:.2f} s" for a, b in rest if b - a > UNMATCHED_S]
            if beyond and alignment.model in ("piecewise", "warp"):
                rows.append(("", f"no partner for {' and '.join(beyond)}"))
        rows.append(("knots", len(alignment.knots)))
    else:  # a text: its lines have times in the reference, none of their own
        heard = [s for s in alignment.segments or [] if s["start"] is not None]
        where = f", {min(s['start'] for s in heard):.2f} to {max(s['end'] for s in heard):.2f} s" if heard else ""
        rows.append(("reference", f"{alignment.reference['name']}{where}"))
        rows.append(("query", alignment.query["name"]))
    for gap in alignment.breaks:
        rows.append((f"only in {gap['side']}", f"{gap['start']:.3f} to {gap['end']:.3f} s"))
    if alignment.ambiguous is not None:
        other = alignment.ambiguous
        rows.append(("ambiguous", f"the {other['side']} repeats itself: {other['shift_s']:+} s fits nearly as well"))
    if alignment.cost is not None:
        rows.append(("cost", f"{alignment.cost:.6g}"))
    rows.append(("match", alignment.quality["verdict"]))
    rows.append(("evidence", alignment.quality["reason"]))
    console.table(f"{output}: {alignment.method['name']}", ["", ""], rows)
