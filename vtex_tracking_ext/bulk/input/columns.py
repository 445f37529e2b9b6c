"""The columns of a file: our names, VTEX's spellings, and a mapping for a carrier's own names. Pure."""

from __future__ import annotations

import difflib
import json
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from vtex_tracking_ext.text import quoted, visible

from .aliases import ALIASES, name_key
from .csv_injection import unescape_cells, unescape_name
from .rows import Dialect, InputFileError
from .values import text_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from .dates import Order
    from .layout import Layout
    from .rows import Place

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

#: The column, or key, that a rejects file adds, and the key with the options; ignored when such a file is read.
REASON: Final = "reason"
LAYOUT: Final = "layout"

#: The field of a column that is ignored.
IGNORED: Final = ""

_SPELLINGS: Final = {name_key(spelling): name for name, other in COLUMNS.items() for spelling in (name, other)}
_HINT: Final = "--map COLUMN=FIELD says which field a column is (in Python: mapping=; in a layout: map)."

#: Most names that one message lists, and the most characters of each.
_MAX_LISTED: Final = 8
_NAME_LENGTH: Final = 60

#: Most different headers whose fields are kept; JSON objects may all differ.
_MAX_KNOWN: Final = 1000

#: Most names that are compared with a misspelt one.
_MAX_COMPARED: Final = 500


@frozen
class Header:
    """The header of a CSV file or a sheet.

    Attributes:
        dialect: How the file writes its rows.
        fields: The field of each column, or :data:`IGNORED`; without columns at the end that have no name.
        values: Returns the values of :data:`COLUMNS`, in their order, from a row's cells with one empty cell after
            them; a column that the file lacks is empty.
        rule: The columns by which a delivery is recognised: the index of each, and the texts that mean one.
        unknown: The columns that are passed over because they are not known.
    """

    dialect: Dialect
    fields: tuple[str, ...]
    values: Callable[[Sequence[str]], tuple[Any, ...]]
    rule: tuple[tuple[int, AbstractSet[str]], ...]
    unknown: tuple[str, ...]


class Columns:
    """The fields of columns and of JSON keys.

    A column that is mapped is found by the mapping alone. Otherwise it is known by our name of the field, or VTEX's, or
    another usual name (:mod:`.aliases`) if no other column has the field. A field that is mapped is no longer found
    under its own names, so that a file's ``date`` can be passed over in favour of its ``event date``.

    Args:
        source: The file's name, for messages.
        layout: The mapping, and the columns to pass over.

    Raises:
        InputFileError: The mapping names an unknown field, or maps the reasons of a rejects file.
    """

    def __init__(self, source: str, layout: Layout) -> None:
        self._layout = layout
        self._mapped = {column: _mapped_field(source, column, field) for column, field in layout.mapping.items()}
        keys = [_key(column) for column in self._mapped]
        duplicate = next((column for column in self._mapped if keys.count(_key(column)) > 1), None)
        if duplicate is not None:
            raise InputFileError(f"{source}: {quoted(duplicate, _NAME_LENGTH)} is mapped twice; map it once.")
        mapped = set(self._mapped.values())
        self._ignored = {REASON, LAYOUT, *map(_key, layout.ignore)} - {*keys}
        self._names = {key: field for key, field in _SPELLINGS.items() if field not in mapped}
        self._names |= dict(zip(keys, self._mapped.values(), strict=True)) | dict.fromkeys(self._ignored, IGNORED)
        self._others = {key: field for key, field in ALIASES.items() if field not in mapped and key not in self._names}
        self._rule = {_key(column): frozenset(map(text_key, texts)) for column, texts in layout.delivered_when.items()}
        self._known: dict[tuple[str, ...], list[str | None]] = {}

    def fields_of(self, names: tuple[str, ...]) -> list[str | None]:
        """Return the field of each name of one header or object, :data:`IGNORED`, or None for an unknown name."""
        if names not in self._known:
            keys = list(map(_key, names))
            fields = [self._names.get(key) if key else IGNORED for key in keys]
            taken = {*fields}
            for number, key in enumerate(keys):
                if fields[number] is None and self._others.get(key) not in taken:
                    fields[number] = self._others.get(key)
                if fields[number] is None and key in self._rule:
                    fields[number] = IGNORED
            if len(self._known) < _MAX_KNOWN:
                self._known[names] = fields
            return fields
        return self._known[names]

    def count_known(self, names: Sequence[str]) -> int:
        """Return how many fields the names have."""
        return len({field for field in self.fields_of(tuple(names)) if field})

    def has_required(self, names: Sequence[str]) -> bool:
        """Return whether the names have all fields that a file needs."""
        return {*self.fields_of(tuple(names))}.issuperset(REQUIRED)

    def is_delivery(self, values: Mapping[str, Any]) -> bool | None:
        """Return whether the rule says that a JSON object is a delivery; None without a rule."""
        if not self._rule:
            return None
        return any(text_key(str(value)) in self._rule.get(_key(name), ()) for name, value in values.items())

    def absent(self, names: Iterable[str]) -> str | None:
        """Return a column of the mapping or the rule for deliveries that is not among the names, or None."""
        keys = set(map(_key, names))
        return next((name for name in [*self._mapped, *self._layout.delivered_when] if _key(name) not in keys), None)

    def header(
        self, place: Place, cells: Sequence[str], delimiter: str, encoding: str, day_orders: Mapping[str, Order]
    ) -> Header:
        """Return the header that the cells of a line are.

        Raises:
            InputFileError: A column is duplicate or missing, or unknown and that is an error; the message says how to
                correct it.
        """
        written = tuple(cells)
        while cells and not (cells[-1].strip() or self._layout.ignore_unknown):
            cells = cells[:-1]  # so that a value after the last column is a surplus cell
        keys = [_key(cell) for cell in cells]
        self._check_mapped(place, cells, keys)
        fields = self.fields_of(tuple(cells))
        missing = [field for field in REQUIRED if field not in fields]
        if missing:
            raise InputFileError(
                f"{place}: the header lacks {', '.join(missing)}. Its columns: {_listed(cells)}. {_HINT} "
                "--header-row N says where the header is."
            )
        duplicate = next((field for field in fields if field and fields.count(field) > 1), None)
        if duplicate is not None:
            names = _listed([cell for cell, field in zip(cells, fields, strict=True) if field == duplicate])
            raise InputFileError(f"{place}: {names} are all {duplicate}; map one of them. {_HINT}")
        unknown = tuple(cell.strip() for cell, field in zip(cells, fields, strict=True) if field is None)
        if unknown and self._layout.strict:
            raise InputFileError(_unknown_columns(place, unknown))
        reasons = tuple(number for number, key in enumerate(keys) if key == REASON)
        indexes = {field: number for number, field in reversed([*enumerate(fields)]) if field}
        return Header(
            dialect=Dialect("csv", delimiter, encoding, written, reasons, self._layout, day_orders),
            fields=tuple(field or IGNORED for field in fields),
            values=itemgetter(*(indexes.get(field, len(cells)) for field in COLUMNS)),
            rule=tuple((keys.index(key), texts) for key, texts in self._rule.items()),
            unknown=() if self._layout.ignore_unknown else unknown,
        )

    def _check_mapped(self, place: Place, cells: Sequence[str], keys: Sequence[str]) -> None:
        named = {**self._mapped, **dict.fromkeys(self._layout.delivered_when, "the rule for deliveries")}
        for column, field in named.items():
            if _key(column) not in keys:
                raise InputFileError(
                    f"{place}: the header has no column {quoted(column, _NAME_LENGTH)}, which is mapped to {field}"
                    f"{_suggestion(column, cells)} It has: {_listed(cells)}."
                )


