"""Record rows in a journal. Nothing is sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import Factory, define, field

from vtex_tracking_ext.errors import ConfigurationError

from .input.disk import DiskError
from .input.rows import InputFileError, ParkedEvents, RowNote, RowProblem, UnmatchedEvents
from .input.spool import RowSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .input.rows import Place, RawRow, Row
    from .journal.entries import AddStatus
    from .journal.interface import Journal

#: Returns the journal's name of the account that a row names, or of the default account for an empty text; raises
#: ConfigurationError for an account without a client.
AccountLookup: TypeAlias = "Callable[[str], str]"

_NEWEST_FIRST: Final = "the newest events are listed first; they are sent oldest first"


@define
class RowCounts:
    """Counts of recorded rows.

    Attributes:
        rows: Rows that were read.
        invalid: Rows that cannot be sent.
        unmatched: Events of carriers that match no known order, or several; they are not counted as rows.
        parked: Events of carriers that match no known order, and that the journal keeps until their order is known;
            they are not counted as rows, nor as unmatched.
        by_status: How many of the others were new, renewed or known to the journal; see
            :class:`~vtex_tracking_ext.bulk.journal.entries.Added`.
    """

    rows: int = 0
    invalid: int = 0
    unmatched: int = 0
    parked: int = 0
    by_status: Counter[AddStatus] = Factory(Counter)

    def add(self, other: RowCounts) -> None:
        """Add other counts to these."""
        self.rows += other.rows
        self.invalid += other.invalid
        self.unmatched += other.unmatched
        self.parked += other.parked
        self.by_status.update(other.by_status)


@define
class RowRecorder:
    """Records rows in a journal.

    Attributes:
        journal: The journal.
        account_lookup: Returns an account's name in the journal.
        on_problem: Called with each problem of a row that cannot be sent; those of one row come one after the other.
        on_note: Called with a place, and a note about how it was read, or about a recorded row.
        counts: Counts of the rows so far.
    """

    journal: Journal
    account_lookup: AccountLookup
    on_problem: Callable[[RowProblem], object]
    on_note: Callable[[Place, str], object]
    counts: RowCounts = field(init=False, factory=RowCounts)
    _accounts: dict[str, tuple[str, str]] = field(init=False, factory=dict)
    _last_invalid: tuple[Place, RawRow | None] | None = field(init=False, default=None)

    def record(self, rows: Iterable[Row | RowProblem | RowNote]) -> None:
        """Record the rows of one input, after all of them were read: if reading fails, none is recorded.

        Problems are reported as they are read. An input that lists its newest events first is recorded in the reverse
        order, which is noted.

        Raises:
            InputFileError: The input cannot be read to its end.
            JournalError: The journal cannot be used.
            ConfigurationError: A row names no account, and there is no default account.
            DiskError: The rows do not fit into a temporary file.
        """
        with RowSpool() as spool:
            try:
                for row in self._valid_rows(rows):
                    spool.add(row)
            except (InputFileError, DiskError) as error:
                if spool.first_place is None:
                    raise
                raise type(error)(f"{error} No row of this file was noted.") from None
            if spool.is_newest_first and spool.first_place is not None:
                self.on_note(spool.first_place, _NEWEST_FIRST)
            for added in self.journal.add(spool.rows()):
                self.counts.by_status[added.status] += 1
                if added.note:
                    self.on_note(added.row.place, added.note)

    def _valid_rows(self, rows: Iterable[Row | RowProblem | RowNote]) -> Iterator[Row]:
        for row in rows:
            if isinstance(row, RowNote):
                self.on_note(row.place, row.message)
                continue
            if isinstance(row, UnmatchedEvents):
                if isinstance(row, ParkedEvents):
                    self.counts.parked += row.events
                else:
                    self.counts.unmatched += row.events
                self.on_problem(row)
                continue
            if isinstance(row, RowProblem):
                if self._last_invalid != (row.place, row.raw):
                    self.counts.rows += 1
                self._reject(row)
                continue
            self.counts.rows += 1
            account, problem = self._accounts.get(row.account) or self._look_up(row.account)
            if problem:
                self._reject(RowProblem(row.place, "account", problem, row.raw))
            else:
                yield row if row.account == account else row.with_account(account)

    def _reject(self, problem: RowProblem) -> None:
        row = (problem.place, problem.raw)
        if self._last_invalid != row:
            self.counts.invalid += 1
        self._last_invalid = row
        self.on_problem(problem)

    def _look_up(self, account: str) -> tuple[str, str]:
        """Return an account's name in the journal, or why its rows cannot be sent."""
        try:
            found = self.account_lookup(account), ""
        except ConfigurationError as error:
            if not account:
                raise
            found = "", str(error)
        self._accounts[account] = found
        return found
