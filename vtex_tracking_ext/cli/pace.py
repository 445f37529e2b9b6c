"""How fast the workers of a fleet call each account, for the command status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from vtex_tracking_ext.bulk.journal.opening import is_postgres

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.journal.interface import JournalReader


@frozen
class PaceNow:
    """How fast a fleet calls an account at present.

    Attributes:
        account: Its name in the journal.
        rate: Calls a second at most, of all workers together.
        quiet: Seconds for which nobody may call it.
        reason: Why, or an empty text.
    """

    account: str
    rate: float
    quiet: float
    reason: str


def paces_in(journal: JournalReader) -> list[PaceNow]:
    """Return the paces that a fleet keeps beside a journal, in the order of their accounts; none where there is none.

    Raises:
        JournalError: They cannot be read.
    """
    if not is_postgres(journal.name):
        return []
    from vtex_tracking_ext.bulk.journal.postgres import PostgresReader  # noqa: PLC0415 - an extra
    from vtex_tracking_ext.fleet.account_pace import Paces  # noqa: PLC0415 - an extra

    assert isinstance(journal, PostgresReader)  # noqa: S101 - see above
    return [
        PaceNow(account, shared.throttle.rate, shared.quiet(now), shared.why() if shared.quiet(now) else "")
        for account, (shared, now) in sorted(Paces(journal.connections).all().items())
    ]
