"""Which orders are to be read, since which change each was read, and which packages are stale. Pure.

:mod:`vtex_tracking_ext.orders.to_read` and :mod:`~vtex_tracking_ext.orders.stale` use the statements. Changes are
microseconds since 1970 by VTEX's clock, other times are seconds since 1970 by the journal's; 0 is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLES: Final = (
    """CREATE TABLE known_orders_to_read (
        id {id},
        account {text} NOT NULL,
        order_id {text} NOT NULL,
        changed {bigint} NOT NULL,
        requests {bigint} NOT NULL,
        requested {bigint} NOT NULL,
        UNIQUE (order_id, account)
    )""",
    # A row for each account whose last backfill was not finished.
    """CREATE TABLE known_orders_backfills (
        account {text} PRIMARY KEY,
        first_moment {bigint} NOT NULL,
        last_moment {bigint} NOT NULL,
        listed {bigint} NOT NULL
    )""",
)

_REQUEST: Final = """
    INSERT INTO known_orders_to_read (account, order_id, changed, requests, requested)
    VALUES (:account, :order_id, :changed, 1, {seconds})
    ON CONFLICT (order_id, account) DO UPDATE SET requests = known_orders_to_read.requests + 1,
        requested = excluded.requested,
        changed = CASE WHEN excluded.changed > known_orders_to_read.changed THEN excluded.changed
            ELSE known_orders_to_read.changed END
"""
_SAVE_BACKFILL: Final = """
    INSERT INTO known_orders_backfills VALUES (:account, :first, :last, :listed)
    ON CONFLICT (account) DO UPDATE SET first_moment = excluded.first_moment, last_moment = excluded.last_moment,
        listed = excluded.listed
"""
_WAS_READ: Final = """
    UPDATE known_orders SET read_at = {seconds}, changed = CASE WHEN :changed > changed THEN :changed ELSE changed END
    WHERE order_id = :order_id AND account = :account
"""
#: Packages on their way to shoppers that the order does not show as delivered, with an invoice date, and no entry that
#: was not refused or withdrawn.
_WITHOUT_ENTRY: Final = """
    SELECT o.account, o.order_id, p.invoice_number, p.tracking_number, p.courier, p.invoiced, o.status
    FROM known_packages p JOIN known_orders o ON o.id = p.known_order
    WHERE p.type = 'Output' AND coalesce(p.finished, 0) = 0 AND p.invoiced <> ''
        AND NOT EXISTS (
            SELECT 1 FROM packages j JOIN entries e ON e.package = j.id
            WHERE j.account = o.account AND j.order_id = o.order_id AND j.invoice_number = p.invoice_number
                AND e.state <> 'refused' AND e.state <> 'withdrawn'
        )
    ORDER BY p.invoiced, o.account, o.order_id
"""
#: Packages with entries: the day of the first event that was not refused or withdrawn, or NULL; when a delivery was
#: applied, or NULL; whether there is any delivery that was not refused or withdrawn; and what is known of the package.
_WITH_ENTRIES: Final = """
    SELECT j.account, j.order_id, j.invoice_number, coalesce(p.tracking_number, ''), coalesce(p.courier, ''),
        j.first_day, coalesce(o.status, ''), j.delivered, j.is_delivered, p.finished, coalesce(o.read_at, 0)
    FROM (
        SELECT k.account, k.order_id, k.invoice_number, min(e.event_date) AS first_day,
            max(CASE WHEN e.event_date IS NULL AND e.state = 'applied' THEN {settled} END) AS delivered,
            max(CASE WHEN e.event_date IS NULL THEN 1 ELSE 0 END) AS is_delivered
        FROM entries e JOIN packages k ON k.id = e.package
        WHERE e.state <> 'refused' AND e.state <> 'withdrawn'
        GROUP BY k.account, k.order_id, k.invoice_number
    ) AS j
        LEFT JOIN known_orders o ON o.order_id = j.order_id AND o.account = j.account
        LEFT JOIN known_packages p
            ON p.known_order = o.id AND p.invoice_number = j.invoice_number AND p.type = 'Output'
    ORDER BY j.first_day, j.account, j.order_id
"""


def order_read_statements(in_values: str, seconds: str, settled: str) -> Mapping[str, str]:
    """Return the statements by their names.

    Args:
        in_values: The end of the condition that a column has one of the wanted values.
        seconds: The current time in seconds.
        settled: When an entry ``e`` was settled, in seconds.
    """
    this_order = "WHERE order_id = :order_id AND account = :account"
    return {
        "request_order": _REQUEST.format(seconds=seconds),
        "requested_orders": (
            f"SELECT order_id, changed, requests FROM known_orders_to_read WHERE account {in_values} ORDER BY id"  # noqa: S608
        ),
        "remove_request": f"DELETE FROM known_orders_to_read {this_order} AND requests = :requests",  # noqa: S608
        "was_read": _WAS_READ.format(seconds=seconds),
        "changes_read": f"SELECT account, order_id, changed FROM known_orders WHERE order_id {in_values}",  # noqa: S608
        "save_backfill": _SAVE_BACKFILL,
        "backfill": (
            f"SELECT first_moment, last_moment, listed FROM known_orders_backfills WHERE account {in_values}"  # noqa: S608
        ),
        "end_backfill": "DELETE FROM known_orders_backfills WHERE account = :account",
        "prune_requests": f"DELETE FROM known_orders_to_read WHERE requested < {seconds} - :older_than",  # noqa: S608
        "stale_without_entry": _WITHOUT_ENTRY,
        "stale_with_entries": _WITH_ENTRIES.format(settled=settled),
    }
