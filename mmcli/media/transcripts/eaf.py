"""Annotations of ELAN (EAF): a tier is a tier. Annotations that refer to others have the times of those.

Time slots without a value lie evenly between their neighbours, as ELAN shows them. Reference: ELAN Annotation Format,
version 3.0 (The Language Archive).
"""

from __future__ import annotations

from xml.etree import ElementTree

from mmcli.errors import MediaError
from mmcli.media import transcripts

SUFFIXES = (".eaf",)


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`. Raises MediaError for a file that declares entities, too."""
    root = transcripts.xml_root(text, name, "ELAN file")
    if root.tag != "ANNOTATION_DOCUMENT":
        raise MediaError(f"is no ELAN file: it begins with <{root.tag[:40]}>", source=name)
    slots = _slots(root, name)
    times: dict[str, tuple[float, float]] = {}  # of annotations, for those that refer to them
    referring: list[tuple[str, str, str, str]] = []
    out: dict[str, list[tuple[float, float, str]]] = {}
    try:
        for tier in root.iter("TIER"):
            rows = out.setdefault(tier.attrib["TIER_ID"], [])
            for one in tier.iter("ALIGNABLE_ANNOTATION"):
                span = slots[one.attrib["TIME_SLOT_REF1"]], slots[one.attrib["TIME_SLOT_REF2"]]
                times[one.attrib["ANNOTATION_ID"]] = span
                rows.append((*span, one.findtext("ANNOTATION_VALUE") or ""))
            for one in tier.iter("REF_ANNOTATION"):
                value = one.findtext("ANNOTATION_VALUE") or ""
                own = one.attrib["ANNOTATION_ID"], one.attrib["ANNOTATION_REF"]
                referring.append((tier.attrib["TIER_ID"], *own, value))
    except KeyError as error:
        raise MediaError(f"lacks {error}, which an annotation names", source=name) from None
    waiting = referring
    while waiting:  # one may refer to another that refers
        left = []
        for tier_id, name_of_it, other, value in waiting:
            if other in times:
                times[name_of_it] = times[other]
                out[tier_id].append((*times[other], value))
            else:
                left.append((tier_id, name_of_it, other, value))
        if len(left) == len(waiting):
            raise MediaError(f"annotation {left[0][1]} refers to {left[0][2]}, which is not there", source=name)
        waiting = left
    return {tier: sorted(rows) for tier, rows in out.items()}


def _slots(root: ElementTree.Element, name: str) -> dict[str, float]:
    """Seconds of each time slot."""
    order: list[tuple[str, float | None]] = []
    try:
        for slot in root.iter("TIME_SLOT"):
            value = slot.get("TIME_VALUE")
            order.append((slot.attrib["TIME_SLOT_ID"], None if value is None else int(value) / 1000))
    except (KeyError, ValueError):
        raise MediaError("has a time slot without a name, or whose time is no number", source=name) from None
    known = [k for k, (_, time) in enumerate(order) if time is not None]
    out: dict[str, float] = {}
    for k, (slot_id, time) in enumerate(order):
        if time is None:
            before = max((n for n in known if n < k), default=None)
            after = min((n for n in known if n > k), default=None)
            if before is None or after is None:
                continue
            a, b = order[before][1] or 0.0, order[after][1] or 0.0
            time = a + (b - a) * (k - before) / (after - before)
        out[slot_id] = time
    return out
