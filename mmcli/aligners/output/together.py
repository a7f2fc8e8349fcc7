"""What is written of many recordings on one clock: a folder of maps, a project of an editing program, json, a page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmcli.aligners.core.timeline import Timeline, Track
from mmcli.aligners.editors import registry, writer_of
from mmcli.aligners.many.shoot import Placed, Shoot
from mmcli.aligners.output import tracks
from mmcli.artifacts.formats import alignment as alignment_file
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.io import atomic, jsonfile, provenance
from mmcli.errors import UsageError

APART_S = 10.0  # between two groups on the timeline of an editor
PAGES = (".html", ".htm")
NAME = "shoot"
METHOD = "many"


@dataclass(frozen=True)
class Made:
    """Where it goes, and which kind of thing that is: folder, json, page, or the name of an editor."""

    output: Path
    kind: str

    def write(self, shoot: Shoot) -> None:
        """Write all of it. Raises OutputError where that cannot be done, MissingError without the editor's library."""
        match self.kind:
            case "json":
                atomic.write_bytes(self.output, _json(shoot))
            case "page":
                tracks.write(self.output, shoot)
            case "folder":
                _folder(self.output, shoot)
            case _:
                project = registry.load(self.kind).render(timeline(shoot), self.output.suffix.lower())
                atomic.write_bytes(self.output, project)


def made(output: Path) -> Made:
    """What is to be written, and whether it can be, before any work is done. Raises UsageError, OutputError."""
    suffix = output.suffix.lower()
    if str(output) == "-":
        return Made(output, "json")
    if output.is_dir() or not suffix:
        return Made(output, "folder")
    atomic.refuse_impossible(output)
    if suffix == ".json" or suffix in PAGES:
        return Made(output, "json" if suffix == ".json" else "page")
    editor = writer_of(suffix)
    if editor is None or suffix not in registry.load(editor).MANY:
        known = sorted(s[1:] for name in registry.names() for s in registry.load(name).MANY)
        raise UsageError(
            f"many recordings are not written as {suffix[1:]}",
            source=output,
            hint=f"a folder, json, html, or a project: {' '.join(known)}",
        )
    return Made(output, editor)


def timeline(shoot: Shoot) -> Timeline:
    """All groups of more than one recording on one clock, one group after another, APART_S apart; in each the reference
    first, then the others as they begin. Raises UsageError where there is no such group."""
    zero, out = 0.0, list[Track]()
    for clips in shoot.groups():
        reference = shoot.reference(clips[0])
        begin = min(c.start_s for c in clips)
        out += [c.track(begin - zero) for c in [reference, *(c for c in clips if c is not reference)]]
        zero += max(c.end_s for c in clips) - begin + APART_S
    if not out:
        raise UsageError("no two recordings share a clock")
    return Timeline(tuple(out))


def maps(shoot: Shoot) -> dict[str, Alignment]:
    """By a name of its own the map of each recording onto the clock of its group's reference: knots are its ends,
    wherever the reference begins and ends. None of the references themselves, or of what is alone."""
    names = Counter(c.path.stem for c in shoot.clips)
    out = {}
    for clip in (c for clips in shoot.groups() for c in clips):
        reference = shoot.reference(clip)
        if clip is not reference:
            out[clip.path.stem if names[clip.path.stem] == 1 else clip.path.name] = _map(shoot, reference, clip)
    return out


def _map(shoot: Shoot, reference: Placed, clip: Placed) -> Alignment:
    heard = [m for m in shoot.edges if m.kept and shoot.clips.index(clip) in (m.edge.a, m.edge.b)]
    with_whom = ", ".join(
        sorted(shoot.clips[k].path.name for m in heard for k in (m.edge.a, m.edge.b) if shoot.clips[k] is not clip)
    )
    steady = abs(clip.rate - 1.0) < 1e-9
    return Alignment(
        model="offset" if steady else "affine",
        knots=np.array([[clip.start_s, 0.0], [clip.end_s, clip.duration_s]]),
        offset_s=clip.start_s,
        rate=clip.rate,
        ppm=(clip.rate - 1.0) * 1e6,
        confidence_s=None if clip.half_s is None else [round(clip.half_s, 6)] * 2,
        quality={"ratio": None, "verdict": "match", "reason": f"heard the same as {with_whom}"},
        method={"name": METHOD, "config": {}},
        reference=_about(reference),
        query=_about(clip),
    )


def _about(clip: Placed) -> dict[str, object]:
    return {"name": clip.path.name, "sha256": provenance.sha256_file(clip.path), "duration_s": clip.duration_s}


def _json(shoot: Shoot) -> bytes:
    return jsonfile.dumps_sealed(shoot.to_json(), "shoot")


def _folder(folder: Path, shoot: Shoot) -> None:
    atomic.make_folder(folder)
    for name, one in maps(shoot).items():
        alignment_file.save(folder / f"{name}.json", one)
    tracks.write(folder / f"{NAME}.html", shoot)
    atomic.write_bytes(folder / f"{NAME}.json", _json(shoot))
