"""Cues on a recording."""

from types import SimpleNamespace

import numpy as np

from mmcli.aligners.core import limits
from mmcli.aligners.linear.trace import Run
from mmcli.aligners.methods import subtitles
from mmcli.aligners.subtitles import activity, edge_fit, jumps, places, shape
from mmcli.aligners.subtitles import curve as curve_test
from mmcli.aligners.subtitles.cues import is_a_sign
from mmcli.errors import InputError
from mmcli.media.clips import AudioClip
from tests.aligners.core.limit_cases.case import RATE, near


def programme(cues: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pauses, lengths = rng.uniform(0.6, 2.0, cues), rng.uniform(1.0, 4.0, cues)
    starts = np.cumsum(pauses + np.concatenate([[0.0], lengths[:-1]]))
    return np.column_stack([starts, starts + lengths])


def curve(cues: np.ndarray) -> np.ndarray:
    return activity.of_cues([(s, e) for s, e in cues], float(cues.max()) + 2.0)


def enough_cues(count: int) -> bool:
    cues = programme(count)
    try:
        subtitles.placed(curve(cues), [(s, e, "") for s, e in cues.tolist()], name="a.srt", force=True)
    except InputError:
        return False
    return True


near("FEWEST_CUES", enough_cues, 4, 5)


near("CUES_UNDER_A_SIGN", is_a_sign, 3, 4)
near("CUES_CLEAR", curve_test.is_clear, 50.0, 70.0)
near("CUES_OF_A_PIECE", curve_test.is_a_piece, 2, 3)
near("CUES_ONE_LAG_S", lambda apart: len(jumps._pieces(np.array([0.0] * 4 + [apart] * 4))), 0.45, 0.55, (1, 2))
near("CUES_SIMPLER", lambda nats: places.is_as_good(nats, 10.0), 6.8, 7.2)


def late(count: int, gain: float = 1.0) -> int:
    """Under how many offsets cues lie, the last so many of which are late by half a minute, where the activity is so
    clear."""
    cues = programme(40)
    whole = curve(cues)
    cells = gain * whole[: len(whole) // 5 * 5].reshape(-1, 5).mean(axis=1)
    moved = cues.copy()
    moved[len(cues) - count :] += 30.0
    shapes = {1.0: jumps.Shape(*shape.intervals(moved, None, 1.0))}
    scale = limits.CUES_GAIN.value / 16
    placed = jumps.place(cells, 0.05, cues[:, 0], moved[:, 0], shapes, scale)
    return 1 if placed is None else len(placed.pieces)


near("CUES_JUMP", lambda gain: late(2, gain), 0.85, 1.0, (1, 2))
near("CUES_GAIN", lambda gain: late(2, gain), 0.85, 1.0, (1, 2))


def restanding(more: float) -> bool:
    """Whether two pieces are worth their price that say so much more than one line."""
    said = {1: 5.0, 2: 5.0 + more, 3: 0.0}  # of the line, of the first piece, of the second
    contrast = SimpleNamespace(x=SimpleNamespace(times=[0.0]), speaks=lambda segment: said[int(segment[0, 1])])
    whole, part, none = (Run(0.0, 1.0, float(start), 9.0) for start in (1, 2, 3))
    return curve_test._restanding(places.Standing(0.0, 0.0, 0.0, 0.0), contrast, whole, [part, none]).nats > 0


near("CUES_MOVED", restanding, 2.6, 3.4)


def apart(seconds: float) -> int:
    """How many edges place cues that all end so much later than speech does."""
    cues = programme(12)
    ends = np.sort(cues[:, 1] - seconds)
    points = [edge_fit.Points(known, float(cues.max())) for known in (cues[:, 0], ends)]
    settled = edge_fit.Settled(1.0, None, 0.03, 0.03)
    return curve_test._sharpened(edge_fit.Group(cues, 0.0, 1.0), settled, *points, cues[:, 0], ends).edges


near("CUES_APART_S", apart, 0.09, 0.11, (24, 12))
near("CUES_NAMED", lambda nats: edge_fit.choice({1.0: 0.0, 0.999: nats}, [1.0, 0.999]), 9.5, 10.5, (1.0, 0.999))
near("CUES_FREE", lambda nats: edge_fit.choice({1.0: 0.0, 0.998: nats}, [1.0]), 10.5, 11.5, (1.0, 0.998))


def speaks(level_db: float, ceiling_db: float = 0.0, floor_db: float = -60.0) -> bool:
    """Whether what is so loud is taken for speech, in a recording that is now at its floor and now at its ceiling."""
    levels = np.repeat([floor_db, ceiling_db] * 6, RATE // 2)
    levels[5 * RATE // 2 : 6 * RATE // 2] = level_db
    samples = 0.3 * 10 ** (levels / 20) * np.random.default_rng(0).standard_normal(len(levels))
    found = activity.of_sound(AudioClip.from_array(samples.astype(np.float32), RATE))
    return bool(np.median(found[260:290]) > 0)


near("SPEECH", speaks, -39.0, -33.0)
near("SPEECH_DB", lambda range_db: speaks(0.0, 0.0, -range_db), 4.0, 5.5)
