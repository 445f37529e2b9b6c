"""The journal: what was sent, and what is known of it. Its interface.

:mod:`.sqlite` keeps it in a file, :mod:`.postgres` in a database that several machines share; :mod:`.opening` opens
whichever is meant.

It holds the truth of a push. ``in_flight`` is on disk before a request leaves, so whatever happens to the process,
each entry that may have left is known; and whatever is known under a key is never sent again by pushing it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import visible

from .entries import Selection

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Self

    from vtex_tracking_ext.bulk.input.rows import Row

    from .entries import Added, Backlog, Entry, Meta, Outcome, PackageKey, Resolution, State

#: All entries of a journal.
ALL = Selection()

#: Rows, or entries, that one transaction changes at most.
BATCH: Final = 1000

#: Characters that are kept of a reason, and of a receipt (VTEX's have 32).
REASON_LENGTH: Final = 1000
RECEIPT_LENGTH: Final = 100


class JournalError(VtexTrackingError):
    """A journal cannot be used; the message names it and says what to do.

    If :meth:`Journal.mark_in_flight` raises it, nothing was sent. If :meth:`Journal.record_outcome` raises it, the
    entries stay in flight, and the next run finds out what became of them.
    """


class NoJournalError(JournalError):
    """There is no journal at that place."""


class JournalInUseError(JournalError):
    """Another run is writing to the journal."""


class WrongStateError(JournalError):
    """An entry was told to make a move that its state does not allow; nothing was changed. See :mod:`.entries`."""


class JournalReader(Protocol):
    """A journal to look at, also while a run writes to it. Thread-safe.

    What streams reads page by page, so it takes little memory and holds nobody up; an entry is as it stood when
    its page was read. Every method may raise :class:`JournalError`.
    """

    @property
    def name(self) -> str:
        """Its file, or the URL of its database without what is secret."""

    def meta(self) -> Meta:
        """Return what the journal says of itself."""

    def active_writers(self) -> str:
        """Return who has the journal open to write to it, in words, or an empty text.

        While somebody has, what is in flight may be awaited, and not left behind by a run that was killed.
        """

    def open_packages(self, account: str | None = None) -> Iterator[PackageKey]:
        """Yield the packages with entries that are pending, in flight or unknown, in the order of their arrival.

        Args:
            account: Only those of this account.
        """

    def count_backlogs(self, account: str) -> Mapping[Backlog, int]:
        """Return how many packages of an account have how much left to do; those with nothing are left out."""

    def entries(self, selection: Selection = ALL) -> Iterator[Entry]:
        """Yield the selected entries, in the order of their arrival."""

    def counts(self) -> Mapping[str, Counter[State]]:
        """Return how many entries of each account are in each state."""

    def close(self) -> None:
        """Let go of the journal. Closing twice is no matter; using it afterwards raises."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Journal(JournalReader, Protocol):
    """A journal to write to. Many threads may use it at once.

    Changes are on disk when a method returns. :meth:`mark_in_flight` and :meth:`record_outcome` change all of their
    entries or none; the other methods work in batches of :data:`BATCH` and can be called again after an error.
    """

    def add(self, rows: Iterable[Row], account: str) -> Iterator[Added]:
        """Add rows as they are iterated over, about a thousand a transaction, and yield what each meant.

        Nothing is added that is not iterated over; what has been yielded is on disk. So rows that are read from a
        file in which a mistake comes late have been added up to about there, which pushing it again makes good.

        Args:
            rows: Checked rows, any number of them.
            account: The account of rows that name none.
        """

    def try_lock(self, package: PackageKey) -> AbstractContextManager[bool]:
        """Work on a package alone, as long as the context lasts: give whether nobody else does.

        Who holds a package knows that whatever is in flight in it was left behind by somebody who has died. What a
        thread asks for while it holds one raises :class:`JournalError` if somebody else could have come to hold it.
        """

    def mark_in_flight(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Note that pending entries are about to leave: ``in_flight``, with one more attempt.

        Returns:
            The entries as they now stand, in the order of their arrival: the call must be made of these, because a
            row may have dated a delivery since it was read.

        Raises:
            WrongStateError: One of them is not pending.
        """

    def record_outcome(
        self,
        ids: Iterable[int],
        state: Outcome,
        *,
        status_code: int | None = None,
        receipt: str | None = None,
        reason: str = "",
    ) -> None:
        """Note what became of entries in flight.

        Args:
            ids: The entries.
            state: What became of them; ``pending`` where they certainly were not sent.
            status_code: HTTP status of the answer, or None.
            receipt: VTEX's receipt, or None.
            reason: Why they are not applied, without credentials, or on whose word they are.

        Raises:
            WrongStateError: One of them is not in flight.
        """

    def resolve(self, selection: Selection, state: Resolution, reason: str = "") -> int:
        """Note what unknown outcomes turned out to be, and return how many there were.

        Args:
            selection: Among these entries; those that are not unknown stay as they are.
            state: ``applied``, or ``pending`` to send them again.
            reason: Who says so.
        """

    def retry(self, selection: Selection) -> int:
        """Make refused entries pending, and return how many; those that are not refused stay as they are."""

    def withdraw(self, selection: Selection, reason: str) -> int:
        """Make pending entries refused, so that they are not sent, and return how many; others stay as they are.

        Pushing their rows again renews them, as it does with everything that is refused.

        Args:
            selection: Among these entries.
            reason: Who says so.
        """


def outcome(
    origin: State, state: Outcome, status_code: int | None = None, receipt: str | None = None, reason: str = ""
) -> dict[str, Any]:
    """Return the values of a move between states; what others wrote becomes text that can be kept and shown."""
    return {
        "from": origin,
        "state": state,
        "status_code": status_code,
        "receipt": receipt and visible(receipt, RECEIPT_LENGTH),
        "reason": visible(reason, REASON_LENGTH) or None,
    }
