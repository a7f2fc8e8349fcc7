"""The filter that follows a stream: the compiled kernel against its twin, the twin against the sums written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmcli.aligners.kernels import live, live_twin
from mmcli.aligners.kernels.live import Filter, Moves

compiled = live.kernel()
needs_kernel = pytest.mark.skipif(compiled is live_twin, reason="no compiled kernel here")


def walk(states: int, seed: int = 0):
    """A reference, and a stream that plays a part of it with noise."""
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(states, 6)).astype(np.float32)
    stream = reference[states // 4 : states // 4 + 40] + 0.4 * rng.normal(size=(40, 6)).astype(np.float32)
    return reference, stream.astype(np.float32)


@needs_kernel
@pytest.mark.parametrize("states", [70, 160, 161, 1007])
def test_the_compiled_kernel_gives_what_the_twin_gives(states):
    reference, stream = walk(states)
    loud = (np.arange(states) % 3 > 0).astype(np.float32)
    filters = [Filter(reference, 5, loud=loud, name=name) for name in (None, "twin")]
    for t, frame in enumerate(stream):
        for f in filters:
            f.push(frame, quiet=t % 7 == 3, pace=0.8, ahead=2 if t == 20 else 0)
        one, other = filters
        np.testing.assert_allclose(one.playing, other.playing, atol=2e-6)
        np.testing.assert_allclose(one.paused, other.paused, atol=2e-6)
        assert one.best == other.best
        assert one.place(min(t, 5)).mean == pytest.approx(other.place(min(t, 5)).mean, abs=1e-3)


@needs_kernel
def test_every_instruction_set_gives_the_same_bits():
    reference, stream = walk(333)
    rows = []
    for name in ("base", "avx2", "avx512"):
        f = Filter(reference, 0)
        advance = f.kernel.advance
        try:
            f.kernel = type("K", (), {"advance": staticmethod(lambda *a, n=name, g=advance: g(*a, n))})
            for frame in stream:
                f.push(frame)
        except ValueError:
            continue  # not on this machine
        rows.append(f.playing.tobytes())
    assert len(set(rows)) == 1


def test_the_filter_sums_over_all_paths():
    """Against every path of five frames through four states written out."""
    rng = np.random.default_rng(3)
    reference, stream = rng.normal(size=(4, 2)).astype(np.float32), rng.normal(size=(5, 2)).astype(np.float32)
    m = Moves(enter=0.1, leave=0.2, jump=0.05)
    f = Filter(reference, 4, m, name="twin")
    for frame in stream:
        f.push(frame)
    hidden = [(j, z) for j in range(4) for z in (0, 1)]

    def emission(t, state):
        if state[1]:
            return np.exp(-m.sharpness * m.pause)
        distance = np.sqrt(((reference - stream[t]) ** 2).sum(1))
        return np.exp(-m.sharpness * distance[state[0]] / np.median(distance))

    def move(a, b):
        (i, x), (j, z) = a, b
        if z:
            return (i == j) * ((1 - m.leave) if x else m.enter)
        if x:
            return (i == j) * m.leave + m.jump / 4
        step = {0: m.stay, 1: m.step, 2: m.skip}.get(j - i, 0.0)
        return step * (1 - m.enter) * (1 - m.jump) + m.jump / 4

    first = {(0, 0): 0.99, (0, 1): 0.01}
    total = {}
    for path in itertools.product(hidden, repeat=5):
        weight = sum(p * move(s, path[0]) for s, p in first.items()) * emission(0, path[0])
        for t in range(1, 5):
            weight *= move(path[t - 1], path[t]) * emission(t, path[t])
        total.setdefault(("last", path[4]), 0.0)
        total[("last", path[4])] += weight
    scale = sum(v for k, v in total.items() if k[0] == "last")
    row = f.now % f.rows
    for j, z in hidden:
        value = (f.paused if z else f.playing)[row, live.LANE + j]
        assert value == pytest.approx(total[("last", (j, z))] / scale, rel=1e-3, abs=1e-6)


def test_a_planted_walk_is_found_from_anywhere_and_after_a_jump():
    rng = np.random.default_rng(5)
    reference = rng.normal(size=(800, 8)).astype(np.float32)
    played = np.concatenate([np.arange(300, 360), np.arange(600, 660)])
    f = Filter(reference, 10, start="any")
    places = []
    for j in played:
        f.push((reference[j] + 0.5 * rng.normal(size=8)).astype(np.float32))
        places.append(f.place(min(len(places), 10)).mean)
    late = np.array(places[10:])
    error = np.abs(late - played[:-10])
    assert np.median(error) < 0.5
    assert error[40:50].max() < 3  # before the jump
    assert error[75:].max() < 3  # 15 frames after it


def test_in_quiet_frames_the_place_keeps_to_what_is_quiet_and_never_jumps():
    rng = np.random.default_rng(6)
    reference = rng.normal(size=(400, 8)).astype(np.float32)
    loud = np.ones(400, np.float32)
    loud[100:130] = 0.0  # a pause of the piece itself
    f = Filter(reference, 0, loud=loud)
    for j in range(100):
        f.push(reference[j])
    silence = np.zeros(8, np.float32)
    for _ in range(25):
        f.push(silence, quiet=True)
    assert abs(f.place(0).mean - 124) < 8  # it goes on through the pause
    for _ in range(500):
        f.push(silence, quiet=True)
    assert 100 < f.place(0).mean < 131  # and waits in it
    assert f.share > 0.5


def test_arrays_that_do_not_fit_are_refused():
    if compiled is live_twin:
        pytest.skip("no compiled kernel here")
    rows = [np.zeros(32, np.float32) for _ in range(5)]
    with pytest.raises(ValueError, match="do not fit"):
        compiled.advance(np.zeros((2, 16), np.float32), np.zeros(3, np.float32), *rows, 16, *[0.5] * 9)
    with pytest.raises(TypeError):
        compiled.advance(np.zeros((2, 16)), np.zeros(2, np.float32), *rows, 16, *[0.5] * 9)
