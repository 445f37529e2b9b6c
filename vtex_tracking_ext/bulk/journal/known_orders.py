"""What a journal knows of orders: its tables and statements, with placeholders for each database. Pure.

:mod:`vtex_tracking_ext.orders.store` uses them. Unknown texts are empty. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: ``read_at`` is when the order was last read at VTEX, and ``changed`` the last change of which it is known that the
#: order was read since; see :mod:`.order_reads`. ``tracking_key`` is the tracking number as it is compared: in upper
#: case, without leading zeros. ``number`` is the invoice number without leading zeros, and ``key_number`` is the number
#: in the NF-e key if it is another one.
TABLES: Final = (
    """CREATE TABLE known_orders (
        id {id},
        account {text} NOT NULL,
        order_id {text} NOT NULL,
        status TEXT NOT NULL,
        seen {bigint} NOT NULL,
        read_at {bigint} NOT NULL DEFAULT 0,
        changed {bigint} NOT NULL DEFAULT 0,
        UNIQUE (order_id, account)
    )""",
    """CREATE TABLE known_packages (
        known_order {bigint} NOT NULL REFERENCES known_orders,
        invoice_number {text} NOT NULL,
        type {text} NOT NULL,
        nfe_key {text} NOT NULL,
        issuer TEXT NOT NULL,
        series TEXT NOT NULL,
        number {text} NOT NULL,
        key_number {text} NOT NULL,
        tracking_number TEXT NOT NULL,
        tracking_key {text} NOT NULL,
        courier TEXT NOT NULL,
        finished INTEGER,
        invoiced TEXT NOT NULL,
        seen {bigint} NOT NULL,
        PRIMARY KEY (known_order, invoice_number, type)
    )""",
    # The tracking numbers of a package on its way to the shopper, if it has several: one for each parcel. ``number`` is
    # that of known_packages, whose tracking number is one of them.
    """CREATE TABLE known_parcels (
        known_order {bigint} NOT NULL REFERENCES known_orders,
        number {text} NOT NULL,
        tracking_number TEXT NOT NULL,
        tracking_key {text} NOT NULL,
        PRIMARY KEY (known_order, number, tracking_key)
    )""",
    "CREATE INDEX known_parcels_by_tracking_key ON known_parcels (tracking_key)",
    # The series of all invoices that were ever known of an account, also of returns; issuer or series may be unknown.
    # They are never deleted: one that the account no longer uses only makes the number of an invoice decide less often.
    """CREATE TABLE known_series (
        account {text} NOT NULL,
        issuer {text} NOT NULL,
        series {text} NOT NULL,
        PRIMARY KEY (account, issuer, series)
    )""",
    *(
        f"CREATE INDEX known_packages_by_{column} ON known_packages ({column}) WHERE {column} <> ''"
        for column in ("nfe_key", "number", "key_number", "tracking_key")
    ),
)

#: The columns of a known package.
_COLUMNS: Final = """
    o.account, o.order_id, p.invoice_number, p.nfe_key, p.issuer, p.series, p.tracking_number, p.type, p.courier,
    p.finished, p.invoiced, o.status, o.seen
"""
#: With the condition of the index, word for word: otherwise the index is not used.
_BY_VALUE: Final = f"""
    SELECT {_COLUMNS} FROM known_packages p {{join}} known_orders o ON o.id = p.known_order
    WHERE p.{{column}} <> '' AND p.{{column}} {{in_values}}
"""  # noqa: S608 - constants
_BY_ORDER: Final = f"""
    SELECT {_COLUMNS} FROM known_orders o {{join}} known_packages p ON p.known_order = o.id
    WHERE o.order_id {{in_values}}
"""  # noqa: S608 - constants
#: The same columns, with the tracking number of a parcel.
_PARCEL_COLUMNS: Final = _COLUMNS.replace("p.tracking_number", "q.tracking_number")
_OF_PARCEL: Final = "p.known_order = q.known_order AND p.number = q.number AND p.type = 'Output'"
_BY_PARCEL: Final = f"""
    SELECT {_PARCEL_COLUMNS} FROM known_parcels q {{join}} known_orders o ON o.id = q.known_order
        {{join}} known_packages p ON {_OF_PARCEL}
    WHERE q.tracking_key {{in_values}}
"""  # noqa: S608 - constants
_PARCELS: Final = f"""
    SELECT {_PARCEL_COLUMNS} FROM known_orders o {{join}} known_parcels q ON q.known_order = o.id
        {{join}} known_packages p ON {_OF_PARCEL}
    WHERE o.order_id {{in_values}}
"""  # noqa: S608 - constants

_THIS_ORDER: Final = "(SELECT id FROM known_orders WHERE order_id = :order_id AND account = :account)"
_SAVE_ORDER: Final = """
    INSERT INTO known_orders (account, order_id, status, seen) VALUES (:account, :order_id, :status, {seconds})
    ON CONFLICT (order_id, account) DO UPDATE SET seen = excluded.seen,
        status = CASE WHEN excluded.status = '' THEN known_orders.status ELSE excluded.status END
"""


def _better(column: str, decisive: str = "") -> str:
    """Return the assignment that keeps what is known if the new value is empty, or if ``:keeps``."""
    decisive = decisive or column
    return f"""{column} = CASE
        WHEN excluded.{decisive} = '' OR (:keeps AND known_packages.{decisive} <> '') THEN known_packages.{column}
        ELSE excluded.{column} END"""


_SAVE_PACKAGE: Final = f"""
    INSERT INTO known_packages (known_order, invoice_number, type, nfe_key, issuer, series, number, key_number,
        tracking_number, tracking_key, courier, finished, invoiced, seen)
    VALUES ({_THIS_ORDER}, :invoice_number, :type, :nfe_key, :issuer, :series, :number, :key_number,
        :tracking_number, :tracking_key, :courier, :finished, :invoiced, {{seconds}})
    ON CONFLICT (known_order, invoice_number, type) DO UPDATE SET seen = excluded.seen,
        finished = coalesce(excluded.finished, known_packages.finished),
        {_better("key_number", "nfe_key")},
        {_better("tracking_key", "tracking_number")},
        {", ".join(map(_better, ("nfe_key", "issuer", "series", "tracking_number", "courier", "invoiced")))}
