"""Tests of the options that say how files are to be read."""

from __future__ import annotations

import argparse

import pytest

from vtex_tracking_ext.cli.parser.reading import add_reading_options


def parse(*arguments: str) -> argparse.Namespace:
    """Parse options."""
    parser = argparse.ArgumentParser()
    add_reading_options(parser)
    return parser.parse_args(arguments)


def test_options_have_no_value_unless_they_are_given() -> None:
    """So that the values of a layout count."""
    given = {name: value for name, value in vars(parse()).items() if value}
    assert given == {}


def test_options_are_parsed() -> None:
    """Repeatable options are lists of pairs; a value may contain =."""
    parsed = parse(
        *("--format", "jsonl", "--layout", "jadlog", "--map", "O que=description", "--map", "a=b", "--strict"),
        *("--delimiter", "pipe", "--encoding", "cp850", "--date-format", "dd/mm/yyyy", "--zone", "UTC"),
        *("--header-row", "3", "--sheet", "May", "--visible-only", "--pad", "invoice_number=9", "--pad", "order_id=2"),
        *("--delivered-when", "x=y=z", "--delivered-when", "x=w", "--clean"),
        *("--from", "Melhor-Envio", "--orders", "a.csv", "--orders", "b.csv", "--hold", "2h"),
    )
    assert vars(parsed) == {
        "format": "jsonl",
        "layout": "jadlog",
        "map": [("O que", "description"), ("a", "b")],
        "ignore_unknown": False,
        "strict": True,
        "delimiter": "pipe",
        "encoding": "cp850",
        "date_format": "dd/mm/yyyy",
        "zone": "UTC",
        "header_row": 3,
        "sheet": "May",
        "visible_only": True,
        "pad": [("invoice_number", 9), ("order_id", 2)],
        "delivered_when": [("x", "y=z"), ("x", "w")],
        "clean": True,
        "carrier": "melhor_envio",
        "orders": ["a.csv", "b.csv"],
        "hold": 7200.0,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--delimiter", ":"),
            "--delimiter: delimiter is ':': give one of comma, semicolon, tab, pipe, or the character.",
        ),
        (("--encoding", "klingon"), "--encoding: encoding is 'klingon', which Python does not know"),
        (("--date-format", "soon"), "--date-format: date_format: 'soon' is not a date format: write dd/mm/yyyy"),
        (("--zone", "Mars"), "--zone: zone is 'Mars', which is not known here"),
        (("--header-row", "0"), "--header-row: '0' is not a whole number of at least 1"),
        (("--pad", "9"), "--pad: '9' is not FIELD=N, such as invoice_number=9"),
        (("--pad", "city=9"), "--pad: 'city=9' is not FIELD=N"),
        (("--pad", "order_id=51"), "--pad: 'order_id=51' is not FIELD=N"),
        (("--pad", "order_id=\u0669"), "is not FIELD=N"),
        (
            ("--delivered-when", "entregue"),
            "--delivered-when: 'entregue' is not COLUMN=TEXT, such as 'Ocorr\xeancia=Entrega",
        ),
        (("--delivered-when", " =x"), "is not COLUMN=TEXT"),
        (("--delivered-when", "x= "), "is not COLUMN=TEXT"),
        (("--sheet", ""), "--sheet: "),
        (("--format", "xls"), "--format: invalid choice: 'xls'"),
        (("--strict", "--ignore-unknown"), "not allowed with argument --strict"),
    ],
)
def test_wrong_values_are_usage_errors(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is named with its option and what to give."""
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert said in capsys.readouterr().err
