"""Writing to a journal on PostgreSQL."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import psycopg
from attrs import evolve

from vtex_tracking_ext.bulk.journal.interface import BATCH, WrongStateError, outcome

from . import add_rows, schema
from .address import parse_url
from .connections import Connections, connect
from .reader import COLUMNS, PostgresReader, entry_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row
    from vtex_tracking_ext.bulk.journal.entries import (
        Added,
        Clock,
        Entry,
        Outcome,
        PackageKey,
        Resolution,
        Selection,
        State,
    )

    from .address import Address
    from .schema import Connection

#: The entries that are in the state they should be in, locked; who locks several does it in the order of numbers. An
#: entry that somebody else moves at this moment is waited for, and then judged as it stands.
_MINE: Final = """
    WITH mine AS (
        SELECT id FROM entries WHERE id = ANY(%(ids)s) AND state = %(from)s ORDER BY id FOR UPDATE
    )
"""
_ALL_OR_NONE: Final = " AND (SELECT count(*) FROM mine) = %(number)s"
_BEGIN: Final = f"""
    {_MINE}, begun AS (
        UPDATE entries e SET state = 'in_flight', attempts = e.attempts + 1,
            begun = coalesce(%(now)s::timestamptz, (SELECT clock_timestamp()))
        FROM mine WHERE e.id = mine.id {_ALL_OR_NONE} RETURNING e.*
    )
    {COLUMNS} FROM begun e JOIN packages p ON p.id = e.package JOIN sources s ON s.id = e.source ORDER BY e.id
"""  # noqa: S608 - all of it is ours
_MOVE: Final = f"""
    {_MINE}
    UPDATE entries e SET state = %(state)s, status_code = %(status_code)s, receipt = %(receipt)s, reason = %(reason)s,
        settled = CASE WHEN %(state)s <> 'pending' THEN coalesce(%(now)s::timestamptz, (SELECT clock_timestamp())) END
    FROM mine WHERE e.id = mine.id
