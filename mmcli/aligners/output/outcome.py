"""What `mmcli align` writes, told by the suffix: the map, a timeline, or QUERY itself on the clock of REFERENCE.

A suffix that QUERY itself could have means that QUERY is put on the other clock: subtitles as srt, vtt, ass or ssa,
sound as wav, a film as a film or its sound as wav, features as npz, a table with times as csv or tsv. Suffixes
of :mod:`mmcli.aligners.editors` are projects of editing programs. All else is the map in one of the formats of
:mod:`.formats`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.aligners.core.timeline import timeline
from mmcli.aligners.editors import registry, suffixes, writer_of
from mmcli.aligners.output import apply, formats
from mmcli.artifacts.io import atomic
from mmcli.errors import UsageError
from mmcli.media import modality_of

if TYPE_CHECKING:
    from mmcli.artifacts.formats.alignment import Alignment

RETIMED: dict[str, tuple[str, ...]] = {
    "subtitle": apply.CUES,
    "audio": (".wav",),
    "video": (*apply.FILM, ".wav"),
    "features": (".npz",),
    "series": (".csv", ".tsv"),
}
NOUN = {
    "audio": "sound",
    "video": "a film",
    "subtitle": "a subtitle",
    "features": "features",
    "series": "a series",
    "text": "a text",
    "image": "a picture",
    "score": "a score",
}
OF_TEXT = ("srt", "vtt", "ctm")  # lines or words, which only a text gives
ANNOTATED = ".eaf"  # the one project that a text has a place in
WARPED = sorted({*apply.CUES, *apply.FILM, ".wav", ".npz", ".tsv"})


@dataclass(frozen=True)
class Outcome:
    """What goes into ``output``: the alignment in a format of :data:`.formats.FORMATS`, or where ``form`` is None
    ``query`` on the clock of the reference. Without an output nothing is written."""

    query: Path
    output: Path | None
    form: str | None = "json"
    editor: str | None = None  # the member of mmcli.aligners.editors that writes it

    def write(self, alignment: Alignment, reference: Path) -> apply.Clock | None:
        """Write it; ``reference`` is the file that projects of editors name. Returns the clock with its counts where
        the query was put on it.

        Raises OutputError where that cannot be done, MediaError or InputError where the query has no such form.
        """
        if self.output is None:
            return None
        if self.editor is not None:
            films = tuple(modality_of(path) == "video" for path in (reference, self.query))
            both = timeline(alignment, reference, self.query, (films[0], films[1]))
            atomic.write_bytes(self.output, registry.load(self.editor).render(both, self.output.suffix.lower()))
            return None
        if self.form is None:
            return apply.warp_file(self.query, alignment, self.output)
        atomic.write_bytes(self.output, formats.render(alignment, self.form))
        return None


def outcome(query: Path, output: Path | None, asked: str | None, modality: str) -> Outcome:
    """What is to be written into ``output``, and whether it can be, before any work is done.

    ``asked`` is a format by name, ``map`` the map whatever the suffix is; ``modality`` that of the query. Raises
    UsageError for a suffix that neither a map nor this query has, OutputError for a place where nothing can be written.

    >>> outcome(Path("late.srt"), Path("fixed.srt"), None, "subtitle").form is None
    True
    >>> outcome(Path("talk.txt"), Path("talk.srt"), None, "text").form
    'srt'
    """
    if output is None:
        if asked is not None:
            raise UsageError("--format says how the map is written: where to is missing", hint="-o FILE, or -o -")
        return Outcome(query, None)
    atomic.refuse_impossible(output)
    if asked is not None:
        return Outcome(query, output, formats.format_of(output, asked))
    suffix = output.suffix.lower()
    own = RETIMED.get(modality, ())
    if suffix in own:
        if modality == "series" and query.suffix.lower() != suffix:
            return Outcome(query, output, formats.format_of(output))
        return Outcome(query, output, None)
    if suffix and suffix not in formats.SUFFIXES and (editor := writer_of(suffix)) is not None:
        if modality not in ("audio", "video") and not (modality == "text" and suffix == ANNOTATED):
            raise _unlike(query, output, modality, own)
        return Outcome(query, output, editor=editor)
    if suffix in WARPED and suffix not in formats.SUFFIXES:
        raise _unlike(query, output, modality, own)
    form = formats.format_of(output)
    if form in OF_TEXT and modality != "text":
        raise _unlike(query, output, modality, own)
    return Outcome(query, output, form)


def _unlike(query: Path, output: Path, modality: str, own: tuple[str, ...]) -> UsageError:
    forms = " ".join(s[1:] for s in own)
    hint = f"{query.name} on the other clock: {forms}; " if own else ""
    projects = " ".join(s[1:] for s in suffixes())
    what = f"{query.name} is {NOUN.get(modality, modality)}, which is not written as {output.suffix[1:]}"
    return UsageError(what, source=output, hint=f"{hint}the map: json csv TextGrid txt; projects: {projects}")
