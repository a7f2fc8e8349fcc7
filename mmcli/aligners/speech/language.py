"""Which language a text is in: by its letters where they are of one script, else by its commonest words; and how it is
spoken in English sounds, which espeak-ng knows."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable

from mmcli.aligners.core import limits
from mmcli.aligners.core.inputs import refusal
from mmcli.aligners.speech import phones
from mmcli.aligners.speech.words import Line, Word, lines
from mmcli.errors import InputError, MissingError, first_line

SAMPLE = 20_000  # characters
# Words that every page of a language holds. Those that two languages share count for both.
COMMON = {
    "en": "the and of to in is it that was he for on with his they at be this have from or had by but not what all "
    "were we when your can said there an which she do how their if will up about out then them so some her would him "
    "has more my than been who its now into thy thou thee",
    "de": "der die das und ist in zu den von mit sich des auf für nicht ein eine als auch es an werden aus er hat dass "
    "sie nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur bis mehr durch man "
    "ich dem ihr ihm wenn was doch",
    "fr": "le la les de des du et est un une en que qui dans pour pas sur il elle au par plus ne se ce sont avec mais "
    "ou comme nous vous je son sa ses cette aux était d'un d'une n'est c'est l'on être tout",
    "es": "el la los las de del y que en un una es por con no para se su al lo como más pero sus le ya o este sí "
    "porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos era",
    "it": "il lo la gli le di del della e che in un una è per con non si da al dei sono come più ma nel anche alla "
    "questo ha io se ci dal loro era delle ne essere suo tutti dell'",
    "pt": "o a os as de do da dos das e que em um uma é por com não para se na no ao mais como mas foi ele sua ou ser "
    "quando muito há nos já está eu também só pelo pela até isso",
    "nl": "de het een en van ik te dat die in is niet zijn op aan met als voor er maar om hem dan zou of wat mijn "
    "men dit zo door over ze zich bij ook tot je mij uit der daar naar heb hoe heeft hebben werd",
    "sv": "och det att i en jag hon som han på den med var sig för så till är men ett om hade de av icke mig du henne "
    "då sin nu har inte hans honom skulle hennes där min man ej vid kunde från ut när",
    "da": "og det at en den til er som på de med han af for ikke der var mig sig men et har om vi min havde ham hun "
    "nu over da fra du ud sin dem os op man hans hvor eller hvad skal selv her",
    "pl": "i w nie na się z do to że jest o jak a ale po co tak za od jego już był tylko przez dla by może go ich "
    "czy jej ten była był są które",
    "ro": "și în de la cu un o pe nu este că mai din care pentru ce se sunt sau dar ca au lui după fi era al ale unei "
    "unui cel cea prin",
    "ca": "el la els les de del i que en un una és per amb no es al més com però dels seu seva aquest aquesta són "
    "hi ha ser va tot molt quan d'un d'una també",
    "cs": "a v se na je že o s z do i to k ve pro za by ale si po jako podle od jsem tak jeho které byl jsou nebo "
    "už jen být",
    "fi": "ja on ei se että hän oli joka mutta ovat kun niin myös sen hänen ole kuin jos mitä minä tai nyt vain sitä "
    "siitä olen",
    "tr": "ve bir bu da de için ile çok ne o gibi daha ama var kadar sonra ben en olarak değil mi olan ki her",
}
SCRIPTS = {"CYRILLIC": "ru", "GREEK": "el", "HEBREW": "he", "ARABIC": "ar", "DEVANAGARI": "hi", "HANGUL": "ko"} | {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "cmn",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
}
CYRILLIC = (("ў", "be"), ("їєґ", "uk"), ("ђћџљњ", "sr"), ("ыэё", "ru"), ("ъ", "bg"))  # letters that only they have
NAMES = {"de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch"} | {
    "sv": "Swedish",
    "da": "Danish",
    "pl": "Polish",
    "ro": "Romanian",
    "ca": "Catalan",
    "cs": "Czech",
    "fi": "Finnish",
    "tr": "Turkish",
    "ru": "Russian",
    "el": "Greek",
    "bg": "Bulgarian",
    "uk": "Ukrainian",
}


def detect(text: str, name: str) -> str:
    """The language of a text by its code, English where nothing speaks against it.

    Raises MismatchError where most words are not English and no other language is told by them.

    >>> detect("Es war einmal ein kleines Mädchen, das hatte jedermann lieb.", "a.txt")
    'de'
    """
    sample = unicodedata.normalize("NFC", text[:SAMPLE]).lower().replace("’", "'")
    if (script := _script_of(sample)) is not None:
        return next((code for letters, code in CYRILLIC if script == "ru" and set(letters) & set(sample)), script)
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*'?", sample)
    if not words:
        return "en"
    shares = {code: sum(w in common for w in words) / len(words) for code, common in _COMMON.items()}
    known = phones.dictionary()
    plain = [s for line in lines(sample) for w in line.words for s in w.spoken]
    lacking = sum(s not in known for s in plain) / max(len(plain), 1)
    best = max(shares, key=lambda code: (shares[code], code == "en"))
    marked = sum(not w.isascii() for w in words) / len(words)
    if (
        best != "en"
        and shares[best] > shares["en"] + limits.COMMON_AHEAD.value
        and (lacking > limits.LACKING.value or marked > limits.MARKED.value)
    ):
        return best
    if lacking > limits.STRANGE.value and len(plain) >= limits.STRANGE_WORDS.value:
        error = refusal(
            f"{lacking:.0%} of its words are not English, and its language is not known by them",
            name,
            statistic="share of words that the English dictionary lacks",
            value=lacking,
            limit=limits.STRANGE.value,
        )
        error.hint = "name the language for espeak-ng, as in --language cy, or --language en"
        raise error
    return "en"


def named(code: str) -> str:
    """A language for people.

    >>> named("de"), named("cy")
    ('German (de)', 'language cy')
    """
    return f"{NAMES[code]} ({code})" if code in NAMES else f"language {code}"


def _script_of(text: str) -> str | None:
    """The language that stands for a script, where most letters are of one that is not Latin."""
    letters = [c for c in text if c.isalpha()]
    count: dict[str, int] = {}
    for c in letters:
        word = unicodedata.name(c, "").split(" ")[0]
        count[word] = count.get(word, 0) + 1
    script = max(count, key=lambda w: count[w], default="LATIN")
    if script == "CJK" and count.get("HIRAGANA", 0) + count.get("KATAKANA", 0) > 0:
        return "ja"
    return SCRIPTS.get(script)


_COMMON = {code: frozenset(words.split()) for code, words in COMMON.items()}


# How a text in another language is spoken: espeak-ng says the sounds, the nearest sounds of English stand for them.
#
# The acoustic model knows English only, yet most sounds of other languages have a neighbour there that is nearer than
# any other. espeak-ng is asked for the sounds of each word in the International Phonetic Alphabet, without speaking.

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


def lines_in(text: str, language: str) -> tuple[list[Line], Callable[[str], tuple[str, ...]], list[str]]:
    """The lines of a text and how each of their words is spoken; no word is guessed by letters here.

    Raises MissingError where espeak-ng is not installed, InputError for a language that it does not speak.
    """
    rows = [(raw.strip(), [w for w in raw.split() if any(c.isalnum() for c in w)]) for raw in text.splitlines()]
    rows = [row for row in rows if row[1]]
    sounds = _spoken(list(dict.fromkeys(w for _, words in rows for w in words)), language)
    written = [Line(raw, tuple(Word(w, (w,)) for w in words if sounds[w])) for raw, words in rows]
    return [line for line in written if line.words], lambda w: sounds[w], []


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
