"""What SQLite and PostgreSQL share: tables, SELECT statements, and the entry that a record becomes. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.events import TrackingEvent

from . import known_orders, order_reads, parked_events
from .entries import BY_HAND, STATES, TAKEN_BACK, AccountRecord, Entry, PackageKey

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from .entries import State

#: Entries, or packages, that one statement reads at most.
PAGE: Final = 500

#: Packages that one transaction prunes at most.
PRUNED_PACKAGES: Final = 1000

#: The tables, with placeholders for what each database writes in its own way; see :func:`tables_for`. Together with the
#: package in one index, the keys of new entries are close to each other, and the entries of a package can be found by
#: it. An entry without event_date is a delivery.
_TABLES: Final = (
    "CREATE TABLE meta (name {text} PRIMARY KEY, value TEXT NOT NULL) {without_rowid}",
    "CREATE TABLE sources (id {id}, name {text} NOT NULL UNIQUE)",
    # A row for each account: what is known of it. ``revision`` grows when a deliverer may have something to do.
    """CREATE TABLE accounts (
        id {id},
        name {text} NOT NULL UNIQUE,
        revision {bigint} NOT NULL DEFAULT 0,
        stopped {time},
        stopped_reason TEXT,
        quiet_until {time},
        quiet_reason TEXT,
        last_applied {time},
        deliverer TEXT,
        delivers_since {time},
        resend_after {float},
        pace TEXT,
        served_until {time}
    )""",
    # Keys of entries that were pruned, and that must not be sent again.
    "CREATE TABLE pruned_keys (key {bytes} PRIMARY KEY, settled {time} NOT NULL) {without_rowid}",
    """CREATE TABLE packages (
        id {id},
        account {text} NOT NULL,
        order_id {text} NOT NULL,
        invoice_number {text} NOT NULL,
        UNIQUE (account, order_id, invoice_number)
    )""",
    """CREATE TABLE entries (
        id {id},
        account {bigint} NOT NULL REFERENCES accounts,
        package {bigint} NOT NULL REFERENCES packages,
        key {bytes} NOT NULL,
        event_date TEXT,
        event_city TEXT,
        event_state TEXT,
        event_description TEXT,
        event_id TEXT,
        event_time TEXT,
        delivered_date TEXT,
        source {bigint} NOT NULL REFERENCES sources,
        line {bigint} NOT NULL,
        state {text} NOT NULL CHECK ({is_state}),
        attempts INTEGER NOT NULL DEFAULT 0,
        status_code INTEGER,
        receipt TEXT,
        reason TEXT,
        added {time} NOT NULL,
        begun {time},
        settled {time},
        {checksum}not_before {time},
        volume TEXT,
        volume_delivered TEXT,
        UNIQUE (package, key)
    )""",
    *known_orders.TABLES,
    *order_reads.TABLES,
    *parked_events.TABLES,
)

#: The columns of an entry for :func:`entry_from_record`.
ENTRY_COLUMNS: Final = """
    e.id, p.account, p.order_id, p.invoice_number, e.event_date, e.event_description, e.event_city, e.event_state,
    e.delivered_date, s.name, e.line, e.state, e.attempts, e.status_code, e.receipt, e.reason, e.added, e.begun,
    e.settled, e.event_id, e.event_time, e.not_before, e.volume, e.volume_delivered
"""
ENTRIES: Final = (
    f"SELECT {ENTRY_COLUMNS} FROM entries e JOIN packages p ON p.id = e.package JOIN sources s ON s.id = e.source"  # noqa: S608
)
COUNTS: Final = """
    SELECT a.name, c.state, c.number
    FROM (SELECT account, state, count(*) AS number FROM entries GROUP BY account, state) AS c
        JOIN accounts a ON a.id = c.account
    ORDER BY a.name, c.state
"""

#: The entries of packages that have a volume; ``{packages}`` is the condition on the packages.
VOLUME_ENTRIES: Final = f"{ENTRIES} WHERE {{packages}} AND e.volume IS NOT NULL ORDER BY e.id"

#: Withdraws a delivery that the carrier took back, if VTEX does not have it.
TAKE_BACK: Final = f"""
    UPDATE entries SET state = 'withdrawn', status_code = NULL, receipt = NULL, reason = '{TAKEN_BACK}',
        settled = {{now}}
    WHERE state IN ('pending', 'refused', 'withdrawn') AND {{keys}}
