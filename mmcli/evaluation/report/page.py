"""The report as one page that needs nothing else: drawn from the JSON alone, verdict first.

With media (``{item id: {modality: data URI or text}}``) the most wrong items show their pictures, sounds and words
beside what of them spoke for the prediction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mmcli.artifacts.formats import manifest
from mmcli.artifacts.io import html
from mmcli.errors import ArtifactError, MediaError, MissingError
from mmcli.evaluation.judge import verdict
from mmcli.evaluation.metrics import tasks
from mmcli.evaluation.report import marks, plots, retrieval
from mmcli.media import MediaOptions, TextClip, open_clip
from mmcli.media.embed import data_uri

MOST_ROWS = 200
LONGEST_NAME = 80
LEAST_GAP = 0.01  # logits that the shares of an item miss before a reader is told
CURVES = ("robustness",)
EXPLAINED = {
    "classify": "What spoke for the prediction is blue, what spoke against it red; beside each modality stands the sum"
    " of its shares (integrated gradients, in logits).",
    "multilabel": "What spoke for the label that is named is blue, what spoke against it red; beside each modality"
    " stands the sum of its shares (integrated gradients, in logits).",
    "regress": "What raised the prediction is blue, what lowered it red; beside each modality stands the sum of its"
    " shares (integrated gradients, on the model's own scale).",
}

Media = Mapping[str, Mapping[str, str]]


def render(report: dict[str, Any], media: Media | None = None) -> str:
    """The page of a report, HTML with everything inside it; the same report gives the same page."""
    return html.render("mmcli.evaluation", "report", _values(report, media or {}))


def _values(report: dict[str, Any], media: Media) -> dict[str, Any]:
    searched = report["task"] == tasks.RETRIEVAL
    head, rest = _said(report)
    emap = report["verdict"].get("emap")
    items = sorted(report["items"], key=lambda item: -item["loss"])
    each = (report.get("modalities") or {}).get("each", {})
    shapley = sorted(
        ((name, entry) for name, entry in each.items() if "shapley" in entry), key=lambda e: -e[1]["shapley"]["value"]
    )
    against = report["verdict"].get("against") or []
    cards = [_card(item, report, media.get(item["id"], {})) for item in items if "explanation" in item]
    drawn = {name: draw for name, draw in plots.available(report).items() if name not in CURVES}
    return {
        "report": report,
        "head": head,
        "rest": rest[:1].upper() + rest[1:],
        "emap": verdict.additive(emap, report["task"]) if emap and emap["interval"] else None,
        "command": _command(report.get("reproduce") or ""),
        "title": f"{report['model'].get('name', 'model')}: {report['split']}",
        "dataset_name": _dataset_name(report),
        "ways": list(items[0]["ranks"]) if searched else [],
        "level": f"{100 * report['config']['intervals']['level']:g} %",
        "chips": _chips(report),
        "clean_line": _clean(report["integrity"]),
        "shapley": shapley if len(shapley) > 1 else [],
        "reached": (lambda v: number(-v)) if report["task"] == "regress" else number,
        "shapley_names": [name for name in each if "shapley" in each[name]],
        "shapley_scale": _scale([entry["shapley"] for _, entry in shapley]),
        "forest_scale": _scale([{"value": r["difference"], "interval": r["interval"]} for r in against]),
        "plots": [(name, Markup(_own_ids(plots.svg(draw, report), name))) for name, draw in drawn.items()],
        "curves": [
            (name, Markup(_own_ids(plots.svg(plots.available(report)[name], report), name)))
            for name in CURVES
            if name in plots.available(report)
        ],
        "class_columns": _class_columns(report),
        "cards": cards,
        "card_words": EXPLAINED[report["task"]] if cards else "",
        "rows": items[:MOST_ROWS],
        "rows_left": len(items) > MOST_ROWS,
        "number": number,
        "signed": signed,
        "bounds": bounds,
        "lowest": lambda interval: "" if interval is None else interval[0],
        "words": tasks.title,
        "chance": verdict.chance,
        "shown": lambda value: short(shown(value)),
        "short": short,
        "forest": marks.forest,
        "gauge": lambda name, entry: marks.gauge(entry),
    }


def number(value: Any) -> str:
    """A number in four digits, anything else as it is.

    >>> number(0.123456), number(12345.6), number(None), number("x")
    ('0.1235', '12350', '', 'x')
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return str(value)
    text = f"{value:.4g}"
    return f"{float(text):.0f}" if "e+" in text else text


