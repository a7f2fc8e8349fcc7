"""A stream beside its reference as a page: live, while it is followed, or afterwards, to be played through again."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from mmcli.aligners.core.sides import Side
from mmcli.aligners.live.follower import STATES
from mmcli.aligners.live.history import History
from mmcli.aligners.output import page
from mmcli.artifacts.io import atomic, html

NOTES = 20_000  # of a score are drawn


def write(path: Path, reference: Side, query: str, history: History, said: str) -> None:
    """Write the page of what was followed. ``query`` is the stream's name, ``said`` what became of it, in a sentence.

    Raises :class:`OutputError` where it cannot be written.
    """
    atomic.write_text(path, text(reference, query, said, history.rows))


def text(reference: Side, query: str, said: str, rows: list[Any] | None = None) -> str:
    """The page; without ``rows`` it asks the server that it came from for them."""
    data = {"lane": lane(reference), "states": STATES, "rows": rows}
    values = {"reference": reference.path.name, "query": query, "said": said, "data": data}
    return html.render("mmcli.aligners", "following", values)


def lane(side: Side) -> dict[str, Any]:
    """The reference as it is drawn: ``kind`` notes, wave or heat with its content, and ``duration`` in seconds."""
    if side.modality == "score":
        from mmcli.media import midi

        score = midi.read(side.path)
        drawn = [k for k in range(len(score.start)) if score.channel[k] != midi.DRUMS][:NOTES]
        notes = [[round(float(score.start[k]), 3), round(float(score.end[k]), 3), int(score.pitch[k])] for k in drawn]
        return {"kind": "notes", "notes": notes, "duration": side.about()["duration_s"]}
    if side.has_frames:
        heat = page.heat(side.features)
        return {"kind": "heat", "heat": heat, "duration": heat["end"]}
    rate = min(page.PEAKS_HZ, page.MOST_PEAKS / max(side.sound.duration_s, 1.0))
    packed = base64.b64encode(page.peaks(side.sound, rate).tobytes()).decode("ascii")
    return {"kind": "wave", "peaks": {"rate": rate, "data": packed}, "duration": side.sound.duration_s}


def policy(content: str) -> str:
    """The Content-Security-Policy under which a page of ours runs: its own style and script, and its own server.

    >>> policy("<style>a</style><script>b</script>").split(";")[0]
    "default-src 'none'"
    """
    allowed = []
    for tag in ("style", "script"):
        inner = content.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        allowed.append(f"{tag}-src 'sha256-{digest}'")
    rest = ("connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
    return "; ".join(["default-src 'none'", *allowed, *rest])
