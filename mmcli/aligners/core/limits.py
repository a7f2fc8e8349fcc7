"""The numbers that decide: what is accepted, what is refused, which model is taken. Each with what is known of it.

A number that only lays things out (a hop, a window, the size of a block) stands where it is used, with its unit.
``right`` is the worst value of a pair that belongs together, ``wrong`` the best one of a pair that does not,
``n_right`` and ``n_wrong`` say of how many, ``script`` names what derives them anew from recordings. None: no such
figure is known.
tests/aligners/core/test_limits.py moves each by a quarter, and watches what is decided.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A deciding number with its evidence; see the module."""

    value: float
    right: float | None = None
    wrong: float | None = None
    n_right: int | None = None
    n_wrong: int | None = None
    script: str | None = None


# Whether two recordings or two sets of frames belong together (methods/auto, warp). The statistic is that of
# core/shuffle_test: the warped cost over that of a shuffled query, near 1 for strangers.

# Of sound, the geometric mean of the ratios of spectra and of pitch classes. On pairs made for the purpose (copies and
# renditions of others than tests/benchmarks/bench_refusal.py counts); the smaller ratio alone let one piece backwards
# pass.
SOUND = Limit(0.79, right=0.73, wrong=0.85, n_right=56, n_wrong=270)
# Of features and series. Only other sources were measured, not other classes. By the shape of their frames mfcc,
# logmel and chroma lay at 0.35 and less; spectral features and spiky series lay up to 0.50, and are refused still.
FRAMES = Limit(0.40, right=0.35, wrong=0.63)
# Columns from which frames are also judged by their shape, half a second together, by their cosine: in features of
# re-timed speech, music and film a few large columns hide the rest. Narrower ones turn onto each other too easily.
WIDE = Limit(8)
SAME = Limit(0.55)  # the statistic of the spectra alone, up to which a pair is one recording twice, not two renditions
# In the space that two kinds of features share. Strangers were made, 3 to 13 swings long; nothing else was measured.
TWO_KINDS = Limit(0.18, wrong=0.19, n_wrong=300)
# What is said, by the sounds of speech: people and voices of espeak-ng reading out digits, pieces of music, texts, and
# all of them backwards, of 8 s and more. Of 37 right pairs 5 lie above the limit.
VOICES = Limit(0.86, wrong=0.90, n_right=37, n_wrong=143)
VOICES_SHORTEST_S = Limit(8.0)  # shorter ones overlap
VOICES_LONGEST_S = Limit(300.0)  # it takes 3 s of CPU a minute
PART = Limit(0.7)  # a side shorter than this share of the other may be a part of it: the longer one's ends are open
PACE = Limit(0.3)  # or the whole of it at another pace, as scores often are, unless it is shorter than this share

# An offset, a rate, or lines with breaks (linear).

ENOUGH = Limit(0.6)  # share of the windows that count which must agree
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

# Subtitles. On programmes of espeak-ng voices with cues set by hand, thinned, joined or held on. The statistic: by how
# many standard deviations their agreement lies above that of the same cues in other orders.

FEWEST_CUES = Limit(5)
CUES_JUMPING = Limit(3.1, right=3.9, wrong=2.4, n_right=48, n_wrong=168)  # with jumps; 46 of the 48 reached 3.9
CUES_STILL = Limit(
    4.4, right=4.6, wrong=4.3, n_right=154, n_wrong=168
)  # under one offset; 153 of 154; wrong: 3.6 but one
LEAST_SPREAD = Limit(0.005)  # of the length of all cues, below which chance results are not taken to differ
JUMP_S = Limit(8.0)  # seconds of agreement that a jump costs
LONG_CUE_S = Limit(9.0)  # of a longer cue only its first and last part count: a break can fall inside
SIMPLE_RATE = Limit(0.985)  # a rate of 1 is kept where it reaches this share of the best score
BY_HAND_S = Limit(0.05)  # usual error of the edges above which they are taken for set by hand
SETTLED_S = Limit(0.1)  # from end to end, by which a rate may lie beside 1 or a named one that it is taken for
SETTLED_WORSE = Limit(1.15)  # times the usual error of the free rate, up to which theirs may be
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
# Nats a frame by which the words fit better than the same words backwards: texts that were read (half of the text
# missing, a voice that the model hardly knows; 1.7 in the middle), other texts. Of other languages Bulgarian was
# lowest, below the limit; all others reached 0.63.
GAIN = Limit(0.3, right=0.40, wrong=0.13)
GAIN_FOREIGN = Limit(0.45, right=0.32, wrong=0.36)
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

# A stream that is followed (live). The mean distance of six seconds, loud frames counting most, over that of strangers,
# ten seconds on. In sample: the recordings chose the weights too. Five pieces, clean and with noise 10 dB below. On
# five others, which chose nothing, means of 20 s were 0.56 at most and 0.70 at least: none of 10 refused, none of 33
# accepted.

LIVE_STRANGE = Limit(0.62, right=0.49, wrong=0.68, n_right=10, n_wrong=31, script="tests/benchmarks/bench_live.py")
LIVE_PROVEN = Limit(0.55)  # below it the stream is of this reference, and noise in it is a pause

# A file on another clock (output/stretch).

DRIFT = Limit(0.003)  # a rate nearer to 1 is the drift of a clock: resampling shifts pitch by 5 cents at most