def _unknown_columns(place: Place, names: Sequence[str]) -> str:
    """Return the message about columns that are not known."""
    also = f"Also unknown: {_listed(names[1:])}. " if len(names) > 1 else ""
    return (
        f"{place}: column {quoted(names[0], _NAME_LENGTH)} is unknown{_suggestion(names[0], COLUMNS)} "
        f"Known columns: {', '.join(COLUMNS)}. {also}{_HINT}"
    )


def is_reason(name: str) -> bool:
    """Return whether a column or key is the one that a rejects file adds."""
    return _key(name) == REASON


def stored_layout(first_line: str) -> dict[str, Any]:
    """Return the options that a rejects file has for reading it, from its first line; empty for any other file."""
    text = first_line.lstrip('\ufeff"')
    try:
        if text.startswith(f"{REASON} {{"):
            (text,) = unescape_cells([text.replace('""', '"')])
            document, _ = json.JSONDecoder().raw_decode(text, len(REASON) + 1)
        else:
            whole = json.loads(text) if text.startswith("{") else {}
            document = whole[LAYOUT] if REASON in whole else {}
    except (ValueError, RecursionError, KeyError):
        return {}
    return document if isinstance(document, dict) else {}


def _key(name: str) -> str:
    """Return the form of a column's name that is compared."""
    name = REASON if name.startswith(f"{REASON} {{") else name  # with the options behind it
    return name_key(unescape_name(name) if "'" in name else name)


def _mapped_field(source: str, column: str, field: str) -> str:
    """Return our name of the field that a column is mapped to."""
    if _key(column) in {"", REASON}:
        raise InputFileError(
            f"{source}: {quoted(column, _NAME_LENGTH)} cannot be mapped to {quoted(field, _NAME_LENGTH)}: "
            f"a column needs a name other than {REASON}, which rejects files add; rename the column."
        )
    if (name := _SPELLINGS.get(name_key(field))) is not None:
        return name
    raise InputFileError(
        f"{source}: {quoted(column, _NAME_LENGTH)} is mapped to {quoted(field, _NAME_LENGTH)}, which is not a "
        f"field{_suggestion(field, COLUMNS)} Fields: {', '.join(COLUMNS)}."
    )


def _suggestion(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence, with the name that was probably meant."""
    others = [other.strip()[:_NAME_LENGTH] for other in islice(names, _MAX_COMPARED)]
    near = difflib.get_close_matches(name[:_NAME_LENGTH], others, n=1)
    return f"; did you mean {visible(near[0])}?" if near else "."


def _listed(names: Sequence[str]) -> str:
    shown = [quoted(name.strip(), _NAME_LENGTH) for name in names[:_MAX_LISTED]]
    return ", ".join(shown) + (f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else "")
