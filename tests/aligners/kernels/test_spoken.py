"""The search for spoken words against a recursion that tries every way, on chains small enough for it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.kernels import spoken

PRICES = spoken.Prices(filler=2.5, begin=3.0, skip=4.0, more=0.5)


def every_way(ratios, silence, columns, words, phrases, open_end):
    """The total of the best way, by asking of each place what may come next."""
    frames, states, last = len(ratios), len(columns), len(phrases) - 1
    node_at = {int(w): p for p, w in enumerate(phrases)}
    ends = {int(s) - 1: w for w, s in enumerate(words) if w}

    @cache
    def node(t, p, skipped):
        options = [0.0] if t == frames and (open_end or p == last) else []
        if t < frames:
            if p < last:
                options.append(state(t, int(words[phrases[p]])))
            options += [pause(t, int(phrases[p])), filler(t, p) - PRICES.begin]
        if not skipped:
            options += [node(t, p + k, True) - PRICES.skip - (k - 1) * PRICES.more for k in range(1, last - p + 1)]
        return max(options, default=-np.inf)

    @cache
    def state(t, s):
        """From frame ``t`` on, which is state ``s``."""
        options = [0.0] if t + 1 == frames and open_end else []
        if t + 1 < frames:
            options.append(state(t + 1, s))
            if s not in ends:
                options.append(state(t + 1, s + 1))
        if s in ends:
            options.append(word(t + 1, ends[s]))
        return float(ratios[t, columns[s]]) + max(options, default=-np.inf)

    def word(t, w):
        """Before word ``w``, without a pause yet."""
        if w in node_at:
            return node(t, node_at[w], False)
        return max(state(t, int(words[w])), pause(t, w)) if t < frames else -np.inf

    @cache
    def pause(t, w):
        options = [0.0] if t + 1 == frames and open_end else []
        if t + 1 < frames:
            options.append(pause(t + 1, w))
        if w in node_at:
            options.append(node(t + 1, node_at[w], False))
        elif t + 1 < frames:
            options.append(state(t + 1, int(words[w])))
        return float(silence[t]) + max(options, default=-np.inf)

    @cache
    def filler(t, p):
        options = [node(t + 1, p, False)]
        if t + 1 < frames:
            options.append(filler(t + 1, p))
        return max(options) - PRICES.filler

    assert states
    return node(0, 0, False)


@st.composite
def problems(draw):
    lengths = [draw(st.lists(st.integers(1, 2), min_size=1, max_size=2)) for _ in range(draw(st.integers(1, 3)))]
    phrases = np.cumsum([0, *(len(p) for p in lengths)])
    words = np.cumsum([0, *(n for p in lengths for n in p)])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = rng.integers(0, 3, words[-1])
    frames = draw(st.integers(1, 7))
    ratios = -rng.exponential(2.0, (frames, 3)).astype(np.float32)
    silence = -rng.exponential(2.0, frames).astype(np.float32)
    return ratios, silence, columns, words, phrases


@settings(max_examples=150)
@given(problems(), st.booleans())
def test_the_best_way_is_as_good_as_any(problem, open_end):
    _, total = spoken.search(*problem, PRICES, open_end=open_end)
    expected = every_way(*problem, open_end)
    if expected == -np.inf:
        assert total < -1e29
    else:
        assert abs(total - expected) < 1e-4


@settings(max_examples=60)
@given(problems(), st.booleans())
def test_the_plain_loops_say_what_the_compiled_ones_say(problem, open_end):
    path, total = spoken.search(*problem, PRICES, open_end=open_end)
    plain, same = spoken._search(*problem, *PRICES, open_end)
    assert path.tolist() == plain.tolist()
    assert abs(total - same) < 1e-6


@settings(max_examples=60)
@given(problems())
def test_states_come_in_order_and_a_word_is_spoken_from_its_first_to_its_last(problem):
    _, _, columns, words, phrases = problem
    path, total = spoken.search(*problem, PRICES, open_end=False)
    if total < -1e29:
        return
    states = path[path >= 0]
    assert np.all(np.diff(states) >= 0)
    for first, end in pairwise(phrases):
        run = set(range(words[first], words[end]))
        assert run <= set(states.tolist()) or not run & set(states.tolist())
    assert len(columns) == words[-1]


def test_the_free_path_prefers_a_sound_that_lasts_to_new_ones():
    """Two sounds of three states; a new one costs more than a poor frame."""
    scores = np.full((6, 6), -5.0, dtype=np.float32)
    scores[:, 2] = -1.0
    scores[[0, 1], [0, 1]] = 0.0
    scores[3, 3] = -0.5
    assert spoken.free_path(scores, 10.0).tolist() == [0.0, 0.0, -1.0, -1.0, -1.0, -1.0]