"""  # noqa: S608 - constants
_RENAME_PACKAGE: Final = f"""
    UPDATE known_packages SET invoice_number = :invoice_number
    WHERE known_order = {_THIS_ORDER} AND invoice_number = :old_number AND type = :type
"""  # noqa: S608 - constants
_DELETE_PACKAGE: Final = f"""
    DELETE FROM known_packages
    WHERE known_order = {_THIS_ORDER} AND invoice_number = :invoice_number AND type = :type
"""  # noqa: S608 - constants
#: Before the package is saved: if ``:keeps``, only for a package without a tracking number.
_SAVE_PARCEL: Final = """
    INSERT INTO known_parcels (known_order, number, tracking_number, tracking_key)
    SELECT o.id, :number, :tracking_number, :tracking_key FROM known_orders o
    WHERE o.order_id = :order_id AND o.account = :account AND NOT (:keeps AND EXISTS (
        SELECT 1 FROM known_packages p WHERE p.known_order = o.id AND p.number = :number AND p.tracking_key <> ''
    ))
    ON CONFLICT DO NOTHING
"""
#: The tracking number that a package has so far becomes that of one of its parcels.
_ADD_PARCEL: Final = f"""
    INSERT INTO known_parcels (known_order, number, tracking_number, tracking_key)
    SELECT known_order, number, tracking_number, tracking_key FROM known_packages
    WHERE known_order = {_THIS_ORDER} AND number = :number AND type = 'Output' AND tracking_key <> ''
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
#: Unless the tracking number that the package is given now is one of them.
_DELETE_PARCELS: Final = f"""
    DELETE FROM known_parcels
    WHERE known_order = {_THIS_ORDER} AND number = :number AND NOT EXISTS (
        SELECT 1 FROM known_parcels q
        WHERE q.known_order = {_THIS_ORDER} AND q.number = :number AND q.tracking_key = :tracking_key
    )
"""  # noqa: S608 - constants
_COUNT: Final = """
    SELECT o.account, count(*), sum(p.packages), sum(p.tracked), sum(p.keyed), min(o.seen), max(o.seen)
    FROM known_orders o LEFT JOIN (
        SELECT known_order, count(*) AS packages, count(CASE WHEN tracking_number <> '' THEN 1 END) AS tracked,
            count(CASE WHEN nfe_key <> '' THEN 1 END) AS keyed
        FROM known_packages WHERE type = 'Output' GROUP BY known_order
    ) AS p ON p.known_order = o.id
    GROUP BY o.account ORDER BY o.account
"""
#: Orders that were last seen long ago, and of which the journal has no entry.
_PRUNABLE: Final = """
    SELECT id FROM known_orders o WHERE id > :last AND seen < {seconds} - :older_than
        AND NOT EXISTS (SELECT 1 FROM packages p WHERE p.account = o.account AND p.order_id = o.order_id)
    ORDER BY id LIMIT {page}
"""
#: Not one that was seen again meanwhile.
_PRUNE: Final = """
    DELETE FROM {table}
    WHERE known_order IN (SELECT id FROM known_orders WHERE id = :id AND seen < {seconds} - :older_than)
"""
_PRUNE_ORDER: Final = "DELETE FROM known_orders WHERE id = :id AND seen < {seconds} - :older_than"


def known_order_statements(in_values: str, seconds: str, join: str, page: int) -> Mapping[str, str]:
    """Return the statements by their names.

    Args:
        in_values: The end of the condition that a column has one of the wanted values.
        seconds: The current time in seconds.
        join: How the second table is joined to the first one, which is read first.
        page: Records that one statement reads at most.
    """
    columns = ("nfe_key", "number", "key_number", "tracking_key")
    return {
        "known_by_order_id": _BY_ORDER.format(join=join, in_values=in_values),
        **{f"known_by_{each}": _BY_VALUE.format(join=join, in_values=in_values, column=each) for each in columns},
        "known_by_parcel": _BY_PARCEL.format(join=join, in_values=in_values),
        "known_parcels": _PARCELS.format(join=join, in_values=in_values),
        "known_series": "SELECT account, issuer, series FROM known_series",
        "save_known_series": """
            INSERT INTO known_series (account, issuer, series) VALUES (:account, :invoice_issuer, :invoice_series)
            ON CONFLICT DO NOTHING
        """,
        "save_known_parcel": _SAVE_PARCEL,
        "add_known_parcel": _ADD_PARCEL,
        "delete_known_parcels": _DELETE_PARCELS,
        "save_known_order": _SAVE_ORDER.format(seconds=seconds),
        "save_known_package": _SAVE_PACKAGE.format(seconds=seconds),
        "rename_known_package": _RENAME_PACKAGE,
        "delete_known_package": _DELETE_PACKAGE,
        "count_known": _COUNT,
        "prunable_known_orders": _PRUNABLE.format(seconds=seconds, page=page),
        **{
            f"prune_{table}": _PRUNE.format(table=table, seconds=seconds)
            for table in ("known_packages", "known_parcels")
        },
        "prune_known_order": _PRUNE_ORDER.format(seconds=seconds),
    }
