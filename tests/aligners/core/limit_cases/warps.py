"""Two recordings or two sets of frames that are warped."""

import numpy as np
import pytest

from mmcli.aligners.core import odds, shuffle_test
from mmcli.aligners.core.shuffle_test import Evidence
from mmcli.aligners.methods import auto
from mmcli.aligners.warp import sections, structure, views
from mmcli.aligners.warp.structure import Section
from mmcli.media.clips import AudioClip
from tests.aligners.core.limit_cases.case import RATE, decides, near


def walk(frames: int, dims: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((frames, dims)).cumsum(axis=0)


def at_another_pace(noise: float, dims: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A walk, and the same that slows down, in noise."""
    x = walk(240, dims)
    at = np.round(np.linspace(0, 1, 240) ** 1.15 * 239).astype(int)
    return x, x[at] + noise * np.random.default_rng(9).standard_normal((240, dims))


HISS = [AudioClip.from_array(np.random.default_rng(k).standard_normal(3 * RATE) / 9, RATE) for k in (0, 1)]


def kind_taken(ratio: float) -> str:
    """What `auto` takes two sounds with these statistics for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto, "_tested", lambda view, opened: Evidence(ratio, 1.0, 1.0))
        patch.setattr(views, "voices_test", lambda x, y: None)
        reason = auto._warped_sound(*HISS, 0.0, 0.0, auto.Config()).reason
    return reason.partition("taken for ")[2].partition(" (")[0]


near("MATCH", lambda p: odds.verdict(p), 0.78, 0.82, ("unsure", "match"))
near("NO", lambda p: odds.verdict(p), 0.13, 0.17, ("no match", "unsure"))
near("SAME", kind_taken, 0.50, 0.60, ("one recording twice", "two renditions"))
near("VOICES_SHORTEST_S", lambda t: views.may_be_heard([t, 30.0]), 1.8, 2.2)
near("VARIED", views.is_speech, 0.25, 0.35)
near("ANOTHER_KEY", lambda cost: views.is_another_key(cost, 1.0), 0.6, 0.7, (True, False))


def statistic(cost: float, null: float, exchanged: float) -> float:
    """Of a query that warps at such a cost, shuffled and with its halves exchanged at others."""
    x = np.eye(40)
    costs = {0.0: cost, 20.0: exchanged}  # the frame that comes first tells which of them is measured
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            shuffle_test, "_warped", lambda x, y, metric, opened: (costs.get(float(np.argmax(y[0])), null), 1.0)
        )
        patch.setattr(shuffle_test, "shuffled", lambda y, block, seed: y[1:])
        return round(shuffle_test.measure(x, x, 0.1, "cosine", opened=(False, False)).ratio, 3)


near("MAY_REPEAT", lambda cost: statistic(cost, 1.0, 0.95), 0.75, 0.85, (0.789, 0.85))
near("LEAST_NULL", lambda null: statistic(0.9 * null, null, null), 0.3, 0.42, (0.925, 0.9))


near("PITCHES_VARIED", auto.have_order, 0.018, 0.022)
near("SECTIONS_GAIN", lambda gain: auto.is_music((gain, 10.0)), 31.0, 35.0)


def parted(frames: int) -> int:
    """How many sections two sides have of which one leaves out so many frames in the middle."""
    x = structure.unit(np.random.default_rng(7).standard_normal((260, 12)))
    y = np.concatenate([x[:100], x[100 + frames :]])
    return len(structure.find(x, y, 0.1, 0.8).sections)


near("JUMP_INSIDE_S", parted, 56, 68, (1, 2))


def left_out(frames: int) -> bool:
    """Whether so many frames at the beginning of both sides, that have no partner, are left out."""
    rows = np.eye(400, dtype=np.float32)
    x, y = (np.concatenate([rows[own : own + frames], rows[:100]]) for own in (100, 250))
    return int(structure.find(x, y, 0.1, 0.8).sections[0].path[0, 0]) >= frames


near("JUMP_S", left_out, 84, 100)


def kept_sections(frames: int) -> int:
    parts = sections.Sections(None, None)
    a = np.stack([np.arange(frames), np.arange(frames)], axis=1)
    b = np.stack([np.arange(60), np.arange(60)], axis=1) + 200
    grid = np.arange(400) * 0.1
    side = np.zeros((400, 2), np.float32), grid
    parts.__dict__["thin"] = (side, side)
    parts._find = lambda y, banned=None: structure.Structure((Section(a, 5.0), Section(b, 9.0)), 14.0, 0.1)
    return len(parts.found.sections)


near("SECTION_S", kept_sections, 28, 34, (1, 2))
near("VOICES_LONGEST_S", lambda t: views.may_be_heard([30.0, t]), 270.0, 330.0, (True, False))


def frames_verdict(pair: tuple[np.ndarray, np.ndarray]) -> str:
    return odds.verdict(auto._warped_frames(*pair, auto.Config()).probability)


@decides("WIDE", ["no match", "match"])
def wide() -> list[str]:
    """Seven columns and eight of one walk, the first of them large and strange."""
    out = []
    for dims in (7, 8):
        x, y = at_another_pace(0.2, dims)
        x[:, 0], y[:, 0] = 30 * walk(240, 1, 5)[:, 0], 30 * walk(240, 1, 6)[:, 0]
        out.append(frames_verdict((x, y)))
    return out


def ends(shorter: int) -> list[tuple[bool, bool]]:
    x, y = np.zeros((100, 1), np.float32), np.zeros((shorter, 1), np.float32)
    return views.View(x, y, np.arange(100.0), np.arange(float(shorter)), "euclidean").ends()


WHOLE, PART = (False, False), (True, False)
near("PART", ends, 65, 80, ([WHOLE, PART], [WHOLE]))
near("PACE", ends, 25, 35, ([PART], [WHOLE, PART]))
