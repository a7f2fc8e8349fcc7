"""The words of a transcript as an acoustic model reads them: numbers spelled out, the unknown sounded out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ((1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand"), (100, "hundred"))
MOST_DIGITS = 12
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
SIGNS = {"%": "percent", "&": "and", "$": "dollars", "£": "pounds", "€": "euros"}

# Letters to sounds, longest first; rough, for words that no dictionary has. Names in ARPAbet.
SOUNDS = (
    ("tch", "CH"), ("igh", "AY"), ("eau", "OW"), ("ough", "OW"), ("tion", "SH AH N"), ("sion", "ZH AH N"),
    ("sch", "SH"), ("ch", "CH"), ("sh", "SH"), ("th", "TH"), ("ph", "F"), ("wh", "W"), ("ck", "K"), ("ng", "NG"),
    ("qu", "K W"), ("gh", "G"), ("kn", "N"), ("wr", "R"), ("ee", "IY"), ("ea", "IY"), ("oo", "UW"), ("ou", "AW"),
    ("ow", "OW"), ("oi", "OY"), ("oy", "OY"), ("ai", "EY"), ("ay", "EY"), ("au", "AO"), ("aw", "AO"), ("ie", "IY"),
    ("ei", "EY"), ("ey", "IY"), ("eu", "Y UW"), ("ew", "Y UW"), ("oa", "OW"), ("ar", "AA R"), ("er", "ER"),
    ("ir", "ER"),
    ("ur", "ER"), ("or", "AO R"),
    ("ce", "S EH"), ("ci", "S IH"), ("cy", "S IY"), ("ge", "JH EH"), ("gi", "JH IH"),
    ("a", "AE"), ("b", "B"), ("c", "K"), ("d", "D"), ("e", "EH"), ("f", "F"), ("g", "G"), ("h", "HH"), ("i", "IH"),
    ("j", "JH"), ("k", "K"), ("l", "L"), ("m", "M"), ("n", "N"), ("o", "AA"), ("p", "P"), ("q", "K"), ("r", "R"),
    ("s", "S"), ("t", "T"), ("u", "AH"), ("v", "V"), ("w", "W"), ("x", "K S"), ("y", "IY"), ("z", "Z"),
)  # fmt: skip


@dataclass(frozen=True)
class Word:
    """A word as written, and the words that are spoken for it (several for a number)."""

    text: str
    spoken: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A line as written, and its words."""

    text: str
    words: tuple[Word, ...]


def lines(text: str) -> list[Line]:
    """The lines of a transcript that hold words.

    >>> [[w.spoken for w in line.words] for line in lines("Chapter 21,\\n\\nit's so.")]
    [[('chapter',), ('twenty', 'one')], [("it's",), ('so',)]]
    """
    kept = []
    for raw in text.splitlines():
        words = tuple(w for w in map(_word, raw.split()) if w is not None)
        if words:
            kept.append(Line(raw.strip(), words))
    return kept


def _word(raw: str) -> Word | None:
    money = re.sub(r"([$£€])([\d.,]*\d)", r"\2\1", raw.replace("’", "'"))  # the currency is said after the amount
    named = re.sub(r"[%&$£€]", lambda m: f" {SIGNS[m[0]]} ", money) if re.search(r"\w", raw) else money
    plain = unicodedata.normalize("NFKD", named).encode("ascii", "ignore").decode().lower()
    parts = re.findall(r"\d[\d,]*(?:st|nd|rd|th)\b|\.\d+|\d[\d,]*|[a-z]+(?:'[a-z]+)*'?", plain)
    spoken = [word for part in parts for word in _read(part)]
    return Word(raw, tuple(spoken)) if spoken else None


def _read(part: str) -> list[str]:
    """The spoken words of letters, of a number, of what follows its point, or of its place in an order.

    >>> _read("23rd"), _read(".50"), _read("we'd")
    (['twenty', 'third'], ['point', 'five', 'zero'], ["we'd"])
    """
    if part[0] == ".":
        return ["point", *(ONES[int(d)] for d in part[1:])]
    if not part[0].isdigit():
        return [part.rstrip("'")]
    words = number(re.sub(r"[^0-9]", "", part))
    if part[-1].isalpha():
        last = words[-1]
        words[-1] = ORDINALS.get(last, last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return words


def number(digits: str) -> list[str]:
    """A whole number in words; one too long to be a quantity digit by digit.

    >>> " ".join(number("1905")), " ".join(number("240"))
    ('one thousand nine hundred five', 'two hundred forty')
    """
    if len(digits) > MOST_DIGITS or (digits[0] == "0" and len(digits) > 1):
        return [ONES[int(d)] for d in digits]
    return _spelled(int(digits))


def _spelled(n: int) -> list[str]:
    if n < 20:
        return [ONES[n]]
    if n < 100:
        return [TENS[n // 10]] + ([ONES[n % 10]] if n % 10 else [])
    for size, name in SCALES:
        if n >= size:
            return [*_spelled(n // size), name, *(_spelled(n % size) if n % size else [])]
    raise AssertionError("every number has a scale")


def sounded_out(word: str) -> str:
    """The sounds of a word by its letters, in ARPAbet, for words that no dictionary has.

    >>> sounded_out("stell'st")
    'S T EH L S T'
    """
    letters = re.sub(r"[^a-z]", "", word)
    letters = re.sub(r"(.)\1", r"\1", letters) if not re.search(r"ee|oo", letters) else letters
    if len(letters) > 3 and letters.endswith("e") and letters[-2] not in "aeiou":
        letters = letters[:-1]
    out: list[str] = []
    at = 0
    while at < len(letters):
        for spelling, sound in SOUNDS:
            if letters.startswith(spelling, at):
                out.append(sound)
                at += len(spelling)
                break
    return " ".join(out) or "AH"
