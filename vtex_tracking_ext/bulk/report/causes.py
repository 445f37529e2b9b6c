"""Group what needs attention by its cause, and say what helps: an explanation in plain words, and commands. Pure."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from attrs import define, evolve, field, frozen

from vtex_tracking_ext.text import REASON_LENGTH, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable

#: What a cause is the cause of: outcomes that are unknown, also because a process was killed; refusals; parked events
#: that were given up, and those that wait.
Kind: TypeAlias = Literal["in_flight", "unknown", "refused", "given_up", "waiting"]

#: Parked events that a command names by their numbers; with more, it is for all of them.
_NAMED: Final = 20

#: Kinds of entries, whose causes the command resolve selects by a number.
ENTRY_KINDS: Final = ("in_flight", "unknown", "refused")

#: What differs in reasons of the same cause: identifiers, which contain a digit. An error code such as OMS003 and an
#: HTTP status do not differ.
_REQUEST_ID: Final = re.compile(r" \(request id [^)]*\)|, request id [^)]*(?=\))")
_IDENTIFIER: Final = re.compile(r"(?<![\w./@:-])(?![1-5][0-9]{2} [A-Z]|[A-Z]{2,8}[0-9]{3}\b)[\w./@:-]*[0-9][\w./@:-]*")
_LISTS: Final = (
    (re.compile(r"(order …, invoice …)(?:; order …, invoice …)*(?: and … more)?"), r"\1"),
    (re.compile(r"…(?:(?:, | and )…)+(?: more)?"), "…"),
)


#: Characters of a reason that are compared: some readers of a journal read no more.
_COMPARED: Final = 600


class Record(NamedTuple):
    """An entry or a parked event, as far as grouping needs it.

    Attributes:
        number: Its number.
        account: The account as the journal names it, or an empty text.
        package: Identifies its package.
        status: HTTP status of the last answer, or None.
        reason: The reason.
        at: When it got the reason, in seconds since 1970.
    """

    number: int
    account: str
    package: Hashable
    status: int | None
    reason: str
    at: int


class Command(NamedTuple):
    """A command to copy, and what it is for."""

    purpose: str
    text: str


class _Rule(NamedTuple):
    """What is known of the causes whose reasons have a pattern.

    Attributes:
        pattern: The pattern.
        title: The cause, for a heading.
        help: What to do.
        commands: The purposes and texts of commands; see :func:`_commands`.
        is_one: Whether it is one cause. Otherwise reasons that differ in more than identifiers are different causes.
        status: The HTTP status that VTEX answered with, or None for any.
    """

    pattern: str
    title: str
    help: str
    commands: tuple[tuple[str, str], ...]
    is_one: bool = True
    status: int | None = None

    def matches(self, status: int | None, reason: str) -> bool:
        """Return whether it is about a reason."""
        return self.status in {None, status} and re.search(self.pattern, reason) is not None


@frozen
class Group:
    """Events with the same cause.

    Attributes:
        kind: What they are.
        number: The number of the earliest of them, which selects all of them: ``resolve --cause``.
        title: The cause, for a heading.
        help: What to do.
        example: The latest reason.
        entries: How many events and deliveries there are.
        packages: How many packages they are of.
        members: The numbers of the events of the packages that were seen first, a tuple for each package.
        accounts: Their accounts; an empty text for an account that is not known.
        latest: When the latest of them got its reason.
        commands: Commands that help.
    """

    kind: Kind
    number: int
    title: str
    help: str
    example: str
    entries: int
    packages: int
    members: tuple[tuple[int, ...], ...]
    accounts: tuple[str, ...]
    latest: dt.datetime
    commands: tuple[Command, ...]


_LIST_REFUSED: Final = (
    "Write the rows of all refused events to a file",
    "report --state refused --format csv --output refused.csv{account}{journal}",
)
_RETRY: Final = ("Send them again", "resolve --retry --cause {number}{account}{journal}")
_DISMISS: Final = (
    "Close them, if nothing is to be sent any more",
    "resolve --dismiss --cause {number}{account}{journal}",
)
_LIST_PARKED: Final = ("List them with their numbers", "orders parked{account}{journal}")
_IMPORT: Final = ("Import orders from a file", "orders import orders.csv{journal}")
_DROP: Final = ("Drop {them}", "orders parked --drop{numbers}{journal}")
_UNKNOWN: Final = (
    ("List them with their numbers", "resolve --cause {number}{journal}"),
    ("Read the orders: what they show was applied", "resolve --read --cause {number}{journal}"),
    ("You saw all of them on their orders", "resolve --applied --cause {number}{journal}"),
    ("You saw that all of them are missing; send them again", "resolve --not-applied --cause {number}{journal}"),
)
_MAY_BE_APPLIED: Final = (
    "VTEX may or may not have applied them, so they are not sent again, and later events of their packages wait. Read "
    "the orders, or look at them in VTEX Admin and record what you saw."
)

#: The first rule whose pattern is found in a reason counts. The last one of each kind is for everything else.
_RULES: Final[dict[Kind, tuple[_Rule, ...]]] = {
    "in_flight": (
        _Rule(
            "",
            "A process was killed while it sent them",
            "They may have been applied. The next delivery of the account reads their orders to find out.",
            (("Deliver what is open", "push{journal}"),),
        ),
    ),
    "unknown": (
        _Rule(
            "the process that sent it was killed", "The process that sent them was killed", _MAY_BE_APPLIED, _UNKNOWN
        ),
        _Rule(
            "^[0-9]{3} ",
            "VTEX's answer does not say whether they were applied",
            _MAY_BE_APPLIED,
            _UNKNOWN,
            is_one=False,
        ),
        _Rule("It may have been applied", "VTEX did not answer", _MAY_BE_APPLIED, _UNKNOWN),
        _Rule("", "The outcome is unknown", _MAY_BE_APPLIED, _UNKNOWN, is_one=False),
    ),
    "refused": (
        _Rule(
            "has no tracking number yet",
            "The invoice has no tracking number",
            "VTEX accepts events only of an invoice that has a tracking number. Set the numbers, then send the events "
            "again.",
            (
                ("Set the tracking numbers of a file", "set-tracking-number --file numbers.csv{journal}"),
                _RETRY,
            ),
        ),
        _Rule(
            "did the file (lose its zeros|add zeros)",
            "The invoice number has other leading zeros in the order",
            "Correct the invoice numbers where they come from, push the rows again, and then close the refusals.",
            (_LIST_REFUSED, _DISMISS),
        ),
        _Rule(
            "; the order has the invoices? ",
            "The order has another invoice",
            "Correct the invoice numbers where they come from, push the rows again, and then close the refusals.",
            (_LIST_REFUSED, _DISMISS),
        ),
        _Rule(
            "; the order has no invoice yet",
            "The order has no invoice yet",
            "Send the events again when the orders are invoiced.",
            (_RETRY, _DISMISS),
        ),
        _Rule(
            "",
            "VTEX does not know the order or the invoice",
            "Are the order ids those of this account, and the invoice numbers those of the orders? Ids differ between "
            "accounts. Push the corrected rows again, and then close the refusals.",
            (_LIST_REFUSED, _DISMISS),
            status=404,
        ),
        _Rule(
            "",
            "The state of the order does not allow it",
            "Look at the orders in VTEX Admin: they may be cancelled, or their invoices may lack tracking numbers. "
            "Send the events again when that is fixed, or close the refusals.",
            (_LIST_REFUSED, _RETRY, _DISMISS),
            is_one=False,
            status=409,
        ),
        _Rule(
            "",
            "Another reason",
            "Nothing was applied. Correct what the reason says, and send the events again, or close the refusals.",
            (_LIST_REFUSED, _RETRY, _DISMISS),
            is_one=False,
        ),
    ),
    "given_up": (
        _Rule(
            "several packages may be meant",
            "Several packages may be meant",
            "An event is not sent if it may be about another package. Import orders with what tells them apart, such "
            "as NF-e keys and tracking numbers, or drop the events.",
            (_LIST_PARKED, _IMPORT, _DROP),
        ),
        _Rule(
            "that of a return",
            "The package is a return",
            "Events of returns are not sent, because VTEX would show them for the package on its way to the shopper.",
            (_LIST_PARKED, _DROP),
        ),
        _Rule(
            "no order is known with",
            "No order is known with their identifiers",
            "Their orders did not become known in time. They are sent as soon as their orders are known, unless you "
            "drop them.",
            (_LIST_PARKED, _IMPORT, _DROP),
        ),
        _Rule(
            "",
            "Another reason",
            "Fix what the reason says: they are tried again automatically, unless you drop them.",
            (_LIST_PARKED, _DROP),
            is_one=False,
        ),
    ),
    "waiting": (
        _Rule(
            "is being looked up",
            "Just received",
            "Their orders are being looked up.",
            (_LIST_PARKED,),
        ),
        _Rule(
            "no order is known with",
            "No order is known with their identifiers yet",
            "They are sent as soon as their orders are known, from VTEX's feed, its hook, or a file.",
            (_LIST_PARKED, _IMPORT),
        ),
        _Rule(
            "has no invoice yet",
            "The order has no invoice yet",
            "They are sent when the orders are invoiced and read again.",
            (_LIST_PARKED,),
        ),
        _Rule(
            "",
            "Another reason to wait",
            "They are tried again automatically, until they have waited too long.",
            (_LIST_PARKED,),
            is_one=False,
        ),
    ),
}


def _at(record: Record) -> tuple[int, int]:
    return record.at, record.number


@define
class _Collected:
    """What was seen of a cause so far."""

    rule: _Rule
    latest: Record
    first: int = 0
    entries: int = 0
    numbers: list[int] = field(factory=list)
    packages: set[tuple[str, Hashable]] = field(factory=set)
    members: dict[tuple[str, Hashable], list[int]] = field(factory=dict)
    accounts: set[str] = field(factory=set)

    def add(self, record: Record, shown: int) -> None:
        """Add an event, and keep its number if its package is one of the first."""
        self.entries += 1
        self.first = min(self.first or record.number, record.number)
        self.latest = max(self.latest, record, key=_at)
        if len(self.numbers) <= _NAMED:
            self.numbers.append(record.number)
        package = record.account, record.package
        self.packages.add(package)
        if package in self.members:
            self.members[package].append(record.number)
        elif len(self.members) < shown:
            self.members[package] = [record.number]
        self.accounts.add(record.account)


def group(
    kind: Kind, records: Iterable[Record], option: str, *, has_accounts: bool = False, shown: int = 0
) -> list[Group]:
    """Return events by their causes, the most frequent cause first, and of those alike the one with the earliest event.

    Args:
        kind: What they are.
        records: The events, in any order.
        option: The option that names the journal in commands.
        has_accounts: Whether the journal has several accounts, so that commands for all events name the account.
        shown: Packages of a cause whose numbers are kept.
    """
    found: dict[str, _Collected] = {}
    for record in records:
        key = cause_key(kind, record.status, record.reason)
        if key not in found:
            found[key] = _Collected(_rule(kind, record.status, record.reason), record)
        found[key].add(record, shown)
    return [
        Group(
            kind=kind,
            number=each.first,
            title=each.rule.title,
            help=each.rule.help,
            example=visible(each.latest.reason, REASON_LENGTH),
            entries=each.entries,
            packages=len(each.packages),
            members=tuple(sorted(tuple(sorted(numbers)) for numbers in each.members.values())),
            accounts=tuple(sorted(each.accounts)),
            latest=dt.datetime.fromtimestamp(each.latest.at, dt.UTC),
            commands=_commands(kind, each, option, has_accounts=has_accounts),
        )
        for each in sorted(found.values(), key=lambda each: (-each.entries, each.first))
    ]


def with_resending(found: Group, resending: Collection[str]) -> Group:
    """Return a group; one of unknown outcomes that resolve themselves says so.

    Args:
        found: The group.
        resending: Accounts whose unknown events are sent again if their orders do not show them.
    """
    if found.kind != "unknown" or not set(found.accounts) <= set(resending):
        return found
    later = "An event that its order still does not show after a while is sent again automatically."
    return evolve(found, help=f"{found.help} {later}")


def cause_key(kind: Kind, status: int | None, reason: str) -> str:
    """Return what events with the same cause have in common.

    Args:
        kind: What they are.
        status: HTTP status of the last answer, or None.
        reason: The reason.
    """
    rule = _rule(kind, status, reason)
    return rule.title if rule.is_one else f"{rule.title} {status} {without_identifiers(reason[:_COMPARED])}"


def _rule(kind: Kind, status: int | None, reason: str) -> _Rule:
    return next(rule for rule in _RULES[kind] if rule.matches(status, reason))


def without_identifiers(reason: str) -> str:
    """Return a reason with ``…`` in place of what differs in reasons of the same cause."""
    text = _IDENTIFIER.sub("…", without_request_id(reason))
    for pattern, replacement in _LISTS:
        text = pattern.sub(replacement, text)
    return text


def without_request_id(reason: str) -> str:
    """Return a reason without the request id, which differs in each call."""
    return _REQUEST_ID.sub("", reason)


def journal_option(name: str) -> str:
    """Return the option that names a journal, given its name without secrets."""
    return f" --journal {shlex.quote(visible(name))}"


def _commands(kind: Kind, collected: _Collected, option: str, *, has_accounts: bool) -> tuple[Command, ...]:
    """Return the commands for a cause.

    In their purposes, ``{them}`` stands for these events, or for all of their kind. In their texts, ``{number}`` stands
    for the cause, ``{numbers}`` for the numbers of parked events, or for all of their kind, and ``{account}`` for the
    option that names the account: a page about one account must not change the events of another one.
    """
    only = next(iter(collected.accounts)) if has_accounts and len(collected.accounts) == 1 else ""
    account = f" --account {shlex.quote(visible(only))}" if only else ""
    is_named = len(collected.numbers) <= _NAMED
    numbers = " ".join(map(str, sorted(collected.numbers))) if is_named else ""
    values = {
        "them": "them" if is_named else f"all {kind.replace('_', ' ')} events{' of the account' if account else ''}",
        "number": collected.first,
        "numbers": f" {numbers}" if numbers else account,
        "account": account,
        "journal": option,
    }
    return tuple(
        Command(purpose.format(**values), f"vtex-tracking {text.format(**values)}")
        for purpose, text in collected.rule.commands
    )