"""  # noqa: S608 - all of it is ours
_SETTLE: Final = _MOVE + _ALL_OR_NONE
_STATES: Final = "SELECT id, state FROM entries WHERE id = ANY(%s)"


class PostgresJournal(PostgresReader):
    """A journal on PostgreSQL, to write to: a :class:`~vtex_tracking_ext.bulk.journal.interface.Journal`.

    Many runs, on many machines, may have it open at once.
    """

    def __init__(self, address: Address, connections: Connections, clock: Clock | None) -> None:
        super().__init__(address, connections)
        self._clock = clock

    @classmethod
    def open(cls, url: str, clock: Clock | None = None, *, create: bool = True) -> Self:
        """Open a journal to write to it.

        Args:
            url: See :meth:`PostgresReader.open`.
            clock: Gives the current time; unless given, the server's clock does, which is the same for all machines.
            create: Whether to make its tables where there are none. Older ones are left to :meth:`migrate`.

        Raises:
            JournalError: It cannot be used, or there is none and ``create`` is False.
        """
        address = parse_url(url)
        with connect(address) as connection:
            _expect_writable(connection)
            version = schema.version_of(address, connection)
            if create and not version:
                schema.migrate(address, connection, clock and clock())
            else:
                schema.check_version(address, version)
        return cls(address, Connections(address, is_writing=True), clock)

    @classmethod
    def migrate(cls, url: str, clock: Clock | None = None) -> str:
        """Make a journal's tables, or bring them up to date, and return what was done, in words.

        Raises:
            JournalInUseError: It is older, and somebody is writing to it.
            JournalError: It is newer than this program, or cannot be changed.
        """
        address = parse_url(url)
        with connect(address) as connection:
            _expect_writable(connection)
            version = schema.migrate(address, connection, clock and clock())
        now = f"version {schema.SCHEMA_VERSION}"
        if version == schema.SCHEMA_VERSION:
            return f"The journal {address.name} is of {now} already."
        return f"The journal {address.name} was {f'version {version}, and is now' if version else 'made, of'} {now}."

    def add(self, rows: Iterable[Row], account: str) -> Iterator[Added]:
        """Add rows as they are iterated over, and yield what each meant."""
        remaining = iter(rows)
        while batch := tuple(islice(remaining, BATCH)):
            with self.connections.connection() as connection:
                added = add_rows.add(connection, self.address.schema, batch, account, self._now())
            yield from added

    def try_lock(self, package: PackageKey) -> AbstractContextManager[bool]:
        """Work on a package alone: give whether nobody else does, in any process on any machine.

        The lock is the session's of one connection, and all that this thread does meanwhile goes through it. So a
        process that is killed lets go at once, and where the connection is lost, so is the right to begin: whatever
        the thread asks for then raises JournalError.
        """
        return self.connections.try_lock(package)

    def mark_in_flight(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Note that pending entries are about to leave, and return them as they now stand."""
        wanted = sorted(set(ids))
        while True:
            values = {"ids": wanted, "number": len(wanted), "from": "pending", "now": self._now()}
            with self.connections.connection() as connection:
                begun = connection.execute(_BEGIN, values).fetchall()
                if len(begun) == len(wanted):
                    return tuple(map(entry_of, begun))
                self._complain("pending", wanted, connection)

    def record_outcome(
        self,
        ids: Iterable[int],
        state: Outcome,
        *,
        status_code: int | None = None,
        receipt: str | None = None,
        reason: str = "",
    ) -> None:
        """Note what became of entries in flight."""
        wanted = sorted(set(ids))
        values = {"number": len(wanted), **outcome("in_flight", state, status_code, receipt, reason)}
        while True:
            with self.connections.connection() as connection:
                if self._move(connection, _SETTLE, wanted, values) == len(wanted):
                    return
                self._complain("in_flight", wanted, connection)

    def resolve(self, selection: Selection, state: Resolution, reason: str = "") -> int:
        """Note what unknown outcomes turned out to be."""
        return self._move_selected(selection, outcome("unknown", state, reason=reason))

    def retry(self, selection: Selection) -> int:
        """Make refused entries pending."""
        return self._move_selected(selection, outcome("refused", "pending"))

    def withdraw(self, selection: Selection, reason: str) -> int:
        """Make pending entries refused, so that they are not sent."""
        return self._move_selected(selection, outcome("pending", "refused", reason=reason))

    def _now(self) -> dt.datetime | None:
        return self._clock and self._clock()

    def _move(self, connection: Connection, sql: str, ids: list[int], values: dict[str, Any]) -> int:
        return connection.execute(sql, {**values, "ids": ids, "now": self._now()}).rowcount

    def _move_selected(self, selection: Selection, values: dict[str, Any]) -> int:
        moved = 0
        found = (entry.id for entry in self.entries(evolve(selection, states=(values["from"],))))
        while ids := list(islice(found, BATCH)):
            with self.connections.connection() as connection:
                moved += self._move(connection, _MOVE, ids, values)
        return moved

    def _complain(self, state: State, ids: list[int], connection: Connection) -> None:
        """Say which entries are not in ``state``; return if all of them are by now, so that it can be tried again."""
        found = {id_: now for id_, now in connection.execute(_STATES, (ids,))}  # noqa: C416 - for the types' sake
        others = [f"entry {id_} is {found.get(id_, 'not there')}" for id_ in ids if found.get(id_) != state]
        if others:
            raise WrongStateError(f"The journal {self.name}: {', '.join(others)}, where {state} was expected.")


def _expect_writable(connection: Connection) -> None:
    ((is_read_only,),) = connection.execute("SELECT current_setting('transaction_read_only')::boolean")
    if is_read_only:
        raise psycopg.errors.ReadOnlySqlTransaction("it is a copy, or its changes are turned off")
