"""The NF-e key (chave de acesso), which contains issuer, series and number of an invoice. Pure.

Its 44 characters are: state (2), year and month (4), CNPJ of the issuer (14), model (2), series (3), number (9), kind
of emission (1), code (8), check digit (1). The CNPJ, and so the key, can contain letters from 2026 on (Receita Federal,
IN 2.229/2024).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LENGTH: Final = 44
_CNPJ_LENGTH: Final = 14
_PUNCTUATION: Final = re.compile(r"[\W_]+")


class Invoice(NamedTuple):
    """What identifies an invoice in Brazil.

    Attributes:
        issuer: The CNPJ of the issuer.
        series: The series, without leading zeros.
        number: The number, without leading zeros.
    """

    issuer: str = ""
    series: str = ""
    number: str = ""


def letters_and_digits(text: str) -> str:
    """Return a key or a CNPJ without punctuation, in upper case."""
    return _PUNCTUATION.sub("", text).upper()


def issuer_of(text: str) -> str:
    """Return a CNPJ without punctuation, with the leading zeros that a spreadsheet or a number has cut off."""
    issuer = letters_and_digits(text)
    return issuer.zfill(_CNPJ_LENGTH) if issuer else ""


def without_zeros(number: str) -> str:
    """Return the number or series of an invoice without leading zeros; ``000`` becomes ``0``."""
    return number.lstrip("0") or number[:1]


def invoice_of_key(key: str) -> Invoice:
    """Return the invoice of a key without punctuation, or an invoice without values if the text is not a key."""
    if len(key) != _LENGTH:
        return Invoice()
    return Invoice(key[6:20], without_zeros(key[22:25]), without_zeros(key[25:34]))
