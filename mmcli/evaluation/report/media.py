"""The media of the items that a page shows, found through the manifest the data set was made from.

The explained items show their pictures, sounds and words in full; every row of the table of items a small picture of
what it is: a picture, a moment of a film, the waveform of a sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from mmcli.artifacts.formats import manifest
from mmcli.errors import ArtifactError, MediaError, MissingError
from mmcli.evaluation.report import marks
from mmcli.media import AudioClip, ImageClip, MediaOptions, TextClip, VideoClip, open_clip
from mmcli.media.embed import data_uri, loudness, small_picture

SHOWN = ("audio", "image", "video", "text", "text_value")
MOST_ROWS = 200  # of the table of items, most wrong first


def gather(listed: manifest.Manifest, report: dict[str, Any]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """``{item id: {modality: data URI or text}}`` for the explained items of a report, and what could not be shown.

    ``listed`` is a manifest with the raw media (``audio``, ``image``, ``video``, ``text``, ``text_value``), relative to
    its folder. A video shows as its sound and a picture out of it. Raises :class:`ArtifactError` for a manifest that
    knows none of the items.
    """
    wanted = {item["id"] for item in report["items"] if "explanation" in item}
    rows = [row for row in listed.rows if row.id in wanted]
    if wanted and not rows:
        raise ArtifactError("holds none of the items that are shown", source=listed.source)
    media: dict[str, dict[str, str]] = {}
    left_out: list[str] = []
    for row in rows:
        shown: dict[str, str] = {}
        media[row.id] = shown
        for column, modality, cell in _cells(row):
            try:
                for name, content in _contents(listed, row, column, modality, cell):
                    shown.setdefault(name, content)
                    shown.setdefault(name.partition(".")[0], content)
            except (MediaError, MissingError) as error:
                left_out.append(str(error).splitlines()[0])
    return media, left_out


def thumbnails(listed: manifest.Manifest, report: dict[str, Any]) -> dict[str, list[Markup]]:
    """``{item id: [small pictures]}`` of the rows of the table of items, one a picture, film or sound of the item.

    What does not decode has none: that it is damaged is said where it is explained, and by the commands that read it.
    """
    worst = sorted(report["items"], key=lambda item: -item["loss"])[:MOST_ROWS]
    wanted = {item["id"] for item in worst}
    drawn: dict[str, list[Markup]] = {}
    for row in listed.rows:
        if row.id in wanted:
            seen: set[str] = set()
            for _, modality, cell in _cells(row):
                if modality in ("audio", "image", "video") and cell not in seen:
                    seen.add(cell)
                    drawn.setdefault(row.id, []).extend(_small(listed, row, modality, cell))
    return drawn


def _small(listed: manifest.Manifest, row: Any, modality: str, cell: str) -> list[Markup]:
    try:
        clip = _opened(listed, row, modality, cell)
        if isinstance(clip, AudioClip):
            return [marks.waveform(loudness(clip))]
        if isinstance(clip, ImageClip | VideoClip):
            return [marks.thumbnail(small_picture(clip))]
    except (MediaError, MissingError):
        return []
    return []


def _cells(row: Any) -> Iterator[tuple[str, str, str]]:
    """Column, modality and cell of what can be shown."""
    for column, cell in row.cells.items():
        modality = column.partition(".")[0]
        if cell and modality in SHOWN:
            yield column, modality, cell


def _opened(listed: manifest.Manifest, row: Any, modality: str, cell: str) -> Any:
    path, _ = listed.resolve(cell)
    return open_clip(path, modality, options=MediaOptions(start=row.start, end=row.end))


def _contents(listed: manifest.Manifest, row: Any, column: str, modality: str, cell: str) -> Iterator[tuple[str, str]]:
    """What a page embeds of one cell, by the name of the modality that it stands for."""
    if modality == "text_value":
        yield "text", cell
        return
    if modality in ("text", "video"):
        clip = _opened(listed, row, modality, cell)
        if isinstance(clip, TextClip):
            yield column, clip.text
        elif isinstance(clip, VideoClip):
            yield column, small_picture(clip, side=320)
            if not clip.has_audio:
                return
    if modality != "text":
        path, _ = listed.resolve(cell)
        name, kind = (column, modality) if modality != "video" else (column.replace("video", "audio", 1), "audio")
        yield name, data_uri(path, kind, options=MediaOptions(start=row.start, end=row.end))
