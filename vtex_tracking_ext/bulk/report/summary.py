"""What a page shows of a journal: numbers, causes, accounts, and the packages to list."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import frozen

from vtex_tracking_ext.bulk.journal.entries import Held
from vtex_tracking_ext.bulk.journal.interface import WORKERS
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .accounts import is_quiet, remedy
from .cause_records import latest_parked
from .causes import Kind, Record, group, journal_option, with_resending
from .chart import STACK, Timeline
from .packages import UrgentPackages

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Entry, PackageKey, State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader

    from .causes import Group
    from .filters import EntryFilter

#: What an account does that a person should know, or an empty text.
Condition: TypeAlias = Literal["stopped", "paused", "delivering", ""]

#: Events of a kind that are grouped by cause at most: the latest ones. Groups of a kind that are shown.
MAX_RECORDS: Final = 10_000
MAX_GROUPS: Final = 20

#: Packages that are counted exactly; of more, a page says that there are more.
MAX_COUNTED: Final = 100_000

#: Characters of a reason that grouping by cause reads.
_REASON: Final = 600

#: The kind of cause of each state that may need a person.
_KINDS: Final[Mapping[State, Kind]] = {"unknown": "unknown", "refused": "refused", "in_flight": "in_flight"}


class PackageCount:
    """Counts different packages, at most :data:`MAX_COUNTED`, by their hashes."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def add(self, package: PackageKey) -> None:
        """Count a package, if it was not counted yet."""
        if len(self._seen) <= MAX_COUNTED:
            self._seen.add(hash(package))

    def __bool__(self) -> bool:
        return bool(self._seen)

    def __str__(self) -> str:
        number = len(self._seen)
        if number > MAX_COUNTED:
            return f"more than {MAX_COUNTED:,} packages"
        return f"{number:,} {'package' if number == 1 else 'packages'}"

    def exceeds(self, number: int) -> bool:
        """Return whether there are more packages than a number."""
        return len(self._seen) > number


