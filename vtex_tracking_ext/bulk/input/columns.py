"""The columns of a file: our names, VTEX's spellings, and a mapping for a carrier's own names. Pure."""

from __future__ import annotations

import difflib
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from vtex_tracking_ext.text import quoted, visible

from .csv_injection import unescape_name
from .rows import InputFileError, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .rows import Encoding, Place

#: Column names, in the order in which they are documented, with VTEX's spelling of each.
COLUMNS: Final = {
    "order_id": "orderId",
    "invoice_number": "invoiceNumber",
    "date": "date",
    "city": "city",
    "state": "state",
    "description": "description",
    "is_delivered": "isDelivered",
    "delivered_date": "deliveredDate",
    "account": "account",
    "event_id": "eventId",
    "time": "time",
}
REQUIRED: Final = ("order_id", "invoice_number", "date", "description")

#: The column that a rejects file adds; ignored when such a file is read.
REASON: Final = "reason"

#: The field of a column that is ignored.
IGNORED: Final = ""

_SPELLINGS: Final = {spelling: name for name, other in COLUMNS.items() for spelling in (name, other)}
_HINT: Final = (
    "--map COLUMN=FIELD maps a column to a field, --ignore-unknown ignores unknown columns "
    "(in Python: mapping=, ignore_unknown=)."
)

#: Most names that one message lists, and the most characters of each.
_MAX_LISTED: Final = 8
_NAME_LENGTH: Final = 60

#: Most names that are compared with a misspelt one.
_MAX_COMPARED: Final = 500


@frozen
class Header:
    """The header of a CSV file or a sheet.

    Attributes:
        layout: How the file writes its rows.
        fields: The field of each column, or :data:`IGNORED`.
        values: Returns the values of :data:`COLUMNS`, in their order, from a row's cells with one empty cell after
            them; a column that the file lacks is empty.
        unnamed: Indexes of columns without a name, whose cells must be empty.
    """

    layout: Layout
    fields: tuple[str, ...]
    values: Callable[[Sequence[str]], tuple[Any, ...]]
    unnamed: tuple[int, ...]


class Columns:
    """The names that a file's columns may have.

    Names are compared without surrounding blanks and without regard to case. A mapped field is no longer found under
    its own name, so that a file's ``date`` can be ignored in favour of its ``event date``.

    Args:
        source: The file's name, for messages.
        mapping: Column in the file -> field of :data:`COLUMNS`, in either spelling.
        ignore_unknown: Ignore columns that are neither known nor mapped. Otherwise they are an error, because a
            misspelt ``delivered_date`` would silently not be sent.

    Raises:
        InputFileError: The mapping names an unknown field, or maps the reasons of a rejects file.
    """

    def __init__(self, source: str, mapping: Mapping[str, str] | None = None, *, ignore_unknown: bool = False) -> None:
        self.ignore_unknown = ignore_unknown
        self._mapped = {column: _mapped_field(source, column, field) for column, field in (mapping or {}).items()}
        keys = [_key(column) for column in self._mapped]
        duplicate = next((column for column in self._mapped if keys.count(_key(column)) > 1), None)
        if duplicate is not None:
            raise InputFileError(f"{source}: {quoted(duplicate, _NAME_LENGTH)} is mapped twice; map it once.")
        mapped = set(self._mapped.values())
        self._fields = {_key(name): field for name, field in _SPELLINGS.items() if field not in mapped}
        self._fields |= dict(zip(keys, self._mapped.values(), strict=True)) | {REASON: IGNORED}

    def field_of(self, name: str) -> str | None:
        """Return the field of a column, :data:`IGNORED`, or None for an unknown column."""
        field = self._fields.get(name) or self._fields.get(_key(name))
        return IGNORED if field is None and self.ignore_unknown else field

    def count_known(self, names: Iterable[str]) -> int:
        """Return how many of the names are known or mapped."""
        return sum(_key(name) in self._fields for name in names)

    def header(self, place: Place, cells: Sequence[str], delimiter: str, encoding: Encoding) -> Header:
        """Parse a header.

        Raises:
            InputFileError: A column is unknown, duplicate or missing; the message says how to correct it.
        """
        keys = [_key(cell) for cell in cells]
        self._check_mapped(place, cells, keys)
        fields = [self.field_of(cell) if key else IGNORED for cell, key in zip(cells, keys, strict=True)]
        if None in fields:
            raise InputFileError(_unknown_columns(place, cells, fields))
        duplicate = next((field for field in fields if field and fields.count(field) > 1), None)
        if duplicate is not None:
            raise InputFileError(f"{place}: column {duplicate} appears twice in the header; remove one.")
        missing = [field for field in REQUIRED if field not in fields]
        if missing:
            raise InputFileError(
                f"{place}: the header lacks {', '.join(missing)}; the first line must name the columns. {_HINT}"
            )
        reasons = tuple(number for number, cell in enumerate(cells) if is_reason(cell))
        return Header(
            layout=Layout("csv", delimiter, encoding, tuple(cells), reasons),
            fields=tuple(field or IGNORED for field in fields),
            values=itemgetter(*(fields.index(field) if field in fields else len(cells) for field in COLUMNS)),
            unnamed=() if self.ignore_unknown else tuple(number for number, key in enumerate(keys) if not key),
        )

    def _check_mapped(self, place: Place, cells: Sequence[str], keys: Sequence[str]) -> None:
        for column, field in self._mapped.items():
            if _key(column) not in keys:
                raise InputFileError(
                    f"{place}: the header has no column {quoted(column, _NAME_LENGTH)}, which is mapped to {field}"
                    f"{_suggestion(column, cells)} It has: {_listed(cells)}."
                )


