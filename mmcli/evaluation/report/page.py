"""The report as one page that needs nothing else: drawn from the JSON alone, verdict first.

With media (``{item id: {modality: data URI or text}}``) the most wrong items show their pictures, sounds and words
beside what of them spoke for the prediction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from mmcli.artifacts.io import html
from mmcli.evaluation.judge import verdict
from mmcli.evaluation.metrics import tasks
from mmcli.evaluation.report import marks, plots, retrieval
from mmcli.evaluation.report.media import MOST_ROWS
from mmcli.evaluation.report.numbers import Numbers, numbers_of

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

# How the parts of an explanation are drawn, and what a reader is told is strongest: on all cards the same.
DRAWN = {
    "strip": "a full bar over time",
    "numbers": "a full bar of a vector",
    "cells": "the deepest cell of a picture",
    "words": "the deepest word",
}

Media = Mapping[str, Mapping[str, str]]
Thumbnails = Mapping[str, Sequence[Markup]]


def render(report: dict[str, Any], media: Media | None = None, thumbnails: Thumbnails | None = None) -> str:
    """The page of a report, HTML with everything inside it; the same report gives the same page.

    ``media`` and ``thumbnails`` are of the items, as :mod:`mmcli.evaluation.report.media` finds them.
    """
    return html.render("mmcli.evaluation", "report", _values(report, media or {}, thumbnails or {}))


def _values(report: dict[str, Any], media: Media, thumbnails: Thumbnails) -> dict[str, Any]:
    form = numbers_of(report)
    number, signed, bounds = form.number, form.signed, form.bounds
    searched = report["task"] == tasks.RETRIEVAL
    head, rest = _said(report)
    emap = report["verdict"].get("emap")
    items = sorted(report["items"], key=lambda item: -item["loss"])
    each = (report.get("modalities") or {}).get("each", {})
    shapley = sorted(
        ((name, entry) for name, entry in each.items() if "shapley" in entry), key=lambda e: -e[1]["shapley"]["value"]
    )
    against = report["verdict"].get("against") or []
    most = strongest(items)
    cards = [_card(item, report, media.get(item["id"], {}), most) for item in items if "explanation" in item]
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
        "chips": _chips(report, form),
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
        "card_scale": "; ".join(f"{DRAWN[kind]} is {number(value)}" for kind, value in most.items()),
        "rows": items[:MOST_ROWS],
        "thumbnails": thumbnails,
        "rows_left": len(items) > MOST_ROWS,
        "number": number,
        "signed": signed,
        "bounds": bounds,
        "lowest": lambda interval: "" if interval is None else interval[0],
        "words": tasks.title,
        "chance": verdict.chance,
        "shown": lambda value: short(shown(value, form)),
        "short": short,
        "forest": marks.forest,
        "gauge": lambda name, entry: marks.gauge(entry),
    }


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


def shown(value: Any, form: Numbers) -> str:
    """A label or prediction for people."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "(none)"
    return form.number(value)


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


def _chips(report: dict[str, Any], form: Numbers) -> list[dict[str, str]]:
    """The figures at the head; those of a search in both directions."""
    chips = []
    ways = [f"{way}/" for way in report["curves"]["hit_rate"]] if report["task"] == tasks.RETRIEVAL else [""]
    for way in ways:
        for figure in tasks.at_the_head(report["task"]):
            entry = report["metrics"].get(way + figure.name)
            if entry and entry["value"] is not None:
                ranked = figure.form == "g"  # a rank is counted
                value = figure.text(entry["value"]) if ranked else form.number(entry["value"])
                interval = form.bounds(entry["interval"])
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


def strongest(items: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The largest share of any explained item in a bar, a number, a cell, a word: what all cards are scaled by."""
    most: dict[str, float] = {}
    for item in items:
        for part in item.get("explanation", {}).get("modalities", {}).values():
            kind, values = _drawn(part)
            if values:
                most[kind] = max(most.get(kind, 0.0), *map(abs, values))
    return {kind: most[kind] for kind in DRAWN if kind in most}


def _drawn(part: Mapping[str, Any]) -> tuple[str, list[float]]:
    """How a part is drawn, and the values that are."""
    if "grid" in part:
        return "cells", [v for row in part["grid"] for v in row]
    if "words" in part:
        return "words", list(part["values"])
    if "times" in part:
        return "strip", marks.strip(part["times"], part["values"])
    return "numbers", list(part.get("values", ()))


def _card(
    item: dict[str, Any], report: dict[str, Any], media: Mapping[str, str], most: Mapping[str, float]
) -> dict[str, Any]:
    explanation, form = item["explanation"], numbers_of(report)
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
        body = _body(part or {}, medium, most)
        if body:
            parts.append({"name": name, "share": share, "body": body})
    given = None
    if report["task"] == "classify" and "probabilities" in item:
        given = f"{100 * item['probabilities'][report['classes'].index(item['label'])]:.1f} %"
    return {
        "id": short(item["id"]),
        "group": short(item["group"] or ""),
        "label": short(shown(item["label"], form)),
        "prediction": short(shown(item["prediction"], form)),
        "chance": given,
        "right": item.get("correct") is True,
        "toward": short(explanation["toward"]) if report["task"] == "multilabel" and "toward" in explanation else None,
        "parts": parts,
        "gap": f"{form.number(abs(gap))} too {'much' if gap > 0 else 'little'}" if abs(gap) >= LEAST_GAP else None,
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


def _body(part: Mapping[str, Any], medium: str | None, most: Mapping[str, float]) -> Markup:
    """The picture, player or words of a modality with its explanation."""
    is_picture, is_sound = (medium or "").startswith("data:image"), (medium or "").startswith("data:audio")
    kind, values = _drawn(part)
    full = most.get(kind, 1.0)
    if kind == "cells":
        return marks.cells(part["grid"], medium if is_picture else None, full)
    body = marks.player(medium) if is_sound and medium else Markup("")
    if is_picture and medium:
        body += marks.cells([], medium)
    if kind == "words":
        return body + marks.shaded(part["words"], values, full)
    if values:
        ends = (part["times"][0], part["times"][-1]) if kind == "strip" else None
        return body + marks.curve(values, full, ends)
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
