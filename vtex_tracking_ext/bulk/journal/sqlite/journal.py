"""Writing to a journal in an SQLite file."""

from __future__ import annotations

import datetime as dt
import os
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from vtex_tracking_ext.bulk.journal.entries import utc_now
from vtex_tracking_ext.bulk.journal.interface import BATCH, JournalError, WrongStateError, outcome
from vtex_tracking_ext.text import visible

from . import file
from .add_rows import Adding
from .commits import GroupCommit
from .lookup import select_many
from .reader import ENTRIES_BY_ID, SqliteReader, entry_of, missing_journal_error, stamp_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
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

_STATES_BY_ID: Final = "SELECT id, state FROM entries WHERE id IN ({})"
_BEGIN: Final = """
    UPDATE entries SET state = 'in_flight', attempts = attempts + 1, begun = ? WHERE id = ? AND state = 'pending'
"""
_MOVE: Final = """
    UPDATE entries SET state = ?, status_code = ?, receipt = ?, reason = ?, settled = ? WHERE id = ? AND state = ?
"""


class SqliteJournal(SqliteReader):
    """A journal in a file, to write to: a :class:`~vtex_tracking_ext.bulk.journal.interface.Journal`.

    It reads with the connection that writes, between two transactions: another one would have to fetch each page anew
    after every commit.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        lock: threading.Lock,
        commits: GroupCommit,
        clock: Clock,
        resources: ExitStack,
    ) -> None:
        super().__init__(path, connection, lock)
        self._commits = commits
        self._clock = clock
        self._resources = resources
        self._holding = threading.Lock()
        self._held: set[PackageKey] = set()

    @classmethod
    def open(cls, path: str | os.PathLike[str], clock: Clock = utc_now, *, create: bool = True) -> Self:
        """Open a journal to write to it; no other run can until it is closed, or this process has ended.

        Args:
            path: Its file, on a disk of this machine (SQLite's log does not work over a network).
            clock: Gives the current time.
            create: Whether to make one where there is none.

        Raises:
            JournalInUseError: Another run has it.
            JournalError: It cannot be used, or there is none and ``create`` is False.
        """
        real = Path(os.path.realpath(path))
        if not (file.is_journal(real) or create):
            raise missing_journal_error(real)
        with ExitStack() as resources:
            resources.enter_context(closing(file.take_lock(real, partial(_holder, real))))
            if not file.is_journal(real):  # looked at again, now that nobody else can make it
                file.make(real, _utc(clock))
            return cls._connect(real, clock, resources, [real, file.lock_path(real)])

    @classmethod
    def temporary(cls, clock: Clock = utc_now) -> Self:
        """Make a journal that vanishes when it is closed and does not wait for the disk: to plan with.

        It is in a folder of its own among the system's temporary files; ``kill -9`` leaves that behind.
        """
        with ExitStack() as resources, file.explaining(Path("temporary")):
            path = Path(resources.enter_context(TemporaryDirectory(prefix="vtex-tracking-")), "journal.db")
            file.make(path, _utc(clock))
            return cls._connect(path, clock, resources, [path], is_durable=False)

    @classmethod
    def trial(cls, path: str | os.PathLike[str], clock: Clock = utc_now) -> Self:
        """Make a temporary journal with what a journal holds, to see what a push would do; that one is only read.

        Args:
            path: The journal's file; where there is none, the trial begins empty.
            clock: Gives the current time.

        Raises:
            JournalError: There is something else, or it cannot be read.
        """
        trial = cls.temporary(clock)
        real = Path(os.path.realpath(path))
        try:
            if real.parent.is_dir() and file.is_journal(real):
                with file.explaining(real), closing(file.open_to_read(real)) as source:
                    trial._commits.copy_from(source)  # noqa: SLF001 - of the same class
        except BaseException:
            trial.close()
            raise
        return trial

    @classmethod
    def _connect(
        cls, path: Path, clock: Clock, resources: ExitStack, guarded: Iterable[Path], *, is_durable: bool = True
    ) -> Self:
        """Connect to a file that is there, and take over ``resources``, which close in the reverse order."""
        check, lock = file.Whereabouts(*guarded).check, threading.Lock()
        connection = file.open_to_write(path, is_durable=is_durable)
        commits = resources.enter_context(closing(GroupCommit(connection, lock, check, partial(file.explain, path))))
        commits.do(partial(_sign, f"process {os.getpid()}, since {_utc(clock)}"))
        return cls(path, connection, lock, commits, clock, resources.pop_all())

    def close(self) -> None:
        """Let go of the journal, and of the right to write to it."""
        self._resources.close()

    def add(self, rows: Iterable[Row], account: str) -> Iterator[Added]:
        """Add rows as they are iterated over, and yield what each meant."""
        remaining = iter(rows)
        while batch := tuple(islice(remaining, BATCH)):
            yield from self._commits.do(partial(self._add, batch, account))

    def copy(self, entries: Iterable[Entry]) -> None:
        """Put in the entries of another journal as they stand, with their numbers; this one is empty so far."""
        remaining = iter(entries)
        while batch := tuple(islice(remaining, BATCH)):
            self._commits.do(partial(self._copy, batch))

    @contextmanager
    def try_lock(self, package: PackageKey) -> Iterator[bool]:
        """Give whether nobody else in this process works on a package; no other process writes to this journal."""
        with self._holding:
            is_mine = package not in self._held
            self._held.add(package)
        try:
            yield is_mine
        finally:
            if is_mine:
                self._held.discard(package)

    def mark_in_flight(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Note that pending entries are about to leave, and return them as they now stand."""
        return self._commits.do(partial(self._begin, sorted(set(ids))))

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
        values = self._outcome("in_flight", state, status_code, receipt, reason)
        self._commits.do(partial(self._settle, sorted(set(ids)), values))

    def resolve(self, selection: Selection, state: Resolution, reason: str = "") -> int:
        """Note what unknown outcomes turned out to be."""
        return self._move(selection, self._outcome("unknown", state, reason=reason))

    def retry(self, selection: Selection) -> int:
        """Make refused entries pending."""
        return self._move(selection, self._outcome("refused", "pending"))

    def withdraw(self, selection: Selection, reason: str) -> int:
        """Make pending entries refused, so that they are not sent."""
        return self._move(selection, self._outcome("pending", "refused", reason=reason))

    def _outcome(
        self,
        origin: State,
        state: Outcome,
        status_code: int | None = None,
        receipt: str | None = None,
        reason: str = "",
    ) -> dict[str, Any]:
        settled = None if state == "pending" else stamp_of(self._clock())
        return {**outcome(origin, state, status_code, receipt, reason), "settled": settled}

    def _add(self, rows: Iterable[Row], account: str, connection: sqlite3.Connection) -> list[Added]:
        return Adding(connection, stamp_of(self._clock())).add(rows, account)

    def _copy(self, entries: Iterable[Entry], connection: sqlite3.Connection) -> None:
        Adding(connection, stamp_of(self._clock())).copy(entries)

    def _begin(self, ids: Sequence[int], connection: sqlite3.Connection) -> tuple[Entry, ...]:
        now = stamp_of(self._clock())
        self._expect("pending", [id_ for id_ in ids if not connection.execute(_BEGIN, (now, id_)).rowcount], connection)
        return tuple(map(entry_of, select_many(connection, ENTRIES_BY_ID, ids)))

    def _settle(self, ids: Iterable[int], values: Mapping[str, Any], connection: sqlite3.Connection) -> None:
        self._expect("in_flight", _unmoved(ids, values, connection), connection)

    def _expect(self, state: State, others: Sequence[int], connection: sqlite3.Connection) -> None:
        """Refuse if there are entries that could not be moved, because they are in another state."""
        if others:
            found = dict(select_many(connection, _STATES_BY_ID, others))
            told = ", ".join(f"entry {id_} is {found.get(id_, 'not there')}" for id_ in others)
            raise WrongStateError(f"The journal {visible(str(self.path))}: {told}, where {state} was expected.")

    def _move(self, selection: Selection, values: Mapping[str, Any]) -> int:
        moved = 0
        found = (entry.id for entry in self.entries(evolve(selection, states=(values["from"],))))
        while ids := tuple(islice(found, BATCH)):
            moved += len(ids) - len(self._commits.do(partial(_unmoved, ids, values)))
        return moved


def _utc(clock: Clock) -> str:
    return clock().astimezone(dt.UTC).isoformat(" ")


def _unmoved(ids: Iterable[int], values: Mapping[str, Any], connection: sqlite3.Connection) -> list[int]:
    """Move those that are in the state ``from``, and return the others."""
    told = (values["state"], values["status_code"], values["receipt"], values["reason"], values["settled"])
    origin = values["from"]
    return [id_ for id_ in ids if not connection.execute(_MOVE, (*told, id_, origin)).rowcount]


def _sign(holder: str, connection: sqlite3.Connection) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('holder', ?)", (holder,))


def _holder(path: Path) -> str:
    """Return who writes to a journal, for the message to whoever else wants to, or nothing where it is not known."""
    with suppress(JournalError), SqliteReader.open(path) as journal:
        return f" ({journal.word('holder')})"
    return ""
