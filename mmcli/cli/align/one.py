"""Map the times of QUERY onto those of REFERENCE.

Both are media files (sound, video, a MIDI score), features (npz) or numeric series (csv, npy); QUERY may also be the
subtitles (srt, vtt, ass, sbv, ttml, dfxp, smi, sub; lrc, eaf, ctm, rttm, the json of Whisper) or the text (txt) of the
recording, English or what espeak-ng speaks where it is installed. A film without sound is put where its sudden
movements are heard. The map says t_reference for every t_query: an offset, a rate, lines with breaks, or a warping
path; `auto` takes the simplest that explains the pair, and refuses one that does not match (exit code 4). Sound is
compared by log-mel bands unless --feature names another extractor.

The suffix of -o says what is written: the map (json, csv, TextGrid, txt), the lines of a text (srt, vtt, ctm); QUERY
itself on the clock of REFERENCE where it is of that kind, as `mmcli warp` does: subtitles as srt, vtt, ass; sound as
wav; a film as mp4, mkv, mov, webm; features as npz; a table as csv; or a project in which both stand on one clock:
otio, fcpxml, edl (OpenTimelineIO), rpp (Reaper), eaf (ELAN), ffscript (a filter script of ffmpeg). --format map forces
the map. Without -o the result is printed. With --json a refusal is an object too.

More than two recordings, or --reference, put cameras and recorders on one clock by their sound, also where only
neighbours overlap: all pairs that may overlap are measured, and one clock for all is found that most of it agrees on.
What contradicts it is named; recordings that share no sound stand in groups apart. -o is a folder (a map a recording,
shoot.json, shoot.html), a project (otio, fcpxml, rpp), a json or a page (html).

--pairs takes a list (jsonl, csv) with the columns id, reference and query, paths relative to it, and where a pair needs
them method, kind, feature, metric, rate, missing, time_unit, force and METHOD.FIELD. Each map goes to OUT/ID.json;
OUT/manifest.jsonl lists them, OUT/failures.jsonl what was refused or failed, with the reason (exit code 3). Run again,
it does the rest.

\b
  mmcli align studio.wav camera.mp4 -o map.json
  mmcli align talk.wav talk.txt -o talk.TextGrid --page talk.html
  mmcli align film.mkv late.srt -o fixed.srt
  mmcli align camera.mp4 recorder.wav -o shoot.otio
  mmcli align cam1.mp4 cam2.mp4 recorder.wav --reference auto -o shoot.otio --page shoot.html
  mmcli align take1.npz take2.npz -o map.json --method dtw --metric cosine --plot map.png
  mmcli align --pairs pairs.jsonl -o maps/ --jobs 4
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.cli import console, progress
from mmcli.cli.align import summary
from mmcli.cli.align.options import AlignOptions, configuration
from mmcli.cli.options import command as mm_command
from mmcli.errors import MismatchError, UsageError, printable

if TYPE_CHECKING:
    from mmcli.aligners.output.apply import Clock
    from mmcli.aligners.output.outcome import Outcome
    from mmcli.artifacts.formats.alignment import Alignment

PICTURES = {"plot": (".png",), "page": (".html", ".htm")}


def configs(values: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the method in force."""
    return {values["method"]: configuration(AlignOptions(**values))}


@mm_command(configs, AlignOptions)
def command(given: AlignOptions) -> None:
    """Translate the options, align, print."""
    if given.pairs is not None:
        from mmcli.cli.align.pairs import align

        align(given)
        return
    if given.more or given.clock is not None:
        from mmcli.cli.align import many

        many.align(given)
        return
    for name in ("timeout", "engine", "address", "shard", "retry_failed"):
        if getattr(given, name) not in (None, False, "local"):
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
    if given.dry_run:
        _plan(given, config)
        return
    from mmcli.aligners.core.sides import Side
    from mmcli.aligners.output.outcome import outcome
    from mmcli.aligners.pair import align_files

    summary.warn_of_twins()
    modality = Side(query, "query", given.rate, given.missing).modality
    result = outcome(query, output, given.format_, modality)
    try:
        with progress.bar("align", None, "") as bar:
            bar.advance(0.0, f"{query.name} on {reference.name}")
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
    except MismatchError as error:
        if given.json:
            refusal = {"reason": str(error), "evidence": error.evidence}
            console.emit({"schema": "mmcli/align@1", "output": None, "alignment": None, "refused": refusal})
        raise summary.refusal(error, reference.name) from error
    if given.no_path:
        alignment = dataclasses.replace(alignment, path=None)
    _tell(alignment, result, result.write(alignment, reference), given.json)


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


def _tell(alignment: Alignment, outcome: Outcome, clock: Clock | None, json: bool) -> None:
    """Say what was made; without an output the result itself is the data."""
    if clock is not None and clock.guessed:
        console.warn(f"{clock.guessed} of {clock.told} times lie where the map says nothing; they keep their distance")
    rows, title = summary.rows(alignment), summary.title(alignment, outcome)
    if clock is not None and clock.remark:
        rows.append(("written", clock.remark))
    if outcome.output is None and not json:
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            console.data(printable(f"{name:{width}}  {value}".rstrip()))
        return
    console.table(title, ["", ""], rows)
    if json:
        content = alignment.to_json()
        content.pop("path", None)
        output = None if outcome.output is None else str(outcome.output)
        console.emit({"schema": "mmcli/align@1", "output": output, "alignment": content})
