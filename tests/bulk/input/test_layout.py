"""Tests of layouts."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from vtex_tracking_ext import ConfigurationError
from vtex_tracking_ext.bulk.input.dates import DateFormat
from vtex_tracking_ext.bulk.input.layout import OPTIONS, Layout, ReadingOptions

#: A value other than the default of each option, as a profile file has it.
VALUES: dict[str, Any] = {
    "map": {"Pedido": "order_id"},
    "ignore": ("peso",),
    "ignore_unknown": True,
    "strict": True,
    "delimiter": "|",
    "encoding": "cp850",
    "header_row": 3,
    "sheet": "May",
    "visible_only": True,
    "date_format": "dd/mm/yyyy",
    "zone": "America/Sao_Paulo",
    "pad": {"invoice_number": 9},
    "delivered_when": {"Ocorr\xeancia": ("Entregue", "Entrega realizada")},
    "clean": True,
}


def test_options_are_kept() -> None:
    """What with_options takes, to_options returns; defaults are left out."""
    layout = Layout().with_options(VALUES)
    assert layout.to_options() == VALUES
    assert Layout().to_options() == {}
    assert layout.zone == ZoneInfo("America/Sao_Paulo")
    assert layout.date_format == DateFormat("dd/mm/yyyy", "day first")
    assert layout.with_options({"clean": False, "zone": None}).to_options() == {
        name: value for name, value in VALUES.items() if name not in {"clean", "zone"}
    }


def test_values_may_be_objects() -> None:
    """A zone and a date format may be objects, and one text may stand for a list of texts."""
    zone, date_format = ZoneInfo("UTC"), DateFormat("excel", unit="excel")
    layout = Layout(zone=zone, date_format=date_format, delivered_when={"x": "y"}, ignore=["a"])
    assert (layout.zone, layout.date_format) == (zone, date_format)
    assert (layout.delivered_when, layout.ignore) == ({"x": ("y",)}, ("a",))


def test_keyword_arguments_are_the_attributes() -> None:
    """ReadingOptions, which type checkers use, has every attribute."""
    assert set(ReadingOptions.__annotations__) == set(OPTIONS)


@pytest.mark.parametrize(
    ("written", "delimiter"),
    [("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("\\t", "\t"), ("pipe", "|"), (";", ";")],
)
def test_delimiter_may_be_a_name(written: str, delimiter: str) -> None:
    """A delimiter is a character or its name."""
    assert Layout(delimiter=written).delimiter == delimiter


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("delimiter", ":", "delimiter is ':': give one of comma, semicolon, tab, pipe, or the character."),
        ("delimiter", [], "delimiter is []: "),
        ("encoding", "klingon", "encoding is 'klingon', which Python does not know: give a name such as utf-8"),
        ("encoding", "undefined", "encoding is 'undefined', which Python does not know"),
        ("encoding", "base64", "encoding is 'base64', which Python does not know"),
        ("header_row", 0, "header_row is 0: give the number of the line, from 1 up."),
        ("header_row", True, "header_row is True: "),
        ("header_row", "2", "header_row is '2': "),
        ("date_format", "yyyy/dd/mm", "date_format: 'yyyy/dd/mm' is not a date format: write dd/mm/yyyy"),
        ("zone", "Mars/Olympus", "zone is 'Mars/Olympus', which is not known here: give a name such as America/"),
        ("zone", "../x", "zone is '../x', which is not known here"),
        ("zone", "", "zone is '', which is not known here"),
        ("sheet", " ", "sheet is ' ': give a name."),
        ("sheet", 1, "sheet is 1: "),
        ("pad", 9, "pad: give the number of digits of a field, such as invoice_number = 9."),
        ("pad", {"city": 9}, "pad: 'city' cannot be padded: give order_id or invoice_number."),
        ("pad", {"order_id": 51}, "pad: 51 is not a number of digits from 1 to 50."),
        ("pad", {"order_id": True}, "pad: True is not a number of digits"),
        ("pad", {"order_id": "9"}, "pad: '9' is not a number of digits"),
        ("delivered_when", "x=y", "delivered_when: give the values of a column that mean a delivery."),
        (
            "delivered_when",
            {"x": 7},
            "delivered_when: give a column, and the texts in it that mean a delivery, not 'x' = 7",
        ),
        ("delivered_when", {"x": []}, "delivered_when: give a column, "),
        ("delivered_when", {"x": [" "]}, "delivered_when: give a column, "),
        ("delivered_when", {" ": "y"}, "delivered_when: give a column, "),
        ("map", ["x"], "mapping: give the field of each column, such as {'Pedido': 'order_id'}."),
        ("map", {"x": 1}, "mapping: give the field of each column"),
        ("ignore", "peso", "ignore: give a list of columns."),
        ("ignore", [1], "ignore: give a list of columns."),
        ("ignore", 1, "ignore: give a list of columns."),
        ("clean", "yes", "clean is 'yes': give true or false."),
        ("colour", 1, "'colour' is not a key of a layout: use map, ignore, ignore_unknown, strict, delimiter, "),
    ],
)
def test_value_that_cannot_be_used_is_refused(name: str, value: Any, said: str) -> None:
    """A wrong value or key raises ConfigurationError with what to give."""
    with pytest.raises(ConfigurationError) as caught:
        Layout().with_options({name: value})
    assert str(caught.value).startswith(said)
