"""Text cut into tokens, for any script.

Words are runs of letters, digits and the marks that belong to them (so vowel signs stay with their consonants); scripts
written without spaces give one token a character. Everything else that is not space is a token of its own.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator

# Scripts written without spaces between words, by the first word of the character's Unicode name.
_UNSPACED = {"CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "YI"}
_JOINERS = "\u200c\u200d'\u2019"  # zero-width joiners, and apostrophes inside a word


def normal(text: str, *, lower: bool = True) -> str:
    """Compatibility composition (NFKC), and case folding where ``lower``: one spelling for one text.

    >>> normal("ＣＡＦÉ ﬁn")
    'café fin'
    """
    text = unicodedata.normalize("NFKC", text)
    return unicodedata.normalize("NFKC", text.casefold()) if lower else text


def tokens(text: str, *, punctuation: bool = True) -> list[str]:
    """The tokens of a text.

    >>> tokens("odd, and larger than four"), tokens("don't 日本 हिन्दी", punctuation=False)
    (['odd', ',', 'and', 'larger', 'than', 'four'], ["don't", '日', '本', 'हिन्दी'])
    """
    return [t for t, word in _split(text) if word or punctuation]


def _split(text: str) -> Iterator[tuple[str, bool]]:
    word: list[str] = []
    last = len(text) - 1
    for i, char in enumerate(text):
        kind = _kind(char)
        joins = char in _JOINERS and word and i < last and _kind(text[i + 1]) == "word"
        if kind == "word" or joins or (kind == "mark" and word):
            word.append(char)
            continue
        if word:
            yield "".join(word), True
            word = []
        if kind == "alone":
            word = [char]  # marks may follow
            if i == last or _kind(text[i + 1]) != "mark":
                yield char, True
                word = []
        elif kind == "other" or kind == "mark":
            yield char, False
    if word:
        yield "".join(word), True


@functools.lru_cache(maxsize=4096)
def _kind(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] == "M":
        return "mark"
    if category[0] in "LN" or char == "_":
        return "alone" if unicodedata.name(char, "").partition(" ")[0] in _UNSPACED else "word"
    return "space" if category[0] in "ZC" else "other"
