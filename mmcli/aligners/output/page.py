"""The map as one page that needs nothing else: both recordings, the path, its confidence, two players in step."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core.frames import standard
from mmcli.aligners.core.sides import Side
from mmcli.aligners.output.plot import Costs
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap, from_curve
from mmcli.artifacts.io import atomic, html
from mmcli.media import embed

THIN_S = 0.003  # by which a point of the drawn path may lie beside the map
LEAST_S = 0.1  # of a stretch without a partner that is listed
UNSURE = 3.0  # times the usual half-width from which on a stretch is listed as uncertain
UNSURE_S = 0.1  # and at least so many seconds


def write(path: Path, alignment: Alignment, a: Side, b: Side, *, costs: Costs | None = None) -> None:
    """Write the page of a map between ``a`` (reference) and ``b`` (query).

    ``costs`` are drawn under the path. Raises OutputError where the page cannot be written.
    """
    lanes = {"reference": side_lanes(a, path), "query": side_lanes(b, path)}
    atomic.write_text(
        path,
        html.render("mmcli.aligners", "map", values(alignment, lanes, _lines(alignment, a, b), costs), linked=True),
    )


def values(
    alignment: Alignment,
    lanes: dict[str, dict[str, Any]],
    lines: list[dict[str, Any]],
    costs: Costs | None = None,
) -> dict[str, Any]:
    """What the template is given."""
    segments = _drawn(alignment)
    alone = _alone(alignment)
    data = {
        "model": alignment.model,
        "line": [alignment.offset_s, alignment.rate] if TimeMap(alignment).is_line else None,
        "segments": segments,
        "breaks": [{"side": s, "start": round(x, 4), "end": round(y, 4)} for s, x, y in alone],
        "reference": lanes["reference"],
        "query": lanes["query"],
        "lines": lines,
        "costs": None if costs is None else _picture(costs),
    }
    unsure = _unsure(segments)
    return {
        "alignment": alignment,
        "title": f"{alignment.query['name']} on {alignment.reference['name']}",
        "sentence": sentence(alignment),
        "chips": _chips(alignment, segments),
        "good": alignment.quality["verdict"] in ("match", "not judged", "known"),
        "runner_up": _runner_up(alignment),
        "notes": [lane["note"] for lane in lanes.values() if lane["note"]],
        "alone": [{"side": s, "start": x, "end": y} for s, x, y in alone],
        "unsure": unsure,
        "lines": lines,
        "config": json.dumps(alignment.method["config"], indent=1, sort_keys=True),
        "clock": clock,
        "data": data,
    }


def sentence(alignment: Alignment) -> str:
    """The map in one sentence for people.

    >>> from mmcli.artifacts.formats.alignment import Alignment
    >>> line = Alignment(model="offset", knots=np.array([[1.5, 0.0], [9.5, 8.0]]), offset_s=1.5, rate=1.0, ppm=0.0,
    ...                  reference={"name": "a.wav", "sha256": None, "duration_s": 9.5},
    ...                  query={"name": "b.wav", "sha256": None, "duration_s": 8.0})
    >>> sentence(line)
    'b.wav begins 1.500 s into a.wav and runs at the same pace.'
    """
    a, b = alignment.reference["name"], alignment.query["name"]
    if alignment.segments:
        lines = [s for s in alignment.segments if s["kind"] == "line"]
        spoken = sum(s["spoken"] for s in lines)
        count = "All" if spoken == len(lines) else f"{spoken} of"
        return f"{count} {len(lines)} lines of {b} are spoken in {a}."
    if alignment.offset_s is not None and alignment.rate is not None:
        where = f"begins {alignment.offset_s:.3f} s into {a}"
        if alignment.offset_s < -5e-4:
            where = f"begins {-alignment.offset_s:.3f} s before {a}"
        if alignment.model == "offset":
            return f"{b} {where} and runs at the same pace."
        pace = "faster" if alignment.rate > 1 else "slower"
        how = (
            f"{abs(alignment.rate - 1) * 100:.2f} %"
            if abs(alignment.rate - 1) > 1e-3
            else f"{abs(alignment.ppm or 0.0):.0f} ppm"
        )
        return f"{b} {where} and runs {how} {pace}."
    if alignment.model == "piecewise":
        n = len(TimeMap(alignment).segments)
        return f"{b} matches {a} in {n} pieces, with what only one of them has in between."
    slopes = _paces(alignment)
    if slopes is None:
        return f"{b} and {a} have no stretch in common."
    return f"{b} follows {a} along a curve, at {slopes[0]:.2f} to {slopes[1]:.2f} times its pace."


def clock(t: float) -> str:
    """A time as minutes and seconds.

    >>> clock(75.25), clock(-1.5), clock(3725.0)
    ('1:15.25', '−0:01.50', '1:02:05.00')
    """
    sign, hundredths = ("−" if t < 0 else ""), round(abs(t) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{sign}{front}:{rest // 100:02d}.{rest % 100:02d}"


def _paces(alignment: Alignment) -> tuple[float, float] | None:
    """How slowly and how fast the query runs against the reference, over two seconds, the extreme 5 % left out."""
    slopes: list[float] = []
    for s in TimeMap(alignment).segments:
        t = np.arange(s[0, 0], s[-1, 0], 0.5)
        if len(t) > 4:
            q = np.interp(t, s[:, 0], s[:, 1])
            slopes += ((q[4:] - q[:-4]) / 2.0).tolist()
        elif len(s) > 1:
            slopes.append(float((s[-1, 1] - s[0, 1]) / (s[-1, 0] - s[0, 0])))
    if not slopes:
        return None
    low, high = np.quantile(slopes, [0.05, 0.95])
    return float(low), float(high)


def _chips(alignment: Alignment, segments: list[list[list[float]]]) -> list[dict[str, str]]:
    chips = [{"value": "text" if alignment.segments else alignment.model, "name": "model"}]
    if alignment.offset_s is not None:
        chips.append({"value": f"{alignment.offset_s:+.4f} s".replace("-", "−"), "name": "offset"})
    if alignment.rate is not None and alignment.model == "affine":
        chips.append({"value": f"{alignment.rate:.6f}", "name": f"rate ({alignment.ppm:+.1f} ppm)".replace("-", "−")})
    half = [p[2] for s in segments for p in s if p[2] is not None]
    if half:
        chips.append({"value": f"± {1e3 * float(np.median(half)):.3g} ms", "name": "90 % interval, usual half-width"})
    duration = alignment.reference["duration_s"]
    if segments and duration:
        shared = sum(max(0.0, min(s[-1][0], duration) - max(s[0][0], 0.0)) for s in segments)
        chips.append({"value": f"{100 * shared / duration:.0f} %", "name": "of the reference has a partner"})
    words = [s for s in alignment.segments or [] if s["kind"] == "word"]
    if words:
        chips.append({"value": f"{sum(w['spoken'] for w in words)} of {len(words)}", "name": "words found"})
    chips.append({"value": alignment.quality["verdict"], "name": "verdict"})
    return chips


def _runner_up(alignment: Alignment) -> str:
    """The model that came second, and its share of the windows."""
    other = alignment.runner_up
    return "" if other is None else f"{other['model']}, share {other['share']}"


def _drawn(alignment: Alignment) -> list[list[list[float]]]:
    """Per segment the points [t_reference, t_query, half-width or None], thinned."""
    half = None if alignment.confidence_s is None or not len(alignment.knots) else np.asarray(alignment.confidence_s)
    out = []
    for s in TimeMap(alignment).segments:
        thin = from_curve(s[:, 0], s[:, 1], THIN_S) if len(s) > 2 else s
        width: list[Any] = [None] * len(thin)
        if half is not None:
            width = np.round(np.interp(thin[:, 0], alignment.knots[:, 0], half), 4).tolist()
        out.append([[round(t, 4), round(q, 4), w] for (t, q), w in zip(thin.tolist(), width, strict=True)])
    return out


def _alone(alignment: Alignment) -> list[tuple[str, float, float]]:
    """Stretches of either side without a partner: the breaks, and what lies before and after the map."""
    out = [(str(b["side"]), float(b["start"]), float(b["end"])) for b in alignment.breaks]
    if len(alignment.knots):
        for column, side in enumerate(("reference", "query")):
            first, last = float(alignment.knots[0, column]), float(alignment.knots[-1, column])
            end = (alignment.reference if column == 0 else alignment.query)["duration_s"]
            out.append((side, min(0.0, first), first))
            out.append((side, last, last if end is None else float(end)))
    return sorted((s, a, b) for s, a, b in out if b - a >= LEAST_S)


def _unsure(segments: list[list[list[float]]]) -> list[dict[str, float]]:
    """Stretches of the reference where the interval is far wider than usual."""
    half = [p[2] for s in segments for p in s if p[2] is not None]
    if not half:
        return []
    limit = max(UNSURE * float(np.median(half)), UNSURE_S)
    out: list[dict[str, float]] = []
    for s in segments:
        before = None
        for t, _, w in s:
            if w is None or w <= limit:
                before = None
            elif before is None:
                out.append({"start": t, "end": t, "half": w})
                before = t
            else:
                out[-1] |= {"end": t, "half": max(out[-1]["half"], w)}
    return [u for u in out if u["end"] - u["start"] >= LEAST_S]


def _lines(alignment: Alignment, a: Side, b: Side) -> list[dict[str, Any]]:
    """Lines of a text or cues of a subtitle on the clock of the reference: text, start, end, spoken, words."""
    if alignment.segments:
        lines: list[dict[str, Any]] = []
        for s in alignment.segments:
            entry = {k: s[k] for k in ("text", "start", "end", "spoken")}
            if s["kind"] == "line":
                lines.append(entry | {"words": []})
            else:
                lines[-1]["words"].append(entry)
        return lines
    for side, mapped in ((b, True), (a, False)):
        if side.modality == "subtitle":
            spans = np.array([[s, e] for s, e, _ in side.cues], dtype=np.float64).reshape(-1, 2)
            at = TimeMap(alignment).to_reference(spans) if mapped else spans
            texts = [" ".join(text.split()) for _, _, text in side.cues]
            return [_cue(text, float(s), float(e)) for text, (s, e) in zip(texts, at, strict=True)]
    return []


def _cue(text: str, start: float, end: float) -> dict[str, Any]:
    """A cue; one that straddles the end of a piece of the map keeps the edge that has a partner."""
    if np.isnan(start) and np.isnan(end):
        return {"text": text, "start": None, "end": None, "spoken": False, "words": []}
    start, end = (end - 1.0 if np.isnan(start) else start), (start + 1.0 if np.isnan(end) else end)
    return {"text": text, "start": round(start, 3), "end": round(end, 3), "spoken": True, "words": []}


def _picture(costs: Costs) -> dict[str, Any]:
    """{uri, extent [r0, r1, q0, q1] in seconds}: dark where moments are alike, reference time upwards."""
    from PIL import Image

    shades = np.clip((costs.cells - costs.low) / max(costs.high - costs.low, 1e-12), 0, 1)[::-1]
    out = io.BytesIO()
    Image.fromarray(np.round(80 + 175 * shades).astype(np.uint8)).save(out, format="JPEG", quality=60)
    return {"uri": embed.uri("image/jpeg", out.getvalue()), "extent": [*costs.reference, *costs.query]}


# What a page shows and plays of one side of a pair, small enough to travel inside it.

LIMIT = 16_000_000  # bytes of a recording inside the page, about an hour and a half; what is larger is linked
PEAKS_HZ, MOST_PEAKS = 100.0, 60_000
STRIP_FRAMES, STRIP_HEIGHT = 40, 54  # pixels
HEAT_FRAMES, HEAT_ROWS = 1200, 32
SHOWN = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm"}  # by browsers, as it is
LINKED = {".mp3": "audio/mpeg", ".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".m4a": "audio/mp4"}


def side_lanes(side: Side, page: Path, *, limit: int = LIMIT) -> dict[str, Any]:
    """One lane: ``name``, ``duration`` in seconds, ``kind`` of picture with its content, ``media`` to play, ``note``.

    ``page`` is where the page will stand, for the links to recordings that are too large to go in. Raises as the
    readers of media do.
    """
    about = side.about()
    lane: dict[str, Any] = {"name": about["name"], "duration": about["duration_s"], "kind": "none", "note": ""}
    if side.has_frames:
        return lane | {"kind": "heat", "heat": heat(side.features)}
    if side.modality in ("subtitle", "text"):
        return lane | {"kind": "lines"}
    if side.modality == "video":
        from mmcli.media import embed, listen, open_clip

        clip: Any = open_clip(side.path, "video")
        strip = listen.strip(clip, STRIP_FRAMES, STRIP_HEIGHT)
        size = {"width": strip.width, "height": strip.height}
        uri = embed.uri("image/jpeg", strip.jpeg)
        lane |= {"kind": "strip", "strip": {"uri": uri, "times": strip.times, **size}}
    if side.has_sound:
        rate = min(PEAKS_HZ, MOST_PEAKS / max(side.sound.duration_s, 1.0))
        lane |= {"peaks": {"rate": rate, "data": _packed(peaks(side.sound, rate))}}
        lane["kind"] = "wave" if lane["kind"] == "none" else lane["kind"]
    return lane | _playable(side, page, limit)


def peaks(sound: Any, rate: float) -> NDArray[np.uint8]:
    """The largest absolute sample of every ``1 / rate`` seconds, 255 for the largest of the clip, uint8 ``(n,)``."""
    size = max(1, round(sound.rate / rate))
    largest = []
    rest = np.empty(0, np.float32)
    for block in sound.blocks():
        rest = np.concatenate([rest, block])
        n = len(rest) // size
        largest.append(np.abs(rest[: n * size]).reshape(n, size).max(axis=1))
        rest = rest[n * size :]
    if len(rest):
        largest.append(np.abs(rest).max(keepdims=True))
    joined = np.concatenate(largest)
    return np.asarray(np.round(255 * joined / max(float(joined.max()), 1e-9)), dtype=np.uint8)


def heat(features: Features) -> dict[str, Any]:
    """Values over time as shades: at most HEAT_ROWS rows by HEAT_FRAMES columns, uint8, row after row."""
    values, times = features.flat(), features.times
    columns = np.linspace(0, len(values), min(HEAT_FRAMES, len(values)) + 1).astype(np.int64)
    rows = np.linspace(0, values.shape[1], min(HEAT_ROWS, values.shape[1]) + 1).astype(np.int64)
    by_time = np.add.reduceat(values.astype(np.float64), columns[:-1], axis=0) / np.diff(columns)[:, None]
    both = standard(np.add.reduceat(by_time, rows[:-1], axis=1) / np.diff(rows))
    shades = np.clip(np.round(127.5 + both.T * 60.0), 0, 255).astype(np.uint8)
    return {
        "rows": len(shades),
        "columns": shades.shape[1],
        "start": float(times[0]),
        "end": float(times[-1]),
        "data": _packed(shades),
    }


def _playable(side: Side, page: Path, limit: int) -> dict[str, Any]:
    """``media``: {type, data} inside the page or {type, link} beside it, and a ``note`` where something is amiss."""
    size = side.path.stat().st_size
    suffix = side.path.suffix.lower()
    if side.modality == "video" and suffix in SHOWN and size <= limit:
        media = {"type": SHOWN[suffix], "data": base64.b64encode(side.path.read_bytes()).decode("ascii")}
        return {"media": media, "picture": True}
    if side.has_sound and side.sound.duration_s * 3000 <= limit:  # bytes a second
        from mmcli.media import listen

        data = base64.b64encode(listen.opus(side.sound)).decode("ascii")
        return {"media": {"type": "audio/webm", "data": data}, "picture": False}
    if suffix not in SHOWN | LINKED:
        return {"media": None, "note": f"{side.path.name} cannot be played by a page, and is too large to be put in."}
    link = os.path.relpath(side.path.resolve(), page.resolve().parent)
    note = f"{side.path.name} is too large to be put in; it is played from {link}, beside this page."
    media = {"type": (SHOWN | LINKED)[suffix], "link": Path(link).as_posix()}
    return {"media": media, "picture": suffix in SHOWN, "note": note}


def _packed(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
