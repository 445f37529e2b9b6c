"""Tests of ids, flags and texts as spreadsheets, databases and web pages leave them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.input.values import (
    FLAGS,
    Reading,
    ValueFaultError,
    is_missing,
    is_ordinary,
    read_flag,
    read_id,
    read_name,
    read_text,
    text_key,
    unwrapped,
)

_MISREAD = "UTF-8 that was read as another encoding"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("000030711", "000030711"),
        ("1172452900788-01", "1172452900788-01"),
        (" \u200b30711\xa0", "30711"),
        ('="000030711"', "000030711"),
        ("=30711", "30711"),
        ("'000030711", "000030711"),
        ("'=30711", "30711"),
        ("30.711,25", "30.711,25"),
        ("1 01", "1 01"),
        ("", ""),
    ],
)
def test_ids_without_a_note(text: str, value: str) -> None:
    """Blanks and the tricks of exports are removed; what an id cannot have stays, for the check that names it."""
    assert read_id(text) == Reading(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30711.0", "30711"),
        ("30711,00", "30711"),
        ("30.711", "30711"),
        ("1,030,711", "1030711"),
        ("30.711,00", "30711"),
        ("30,711.0", "30711"),
        ('="30711.0"', "30711"),
    ],
)
def test_ids_that_were_numbers(text: str, value: str) -> None:
    """The digits are read, with a note, unless the width is known: then nothing is lost."""
    inner = text.removeprefix('="').removesuffix('"')
    assert read_id(text) == Reading(value, f"'{inner}' is read as {value}; if it had leading zeros, they are lost")
    assert read_id(text, 9) == Reading(value.zfill(9), f"'{inner}' is read as {value.zfill(9)}")


@pytest.mark.parametrize("text", ["1,17E+12", "1.17245e12", "1E+5"])
def test_shortened_ids(text: str) -> None:
    """A number that lost digits is refused with its cause."""
    with pytest.raises(ValueFaultError, match=r"a spreadsheet has shortened the number to '.*', and digits are lost"):
        read_id(text)


@pytest.mark.parametrize("text", ["30711.5", "0.5", "1.23", "1.2345"])
def test_ids_with_a_fraction(text: str) -> None:
    """An id has no fraction."""
    with pytest.raises(ValueFaultError, match="has a fraction, which an id has not; is it the right column"):
        read_id(text)


@pytest.mark.parametrize(
    ("text", "padded"), [("7", "007"), (" 7\t", "007"), ("1234", "1234"), ("A7", "A7"), (" A7", "A7"), ("1-01", "1-01")]
)
def test_padding(text: str, padded: str) -> None:
    """A number is filled with zeros; anything else, and a longer number, stays."""
    assert read_id(text, 3) == Reading(padded)


def test_flags() -> None:
    """Each text of the table is read in any case and with blanks around it; others are refused."""
    for text, flag in FLAGS.items():
        assert read_flag(text) is flag
        assert read_flag(f"\xa0{text.upper()} ") is flag
    with pytest.raises(ValueFaultError, match="'x' is neither yes nor no: write true or false, sim or n"):
        read_flag("x")


def test_keys_of_texts() -> None:
    """Texts that a person takes for the same have the same key."""
    assert text_key(" Ocorre\u0302ncia \xa0 NOVA\n") == text_key("ocorr\xeancia nova") == "ocorr\xeancia nova"
    assert text_key("nao") != text_key("n\xe3o")


@pytest.mark.parametrize("text", ["NULL", "nan", "#N/A", "#N/D", "#REF!", "-", "0000-00-00"])
def test_missing_values(text: str) -> None:
    """What databases and spreadsheets write for a missing value is refused, or empty if a person asks for it."""
    assert is_missing(text)
    with pytest.raises(ValueFaultError, match="stands for a missing value; empty the cell, or give --clean"):
        read_text(f" {text}")
    assert read_text(f" {text}", repair=True) == Reading("", f"'{text}' is read as an empty cell")


def test_errors_of_spreadsheets_are_missing_values() -> None:
    """An error of a formula is no text, in any language; nor is a number that was too wide for its column."""
    for text in ("#\xa1REF!", "#N\xdaM!", "#VALOARE!", "#\xbfNOMBRE?", "#DIV/0!", "########"):
        assert read_text(text, repair=True).value == ""
    assert read_text("#1 da fila") == Reading("#1 da fila")
    assert read_text("#REF!", repair=True) == Reading("", "'#REF!' is read as an empty cell")


@pytest.mark.parametrize(
    ("text", "cause", "repaired"),
    [
        ("S\xc3\xa3o", _MISREAD, "S\xe3o"),
        ("S\xc3\u0192O \xe2\u20ac\u0153x\xe2\u20ac\x9d", _MISREAD, "S\xc3O \u201cx\u201d"),
        ("S\u251c\xfao", _MISREAD, "S\xe3o"),
        ("S\u221a\xa3o", _MISREAD, "S\xe3o"),
        ("S\u0102\u0141o", _MISREAD, "S\xe3o"),
        (r"S\u00e3o", "escaped", "S\xe3o"),
        ("S%C3%A3o", "escaped", "S\xe3o"),
        ("<b>Saiu</b> para entrega<br/>", "HTML", "Saiu para entrega"),
        ("S&atilde;o &#233;", "HTML", "S\xe3o \xe9"),
        ("S\xc3\xa3o &amp; x", "UTF-8 that was read as another encoding and HTML", "S\xe3o & x"),
    ],
)
def test_damaged_texts(text: str, cause: str, repaired: str) -> None:
    """A damaged text is refused with its cause and the text it should be, or repaired if a person asks for it."""
    with pytest.raises(ValueFaultError) as caught:
        read_text(text)
    assert str(caught.value).endswith(f" is {cause}; correct the source, or give --clean to send '{repaired}'")
    assert read_text(text, repair=True).value == repaired


@pytest.mark.parametrize("text", ["Bras\ufffdlia", "Bras\xef\xbf\xbdlia", "Bras&#xFFFD;lia"])
@pytest.mark.parametrize("repair", [False, True])
def test_lost_letters(text: str, *, repair: bool) -> None:
    """U+FFFD says that letters are lost, which nobody can repair."""
    with pytest.raises(ValueFaultError, match=r"has lost letters \(U\+FFFD\); export it again, as UTF-8"):
        read_text(text, repair=repair)


@pytest.mark.parametrize(
    "text", ["AT&T;", "a &x1; b", "n\xc2\xba\xba", "\xe3\u20ac x", "a <b", "R\u0102\u015eINARI", "100%", r"a\b"]
)
def test_texts_that_only_look_damaged(text: str) -> None:
    """What cannot be read in another way stays as it is."""
    assert read_text(text) == Reading(text)


@pytest.mark.parametrize(
    "text", ["S?o Paulo", "ENTREGA N?O REALIZADA", "tr?nsito?", "Goi??nia", "?gua Branca", "Goi\xbfnia"]
)
@pytest.mark.parametrize("repair", [False, True])
def test_question_mark_within_a_word_is_noted(text: str, *, repair: bool) -> None:
    """Programs write it in place of a letter that they cannot encode; it may also be meant."""
    assert read_text(text, repair=repair) == Reading(text, f"'{text}' may have a '?' in place of a letter")
    assert not is_ordinary(text)
    assert read_text("Destinat\xe1rio ausente? Nova tentativa") == Reading("Destinat\xe1rio ausente? Nova tentativa")


@given(st.text(st.characters(codec="utf-8"), max_size=30) | st.text("\xc3\xa3\xc2<>&;aNUL-# "))
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    """The quick check finds no text that is changed or refused."""
    if is_ordinary(text):
        assert read_text(text) == Reading(text)


@pytest.mark.parametrize("text", ["NULL", "nan", "None", "-", r"\N", "(null)", "#N/D"])
def test_missing_values_are_no_ids(text: str) -> None:
    """A word for a missing value is no invoice number."""
    with pytest.raises(ValueFaultError, match="stands for a missing value; give the number"):
        read_id(text)


def test_names() -> None:
    """An event id stays as it is, except that a data frame's number is read, and a shortened number is refused."""
    assert read_name("7.0") == "7"
    for text in ("BDE/01", "30.711", "1.7.0", "12E5"):
        assert read_name(text) == text
    for text in ("1,17E+12", "1.2E+05"):
        with pytest.raises(ValueFaultError, match="would be the same for different events"):
            read_name(text)


def test_number_of_an_invoice_as_it_is_printed() -> None:
    """Zeros in groups of three are kept, and the note does not say that zeros may be lost."""
    assert read_id("000.030.711") == Reading("000030711", "'000.030.711' is read as 000030711")
    with pytest.raises(ValueFaultError, match="has a fraction"):
        read_id("0.123")


def test_text_in_a_formula() -> None:
    """The formula by which programs make spreadsheets keep a text is removed, where it is complete."""
    assert [unwrapped(text) for text in (' ="S\xe3o ""x""" ', '="', '=""', "=1")] == ['S\xe3o "x"', '="', "", "=1"]
    assert read_text('="S\xe3o Paulo"') == Reading("S\xe3o Paulo")
    assert read_flag('="sim"')
    assert text_key('="Entrega realizada"') == "entrega realizada"
