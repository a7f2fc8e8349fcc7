"""Which words are spoken when: the best way of a chain of words through a recording, by sounds and their states.

Every word is a run of states, each of which may last; between words there may be silence. Between phrases there may
also be a filler, which costs the same every frame: speech that is not in the text. A phrase may be left out for a
price: text that is not spoken. The search is exhaustive (Viterbi, no beam), so that its end is always reached; the
caller keeps it small by windows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.kernels import jit

STATES = 3  # of a sound
NOWHERE = -1e30
SILENCE, FILLER = -1, -2  # what a frame of a path is where it is no state

Scores = NDArray[np.float32]
Index = NDArray[np.int64]


class Prices(NamedTuple):
    """In nats: of a frame of filler, of beginning one, of leaving out a phrase, of each phrase left out after it."""

    filler: float
    begin: float
    skip: float
    more: float


def free_path(scores: Scores, price: float) -> Scores:
    """The log-likelihood of every frame along the best sequence of sounds, whatever they are, float32 (frames,).

    ``scores`` (frames, 3 * sounds): log-likelihoods of the states; ``price``: of each new sound, in nats.

    >>> free_path(np.log(np.eye(3) * 0.5 + 0.5), 1.0).tolist()
    [0.0, 0.0, 0.0]
    """
    best: Scores = (jit.compiled(_free_path) or _free_path)(np.ascontiguousarray(scores, dtype=np.float32), price)
    return best


def search(
    ratios: Scores, silence: Scores, columns: Index, words: Index, phrases: Index, prices: Prices, *, open_end: bool
) -> tuple[NDArray[np.int32], float]:
    """What every frame is: a state of the chain (0 or more), SILENCE or FILLER; int32 (frames,). And the total, nats.

    ``ratios`` (frames, columns): how much worse each state is than the best sound; ``silence`` (frames,) the same for
    silence; ``columns`` (states,): which column a state of the chain is; ``words`` (W + 1,): the first states of the
    words and the number of states; ``phrases`` (P + 1,): the first words of the phrases and W. With ``open_end`` the
    recording may end anywhere in the text. The total is below -1e29 where no way leads to the end.

    >>> ratios = np.full((4, 3), -9.0, dtype=np.float32)
    >>> ratios[[0, 1, 2], [0, 1, 2]] = 0.0
    >>> chain = np.arange(3), np.array([0, 3]), np.array([0, 1])
    >>> still = np.array([-9, -9, -9, 0], dtype=np.float32)
    >>> search(ratios, still, *chain, Prices(2.5, 30.0, 60.0, 0.5), open_end=False)[0].tolist()
    [0, 1, 2, -1]
    """
    kernel = jit.compiled(_search) or _search
    path, total = kernel(ratios, silence, columns, words, phrases, *prices, open_end)
    return path, float(total)


def _free_path(scores: Any, price: float) -> Any:
    frames, states = scores.shape
    value = np.full(states, -1e30)
    back = np.zeros((frames, states), np.int16)
    best, last = 0.0, -1
    for t in range(frames):
        new = np.empty(states)
        for s in range(states):
            a, source = value[s], s
            if s % 3 == 0:
                if best - price > a:
                    a, source = best - price, last
            elif value[s - 1] > a:
                a, source = value[s - 1], s - 1
            new[s] = a + scores[t, s]
            back[t, s] = source
        value = new
        best = -1e30
        for s in range(2, states, 3):
            if value[s] > best:
                best, last = value[s], s
    out = np.zeros(frames, np.float32)
    s = last
    for t in range(frames - 1, -1, -1):
        out[t] = scores[t, s]
        s = back[t, s]
        if s < 0:
            break
    return out


def _search(
    ratios: Any,
    silence: Any,
    columns: Any,
    words: Any,
    phrases: Any,
    filler: float,
    begin: float,
    skip: float,
    more: float,
    open_end: bool,
) -> Any:
    frames, states, n_words, n_phrases = len(ratios), len(columns), len(words) - 1, len(phrases) - 1
    state = np.full(states, -1e30)
    pause = np.full(n_words + 1, -1e30)  # the silence before each word
    other = np.full(n_phrases + 1, -1e30)  # the filler before each phrase
    # Where each value came from. States: 0 stayed, 1 from the state before, 2 from the pause, 3 from the node.
    from_state = np.zeros((frames, states), np.uint8)
    from_pause = np.zeros((frames, n_words + 1), np.uint8)
    from_other = np.zeros((frames, n_phrases + 1), np.uint8)
    # Nodes stand between phrases: reached from 0 the word before, 1 the pause, 2 the filler, 3 by leaving phrases out.
    node = np.full(n_phrases + 1, -1e30)
    from_node = np.zeros((frames + 1, n_phrases + 1), np.uint8)
    further = np.zeros((frames + 1, n_phrases + 1), np.uint8)
    phrase_at = np.full(n_words + 1, -1, np.int64)
    for p in range(n_phrases + 1):
        phrase_at[phrases[p]] = p
    for t in range(frames + 1):
        left_out = -1e30
        for p in range(n_phrases + 1):
            w = phrases[p]
            a, code = -1e30, 0
            if t == 0:
                if p == 0:
                    a = 0.0
            else:
                if w > 0:
                    a = state[words[w] - 1]
                if pause[w] > a:
                    a, code = pause[w], 1
                if other[p] > a:
                    a, code = other[p], 2
            if p > 0:
                if node[p - 1] - skip >= left_out - more:
                    left_out = node[p - 1] - skip
                else:
                    left_out -= more
                    further[t, p] = 1
                if left_out > a:
                    a, code = left_out, 3
            node[p] = a
            from_node[t, p] = code
        if t == frames:
            break
        for p in range(n_phrases + 1):
            if node[p] - begin > other[p]:
                other[p] = node[p] - begin
                from_other[t, p] = 1
            other[p] -= filler
        for w in range(n_words, -1, -1):  # from the last on, so that what stands before is still of the frame before
            p = phrase_at[w]
            before = -1e30
            if p >= 0:
                before = node[p]
            elif w > 0:
                before = state[words[w] - 1]
            if w < n_words:
                first = words[w]
                for s in range(words[w + 1] - 1, first, -1):
                    if state[s - 1] > state[s]:
                        state[s] = state[s - 1]
                        from_state[t, s] = 1
                    state[s] += ratios[t, columns[s]]
                a, code = state[first], 0
                if p >= 0:
                    if before > a:
                        a, code = before, 3
                else:
                    if before > a:
                        a, code = before, 1
                    if pause[w] > a:
                        a, code = pause[w], 2
                state[first] = a + ratios[t, columns[first]]
                from_state[t, first] = code
            if before > pause[w]:
                pause[w] = before
                from_pause[t, w] = 1
            pause[w] += silence[t]
    kind, at, total = 0, n_phrases, node[n_phrases]  # kinds: 0 node, 1 state, 2 pause, 3 filler
    if open_end:
        for p in range(n_phrases + 1):
            if node[p] > total:
                kind, at, total = 0, p, node[p]
        for s in range(states):
            if state[s] > total:
                kind, at, total = 1, s, state[s]
        for w in range(n_words + 1):
            if pause[w] > total:
                kind, at, total = 2, w, pause[w]
    path = np.full(frames, -2, np.int32)
    t = frames
    if total < -1e29:
        return path, total
    while t > 0:
        if kind == 0:
            code = from_node[t, at]
            if code == 3:
                while further[t, at] == 1:
                    at -= 1
                at -= 1
            elif code == 0:
                kind, at = 1, words[phrases[at]] - 1
            elif code == 1:
                kind, at = 2, phrases[at]
            else:
                kind = 3
            continue
        t -= 1
        if kind == 1:
            path[t] = at
            code = from_state[t, at]
            if code == 1:
                at -= 1
            elif code >= 2:
                w = int(np.searchsorted(words, at))
                if code == 2:
                    kind, at = 2, w
                else:
                    kind, at = 0, phrase_at[w]
        elif kind == 2:
            path[t] = -1
            if from_pause[t, at] == 1:
                if phrase_at[at] >= 0:
                    kind, at = 0, phrase_at[at]
                else:
                    kind, at = 1, words[at] - 1
        else:
            path[t] = -2
            if from_other[t, at] == 1:
                kind = 0
    return path, total
