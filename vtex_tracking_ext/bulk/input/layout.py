"""How a file is to be read: what a person says about it once, where that is not recognised. Pure.

A layout is a table of the profile file (``[mystore.layout]``, or ``[layouts.jadlog]`` for ``--layout jadlog``), the
reading options of a command, or the keyword arguments of :func:`~.reader.read_rows` and
:func:`~vtex_tracking_ext.bulk.pipeline.push`.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict
from zoneinfo import ZoneInfo

from attrs import Attribute, asdict, evolve, field, fields, frozen

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted

from .dates import DateFormat, parse_date_format

#: The characters that can separate the cells of a CSV file, by name.
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}

_DELIMITERS_BY_NAME: Final = {name: delimiter for delimiter, name in DELIMITERS.items()} | {"\\t": "\t"}

#: The longest number that ``pad`` makes.
_MAX_WIDTH: Final = 50

#: Keys of a layout's table -> attributes, where their names differ.
_ATTRIBUTE_OF_KEY: Final = {"map": "mapping", "from": "carrier"}
_KEY_OF_ATTRIBUTE: Final = {attribute: key for key, attribute in _ATTRIBUTE_OF_KEY.items()}


class ReadingOptions(TypedDict, total=False):
    """The keyword arguments that make a :class:`Layout`; see its attributes."""

    mapping: Mapping[str, str]
    ignore: Iterable[str]
    ignore_unknown: bool
    strict: bool
    delimiter: str | None
    encoding: str | None
    header_row: int | None
    sheet: str | None
    visible_only: bool
    date_format: str | None
    zone: str | None
    pad: Mapping[str, int]
    delivered_when: Mapping[str, str | Iterable[str]]
    clean: bool
    carrier: str | None
    orders: str | None


def _delimiter(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value in DELIMITERS):
        return value
    if isinstance(value, str) and value in _DELIMITERS_BY_NAME:
        return _DELIMITERS_BY_NAME[value]
    names = ", ".join(DELIMITERS.values())
    raise ConfigurationError(f"delimiter is {quoted(value, 60)}: give one of {names}, or the character.")


def _encoding(value: object) -> str | None:
    if value is None:
        return None
    try:
        codec = codecs.lookup(str(value))
        "".encode(codec.name)  # raises LookupError for a codec that is not one of text, such as base64
    except (LookupError, UnicodeError):
        raise ConfigurationError(
            f"encoding is {quoted(value, 60)}, which Python does not know: give a name such as utf-8, windows-1252, "
            "cp850 or utf-16."
        ) from None
    return codec.name


def _header_row(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ConfigurationError(f"header_row is {quoted(value, 60)}: give the number of the line, from 1 up.")


def _date_format(value: object) -> DateFormat | None:
    if value is None or isinstance(value, DateFormat):
        return value
    try:
        return parse_date_format(str(value))
    except ValueError as error:
        raise ConfigurationError(f"date_format: {error}.") from None


def _zone(value: object) -> ZoneInfo | None:
    if value is None or isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        pass
    except KeyError:
        pass
    raise ConfigurationError(
        f"zone is {quoted(value, 60)}, which is not known here: give a name such as America/Sao_Paulo. On a system "
        "without a time zone database: pip install tzdata."
    )


def _pad(value: object) -> dict[str, int]:
    widths = dict(value) if isinstance(value, Mapping) else None
    for name, width in (widths or {}).items():
        if name not in {"order_id", "invoice_number"}:
            raise ConfigurationError(f"pad: {quoted(name, 60)} cannot be padded: give order_id or invoice_number.")
        if not isinstance(width, int) or isinstance(width, bool) or not 1 <= width <= _MAX_WIDTH:
            raise ConfigurationError(f"pad: {quoted(width, 60)} is not a number of digits from 1 to {_MAX_WIDTH}.")
    if widths is None:
        raise ConfigurationError("pad: give the number of digits of a field, such as invoice_number = 9.")
    return widths


def _rule(value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise ConfigurationError("delivered_when: give the values of a column that mean a delivery.")
    rule: dict[str, tuple[str, ...]] = {}
    for column, values in value.items():
        listed = (values,) if isinstance(values, str) else tuple(values) if isinstance(values, Iterable) else ()
        if not (
            isinstance(column, str)
            and column.strip()
            and listed
            and all(isinstance(v, str) and v.strip() for v in listed)
        ):
            raise ConfigurationError(
                f"delivered_when: give a column, and the texts in it that mean a delivery, not {quoted(column, 60)} = "
                f"{quoted(values, 60)}."
            )
        rule[column] = listed
    return rule


def _columns(value: object) -> dict[str, str]:
    if isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair):
        return dict(value)
    raise ConfigurationError("mapping: give the field of each column, such as {'Pedido': 'order_id'}.")


def _ignore(value: object) -> tuple[str, ...]:
    columns = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else None
    if columns is None or not all(isinstance(each, str) for each in columns):
        raise ConfigurationError("ignore: give a list of columns.")
    return columns


def _check_name(_: Layout, attribute: Attribute[str | None], value: object) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        name = _KEY_OF_ATTRIBUTE.get(attribute.name, attribute.name)
        raise ConfigurationError(f"{name} is {quoted(value, 60)}: give a name.")


def _check_flag(_: Layout, attribute: Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} is {quoted(value, 60)}: give true or false.")


@frozen
class Layout:
    """How a file is to be read. An option that is not given is recognised in the file, or has its default.

    Attributes:
        mapping: Column in the file -> field of :data:`~.columns.COLUMNS`, where a name is not recognised.
        ignore: Columns to pass over without a note, even if their names are known.
        ignore_unknown: Whether to pass over columns that are not known without a note.
        strict: Whether a column that is not known is an error.
        delimiter: The character between cells: comma, semicolon, tab or pipe.
        encoding: The encoding: any codec of Python's for text.
        header_row: The line of the header, from 1 up. Otherwise it is the first line with the required columns.
        sheet: The sheet of a workbook with more than one.
        visible_only: Whether to pass over hidden and filtered rows of a workbook.
        date_format: How dates are written, such as ``dd/mm/yyyy``; see :func:`~.dates.parse_date_format`.
        zone: The time zone of the carrier, such as ``America/Sao_Paulo``: for times in UTC, and to decide whether a
            date is in the future.
        pad: The number of digits of ``order_id`` or ``invoice_number``: shorter numbers get leading zeros.
        delivered_when: The texts in a column that mean that the package was delivered.
        clean: Whether to repair damaged texts, each with a note, instead of refusing their rows.
        carrier: The source of the files if they are carriers' payloads, such as ``ocoren``; the key is ``from``. Only
            the command line uses ``carrier`` and ``orders``; in Python, use
            :func:`vtex_tracking_ext.orders.rows.carrier_rows`.
        orders: The file of orders for carriers' payloads.

    Raises:
        ConfigurationError: A value cannot be used.
    """

    mapping: Mapping[str, str] = field(factory=dict, converter=_columns)
    ignore: tuple[str, ...] = field(default=(), converter=_ignore)
    ignore_unknown: bool = field(default=False, validator=_check_flag)
    strict: bool = field(default=False, validator=_check_flag)
    delimiter: str | None = field(default=None, converter=_delimiter)
    encoding: str | None = field(default=None, converter=_encoding)
    header_row: int | None = field(default=None, converter=_header_row)
    sheet: str | None = field(default=None, validator=_check_name)
    visible_only: bool = field(default=False, validator=_check_flag)
    date_format: DateFormat | None = field(default=None, converter=_date_format)
    zone: ZoneInfo | None = field(default=None, converter=_zone)
    pad: Mapping[str, int] = field(factory=dict, converter=_pad)
    delivered_when: Mapping[str, tuple[str, ...]] = field(factory=dict, converter=_rule)
    clean: bool = field(default=False, validator=_check_flag)
    carrier: str | None = field(default=None, validator=_check_name)
    orders: str | None = field(default=None, validator=_check_name)

    def with_options(self, options: Mapping[str, Any]) -> Layout:
        """Return this layout with some of its attributes replaced.

        Raises:
            ConfigurationError: An option is unknown, or its value cannot be used.
        """
        options = {_ATTRIBUTE_OF_KEY.get(name, name): value for name, value in options.items()}
        unknown = next((name for name in options if name not in OPTIONS), None)
        if unknown is not None:
            raise ConfigurationError(f"{quoted(unknown, 60)} is not a key of a layout: use {_KEYS}.")
        return evolve(self, **options)

    def to_options(self) -> dict[str, Any]:
        """Return the options that differ from the default, as :meth:`with_options` and TOML take them."""
        options: dict[str, Any] = {}
        for name, value in asdict(self, recurse=False).items():
            if value != getattr(_DEFAULT, name):
                options[_KEY_OF_ATTRIBUTE.get(name, name)] = value
        if self.date_format is not None:
            options["date_format"] = self.date_format.text
        if self.zone is not None:
            options["zone"] = self.zone.key
        return options


#: The names of the options.
OPTIONS: Final = tuple(attribute.name for attribute in fields(Layout))

_KEYS: Final = ", ".join(_KEY_OF_ATTRIBUTE.get(name, name) for name in OPTIONS)
_DEFAULT: Final = Layout()