def _unknown_columns(place: Place, cells: Sequence[str], fields: Sequence[str | None]) -> str:
    """Return the message about a header with columns whose field is None."""
    first, *others = [number for number, field in enumerate(fields) if field is None]
    name = cells[first].strip()
    also = f"Also unknown: {_listed([cells[number] for number in others])}. " if others else ""
    return (
        f"{place}: column {first + 1} of the header, {quoted(name, _NAME_LENGTH)}, is unknown"
        f"{_suggestion(name, _SPELLINGS)} Known columns: {', '.join(COLUMNS)}. {also}{_HINT}"
    )


def is_reason(name: str) -> bool:
    """Return whether a column or key is the one that a rejects file adds."""
    return _key(name) == REASON


def _key(name: str) -> str:
    """Return the form of a column's name that is compared."""
    return (unescape_name(name) if "'" in name else name).strip().casefold()


def _mapped_field(source: str, column: str, field: str) -> str:
    """Return our name of the field that a column is mapped to."""
    if _key(column) in {"", REASON}:
        raise InputFileError(
            f"{source}: {quoted(column, _NAME_LENGTH)} cannot be mapped to {quoted(field, _NAME_LENGTH)}: "
            f"a column needs a name other than {REASON}, which rejects files add; rename the column."
        )
    try:
        return _SPELLINGS[field.strip()]
    except KeyError:
        raise InputFileError(
            f"{source}: {quoted(column, _NAME_LENGTH)} is mapped to {quoted(field, _NAME_LENGTH)}, which is not a "
            f"field{_suggestion(field, _SPELLINGS)} Fields: {', '.join(COLUMNS)}."
        ) from None


def _suggestion(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence, with the name that was probably meant."""
    others = [other.strip()[:_NAME_LENGTH] for other in islice(names, _MAX_COMPARED)]
    near = difflib.get_close_matches(name[:_NAME_LENGTH], others, n=1)
    return f"; did you mean {visible(near[0])}?" if near else "."


def _listed(names: Sequence[str]) -> str:
    shown = [quoted(name.strip(), _NAME_LENGTH) for name in names[:_MAX_LISTED]]
    return ", ".join(shown) + (f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else "")
