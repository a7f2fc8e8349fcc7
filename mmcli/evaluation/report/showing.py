"""The media of the items that a page shows, found through the manifest the data set was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.artifacts.formats import manifest
from mmcli.errors import ArtifactError, MediaError, MissingError
from mmcli.media import MediaOptions, TextClip, open_clip
from mmcli.media.embed import data_uri


def gather(path: Path | str, report: dict[str, Any]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """``{item id: {modality: data URI or text}}`` for the explained items of a report, and what could not be shown.

    ``path`` is a manifest with the raw media (``audio``, ``image``, ``video``, ``text``, ``text_value``), relative to
    its folder. A video shows as its sound. Raises :class:`ArtifactError` for a manifest that knows none of the items.
    """
    found = manifest.load(path)
    wanted = {item["id"] for item in report["items"] if "explanation" in item}
    rows = [row for row in found.rows if row.id in wanted]
    if wanted and not rows:
        raise ArtifactError("holds none of the items that are shown", source=path)
    media: dict[str, dict[str, str]] = {}
    left_out: list[str] = []
    for row in rows:
        options = MediaOptions(start=row.start, end=row.end)
        shown: dict[str, str] = {}
        media[row.id] = shown
        for column, cell in row.cells.items():
            modality = column.partition(".")[0]
            if not cell or modality not in ("audio", "image", "video", "text", "text_value"):
                continue
            try:
                name, content = _content(found, column, cell, options)
            except (MediaError, MissingError) as error:
                left_out.append(str(error).splitlines()[0])
                continue
            shown.setdefault(name, content)
            shown.setdefault(name.partition(".")[0], content)
    return media, left_out


def _content(found: manifest.Manifest, column: str, cell: str, options: MediaOptions) -> tuple[str, str]:
    if column.startswith("text_value"):
        return "text", cell
    path, _ = found.resolve(cell)
    modality = column.partition(".")[0]
    if modality == "text":
        clip = open_clip(path, "text", options=options)
        return column, clip.text if isinstance(clip, TextClip) else ""
    if modality == "video":
        return column.replace("video", "audio", 1), data_uri(path, "audio", options=options)
    return column, data_uri(path, modality, options=options)
