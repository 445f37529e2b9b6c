"""The lease of an account in a journal on PostgreSQL: an advisory lock of a session."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from attrs import asdict

from vtex_tracking_ext.bulk.journal.group_commit import GroupCommit, Job
from vtex_tracking_ext.bulk.journal.interface import Changes, Lease

from .encoding import encode
from .errors import journal_error
from .reader import SQL

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Entry, Settlement

    from .address import Address
    from .schema import Connection

#: Records outcomes, and begins entries that were not changed since they were read and are not held. An entry is in one
#: of the two.
_COMMIT: Final = """
    WITH moment AS (
        SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
    ), settled AS (
        UPDATE entries e SET state = s.state, status_code = s.status_code, receipt = s.receipt, reason = s.reason,
            settled = CASE WHEN s.state <> 'pending' THEN moment.now END
        FROM moment, unnest(%(settled)s::bigint[], %(states)s::text[], %(status_codes)s::integer[],
            %(receipts)s::text[], %(reasons)s::text[]) AS s(id, state, status_code, receipt, reason)
        WHERE e.id = s.id AND e.state IN ('in_flight', 'unknown')
    )
    UPDATE entries e SET state = 'in_flight', attempts = e.attempts + 1, begun = moment.now
    FROM moment, unnest(%(begun)s::bigint[], %(delivered)s::text[], %(dates)s::text[], %(descriptions)s::text[],
        %(cities)s::text[], %(event_states)s::text[])
        AS b(id, delivered_date, event_date, event_description, event_city, event_state)
    WHERE e.id = b.id AND e.state = 'pending'
        AND (e.delivered_date, e.event_date, e.event_description, e.event_city, e.event_state)
            IS NOT DISTINCT FROM (b.delivered_date, b.event_date, b.event_description, b.event_city, b.event_state)
        AND coalesce(e.not_before <= moment.now, TRUE)
    RETURNING e.id
"""


@contextmanager
def try_lock(connection: Connection, number: int) -> Iterator[bool]:
    """Hold an advisory lock of a session while the context lasts, and return whether it was free."""
    ((is_acquired,),) = connection.execute("SELECT pg_try_advisory_lock(%s)", (number,))
    try:
        yield is_acquired
    finally:
        if is_acquired:
            try:
                connection.execute("SELECT pg_advisory_unlock(%s)", (number,))
            except psycopg.Error:
                connection.close()  # which ends the session and its locks


class PostgresLease(GroupCommit[Changes], Lease):
    """A lease of a journal on PostgreSQL.

    Everything is recorded in the session that holds the lock, so that nothing is begun once that session is lost.

    Args:
        record: What the journal knows of the account.
        connection: The session.
        address: The journal's address.
        now: Returns the time, or None for the server's.
    """

    def __init__(
        self, record: AccountRecord, connection: Connection, address: Address, now: Callable[[], dt.datetime | None]
    ) -> None:
        Lease.__init__(self, record)
        GroupCommit.__init__(self, threading.Lock())
        self._connection = connection
        self._address = address
        self._now = now

    def _commit(self, changes: Changes) -> AbstractSet[int]:
        ids: set[int] = self.run(changes)
        return ids

    def _transact(self, jobs: list[Job[Changes]]) -> None:
        try:
            ids = self._execute([job.work for job in jobs])
        except psycopg.Error as error:
            for job in jobs:
                job.error = journal_error(self._address, error)
            return
        for job in jobs:
            job.result = ids & {entry.id for entry in job.work.begun}
            ids -= job.result  # of threads that begin the same entry, one gets it
            job.is_committed = True

    def _execute(self, changes: Sequence[Changes]) -> set[int]:
        now = self._now()
        for update in filter(None, (each.update for each in changes)):
            values = {**asdict(update), "account": encode(self.account), "now": now}
            self._connection.execute(SQL["update_account"], values)
        settlements = [settlement for each in changes for settlement in each.settlements]
        begun = [entry for each in changes for entry in each.begun]
        while settlements or begun:
            # Adding rows locks entries in the order of their ids, this statement in that of both lists.
            with suppress(psycopg.errors.DeadlockDetected):
                found = self._connection.execute(_COMMIT, {**_columns(settlements, begun), "now": now})
                return {id_ for (id_,) in found}
        return set()


def _columns(settlements: Sequence[Settlement], begun: Sequence[Entry]) -> dict[str, Any]:
    settled = sorted((id_, number) for number, each in enumerate(settlements) for id_ in each.ids)
    outcomes = [settlements[number] for _, number in settled]
    entries = sorted(begun, key=lambda entry: entry.id)
    events = [entry.event for entry in entries]
    return {
        "settled": [id_ for id_, _ in settled],
        "states": [each.state for each in outcomes],
        "status_codes": [each.status_code for each in outcomes],
        "receipts": [each.receipt for each in outcomes],
        "reasons": [each.reason or None for each in outcomes],
        "begun": [entry.id for entry in entries],
        "delivered": [entry.delivered_date for entry in entries],
        "dates": [event and encode(str(event.date)) for event in events],
        "descriptions": [event and encode(event.description) for event in events],
        "cities": [event and encode(event.city) for event in events],
        "event_states": [event and encode(event.state) for event in events],
    }
