"""Which column is which: our names, VTEX's spellings, and a mapping for a carrier's own names. Pure."""

from __future__ import annotations

import difflib
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from vtex_tracking_ext.text import quoted, visible

from .csv_injection import bare
from .records import InputFileError, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
}
REQUIRED: Final = ("order_id", "invoice_number", "date", "description")

#: The column that a rejects file adds; passed over when such a file is read.
REASON: Final = "reason"

#: What :meth:`Columns.field_of` says of a column that is passed over.
PASSED_OVER: Final = ""

_SPELLINGS: Final = {spelling: name for name, other in COLUMNS.items() for spelling in (name, other)}
_WAYS_OUT: Final = (
    "--map COLUMN=FIELD gives a column's field, --ignore-unknown passes over what is not known "
    "(in Python: mapping=, ignore_unknown=)."
)

#: Most names that one message lists, and the most characters of each.
_LISTED: Final = 8
_NAME_LENGTH: Final = 60

#: Most names among which the one that was probably meant is looked for.
_SEARCHED: Final = 500


@frozen
class Header:
    """A header, understood.

    Attributes:
        cells: Its cells as they were written.
        fields: The field that each column holds, or :data:`PASSED_OVER`.
        values: Takes a row's cells with one empty cell after them, and gives the values of :data:`COLUMNS`, in
            their order; a column that the file lacks is empty.
        nameless: Columns (0 is the first) without a name, whose cells must be empty.
        reasons: Columns that hold the reasons of an earlier rejects file.
    """

    cells: tuple[str, ...]
    fields: tuple[str, ...]
    values: Callable[[Sequence[str]], tuple[Any, ...]]
    nameless: tuple[int, ...]
    reasons: tuple[int, ...]


class Columns:
    """The names that a file's columns may have.

    Names are compared without surrounding blanks, capital and small letters alike. A field that is mapped is no
    longer found under its own name, so that a file's ``date`` can be passed over for its ``event date``.

    Args:
        source: The file's name, for messages.
        mapping: Column in the file -> field of :data:`COLUMNS`, in either spelling.
        ignore_unknown: Pass over columns that are neither known nor mapped. Otherwise they are an error, because
            a misspelt ``delivered_date`` would silently not be sent.

    Raises:
        InputFileError: The mapping names a field that there is not, or maps the reasons of a rejects file.
    """

    def __init__(self, source: str, mapping: Mapping[str, str] | None = None, *, ignore_unknown: bool = False) -> None:
        self.ignore_unknown = ignore_unknown
        self._mapped = {column: _mapped_field(source, column, field) for column, field in (mapping or {}).items()}
        twice = next((c for c in self._mapped if sum(_key(c) == _key(other) for other in self._mapped) > 1), None)
        if twice is not None:
            raise InputFileError(f"{source}: {quoted(twice, _NAME_LENGTH)} is mapped twice; map it once.")
        taken = set(self._mapped.values())
        self._fields = {_key(name): field for name, field in _SPELLINGS.items() if field not in taken}
        self._fields |= {_key(column): field for column, field in self._mapped.items()} | {REASON: PASSED_OVER}

    def field_of(self, name: str) -> str | None:
        """Return the field that a column holds, :data:`PASSED_OVER`, or None where that is not known."""
        field = self._fields.get(name)
        if field is None:
            field = self._fields.get(_key(name))
        return PASSED_OVER if field is None and self.ignore_unknown else field

    def known(self, names: Iterable[str]) -> int:
        """Return how many of the names are known or mapped."""
        return sum(_key(name) in self._fields for name in names)

    def header(self, place: Place, cells: Sequence[str]) -> Header:
        """Understand a header.

        Raises:
            InputFileError: A column is unknown, stands twice or is missing; the message says how to mend it.
        """
        keys = [_key(cell) for cell in cells]
        self._look_for_mapped(place, cells, set(keys))
        fields = self._known_fields(place, cells, keys)
        found: dict[str, int] = {}
        for number, field in enumerate(fields):
            if field and field in found:
                raise InputFileError(f"{place}: the column {field} stands twice in the header; remove one.")
            found[field or PASSED_OVER] = number
        missing = [field for field in REQUIRED if field not in found]
        if missing:
            raise InputFileError(
                f"{place}: the header lacks {', '.join(missing)}; the first line must name the columns. {_WAYS_OUT}"
            )
        return Header(
            cells=tuple(cells),
            fields=fields,
            values=itemgetter(*(found.get(field, len(cells)) for field in COLUMNS)),
            nameless=() if self.ignore_unknown else tuple(n for n, key in enumerate(keys) if not key),
            reasons=tuple(n for n, cell in enumerate(cells) if is_reason(cell)),
        )

    def _look_for_mapped(self, place: Place, cells: Sequence[str], keys: set[str]) -> None:
        for column, field in self._mapped.items():
            if _key(column) not in keys:
                raise InputFileError(
                    f"{place}: the header has no column {quoted(column, _NAME_LENGTH)}, which is mapped to {field}"
                    f"{_nearest(column, cells)} It has: {_listed(cells)}."
                )

    def _known_fields(self, place: Place, cells: Sequence[str], keys: Sequence[str]) -> tuple[str, ...]:
        fields = [self.field_of(cell) if key else PASSED_OVER for cell, key in zip(cells, keys, strict=True)]
        unknown = [number for number, field in enumerate(fields) if field is None]
        if unknown:
            name = cells[unknown[0]].strip()
            others = [cells[number] for number in unknown[1:]]
            raise InputFileError(
                f"{place}: column {unknown[0] + 1} of the header, {quoted(name, _NAME_LENGTH)}, is not known"
                f"{_nearest(name, _SPELLINGS)} There are: {', '.join(COLUMNS)}. "
                f"{f'Nor are known: {_listed(others)}. ' if others else ''}{_WAYS_OUT}"
            )
        return tuple(field or PASSED_OVER for field in fields)


def is_reason(name: str) -> bool:
    """Tell whether a column or key is that of a rejects file."""
    return _key(name) == REASON


def _key(name: str) -> str:
    """Return what a column's name is compared by."""
    return bare(name).strip().casefold()


def _mapped_field(source: str, column: str, field: str) -> str:
    """Return the field that a column is mapped to, by our name."""
    if _key(column) in {"", REASON}:
        raise InputFileError(
            f"{source}: {quoted(column, _NAME_LENGTH)} cannot be mapped to {quoted(field, _NAME_LENGTH)}: "
            f"{REASON} is what a rejects file adds, and a column needs a name; rename the column."
        )
    try:
        return _SPELLINGS[field.strip()]
    except KeyError:
        raise InputFileError(
            f"{source}: {quoted(column, _NAME_LENGTH)} is mapped to {quoted(field, _NAME_LENGTH)}, which is not a "
            f"field{_nearest(field, _SPELLINGS)} There are: {', '.join(COLUMNS)}."
        ) from None


def _nearest(name: str, names: Iterable[str]) -> str:
    """Return the end of a clause, with the name that was probably meant."""
    others = [other.strip()[:_NAME_LENGTH] for other in islice(names, _SEARCHED)]
    near = difflib.get_close_matches(name[:_NAME_LENGTH], others, n=1)
    return f"; did you mean {visible(near[0])}?" if near else "."


def _listed(names: Sequence[str]) -> str:
    shown = [quoted(name.strip(), _NAME_LENGTH) for name in names[:_LISTED]]
    return ", ".join(shown) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
