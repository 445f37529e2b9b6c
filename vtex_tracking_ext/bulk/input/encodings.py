"""Recognise the encoding of a text that is not Unicode, by how its words would read. Pure.

The files are of Portuguese, Spanish, English and Romanian. In the right encoding, each character beyond ASCII is a
letter or a sign of these languages in a place where it can be; in a wrong one, most are not (``SÆo Paulo``). Detectors
for all languages of the world cannot tell from the few words of such a file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: The encodings that are tried, with the more frequent ones first.
CANDIDATES: Final = ("windows-1252", "windows-1250", "cp850", "mac-roman", "iso8859-2")

#: A word of an encoded text with a byte beyond ASCII.
WORD: Final = re.compile(rb"[0-9A-Za-z\x80-\xff]*[\x80-\xff][0-9A-Za-z\x80-\xff]*")

_WESTERN: Final = "\xe1\xe0\xe2\xe3\xe7\xe9\xea\xed\xf1\xf3\xf4\xf5\xfa\xfc"
_ROMANIAN: Final = "\u0103\xe2\xee\u0219\u021b\u015f\u0163"
_SIGNS: Final = (
    "\xa0\xaa\xba\xb0\xb4\xbf\xa1\xab\xbb\xb7\xa7\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u2022\u2026\u20ac"
)
_FOREIGN: Final = "\xe4\xe8\xeb\xec\xee\xef\xf2\xf6\xf9\xfb\xdf\xe5\xe6\xf8\xfd\xa9\xae\xbd\xbc\xb2\xb3\u2122\xa3"

#: Cost of a word, each added once: a letter beyond ASCII of another case than the letters on both of its sides; letters
#: that seldom follow each other; a letter of a neighbouring language; and what is in no word.
_MIXED, _UNLIKELY_LETTERS, _FOREIGN_LETTER, _WRONG = 2, 2, 2, 4

_KNOWN: Final = frozenset(_WESTERN + _ROMANIAN + _SIGNS + _FOREIGN)

#: How much more than twice as much every other encoding must cost: for the most frequent encoding, and for another.
_MARGINS: Final = 2, 4

#: What words of these languages seldom have: a grave accent behind a letter, or an a with a tilde before another letter
#: than e, i, o or s (Portuguese); an a with a breve before e or o, or a cedilla behind n alone or a digit (Romanian).
_UNLIKELY: Final = re.compile("[a-z]\xe0|\xe3(?![eios]|$)|\u0103[eo]|^n\u015f$|[0-9][\u0103\u015f]")

#: What no word has: a sign between two letters, except an apostrophe; and a sign at the end that can only be at a
#: beginning.
_IMPOSSIBLE: Final = re.compile(
    f"[^\\W\\d_][{re.escape(_SIGNS.replace(chr(0x2019), ''))}][^\\W\\d_]|(?<![dlo])\u2019[a-z]"
    "|[^\\W_][\xa1\xab\xbf\xb7\u201c\u201e\u2018]$"
)


class Reading(NamedTuple):
    """How a text reads in one encoding.

    Attributes:
        encoding: The encoding.
        cost: How much of it cannot be right; 0 if every word can be.
        words: Its words, in the order in which they were given.
    """

    encoding: str
    cost: int
    words: tuple[str, ...]


def readings(words: Collection[bytes], used: bytes) -> list[Reading]:
    """Return how words read in each candidate, the best first.

    Of candidates in which all words read the same, the first is returned alone.

    Args:
        words: Different words of the text.
        used: The bytes of the text. A candidate that does not define all of them is left out.
    """
    found: dict[tuple[str, ...], Reading] = {}
    for encoding in CANDIDATES:
        try:
            used.decode(encoding)
            decoded = tuple(word.decode(encoding) for word in words)
        except UnicodeDecodeError:
            continue
        found.setdefault(decoded, Reading(encoding, _cost(decoded), decoded))
    return sorted(found.values(), key=lambda reading: reading.cost)


def is_clear(best: Reading, others: Iterable[Reading]) -> bool:
    """Return whether the best reading is certainly the right one: its words can be right, and others much less."""
    margin = _MARGINS[best.encoding != CANDIDATES[0]]
    return best.cost <= len(best.words) and all(other.cost >= best.cost * 2 + margin for other in others)


def _cost(words: Iterable[str]) -> int:
    """Return the cost of words, with the alphabet of one language for all of them."""
    words = tuple(words)
    return min(sum(_word_cost(word, letters) for word in words) for letters in (_WESTERN, _ROMANIAN))


def _word_cost(word: str, letters: str) -> int:
    folded = word.lower()
    special = {each for each in folded if not each.isascii()}
    if not special <= _KNOWN or _IMPOSSIBLE.search(folded):
        return _WRONG
    return (
        (not special.issubset(letters + _SIGNS)) * _FOREIGN_LETTER
        + (_UNLIKELY.search(folded) is not None) * _UNLIKELY_LETTERS
        + _is_mixed(word) * _MIXED
    )


def _is_mixed(word: str) -> bool:
    """Return whether a letter beyond ASCII has another case than the letters on both of its sides."""
    for before, each, after in zip(word, word[1:], word[2:], strict=False):
        if not each.isascii() and each.isalpha() and before.isalpha() and after.isalpha():
            if each.isupper() and before.islower() and after.islower():
                return True
            if each.islower() and before.isupper() and after.isupper():
                return True
    return False
