"""How a text in another language is spoken: espeak-ng says the sounds, the nearest sounds of English stand for them.

The acoustic model knows English only, yet most sounds of other languages have a neighbour there that is nearer than
any other. espeak-ng is asked for the sounds of each word in the International Phonetic Alphabet, without speaking.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable

from mmcli.aligners.speech.language import named
from mmcli.aligners.speech.words import Line, Word
from mmcli.errors import InputError, MissingError, first_line

PROGRAM = "espeak-ng"
TIMEOUT_S = 300.0
# Sounds of the alphabet to ARPAbet, longest first where several letters are one sound.
NEAREST = {
    "tʃ": "CH", "dʒ": "JH", "ts": "T S", "dz": "D Z", "tɕ": "CH", "dʑ": "JH", "pf": "P F",
    "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY", "ɔø": "OY", "ɔʏ": "OY", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW",
    "a": "AA", "ɑ": "AA", "ɐ": "AH", "æ": "AE", "ʌ": "AH", "ɒ": "AO", "ɔ": "AO", "o": "OW", "ə": "AH", "ɚ": "ER",
    "ɜ": "ER", "ɝ": "ER", "ɛ": "EH", "e": "EY", "œ": "ER", "ø": "ER", "ɪ": "IH", "i": "IY", "ɨ": "IH", "y": "UW",
    "ʏ": "IH", "ʊ": "UH", "u": "UW", "ɯ": "UW", "ɤ": "AH", "ɵ": "UH", "ʉ": "UW", "ᵻ": "IH", "ɘ": "AH", "ɞ": "ER",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "q": "K", "c": "K", "ɟ": "G", "ʈ": "T",
    "ɖ": "D", "ʔ": "", "m": "M", "n": "N", "ŋ": "NG", "ɲ": "N Y", "ɳ": "N", "ɱ": "M", "f": "F", "v": "V",
    "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "ʂ": "SH", "ʐ": "ZH", "ɕ": "SH", "ʑ": "ZH",
    "ç": "HH", "ʝ": "Y", "x": "HH", "χ": "HH", "ɣ": "G", "ʁ": "R", "h": "HH", "ɦ": "HH", "ħ": "HH", "ʕ": "",
    "ɸ": "F", "β": "V", "ʋ": "V", "ɹ": "R", "ɾ": "R", "r": "R", "ʀ": "R", "ɻ": "R", "ɽ": "R", "l": "L", "ɫ": "L",
    "ʎ": "L Y", "ɭ": "L", "ɬ": "L", "ɮ": "L", "j": "Y", "w": "W", "ɥ": "W", "ʍ": "W", "ɰ": "W",
}  # fmt: skip
_LONGEST = 2


def lines(text: str, language: str) -> tuple[list[Line], Callable[[str], tuple[str, ...]], list[str]]:
    """The lines of a text and how each of their words is spoken; no word is guessed by letters here.

    Raises MissingError where espeak-ng is not installed, InputError for a language that it does not speak.
    """
    rows = [(raw.strip(), [w for w in raw.split() if any(c.isalnum() for c in w)]) for raw in text.splitlines()]
    rows = [row for row in rows if row[1]]
    sounds = _spoken(list(dict.fromkeys(w for _, words in rows for w in words)), language)
    found = [Line(raw, tuple(Word(w, (w,)) for w in words if sounds[w])) for raw, words in rows]
    return [line for line in found if line.words], lambda w: sounds[w], []


def nearest(alphabet: str) -> tuple[str, ...]:
    """The English sounds next to a word in the International Phonetic Alphabet.

    >>> nearest("klˈaɪ_n_əs"), nearest("mˈɛːdçən")
    (('K', 'L', 'AY', 'N', 'AH', 'S'), ('M', 'EH', 'D', 'HH', 'AH', 'N'))
    """
    letters = [c for c in unicodedata.normalize("NFD", alphabet.replace("ç", "h")) if not unicodedata.combining(c)]
    plain = "".join(letters)
    out: list[str] = []
    at = 0
    while at < len(plain):
        for n in range(_LONGEST, 0, -1):
            if (piece := plain[at : at + n]) in NEAREST and len(piece) == n:
                out += NEAREST[piece].split()
                at += n
                break
        else:
            at += 1  # marks of stress and length, and sounds without a neighbour
    return tuple(out)


def _spoken(words: list[str], language: str) -> dict[str, tuple[str, ...]]:
    """The sounds of words, in one run of the program: a word a line, and a line for each."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise MissingError(
            f"the text is {named(language)}, and {PROGRAM}, which knows how it is spoken, is not installed",
            hint=f"install it (apt-get install {PROGRAM}, brew install {PROGRAM}); for an English text: --language en",
        )
    said = _asked(program, words, language)
    if len(said) != len(words):  # a word that is several sentences, or none, to the program
        said = [" ".join(_asked(program, [w], language)) for w in words]
    return {w: nearest(s) for w, s in zip(words, said, strict=True)}


def _asked(program: str, words: list[str], language: str) -> list[str]:
    text = "\n".join(re.sub(r"[^\w'’$€£%°-]+", "", w) for w in words) + "\n"
    command = [program, "-q", "--ipa", "--sep=_", "-b", "1", "-v", language]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{PROGRAM} failed: {first_line(error)}") from error
    if done.returncode:
        said = first_line(RuntimeError(done.stderr.decode(errors="replace")))
        raise InputError(f"{PROGRAM} does not speak {language!r}: {said}", hint=f"see {PROGRAM} --voices")
    return done.stdout.decode("utf-8", errors="replace").splitlines()