"""  # noqa: S608 - constants

#: True for every account where none is given. No index serves it: what matters is the order of the pages.
OF_ACCOUNT: Final = "coalesce(p.account = :account, TRUE)"

_ACCOUNTS: Final = """
    SELECT name, revision, stopped, stopped_reason, quiet_until, quiet_reason, last_applied, deliverer, delivers_since,
        resend_after, pace, {now}
    FROM accounts WHERE name = coalesce(:account, name) ORDER BY name
"""
_OPEN_ENTRIES: Final = f"""
    SELECT e.package, {ENTRY_COLUMNS}
    FROM entries e {{join}} packages p ON p.id = e.package {{join}} sources s ON s.id = e.source
    WHERE {{is_open}} AND e.account = (SELECT id FROM accounts WHERE name = :account) AND e.package > :last
    ORDER BY e.package, e.id LIMIT {PAGE}
"""  # noqa: S608 - constants
_OF_PACKAGE: Final = """e.package = (
    SELECT id FROM packages WHERE account = :account AND order_id = :order_id AND invoice_number = :invoice_number
)"""
_BACKLOGS: Final = """
    SELECT events, deliveries, in_doubt, count(*) FROM (
        SELECT
            count(CASE WHEN e.state = 'pending' AND e.event_date IS NOT NULL THEN 1 END) AS events,
            count(CASE WHEN e.state = 'pending' AND e.event_date IS NULL THEN 1 END) AS deliveries,
            count(CASE WHEN e.state <> 'pending' THEN 1 END) AS in_doubt
        FROM entries e WHERE {is_open} AND e.account = (SELECT id FROM accounts WHERE name = :account)
        GROUP BY e.package
    ) AS backlogs
    GROUP BY events, deliveries, in_doubt
"""
_HELD: Final = """
    SELECT a.name, count(*), max(e.not_before) FROM entries e JOIN accounts a ON a.id = e.account
    WHERE {is_open} AND e.state = 'pending' AND e.not_before > {now} GROUP BY a.name
"""
#: When the oldest entry was added that is pending and not held.
_PENDING_SINCE: Final = """
    SELECT a.name, min(e.added) FROM entries e JOIN accounts a ON a.id = e.account
    WHERE {is_open} AND e.state = 'pending' AND (e.not_before IS NULL OR e.not_before <= {now}) GROUP BY a.name
"""
#: The latest entries of a state, without what they report. Reading ends with the last one that is wanted, so a caller
#: that knows how many there are does not read the whole table.
_LATEST: Final = """
    SELECT e.id, a.name, e.package, e.status_code, substr(e.reason, 1, 600), {settled}
    FROM entries e {join} accounts a ON a.id = e.account
    WHERE e.state = :state AND e.id < :before ORDER BY e.id DESC LIMIT :limit
"""
_PACKAGES_OF_ORDERS: Final = """
    SELECT p.account, p.order_id, p.invoice_number FROM accounts a {join} packages p ON p.account = a.name
    WHERE p.order_id {in_values} ORDER BY p.account, p.order_id, p.invoice_number
"""
#: The latest packages with an invoice number, given without its leading zeros. It reads all packages: no index has it.
_PACKAGES_OF_INVOICE: Final = f"""
    SELECT account, order_id, invoice_number FROM packages WHERE ltrim(invoice_number, '0') = :number
    ORDER BY id DESC LIMIT {PAGE}
"""  # noqa: S608 - a constant
_UPDATE_ACCOUNT: Final = """
    UPDATE accounts SET
        stopped = CASE WHEN :stopped_reason = '' THEN NULL WHEN stopped_reason = :stopped_reason THEN stopped
            ELSE {now} END,
        stopped_reason = :stopped_reason,
        quiet_until = CASE WHEN :quiet_seconds > 0 THEN {quiet_until} END,
        quiet_reason = :quiet_reason,
        last_applied = CASE WHEN :has_applied THEN {now} ELSE last_applied END,
        resend_after = :resend_after,
        pace = :pace
    WHERE name = :account