def signed(value: Any) -> str:
    """A difference with its sign, in three digits.

    >>> signed(0.25), signed(-0.00004), signed(0.0)
    ('+0.25', '−4e-05', '0')
    """
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:+.3g}".replace("-", "−", 1)


def bounds(interval: Any, plus: bool = False) -> str:
    """An interval in words.

    >>> bounds([0.1, 0.25]), bounds([-0.1, 0.25], plus=True), bounds(None)
    ('0.1 to 0.25', '−0.1 to +0.25', '')
    """
    if interval is None:
        return ""
    form = signed if plus else (lambda v: f"{v:.3g}")
    return f"{form(interval[0])} to {form(interval[1])}"


def _said(report: dict[str, Any]) -> tuple[str, str]:
    """What the verdict says first, and the rest of it."""
    judged = report["verdict"]
    if report["task"] == tasks.RETRIEVAL:
        first, *others = retrieval.clauses(report)
    elif judged["compared"]:
        first, *others = verdict.clauses(judged, report["task"])
    else:
        return judged["text"], ""
    return f"{first}.", "; ".join(others) + "." if others else ""


def shown(value: Any) -> str:
    """A label or prediction for people."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "(none)"
    return number(value) if isinstance(value, float) else str(value)


def _dataset_name(report: dict[str, Any]) -> str:
    """The name of the data set: the input after the model, or the only one of a search without a model."""
    names = [entry["name"] for entry in report["inputs"]]
    place = min(1, len(names) - 1) if report["task"] == "retrieval" else 1
    return str(names[place]) if 0 <= place < len(names) else "a data set"


def short(text: Any) -> str:
    """A name cut to what a cell of a table can hold.

    >>> short("voice-01"), len(short("x" * 1000))
    ('voice-01', 80)
    """
    name = str(text)
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _chips(report: dict[str, Any]) -> list[dict[str, str]]:
    """The figures at the head; those of a search in both directions."""
    chips = []
    ways = [f"{way}/" for way in report["curves"]["hit_rate"]] if report["task"] == tasks.RETRIEVAL else [""]
    for way in ways:
        for figure in tasks.at_the_head(report["task"]):
            entry = report["metrics"].get(way + figure.name)
            if entry and entry["value"] is not None:
                value, interval = figure.text(entry["value"]), bounds(entry["interval"])
                chips.append({"name": tasks.title(way + figure.name), "value": value, "interval": interval})
    return chips


def _clean(integrity: dict[str, Any]) -> str:
    if integrity["clean"]:
        return "No item and no group is on both sides of a split."
    duplicates, groups = integrity["duplicates"]["between_splits"], integrity["group_leaks"]["groups"]
    return f"Not clean: {duplicates} item(s) and {groups} group(s) are on both sides of a split."


def _class_columns(report: dict[str, Any]) -> list[str]:
    first: dict[str, Any] = next(iter((report.get("per_class") or {}).values()), {})
    return [figure.name for figure in tasks.FIGURES[report["task"]] if figure.by_class and figure.name in first]


def _scale(entries: list[dict[str, Any]]) -> tuple[float, float]:
    """An axis that holds all values, their intervals and zero."""
    ends = [0.0]
    for entry in entries:
        ends += [entry["value"], *(entry["interval"] or [])]
    return min(ends), max(ends)


def _card(item: dict[str, Any], report: dict[str, Any], media: Mapping[str, str]) -> dict[str, Any]:
    explanation = item["explanation"]
    gap = explanation.get("gap") or 0.0
    parts = []
    played = set()
    for name in item["present"]:
        part = explanation["modalities"].get(name)
        share = explanation["share"].get(name)
        medium = medium_of(name, media)
        if medium is not None and medium.startswith("data:audio"):
            medium = None if medium in played else medium  # of two streams of one sound the first has the player
            played.add(medium)
        body = _body(part or {}, medium)
        if body:
            parts.append({"name": name, "share": share, "body": body})
    given = None
    if report["task"] == "classify" and "probabilities" in item:
        given = f"{100 * item['probabilities'][report['classes'].index(item['label'])]:.1f} %"
    return {
        "id": short(item["id"]),
        "group": short(item["group"] or ""),
        "label": short(shown(item["label"])),
        "prediction": short(shown(item["prediction"])),
        "chance": given,
        "right": item.get("correct") is True,
        "toward": short(explanation["toward"]) if report["task"] == "multilabel" and "toward" in explanation else None,
        "parts": parts,
        "gap": f"{abs(gap):.2g} too {'much' if gap > 0 else 'little'}" if abs(gap) >= LEAST_GAP else None,
        "missing": [name for name in report["modalities"]["each"] if name not in item["present"]],
    }


def medium_of(stream: str, media: Mapping[str, str]) -> str | None:
    """What a stream was made of, by its name or by what stands before a dot of it.

    >>> medium_of("audio.logmel", {"audio": "a", "image": "b"}), medium_of("text", {"audio": "a"})
    ('a', None)
    """
    while stream:
        if stream in media:
            return media[stream]
        stream = stream.rpartition(".")[0]
    return None


def _body(part: dict[str, Any], medium: str | None) -> Markup:
    """The picture, player or words of a modality with its explanation."""
    is_picture, is_sound = (medium or "").startswith("data:image"), (medium or "").startswith("data:audio")
    if "grid" in part:
        return marks.cells(part["grid"], medium if is_picture else None)
    body = marks.player(medium) if is_sound and medium else Markup("")
    if is_picture and medium:
        body += marks.cells([], medium)
    if "words" in part:
        return body + marks.shaded(part["words"], part["values"])
    if "times" in part:
        return body + marks.curve(part["times"], part["values"])
    if "values" in part:  # of a vector: number by number
        return body + marks.curve((), part["values"])
    if medium and not is_picture and not is_sound:
        return Markup('<p class="words">{}</p>').format(medium)
    return body


def _command(text: str) -> Markup:
    """A command whose options are not torn apart at their hyphens where a line ends."""
    return Markup(" ").join(
        Markup("<span>{}</span>").format(word) if word.startswith("-") else Markup("{}").format(word)
        for word in text.split(" ")
    )


def _own_ids(svg: str, name: str) -> str:
    """The drawing with ids of its own, so that several fit on one page."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    return re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)


