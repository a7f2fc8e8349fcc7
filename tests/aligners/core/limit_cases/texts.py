"""Words of three states in recordings of nothing else, and where they begin and end."""

import numpy as np

from mmcli.aligners.kernels import spoken
from mmcli.aligners.speech import edges, language, phones, transcript
from tests.aligners.core.limit_cases.case import near, verdict


def heard(cost: float, frames: int, foreign: bool = False) -> tuple[list[int], bool]:
    """Which of three words are spoken, and whether there is other speech, by the best way: the middle one takes so many
    frames, in which its states fit so many nats worse than the best sound."""
    ratios = np.full((18 + frames, 9), -200.0, np.float32)
    ratios[:9, :3] = ratios[9 + frames :, 6:] = 0.0
    ratios[9 : 9 + frames, 3:6] = -cost
    path = best_way(ratios, foreign)
    return sorted({int(state) // 3 for state in path if state >= 0}), bool(np.any(path == spoken.FILLER))


def best_way(ratios: np.ndarray, foreign: bool = False) -> np.ndarray:
    """What every frame is, where words of three states are a phrase each."""
    states = ratios.shape[1]
    chain = np.arange(states), np.arange(0, states + 1, 3), np.arange(states // 3 + 1)
    silence = np.full(len(ratios), -200.0, np.float32)
    return spoken.search(ratios, silence, *chain, transcript.prices(foreign=foreign), open_end=False)[0]


near("FILLER", lambda cost: heard(cost, 400)[1], 2.5, 2.65)
near("FILLER_FOREIGN", lambda cost: heard(cost, 400, True)[1], 3.5, 3.65)
near("FILLER_BEGIN", lambda cost: heard(cost, 20)[1], 4.0, 4.5)
near("SKIP", lambda cost: heard(cost, 20)[0], 21.0, 24.0, ([0, 1, 2], [0, 2]))
near("POOR", transcript.is_poor, -1.8, -1.4, (True, False))
near("LIKELY", lambda fit: transcript.is_likely(fit, spoken.Prices(2.5, 30.0, 60.0, 0.5)), -2.1, -1.9)


def trusted(gain: float) -> int | None:
    """Whether a window ends with a run of a phrase that is so much better than a filler."""
    window = transcript._Window(np.zeros(200, np.int32), [(0, 100, gain / 100 - 2.5)], np.zeros(3))
    return transcript._trusted(window, np.array([0, 1]), 190, 2.5)


near("TRUSTED", trusted, 350.0, 450.0, (None, 1))


def skipped(cost: float) -> list[int]:
    """Of four words, two in the middle are left out together, or the second of them only."""
    ratios = np.full((21, 12), -200.0, np.float32)
    ratios[:9, :3] = ratios[12:, 9:] = 0.0
    ratios[9:12, 6:9] = -cost / 3
    ratios[9:12, 9:] = 0.0
    return sorted({int(state) // 3 for state in best_way(ratios) if state >= 0})


near("SKIP_MORE", skipped, 0.45, 0.55, ([0, 2, 3], [0, 3]))


def told(german: int, english: int, strange: int, marked: int = 0) -> str:
    """The language of a text of so many words of German, of English, of none, and of German with other letters."""
    known = phones.dictionary()
    own = sorted(w for w in language.COMMON["de"].split() if w not in language.COMMON["en"].split() and w.isascii())
    own = [w for w in own if w in known]
    parts = [(own, german), (sorted(w for w in known if w.isalpha())[5000:], english), (["xqzvk"], strange)]
    text = " ".join(w for words, n in parts for w in [words[k % len(words)] for k in range(n)])
    return verdict(lambda: language.detect(f"{text} {' '.join(['für'] * marked)}", "a.txt"))


near("STRANGE", lambda n: told(0, 100 - n, n), 45, 55, ("en", "refused"))
near("STRANGE_WORDS", lambda n: told(0, 0, n), 4, 5, ("en", "refused"))
near("COMMON_AHEAD", lambda n: told(n, 80 - n, 20), 9, 11, ("en", "de"))
near("LACKING", lambda n: told(60, 40 - n, n), 13, 17, ("en", "de"))
near("MARKED", lambda n: told(600, 400 - n, 0, n), 45, 55, ("en", "de"))


def drawn(level: float, *, quiet: int = 0, loud: int = 40) -> list[tuple[float, float]]:
    """A word of 0.5 s at a level of the way from floor to ceiling for its first part, and after ``quiet`` another."""
    out = np.full(600, 0.0)
    out[100:300] = 100.0  # so that there is a ceiling
    out[340:400] = 100.0 * level
    out[400 : 400 + loud] = 100.0
    return edges.drawn_in([(0.5, 1.5), (1.7, 2.2)], out)


near("QUIET", lambda level: drawn(level)[1][0], 0.22, 0.28, (1.9, 1.7))


def closure(quiet: int) -> float:
    """Where a word ends that so many steps of 5 ms of quiet part from the next."""
    out = np.full(600, 0.0)
    out[100:300] = 100.0
    out[300 + quiet : 500] = 100.0
    return edges.drawn_in([(0.5, 1.5 + quiet * 0.0025), (1.5 + quiet * 0.0025, 2.5)], out)[0][1]


near("PAUSE_S", lambda quiet: closure(quiet) == 1.5, 14, 18)


def left(loud: int) -> float:
    """Where a word of 0.3 s begins of which so many steps of 5 ms are loud."""
    out = np.full(600, 0.0)
    out[100:300] = 100.0
    out[430 : 430 + loud] = 100.0
    return edges.drawn_in([(2.1, 2.4)], out)[0][0]


near("WORD_S", left, 5, 7, (2.1, 2.15))
