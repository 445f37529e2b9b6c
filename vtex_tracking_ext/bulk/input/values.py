"""Read ids, flags and texts as spreadsheets, databases and web pages leave them. Pure.

A value is read where nothing is lost. Where something is lost or damaged, it is refused with the cause; a person may
ask to repair what can be repaired.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache, partial
from typing import Final, NamedTuple
from urllib.parse import unquote

from vtex_tracking_ext.text import comparable, quoted, trimmed

#: Characters of a value that a message quotes.
_SHOWN: Final = 60

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]*")
_AS_TEXT: Final = re.compile(r"""(?:="?|')([^"']*)"?""")
_WHOLE_NUMBER: Final = re.compile(r"[0-9]+\.0")
_WHOLE: Final = re.compile(r"([0-9]+)[.,]0+")
_GROUPED: Final = re.compile(
    r"([1-9][0-9]{0,2}|0[0-9]{2}(?=\.))((?:\.[0-9]{3})+(?=,0+$|$)|(?:,[0-9]{3})+(?=\.0+$|$))(?:[.,]0+)?"
)
_SHORTENED: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[Ee]\+?[0-9]+")
_FRACTION: Final = re.compile(r"[0-9]+[.,][0-9]+")

#: What the texts of a flag mean, in lower case.
FLAGS: Final = {
    **dict.fromkeys(
        "true t 1 1.0 1,0 yes y sim s s\xed si verdadeiro verdadero da adev\u0103rat".split(),  # noqa: SIM905
        True,
    ),
    **dict.fromkeys(["", *"false f 0 0.0 0,0 no n nao n\xe3o falso nu fals".split()], False),  # noqa: SIM905
}

#: Texts that databases and spreadsheets write where a value is missing.
_MISSING: Final = frozenset(
    r"null (null) [null] \n nil nan nat none undefined <na> n/a n/d #n/a #n/d na - -- 0000-00-00".split()  # noqa: SIM905
) | {"[object object]"}

#: What a spreadsheet shows for an error, in any language, or for a number that its column is too narrow for.
_ERROR: Final = re.compile(r"#[^\s#]+[!?]|#{3,}")

#: A letter that a program could not encode, within a word or at its beginning.
_REPLACED: Final = re.compile(r"[^\W\d_][?\xbf]+[^\W\d_]|(?<!\S)[?][^\W\d_]")

#: Finds texts that may be damaged.
_SUSPICIOUS: Final = re.compile(
    "\ufffd|[?\xbf]|[\xc2-\xf4][\x80-\xbf\u0152-\u2122]|[\u0102\u221a\xac\u251c\u252c]"
    "|&(?:#?[A-Za-z0-9]{1,31});|</?[A-Za-z]|\\\\u[0-9A-Fa-f]{4}|%C[23]%"
)
_CONTINUATIONS: Final = bytes(range(0x80, 0xC0)).decode("windows-1252", "ignore") + "\x81\x8d\x8f\x90\x9d"
_MISREAD: Final = re.compile(f"[\xc2-\xf4][{re.escape(_CONTINUATIONS)}]{{1,3}}")

#: Latin letters in UTF-8 that were read as another encoding. Romanian in capitals has a few of these pairs itself.
_MISREAD_OTHERWISE: Final = {
    encoding: re.compile(f"[{first}][{re.escape(bytes(range(0x80, 0xC0)).decode(encoding, 'ignore'))}]")
    for encoding, first in (("cp850", "\u252c\u251c"), ("mac-roman", "\xac\u221a"), ("windows-1250", "\u0102"))
}
_ROMANIAN_PAIR: Final = re.compile("\u0102[\u015e\u015f]")
_ESCAPES: Final = re.compile(r"(?:\\u[0-9A-Fa-f]{4}|%C[23]%[89ABab][0-9A-Fa-f])")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")


#: A character that an undamaged text seldom has, so that the text needs another look; or blanks.
_UNUSUAL: Final = re.compile(
    "[\x00-\x1f#%&<=?\\\\\x7f-\xbf\u0141\u0142\u0152\u0153\u0160\u0161\u0178-\u0217\u021c-\uffff]"
)

#: The length of the longest text that stands for a missing value.
_LONGEST_MISSING: Final = max(map(len, _MISSING))


class ValueFaultError(ValueError):
    """A value cannot be sent; the message says why, and what to do."""


class Reading(NamedTuple):
    """A value, and what a person should know about how it was read.

    Attributes:
        value: The value.
        note: The note, or an empty text.
    """

    value: str
    note: str = ""


@lru_cache(maxsize=256)  # a file repeats its texts; a text can be as long as a line
def is_ordinary(text: str) -> bool:
    """Return whether :func:`read_text` returns a text as it is, as it does for most; a quick check."""
    return (
        text == text.strip()
        and _UNUSUAL.search(text) is None
        and (len(text) > _LONGEST_MISSING or text.casefold() not in _MISSING)
        and not text.isdecimal()
    )


def text_key(text: str) -> str:
    """Return the form in which a text is compared: composed accents, single blanks, no case."""
    return comparable(unwrapped(text)).casefold()


def read_id(text: str, width: int = 0) -> Reading:
    """Return the order id or invoice number that a cell holds.

    Args:
        text: The cell: ``="000030711"``, ``'000030711`` and ``30711.0`` are read as the number alone.
        width: The number of digits to which a number is filled with leading zeros.

    Raises:
        ValueFaultError: A spreadsheet has shortened the number, or it has a fraction.
    """
    if is_missing(text):
        raise ValueFaultError(f"{quoted(text, _SHOWN)} stands for a missing value; give the number")
    if _PLAIN_ID.fullmatch(text):
        return Reading(text.zfill(width) if width and text.isdigit() else text)
    text = trimmed(text)
    if quoted_text := _AS_TEXT.fullmatch(text):
        return read_id(trimmed(quoted_text[1]), width)
    if whole := _WHOLE.fullmatch(text) or _GROUPED.fullmatch(text):
        digits = re.sub(r"[.,]", "", "".join(whole.groups()))
        note = "" if width or digits[0] == "0" else "; if it had leading zeros, they are lost"
        return Reading(digits.zfill(width), f"{quoted(text, _SHOWN)} is read as {digits.zfill(width)}{note}")
    if _SHORTENED.fullmatch(text):
        raise ValueFaultError(
            f"a spreadsheet has shortened the number to {quoted(text, _SHOWN)}, and digits are lost; format the column "
            "as text, and export it again"
        )
    if _FRACTION.fullmatch(text):
        raise ValueFaultError(f"{quoted(text, _SHOWN)} has a fraction, which an id has not; is it the right column?")
    return Reading(text.zfill(width) if width and text.isdigit() else text)


def read_name(text: str) -> str:
    """Return the event id or account that a cell holds; ``7.0``, as data frames write numbers, is ``7``.

    Raises:
        ValueFaultError: A spreadsheet has shortened it; different events would share it, and all but one would be lost.
    """
    if "+" in text and _SHORTENED.fullmatch(text):
        raise ValueFaultError(f"{quoted(text, _SHOWN)} would be the same for different events; correct or empty it")
    return text.removesuffix(".0") if _WHOLE_NUMBER.fullmatch(text) else text


def read_flag(text: str) -> bool:
    """Return whether a cell says yes.

    Raises:
        ValueFaultError: It says neither yes nor no.
    """
    flag = FLAGS.get(text)
    if flag is None and (flag := FLAGS.get(unwrapped(text).casefold())) is None:
        raise ValueFaultError(
            f"{quoted(text, _SHOWN)} is neither yes nor no: write true or false, sim or n\xe3o, s\xed or no, da or nu, "
            "1 or 0"
        )
    return flag


def is_missing(text: str) -> bool:
    """Return whether a text stands for a missing value, such as ``NULL``, ``NaN``, ``#N/A`` or ``#REF!``."""
    return text.casefold() in _MISSING or _ERROR.fullmatch(text) is not None


def unwrapped(text: str) -> str:
    """Return a cell, trimmed, without the formula ``="..."`` by which programs make a spreadsheet keep a text."""
    text = trimmed(text)
    return trimmed(text[2:-1].replace('""', '"')) if text.startswith('="') and text.endswith('"', 2) else text


def read_text(text: str, *, repair: bool = False) -> Reading:
    """Return a text that a shopper reads, trimmed.

    Args:
        text: The cell.
        repair: Whether to repair a damaged text: a missing value becomes empty, UTF-8 that was read as another
            encoding is read again, and HTML becomes text.

    Raises:
        ValueFaultError: It is damaged, and is not to be repaired, or cannot be.
    """
    text = unwrapped(text)
    if is_missing(text):
        if repair:
            return Reading("", f"{quoted(text, _SHOWN)} is read as an empty cell")
        raise ValueFaultError(f"{quoted(text, _SHOWN)} stands for a missing value; empty the cell, or give --clean")
    if not _SUSPICIOUS.search(text):
        return Reading(text)
    if "\ufffd" in text:
        raise _lost_letters(text)
    repaired, causes = text, []
    if (again := _read_as_utf8(repaired)) != repaired:
        repaired, causes = again, ["UTF-8 that was read as another encoding"]
    if (again := _ESCAPES.sub(_unescaped, repaired)) != repaired:
        repaired, causes = again, [*causes, "escaped"]
    if (again := html.unescape(_TAG.sub("", repaired))) != repaired:
        repaired, causes = trimmed(again), [*causes, "HTML"]
    if not causes:
        replaced = _REPLACED.search(text)
        return Reading(text, f"{quoted(text, _SHOWN)} may have a '?' in place of a letter" if replaced else "")
    if "\ufffd" in repaired:
        raise _lost_letters(text)
    if repair:
        return Reading(repaired, f"{quoted(text, _SHOWN)} is read as {quoted(repaired, _SHOWN)}")
    raise ValueFaultError(
        f"{quoted(text, _SHOWN)} is {' and '.join(causes)}; correct the source, or give --clean to send "
        f"{quoted(repaired, _SHOWN)}"
    )


def _lost_letters(text: str) -> ValueFaultError:
    return ValueFaultError(f"{quoted(text, _SHOWN)} has lost letters (U+FFFD); export it again, as UTF-8")


def _read_as_utf8(text: str) -> str:
    """Return a text in which parts in UTF-8 were read as another encoding, as it should read."""
    for encoding, misread in _MISREAD_OTHERWISE.items():
        text = misread.sub(partial(_decoded, encoding), text)
    return _MISREAD.sub(_read_again, text)


def _decoded(encoding: str, found: re.Match[str]) -> str:
    return found[0] if _ROMANIAN_PAIR.match(found[0]) else found[0].encode(encoding).decode("utf-8")


def _unescaped(found: re.Match[str]) -> str:
    r"""Return the letter that ``\u00e3`` or ``%C3%A3`` stands for."""
    return chr(int(found[0].removeprefix("\\u"), base=16)) if found[0].startswith("\\") else unquote(found[0])


def _read_again(found: re.Match[str]) -> str:
    # Windows-1252 does not define five bytes, which are often read as control characters.
    encoded = b"".join(
        each.encode("latin-1") if ord(each) < 256 else each.encode("windows-1252")  # noqa: PLR2004 - a byte
        for each in found[0]
    )
    try:
        return encoded.decode("utf-8")
    except UnicodeDecodeError:
        return found[0]
