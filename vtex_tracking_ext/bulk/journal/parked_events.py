"""Carrier events that wait for their orders: the table and its statements, with placeholders for each database. Pure.

:mod:`vtex_tracking_ext.orders.parked` uses them. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: ``event`` is a carrier event as JSON, and ``payload`` the name of the file that it comes from. ``account`` is empty
#: if neither the payload nor the run names it. An event is given up at ``expires``, and stays until a person drops it.
TABLES: Final = (
    """CREATE TABLE parked_events (
        id {id},
        account {text} NOT NULL,
        event_id {text} NOT NULL,
        event TEXT NOT NULL,
        payload TEXT NOT NULL,
        parked {bigint} NOT NULL,
        expires {bigint} NOT NULL,
        next_read {bigint} NOT NULL,
        reason TEXT NOT NULL,
        is_reported INTEGER NOT NULL DEFAULT 0,
        UNIQUE (account, event_id)
    )""",
)

_PARK: Final = """
    INSERT INTO parked_events (account, event_id, event, payload, parked, expires, next_read, reason)
    VALUES (:account, :event_id, :event, :payload, :parked, :expires, :parked, :reason)
    ON CONFLICT (account, event_id) DO NOTHING
"""
_SELECT: Final = """
    SELECT id, account, event, payload, parked, expires, next_read, reason, is_reported FROM parked_events
    WHERE id > :last ORDER BY id LIMIT {page}
"""
#: Those of a package that were parked before one of it. The identities of the events of a package have one beginning.
_OF_PACKAGE: Final = """
    SELECT id, account, event, payload, parked, expires, next_read, reason, is_reported FROM parked_events
    WHERE account = :account AND event_id >= :first AND event_id < :end AND id < :before ORDER BY id
"""
_LATEST: Final = """
    SELECT id, account, event_id, CASE WHEN expires <= :at THEN 1 ELSE 0 END, substr(reason, 1, 600), parked
    FROM parked_events WHERE id < :before ORDER BY id DESC LIMIT :limit
"""
_NAMING: Final = """
    SELECT id, account, event, payload, parked, expires, next_read, reason, is_reported FROM parked_events
    WHERE upper(event) LIKE :pattern ESCAPE '!' ORDER BY id DESC LIMIT {page}
"""
_COUNT: Final = """
    SELECT account, count(*), count(CASE WHEN expires <= :at THEN 1 END), min(parked) FROM parked_events
    GROUP BY account ORDER BY account
"""
_GIVE_UP: Final = """
    UPDATE parked_events SET expires = CASE WHEN expires > :at THEN :at ELSE expires END, reason = :reason,
        is_reported = 1
    WHERE id = :id
"""


def parked_event_statements(page: int) -> Mapping[str, str]:
    """Return the statements by their names.

    Args:
        page: Records that one statement reads at most.
    """
    return {
        "park": _PARK,
        "parked": _SELECT.format(page=page),
        "parked_of_package": _OF_PACKAGE,
        "latest_parked": _LATEST,
        "parked_naming": _NAMING.format(page=page),
        "count_parked": _COUNT,
        "give_up": _GIVE_UP,
        "explain_parked": "UPDATE parked_events SET reason = :reason WHERE id = :id AND reason <> :reason",
        "read_later": "UPDATE parked_events SET next_read = :next_read WHERE id = :id",
        "delete_parked": "DELETE FROM parked_events WHERE id = :id",
    }