"""
_MOVE: Final = """
    UPDATE entries SET state = :state,
        status_code = CASE WHEN :keeps THEN status_code END,
        receipt = CASE WHEN :keeps THEN receipt END,
        reason = CASE WHEN :keeps THEN coalesce(:reason, reason) ELSE :reason END,
        settled = CASE WHEN :state <> 'pending' THEN {now} END
"""
#: Changes nothing that anything else reads, and waits for the disk as other changes do.
_PROBE: Final = """
    INSERT INTO meta (name, value) VALUES ('probe', :at) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_PRUNED_KEYS: Final = f"SELECT key FROM pruned_keys WHERE key > :last ORDER BY key LIMIT {PAGE}"  # noqa: S608 - a constant
#: Not a package that waits for its delivery: one that the carrier took back and did not deliver since, or with volumes
#: that are not all delivered. Without its entries it would be delivered too early, or by a row that was pushed before.
_PRUNABLE: Final = f"""
    SELECT package FROM entries WHERE package > :last GROUP BY package
    HAVING min(CASE WHEN state IN ('applied', 'refused', 'withdrawn') AND settled < :before
        AND coalesce(reason, '') <> '{TAKEN_BACK}' THEN 1 ELSE 0 END) = 1
        AND (count(volume) = 0 OR count(event_date) < count(*))
    ORDER BY package LIMIT {PRUNED_PACKAGES}
"""  # noqa: S608 - constants
#: An applied or dismissed entry must not be sent again if its row is pushed again.
_KEEP_KEYS: Final = f"""
    INSERT INTO pruned_keys SELECT key, settled FROM entries WHERE package = :package
        AND (state = 'applied' OR (state = 'withdrawn' AND coalesce(reason, '') <> '{BY_HAND}'))
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - a constant

#: The state of an entry in the tables of an earlier version, which had no withdrawn entries.
WITHDRAWN_IF_BY_HAND: Final = f"CASE WHEN state = 'refused' AND reason = '{BY_HAND}' THEN 'withdrawn' ELSE state END"

#: States by their stored text.
STATES_BY_TEXT: Final[Mapping[str, State]] = {state: state for state in STATES}


def tables_for(*, checksum: str = "", **placeholders: str) -> tuple[str, ...]:
    """Return the statements that create the tables in a database.

    Args:
        checksum: The column with the checksum of an entry, and a comma; empty if the database has checksums of its own.
        placeholders: The other placeholders.
    """
    return tuple(statement.format(checksum=checksum, **placeholders) for statement in _TABLES)


def statements_for(
    is_open: str,
    in_states: str,
    in_values: str,
    now: str,
    seconds: str,
    quiet_until: str,
    join: str,
    parameter: str,
) -> Mapping[str, str]:
    """Return the statements that both databases have, in the dialect of one of them. Pages begin after ``last``.

    Args:
        is_open: The condition of the index of open entries, word for word: otherwise the index is not used.
        in_states: The condition that the state of an entry ``e`` is among ``:states``.
        in_values: See :func:`.known_orders.known_order_statements`.
        now: The current time, or the parameter with it.
        seconds: A time in seconds since 1970; ``{}`` stands for the time as it is stored.
        quiet_until: The time in ``:quiet_seconds``.
        join: How other tables are joined to the entries, entries first.
        parameter: How the database writes the parameter that :func:`re.sub` calls group 1.
    """
    page = f"AND {in_states} AND e.id > :last ORDER BY e.id LIMIT {PAGE}"
    statements = {
        "entries": f"{ENTRIES} WHERE {OF_ACCOUNT} {page}",
        "entries_of_package": f"{ENTRIES} WHERE {_OF_PACKAGE} {page}",
        "open_entries_of_package": f"{ENTRIES} WHERE {_OF_PACKAGE} AND {is_open} {page}",
        "open_entries_of_account": _OPEN_ENTRIES.format(join=join, is_open=is_open),
        "backlogs": _BACKLOGS.format(is_open=is_open),
        "held": _HELD.format(is_open=is_open, now=now),
        "pending_since": _PENDING_SINCE.format(is_open=is_open, now=now),
        "latest": _LATEST.format(join=join, settled=seconds.format("coalesce(e.settled, e.begun, e.added)")),
        "packages_of_orders": _PACKAGES_OF_ORDERS.format(join=join, in_values=in_values),
        "packages_of_invoice": _PACKAGES_OF_INVOICE,
        "account": _ACCOUNTS.format(now=now),
        "revision": "SELECT revision FROM accounts WHERE name = :account",
        "update_account": _UPDATE_ACCOUNT.format(now=now, quiet_until=quiet_until),
        "move": _MOVE.format(now=now),
        "pruned_keys": _PRUNED_KEYS,
        "prunable_packages": _PRUNABLE,
        "keep_keys": _KEEP_KEYS,
        "forget": "DELETE FROM pruned_keys WHERE settled < :before",
        "prune_entries": "DELETE FROM entries WHERE package = :package",
        "prune_package": "DELETE FROM packages WHERE id = :package",
        **known_orders.known_order_statements(in_values, seconds.format(now), join, PAGE),
        **order_reads.order_read_statements(in_values, seconds.format(now), seconds.format("e.settled")),
        **parked_events.parked_event_statements(PAGE),
        "probe": _PROBE,
        "prune_sources": "DELETE FROM sources WHERE NOT EXISTS (SELECT 1 FROM entries WHERE source = sources.id)",
    }
    return {name: re.sub(r":(\w+)", parameter, statement) for name, statement in statements.items()}


def entry_from_record(record: tuple[Any, ...], to_utc: Callable[[Any], dt.datetime]) -> Entry:
    """Return the entry in a record of :data:`ENTRY_COLUMNS`.

    Args:
        record: The record.
        to_utc: Converts a time from how the database stores it.
    """
    id_, account, order_id, invoice_number, date, description, city, event_state, *rest = record
    delivered_date, source, line, state, attempts, status_code, receipt, reason, *rest = rest
    added, begun, settled, event_id, time, not_before, volume, volume_delivered = rest
    return Entry(
        id=id_,
        package=PackageKey(account, order_id, invoice_number),
        event=None if date is None else TrackingEvent(date, description, city, event_state),
        delivered_date=delivered_date,
        place=Place(source, line),
        state=STATES_BY_TEXT[state],
        attempts=attempts,
        status_code=status_code,
        receipt=receipt,
        reason=reason or "",
        added=to_utc(added),
        begun=None if begun is None else to_utc(begun),
        settled=None if settled is None else to_utc(settled),
        event_id=event_id or "",
        time=time or "",
        not_before=None if not_before is None else to_utc(not_before),
        volume=volume or "",
        volume_delivered=volume_delivered,
    )


def account_from_record(record: tuple[Any, ...], to_utc: Callable[[Any], dt.datetime]) -> AccountRecord:
    """Return what is known of an account, from a record of the query ``account``.

    Args:
        record: The record.
        to_utc: Converts a time from how the database stores it.
    """
    name, revision, stopped, stopped_reason, quiet_until, quiet_reason, last_applied, *rest = record
    deliverer, delivers_since, resend_after, pace, now = rest
    for value, kind in (
        *((text, str | None) for text in (name, stopped_reason, quiet_reason, deliverer, pace)),
        (revision, int),
        (resend_after, float | None),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"account {name!r} has a value of another type: {value!r}")
    return AccountRecord(
        account=name,
        revision=revision,
        now=to_utc(now),
        stopped=None if stopped is None else to_utc(stopped),
        stopped_reason=stopped_reason or "",
        quiet_until=None if quiet_until is None else to_utc(quiet_until),
        quiet_reason=quiet_reason or "",
        last_applied=None if last_applied is None else to_utc(last_applied),
        deliverer=deliverer or "",
        delivers_since=None if delivers_since is None else to_utc(delivers_since),
        resend_after=resend_after,
        pace=pace or "",
    )