class Summary:
    """What a page shows of entries; its size does not grow with their number.

    Args:
        entries: The entries, in the order of their arrival.
        delivered: Accounts that are being delivered now. Entries in flight of others were left behind by a process
            that died.
        resending: Accounts whose unknown events are sent again automatically.

    Attributes:
        counts: How many entries of each account are in each state.
        timeline: When they were settled.
        packages: Their packages.
        needing: Those packages that need a person.
        urgent: The packages to list.
        records: The latest entries with each kind of cause.
        totals: How many entries with each kind of cause there are.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        delivered: Iterable[str] = (),
        resending: Iterable[str] = (),
    ) -> None:
        delivered, resending = frozenset(delivered), frozenset(resending)
        self.counts: dict[str, Counter[State]] = defaultdict(Counter)
        self.timeline = Timeline()
        self.packages = PackageCount()
        self.needing = PackageCount()
        self.urgent = UrgentPackages()
        self.records: dict[Kind, deque[Record]] = defaultdict(lambda: deque(maxlen=MAX_RECORDS))
        self.totals: Counter[Kind] = Counter()
        for entry in entries:
            package, state = entry.package, entry.state
            self.counts[package.account][state] += 1
            self.packages.add(package)
            self.urgent.add(entry)
            if entry.settled is not None and state in STACK:
                self.timeline.add(entry.settled, state)
            kind = _KINDS.get(state)
            if kind is None or (kind == "in_flight" and package.account in delivered):
                continue
            self._add_record(kind, entry)
            if not (kind == "unknown" and package.account in resending):
                self.needing.add(package)

    def total(self) -> Counter[State]:
        """Return how many entries are in each state."""
        return sum(self.counts.values(), Counter())

    def _add_record(self, kind: Kind, entry: Entry) -> None:
        at = entry.settled or entry.begun or entry.added
        reason = entry.reason[:_REASON]
        self.totals[kind] += 1
        self.records[kind].append(
            Record(entry.id, entry.package.account, hash(entry.package), entry.status_code, reason, int(at.timestamp()))
        )


@frozen
class ReportedAccount:
    """An account on a page.

    Attributes:
        name: Its name in the journal.
        states: How many of its selected entries are in each state.
        record: What the journal knows of it, or None.
        deliverer: The process that delivers it now, or the workers that serve it, or an empty text.
        held: Its deliveries that the carrier can still take back.
    """

    name: str
    states: Counter[State]
    record: AccountRecord | None
    deliverer: str
    held: Held

    @property
    def condition(self) -> Condition:
        """What it does that a person should know."""
        if self.record is not None and self.record.stopped is not None:
            return "stopped"
        if self.record is not None and is_quiet(self.record):
            return "paused"
        return "delivering" if self.deliverer and self.states["pending"] + self.states["in_flight"] else ""

    @property
    def reason(self) -> str:
        """Why it is stopped or paused, or an empty text."""
        reasons = {"": "", "delivering": ""}
        if self.record is not None:
            reasons |= {"stopped": self.record.stopped_reason, "paused": self.record.quiet_reason}
        return visible(reasons[self.condition], REASON_LENGTH)

    @property
    def remedy(self) -> str:
        """What to do if it is stopped."""
        return remedy(self.record.stopped_reason if self.record else "")


@frozen
class Causes:
    """What needs attention, by cause.

    Attributes:
        groups: The groups of each kind.
        left_out: How many events of a kind are in no group, because there are too many.
        totals: How many events of each kind there are.
    """

    groups: Mapping[Kind, list[Group]]
    left_out: Mapping[Kind, int]
    totals: Mapping[Kind, int]


@frozen
class Report:
    """What a page shows of a journal.

    Attributes:
        now: When it was read, in UTC.
        created: When the journal was created, in UTC.
        summary: Its entries.
        accounts: Its accounts, by name.
        causes: What needs attention.
        option: The option that names the journal in commands.
    """

    now: dt.datetime
    created: dt.datetime
    summary: Summary
    accounts: tuple[ReportedAccount, ...]
    causes: Causes
    option: str

    @property
    def held(self) -> Held:
        """The deliveries of all accounts that the carrier can still take back."""
        return Held.total(account.held for account in self.accounts)


def read_report(journal: JournalReader, now: dt.datetime, chosen: EntryFilter) -> Report:
    """Return what a page shows of a journal.

    Raises:
        JournalError: The journal cannot be read.
    """
    created = journal.meta().created
    wanted = chosen.selection.account
    deliverers = {**dict.fromkeys(journal.served_accounts(), WORKERS), **journal.deliverers()}
    records = journal.accounts()
    held = {} if chosen.is_partial else journal.held()
    resending = {name for name, record in records.items() if record.resend_after is not None}
    summary = Summary(chosen.entries(journal), deliverers, resending)
    if not chosen.is_partial and chosen.has_all_states:
        _add_parked(summary, journal, now, wanted)
    names = [*summary.counts] if chosen.is_partial else {*records, *summary.counts}
    accounts = tuple(
        ReportedAccount(
            name,
            summary.counts.get(name, Counter()),
            records.get(name),
            deliverers.get(name, ""),
            held.get(name, Held()),
        )
        for name in sorted(names)
        if wanted in {None, name}
    )
    option = journal_option(journal.name)
    causes = _causes(summary, option, resending, has_accounts=len(records) > 1)
    return Report(now, created, summary, accounts, causes, option)


def _add_parked(summary: Summary, journal: JournalReader, now: dt.datetime, account: str | None) -> None:
    """Add the parked events of an account, or of all, to a summary."""
    counts = journal.select("count_parked", at=int(now.timestamp()))
    for name, number, given_up, _ in counts:
        if account in {None, name}:
            summary.totals["given_up"] += given_up
            summary.totals["waiting"] += number - given_up
    for is_given_up, record in latest_parked(journal, now, min(sum(each[1] for each in counts), MAX_RECORDS)):
        if account in {None, record.account}:
            summary.records["given_up" if is_given_up else "waiting"].appendleft(record)


def _causes(summary: Summary, option: str, resending: set[str], *, has_accounts: bool) -> Causes:
    groups: dict[Kind, list[Group]] = {}
    for kind, records in summary.records.items():
        found = group(kind, reversed(records), option, has_accounts=has_accounts)[:MAX_GROUPS]
        groups[kind] = [with_resending(each, resending) for each in found]
    left_out = {
        kind: summary.totals[kind] - sum(each.entries for each in found)
        for kind, found in groups.items()
        if summary.totals[kind] > sum(each.entries for each in found)
    }
    return Causes(groups, left_out, summary.totals)