# The media of the items that a page shows, found through the manifest the data set was made from.


def gather(path: Path | str, report: dict[str, Any]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """``{item id: {modality: data URI or text}}`` for the explained items of a report, and what could not be shown.

    ``path`` is a manifest with the raw media (``audio``, ``image``, ``video``, ``text``, ``text_value``), relative to
    its folder. A video shows as its sound. Raises :class:`ArtifactError` for a manifest that knows none of the items.
    """
    listed = manifest.load(path)
    wanted = {item["id"] for item in report["items"] if "explanation" in item}
    rows = [row for row in listed.rows if row.id in wanted]
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
                name, content = _content(listed, column, cell, options)
            except (MediaError, MissingError) as error:
                left_out.append(str(error).splitlines()[0])
                continue
            shown.setdefault(name, content)
            shown.setdefault(name.partition(".")[0], content)
    return media, left_out


def _content(listed: manifest.Manifest, column: str, cell: str, options: MediaOptions) -> tuple[str, str]:
    if column.startswith("text_value"):
        return "text", cell
    path, _ = listed.resolve(cell)
    modality = column.partition(".")[0]
    if modality == "text":
        clip = open_clip(path, "text", options=options)
        return column, clip.text if isinstance(clip, TextClip) else ""
    if modality == "video":
        return column.replace("video", "audio", 1), data_uri(path, "audio", options=options)
    return column, data_uri(path, modality, options=options)
