"""The options that say how files are to be read."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from vtex_tracking_ext.errors import ConfigurationError

from .value_types import column_mapping, hold, non_empty, positive, source

if TYPE_CHECKING:
    from collections.abc import Callable

#: The keys of a layout that take one value, with the value's name and the help of their options.
_VALUES = {
    "delimiter": ("NAME", "the character between cells: comma, semicolon, tab or pipe (default: recognised)"),
    "encoding": ("NAME", "the text encoding, by any name that Python knows (default: recognised)"),
    "date_format": ("FORMAT", "how dates are written: dd/mm/yyyy, mm/dd/yyyy, dd/mm/yy, excel, epoch, epoch-ms"),
    "zone": ("NAME", "the carrier's time zone, such as America/Sao_Paulo, for times in UTC and dates in the future"),
}


#: The longest number that --pad makes.
_MAX_DIGITS = 50


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command; each is a key of a layout, too."""
    group = parser.add_argument_group("input files")
    formats = ("csv", "json", "jsonl", "xlsx")
    group.add_argument("--format", choices=formats, help="file format (default: by the first bytes)")
    group.add_argument(
        "--layout",
        type=non_empty,
        metavar="NAME",
        help="read the files as [layouts.NAME] in the profile file says (default: the layout of the profile, if any)",
    )
    map_help = "read COLUMN as FIELD; repeatable"
    group.add_argument("--map", action="append", default=[], type=column_mapping, metavar="COLUMN=FIELD", help=map_help)
    unknown = group.add_mutually_exclusive_group()
    unknown.add_argument("--ignore-unknown", action="store_true", help="do not mention unknown columns")
    unknown.add_argument("--strict", action="store_true", help="refuse unknown columns")
    for name, (metavar, text) in _VALUES.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=layout_value(name), metavar=metavar, help=text)
    row_help = "the line of the header (default: the first one with the required columns)"
    group.add_argument("--header-row", type=positive, metavar="N", help=row_help)
    group.add_argument("--sheet", type=non_empty, metavar="NAME", help="the sheet to read, if a workbook has several")
    group.add_argument("--visible-only", action="store_true", help="pass over hidden and filtered rows of a workbook")
    pad_help = "fill invoice_number or order_id with zeros to N digits; repeatable"
    group.add_argument("--pad", action="append", default=[], type=_padding, metavar="FIELD=N", help=pad_help)
    when_help = "a row is a delivery if COLUMN has exactly this text; repeatable"
    group.add_argument(
        "--delivered-when", action="append", default=[], type=_rule, metavar="COLUMN=TEXT", help=when_help
    )
    from_help = (
        "read the files as payloads of a carrier, such as ocoren (default: recognised); the command carriers lists "
        "the names"
    )
    group.add_argument("--from", dest="carrier", type=source, metavar="SOURCE", help=from_help)
    orders_help = (
        "a CSV file or a workbook with order_id, invoice_number, and any of nfe_key, tracking_number, issuer and "
        "series: the orders of carriers' payloads, which push also keeps in the journal; repeatable"
    )
    group.add_argument("--orders", action="append", default=[], type=non_empty, metavar="FILE", help=orders_help)
    hold_help = (
        "keep a carrier's delivery so long after its time, because the carrier may take it back; off sends it at once, "
        "and also one that is held if its payload is pushed again (default: the profile's hold, else 1h where the "
        "carrier can)"
    )
    group.add_argument("--hold", type=hold, metavar="DURATION", help=hold_help)
    clean_help = "repair damaged texts (NULL, HTML, misread UTF-8), each with a note, instead of refusing their rows"
    group.add_argument("--clean", action="store_true", help=clean_help)


def layout_value(name: str) -> Callable[[str], str]:
    """Return a converter that checks the value of a layout's key."""

    def check(text: str) -> str:
        from vtex_tracking_ext.bulk.input.layout import Layout  # noqa: PLC0415 - most commands do not need it

        try:
            Layout().with_options({name: text})
        except ConfigurationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return check


def _padding(text: str) -> tuple[str, int]:
    name, _, digits = text.partition("=")
    if name not in {"order_id", "invoice_number"} or not (
        digits.isascii() and digits.isdigit() and 0 < int(digits) <= _MAX_DIGITS
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=N, such as invoice_number=9")
    return name, int(digits)


def _rule(text: str) -> tuple[str, str]:
    column, _, value = text.partition("=")
    if not column.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=TEXT, such as 'Ocorr\xeancia=Entrega realizada'")
    return column, value
