"""The numbers that decide: what is accepted, what is refused, which model is taken. Each with what is known of it.

A number that only lays things out (a hop, a window, the size of a block) stands where it is used, with its unit.
``right`` is the worst value of a pair that belongs together, ``wrong`` the best one of a pair that does not,
``n_right`` and ``n_wrong`` say of how many, ``script`` names what derives them anew from recordings. None: no such
figure is known.
tests/aligners/core/test_limits.py moves each by a quarter, and watches what is decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limit:
    """A deciding number with its evidence; see the module."""

    value: float
    right: float | None = None
    wrong: float | None = None
    n_right: int | None = None
    n_wrong: int | None = None
    script: str | None = None


@dataclass(frozen=True)
class Weights:
    """``log odds = at_zero + sum of weight * evidence`` that a map is right; evidence outside of ``ranges`` counts as
    their end. ``at_most``: the highest probability, as some maps of pairs that belong together are wrong in part."""

    at_zero: float
    by_name: dict[str, float]
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    at_most: float = 1.0


# How likely a map of each decision is right, by its evidence: what that is stands where it is gathered. Chosen on
# choose of the corpus (224 right pairs, 120 strangers); MATCH, "text", "cues" and "movement" looked at check, too (192
# and 120). ``tests/benchmarks/corpus/odds.py`` derives the evidence anew.
WEIGHTS = {
    # Logistic regression on 84 right lines and 79 strangers; lowered by 0.15 for two bars of one song (last).
    "line": Weights(-4.75, {"ahead": 2.36, "heard": 2.92, "share": 1.1, "torn": -4.0}, {"ahead": (0.0, 3.5)}, 0.995),
    # Where short windows do not hold it: so a line crosses a warp. Movements by their strength are noisy, and pass.
    "line in doubt": Weights(-7.7, {"ahead": 4.0, "share": 3.5}, {"ahead": (0.0, 2.2)}),
    "line of frames": Weights(-7.2, {"ahead": 4.0, "share": 5.0}, {"ahead": (0.0, 3.0)}),
    # Strangers' pitch classes lie about 0.98 with a deviation of 0.045, their spectra about 0.95 with 0.07: what counts
    # is how far below that a pair lies, and only so far. Of scores some maps are wrong in part.
    "warp": Weights(
        33.4,
        {"spectra": -10.0, "pitches": -30.0, "steady": -25.0, "copied": -5.0},
        {"spectra": (0.45, 1.2), "pitches": (0.7, 1.2)},
        0.95,
    ),
    # Of 60 scores, covers and renditions (choose, check and last) those right in part agree by 0.71 to 0.92, of 43
    # right ones 38 by 0.95 and more; two halves of one song gain 1.3 with an agreement of 0.93. In sample.
    "sections": Weights(
        -41.2,
        {"gain": 2.5, "agree": 40.0, "elsewhere": 1.5, "steady": -25.0, "copied": -5.0},
        {"gain": (0.0, 1.6), "elsewhere": (0.0, 0.6)},
        0.96,
    ),
    # Said right 0.33 to 0.83 of 24 (choose, check), strangers who speak 0.88 and more of 38; of those that came later
    # (last, last2, last3) 27 of 30 right ones 0.82 and less, 48 of 49 strangers 0.88 and more. Where spectra warp as
    # well, the more. The surest stranger of these gets 0.72, no match.
    "voices": Weights(
        54.6,
        {"said": -55.0, "spectra": -8.0, "steady": -70.0, "copied": -40.0},
        {"said": (0.5, 1.2), "spectra": (0.45, 1.2)},
        0.98,
    ),
    "frames": Weights(16.0, {"ratio": -32.0}),  # right 0.43 at most of 16, strangers 0.77 at least of 12
    # How much better the words fit than backwards, and how well at all, nats a frame.
    "text": Weights(3.0, {"gain": 15.0, "forwards": 2.0}, {"gain": (-1.0, 1.0), "forwards": (-4.0, -2.2)}, 0.96),
    # Ahead 1.2 to 5.4 of 9 right pairs, 0.8 at most of 11 strangers and 2.0 of one; no stranger's line agrees.
    "movement": Weights(-6.0, {"z": 0.5, "ahead": 2.6, "agrees": 3.2}, {}, 0.97),
    "line and warp": Weights(0.0, {"line": 1.0, "warp": 1.0}, {"line": (-3.0, 3.0), "warp": (-3.0, 3.0)}),
    "two kinds": Weights(40.0, {"ratio": -210.0}),
    # Pieces beyond the first: strangers find some, too. A rate that is neither 1 nor has a name speaks against cues.
    # Logistic regression on choose (63 right, 25 strangers) and the captions of check2 (10 right maps, 17 wrong, 18
    # strangers): right ones are ahead by 2 to 20 and more, strangers by 7.4 at most. A jump is worth 5 nats: right ones
    # with one or two are ahead by 13 and 27 at least, strangers by 10 with one, by 22 with four (bench_refusal).
    "cues": Weights(
        -4.8,
        {"ahead": 0.62, "simple": 1.4, "jumps": -3.1},
        {"ahead": (0.0, 40.0), "jumps": (0.0, 8.0)},
        0.98,
    ),
}

# Whether two recordings or two sets of frames belong together (methods/auto, warp). The statistic is that of
# core/shuffle_test: the warped cost over that of a shuffled query, near 1 for strangers.

MATCH = Limit(0.8)  # probability from which a map is given as a match; the odds stand in core/odds
NO = Limit(0.15)  # probability below which a pair is no match; between the two it is unsure
# Columns from which frames are also judged by their shape, half a second together, by their cosine: in features of
# re-timed speech, music and film a few large columns hide the rest. Narrower ones turn onto each other too easily.
WIDE = Limit(8)
SAME = Limit(0.55)  # the statistic of the spectra alone, up to which a pair is one recording twice, not two renditions
# Of the coarse cost in the given keys, below which another key is taken (choose of the corpus; one cover of four lies
# above, its keys are not heard).
ANOTHER_KEY = Limit(0.65, right=0.53, wrong=0.70, n_right=4, n_wrong=12)
MAY_REPEAT = Limit(0.8)  # of the shuffled cost, below which a query is also tried with its halves exchanged
# Cosine distance a frame of a shuffled query, below which the order of the frames says less and less: steady tones come
# to 0.05, the least of speech and music to 0.43 (choose of the corpus).
LEAST_NULL = Limit(0.4, right=0.43, wrong=0.15, n_right=40, n_wrong=4)
# Share of the pitch classes that is not their mean: of music and speech 0.05 and more, of tones and hiss 0.007 at most.
PITCHES_VARIED = Limit(0.02, right=0.05, wrong=0.007, n_right=60, n_wrong=8)
SECTIONS_GAIN = Limit(3.3)  # times the gain of a shuffled query, from which sections decide over the whole
JUMP_S = Limit(3.0)  # of frames that belong together, that leaving out what lies at an end of a rendition costs
# The same between two sections. More than at an end: where a section comes twice, an excerpt that begins with it would
# else as soon be drawn to the first and jump as begin at the second and play on.
JUMP_INSIDE_S = Limit(6.0)
SECTION_S = Limit(3.0)  # of both sides: what is shorter is no section
VOICES_SHORTEST_S = Limit(2.0)  # a sentence; shorter ones have no order to be told
# Share of the sounds heard that is not their mean: of speech 0.48 and more, of tones, clicks and hiss 0.21 and less.
VARIED = Limit(0.3, right=0.48, wrong=0.21, n_right=4, n_wrong=6)
VOICES_LONGEST_S = Limit(300.0)  # it takes 3 s of CPU a minute
PART = Limit(0.7)  # a side shorter than this share of the other may be a part of it: the longer one's ends are open
PACE = Limit(0.3)  # or the whole of it at another pace, as scores often are, unless it is shorter than this share

# An offset, a rate, or lines with breaks (linear).

# Standard deviations that the frames are ahead of all other places, from which the phase of the sound is not asked.
CLEAR_AHEAD = Limit(10.0)
UNEXPLAINED = Limit(6.0)  # nats that a stretch speaks against its place before another is looked for
BEYOND_CHANCE = Limit(8.0)  # nats above the logarithm of the number of places, from which a stretch is moved
SHORTEST_S = Limit(1.5)  # of a piece that is found by its frames
LEAST_MOVE_S = Limit(0.03)  # frames tell no smaller difference of lags
END_SAME_S = Limit(0.002)  # lags at an end of a piece, of short windows by phase, that are one piece
END_OTHER_S = Limit(0.004)  # that are two
END_Z = Limit(7.0, wrong=5.0)  # phase peaks of those short windows that count
END_FEWEST = Limit(2)  # of them on either side
# Mean correlation of the windows of a line that is no better than elsewhere, from which its material is steady: tones,
# hum and loops 0.39 and more, speech and music that agree by chance 0.28 and less; words said at an even pace 0.46.
STEADY_FITS = Limit(0.33, right=0.28, wrong=0.39, n_right=20, n_wrong=11, script="tests/benchmarks/corpus/odds.py")
ENOUGH = Limit(0.6)  # share of the windows that count which must agree
# Of the shorter side that lines with breaks must cover; less is seconds of it that stand in another order elsewhere.
WHOLE = Limit(0.6, right=0.65, wrong=0.55, n_right=28, n_wrong=1)
# Of the windows that are clearly heard, near pieces and not on them: the recording is warped. Chosen on 14 recordings
# in pieces and 11 at a wandering pace; on 12 and 9 of other sources 0 and at least 0.08 as well.
ASTRAY = Limit(0.06, right=0.0, wrong=0.08, n_right=14, n_wrong=11, script="tests/benchmarks/corpus/run.py")
CLEAR = Limit(0.9)  # with this share under one line, breaks are not looked for
POINTS = Limit(0.1)  # a simpler model may explain this much less
BREAKS_AHEAD = Limit(0.02)  # by which breaks must explain more under another rate or slope than under the first
EVEN = Limit(0.8)  # a break whose shorter side is this share of the longer replaces one stretch by another
LONGER = Limit(1.2)  # a query this much longer than the reference is the one that is searched
FEWEST = Limit(3)  # windows that must agree by phase
CLEAR_Z = Limit(8.0, wrong=6.0)  # median phase peak of those
SHARP_Z = Limit(6.0, wrong=5.0)  # phase peaks below this happen between unrelated signals (4 to 5 is usual there)
SHARP_SHARE = Limit(0.3)  # of the windows whose phase peak stands out, from which lags are measured by phase
SURE = Limit(4.0)  # standard deviations of a slope that is not chance: there are as few as three windows
# Of the strongest arrival of a room or a codec, that another needs for the map to lie there as well: where the
# strongest was not the moment itself, that had 0.62 of it and more; of rooms whose strongest is, others 0.57 at most.
ARRIVAL = Limit(0.6, right=0.62, wrong=0.57, n_right=6, n_wrong=14, script="tests/benchmarks/corpus/run.py")
NAMES_APART = Limit(960e-6)  # 24/25 and 23.976/25: nearer than half of it, one is meant
NAMED_WORSE = Limit(1.5)  # times the usual error of the free rate, up to which that of a named rate may be
AMBIGUOUS = Limit(0.9)  # of the windows fit nearly as well by one other lag: the map may lie there instead
NEARLY = Limit(0.95)  # of the correlation at the chosen place, at another one that fits nearly as well
ELSEWHERE_S = Limit(0.5)  # another place lies further away than this
ALIKE_S = Limit(0.08)  # one other place for all windows within that
JUMP_PRICE = Limit(0.5)  # of correlation, that a change of lag from window to window costs
# Of the short windows, that must fit best where the line puts them. On lines through six kinds of features of speech,
# music and a film (offsets in noise, rates, smooth warps); three right ones of noisy onsets lie below.
SHORT_ENOUGH = Limit(0.7, right=0.77, wrong=0.69, n_right=110, n_wrong=28)
SHORT_FEWEST = Limit(3)  # short windows, below which nothing is said
SHORT_QUIET = Limit(0.1)  # of the mean energy: a window in which less happens fits anywhere
RATE_ENOUGH = Limit(0.6)  # of the windows must agree with a line before other rates are not tried
UNSETTLED = Limit(0.002)  # a slope still as steep as this was not followed to its end
GROUP_FEWEST = Limit(3)  # windows that make a group between breaks
GROUP_SHARP_S = Limit(0.003)  # how far its windows differ by phase: a re-timed copy drifts through more
GROUP_SCORE = Limit(0.3)  # correlation from which a window of frames is trusted for a group
PARTNER = Limit(0.3)  # of the way from no agreement to full agreement, above which a frame has its partner
EVEN_S = Limit(0.08)  # a stretch without partner on both sides at once must be longer than this to be believed

# A film without sound (methods/motion): no film with a known truth was measured but made ones.

MOTION_Z = Limit(6.0)  # deviations of the shuffled films' best correlations above their mean
MOTION_RIVAL = Limit(0.85)  # another place that is so nearly as good makes the answer ambiguous
MOTION_NEAR_S = Limit(0.3)  # lags closer than this are one place
MOTION_SHARED = Limit(0.5)  # of the shorter side, and
MOTION_SHARED_S = Limit(8.0)  # seconds: less than this in common is no evidence
MOTION_NAMED = Limit(1.02)  # times the correlation at rate 1, from which a named rate is taken

# Subtitles (subtitles/curve, subtitles/jumps). Whether they fit stands in core/odds; what follows makes the map.

FEWEST_CUES = Limit(5)
CUES_UNDER_A_SIGN = Limit(3)  # cues that begin while one lasts, above which that is a sign over the picture
CUES_CLEAR = Limit(60.0)  # nats for one offset, from which a cut is not looked for by jumps
CUES_GAIN = Limit(0.45)  # what a cue has in common with the activity at its place; 0.24 to 0.63 of 22 right pairs
CUES_JUMP = Limit(3.0)  # nats that a change of offset costs beyond the logarithm of the number of offsets
CUES_MOVED = Limit(3.0)  # nats beyond chance, from which cues belong elsewhere: few have no partner at all
CUES_OF_A_PIECE = Limit(3)  # cues that are moved together
CUES_ONE_LAG_S = Limit(0.5)  # lags of neighbouring pieces nearer than this are one, set by hand
CUES_APART_S = Limit(0.1)  # starts and ends whose lags differ by more say different things
CUES_SIMPLER = Limit(3.0)  # nats, by which a rate that is neither 1 nor has a name must be better
# Nats by their edges, that a named rate must be likelier than 1. Of subtitles at rate 1 a named one was ahead by 9.0 at
# most, the next by 5.6: choose of the corpus, as they are and with starts and ends off by up to 0.05 to 0.4 s and a
# seventh of the cues left out. On check by 8.9 of 165. A right one is ahead by dozens past some minutes.
CUES_NAMED = Limit(10.0, wrong=9.0, n_wrong=167, script="tests/benchmarks/corpus/hands.py")
# The same of any other rate than 1 and the named ones, over the best of those: never less than the former, as the rates
# beside a named one say nearly as much. On check 2.9 at most of 207.
CUES_FREE = Limit(11.0, wrong=8.7, n_wrong=209, script="tests/benchmarks/corpus/hands.py")
SPEECH = Limit(0.4)  # of the way from floor to ceiling: what is louder is speech
SPEECH_DB = Limit(12.0)  # between floor and ceiling: less is noise that comes and goes

# A text. On 15 recordings (people, voices of espeak-ng, four in noise), with each line taken out of the text in turn:
# of 2,476 lines 9 moved by more than 0.3 s, by at most 1.2 s. Of 170 strange lines put in none was taken for spoken.

FILLER = Limit(2.5)  # nats a frame of speech that is not in the text
FILLER_FOREIGN = Limit(3.5)  # the same in other languages, whose sounds fit worse
FILLER_BEGIN = Limit(30.0)  # nats, of beginning such speech
SKIP = Limit(60.0)  # nats, of leaving out a phrase that nobody speaks
SKIP_MORE = Limit(0.5)  # nats, of each phrase left out after it
POOR = Limit(-1.6)  # mean ratio, below which the model hardly knows a voice: its words are placed as foreign ones are
TRUSTED = Limit(400.0, wrong=150.0)  # nats by which a run of phrases beats a filler, for a window to end with it
LIKELY = Limit(0.5)  # nats a frame by which a word does, to be kept in a window without such a run
# Share of the words that the English dictionary lacks, from which a text is not taken for English. Of English texts 0
# to 0.09 were lacking, of others 0.44 to 1: they share short words and names.
STRANGE = Limit(0.5, right=0.09, wrong=0.44)
STRANGE_WORDS = Limit(5)  # fewer say nothing
COMMON_AHEAD = Limit(0.1)  # share of its commonest words by which another language must be ahead of English,
LACKING = Limit(0.15)  # and of words that the English dictionary lacks,
MARKED = Limit(0.05)  # or of words with other letters than English has
# Edges of words, chosen on spoken digits (24 rows of six) and voices of espeak-ng, whose words are known.
QUIET = Limit(0.25)  # of the way from floor to ceiling: what is softer at the edge of a word is not the word
PAUSE_S = Limit(0.08)  # shorter quiet between two words is the closure of a stop
WORD_S = Limit(0.03)  # less of a word is not left

# Many recordings on one clock (many). In sample: clips of prompts in English and French, noise to 6 dB above the
# sound. On others (Italian, Spanish, hold music) 25 of 26 pairs within 0.1 ms; one lay a bar of 16 s off. On 40 clips
# of ten minutes of talk (French, Russian, Italian, Czech, Dutch; seed 11) all 36 pairs that share 20 s within 0.1 ms,
# three scenes apart, none of eight strangers and silences joined, no wrong pair; worst share of a right one 0.62.

MANY_Z = Limit(5.0)  # deviations of a pair's places, from which one is looked at closely
MANY_FEWEST = Limit(4)  # windows whose phase must agree near a place
MANY_SHARE = Limit(0.45, right=0.62, wrong=0.29, n_right=86, n_wrong=2, script="tests/benchmarks/bench_many.py")
MANY_LOOP_S = Limit(0.05)  # that a pair may lie off what all others say: a way of 17 m through the air

# A stream that is followed (live). The mean distance of six seconds, loud frames counting most, over that of strangers,
# ten seconds on. In sample: the recordings chose the weights too. Five pieces, clean and with noise 10 dB below. On
# five others, which chose nothing, means of 20 s were 0.56 at most and 0.70 at least: none of 10 refused, none of 33
# accepted.

LIVE_STRANGE = Limit(0.62, right=0.49, wrong=0.68, n_right=10, n_wrong=31, script="tests/benchmarks/bench_live.py")
LIVE_PROVEN = Limit(0.55)  # below it the stream is of this reference, and noise in it is a pause

# A file on another clock (output/stretch).

DRIFT = Limit(0.003)  # a rate nearer to 1 is the drift of a clock: resampling shifts pitch by 5 cents at most
