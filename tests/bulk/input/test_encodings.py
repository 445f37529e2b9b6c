"""Tests of recognising an encoding by its words."""

from __future__ import annotations

import pytest

from vtex_tracking_ext.bulk.input.encodings import CANDIDATES, WORD, Reading, is_clear, readings

PORTUGUESE = (
    "Objeto entregue ao destinat\xe1rio, S\xe3o Paulo, agu\xe1rdando, n\xe3o, Niter\xf3i, tr\xe2nsito, ag\xeancia"
)
ROMANIAN = "Livrat\u0103 \xeen Bucure\u015fti, comanda preg\u0103tit\u0103"


def best(text: str, encoding: str) -> list[Reading]:
    """Return the readings of a text in an encoding."""
    encoded = text.encode(encoding)
    return readings(WORD.findall(encoded), encoded)


@pytest.mark.parametrize("encoding", ["windows-1252", "cp850", "mac-roman"])
@pytest.mark.parametrize("text", [PORTUGUESE, PORTUGUESE.upper()])
def test_portuguese(text: str, encoding: str) -> None:
    """The words read well in their own encoding alone, in lower and in upper case."""
    first, *others = best(text, encoding)
    assert first.encoding == encoding
    assert is_clear(first, others)
    assert all(word in text for word in first.words)


@pytest.mark.parametrize("encoding", ["windows-1250", "iso8859-2"])
def test_romanian(encoding: str) -> None:
    """The letters of Romanian tell its encodings; of two in which all words read the same, the first is named."""
    first, *others = best(ROMANIAN, encoding)
    assert first.encoding == "windows-1250"
    assert is_clear(first, others)


def test_one_word_may_be_doubtful() -> None:
    """A word that can be right in two encodings is not clear."""
    first, *others = best("SERVI\xc7OS", "windows-1252")
    assert first.cost == 0
    assert not is_clear(first, others)


def test_undefined_bytes_leave_a_candidate_out() -> None:
    """A byte that an encoding lacks excludes it, also outside of the words that are compared."""
    found = readings([b"S\xe3o"], b"S\xe3o \x81")
    assert "windows-1252" not in [reading.encoding for reading in found]
    assert {reading.encoding for reading in readings([b"x"], b"x")} == {CANDIDATES[0]}


@pytest.mark.parametrize(
    ("word", "cost"),
    [
        (b"S\xe3o", 0),
        (b"S\xc3O", 0),
        (b"n\xc3o", 2),  # an upper-case letter between lower-case ones
        (b"S\xe3O", 2),  # and the other way round
        (b"S\xe5o", 2),  # a letter of a neighbouring language
        (b"x\xe0", 2),  # letters that seldom follow each other
        (b"S\xaao", 4),  # a sign within a word
        (b"S\xa1", 4),  # a sign at the end that is only at a beginning
        (b"d\x92agua", 0),  # an apostrophe
        (b"S\xd0o", 4),  # a letter of no language of the files
    ],
)
def test_costs_of_a_word(word: bytes, cost: int) -> None:
    """What is seldom or impossible costs, so that the encoding with the lowest cost is the right one."""
    (found,) = (reading for reading in readings([word], word) if reading.encoding == "windows-1252")
    assert found.cost == cost
