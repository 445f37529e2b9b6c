"""The checksum of an entry's content, which detects damage that SQLite does not detect. Pure.

SQLite's own check compares tables with their indexes, and so detects damaged keys and states, but not damaged texts,
which are in no index. PostgreSQL has checksums of its pages.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from vtex_tracking_ext.bulk.journal.sql import ENTRY_COLUMNS

if TYPE_CHECKING:
    from types import UnionType

    from vtex_tracking_ext.bulk.journal.entries import Draft

_OPTIONAL_INT: Final = int | None
_OPTIONAL_TEXT: Final = str | None

#: The types of a record of an entry, with its checksum at the end.
_TYPES: Final[tuple[type | UnionType, ...]] = (
    *(int, str, str, str),
    *(_OPTIONAL_TEXT,) * 5,
    *(str, int, str, int, _OPTIONAL_INT, _OPTIONAL_TEXT, _OPTIONAL_TEXT, int, _OPTIONAL_INT, _OPTIONAL_INT),
    *(_OPTIONAL_TEXT, _OPTIONAL_TEXT, _OPTIONAL_INT, _OPTIONAL_TEXT, _OPTIONAL_TEXT, int),
)


#: How many values a checksum has of an entry without a hold and a volume, and what these are then.
_PLAIN: Final = 10
_NONE: Final = (None, None, None)


def with_checksum(sql: str) -> str:
    """Return a query that also selects the checksum of each entry."""
    return sql.replace(ENTRY_COLUMNS, f"{ENTRY_COLUMNS}, e.checksum")


def content_checksum(*values: str | int | None) -> int:
    """Return the checksum of values.

    The last three are the hold and the volume, which most entries do not have. If all of them are None, it is the
    checksum of the other values, as in journals of version 4.
    """
    if values[_PLAIN:] == _NONE:
        values = values[:_PLAIN]
    return crc32(ascii(values).encode())  # repr() would change with the Unicode version of Python


def draft_checksum(draft: Draft, rest: tuple[Any, ...] = ()) -> int:
    """Return the checksum of an entry: its package, its event, and the date of its delivery.

    Args:
        draft: The entry.
        rest: Its hold and its volume, as they are stored, unless it has neither.
    """
    package, event = draft.package, draft.event
    texts = (None,) * 4 if event is None else (str(event.date), event.description, event.city, event.state)
    id_, time = draft.event_id or None, draft.time or None
    return content_checksum(
        package.account, package.order_id, package.invoice_number, *texts, draft.delivered_date, id_, time, *rest
    )


def verified(record: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the record of an entry without its checksum.

    Raises:
        ValueError: The record is damaged.
    """
    if not _are_valid(*map(type, record)):
        raise ValueError(f"entry {record[0]}: a value of another type")
    if content_checksum(*record[1:9], *record[19:24]) != record[24]:
        raise ValueError(f"entry {record[0]}: its content does not match its checksum")
    return record[:-1]


@lru_cache(maxsize=128)
def _are_valid(*types: type) -> bool:
    return all(issubclass(each, kind) for each, kind in zip(types, _TYPES, strict=True))
