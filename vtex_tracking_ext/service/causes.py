"""Group what needs attention by its cause, and say what helps: an explanation in plain words, and commands. Pure."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from attrs import define, field, frozen

from vtex_tracking_ext.text import REASON_LENGTH, visible

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

#: What a cause is the cause of: outcomes that are unknown, also because a process was killed; refusals; parked events
#: that were given up, and those that wait.
Kind: TypeAlias = Literal["in_flight", "unknown", "refused", "given_up", "waiting"]

#: Events that a command names by their numbers; with more, it is for all of them.
_NAMED: Final = 20

#: How a message about a call begins.
_REQUEST_LINE: Final = re.compile(r"\b[A-Z]+ /api/\S+ (?:was refused: )?")

#: What differs in reasons of the same cause: identifiers, which contain a digit. An error code such as OMS003 and an
#: HTTP status do not differ.
_REQUEST_ID: Final = re.compile(r" \(request id [^)]*\)")
_IDENTIFIER: Final = re.compile(r"(?<![\w./@:-])(?![1-5][0-9]{2} [A-Z]|[A-Z]{2,8}[0-9]{3}\b)[\w./@:-]*[0-9][\w./@:-]*")
_LISTS: Final = (
    (re.compile(r"(order …, invoice …)(?:; order …, invoice …)*(?: and … more)?"), r"\1"),
    (re.compile(r"…(?:(?:, | and )…)+(?: more)?"), "…"),
)


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
    """

    pattern: str
    title: str
    help: str
    commands: tuple[tuple[str, str], ...]
    is_one: bool = True


@frozen
class Group:
    """Events with the same cause.

    Attributes:
        kind: What they are.
        title: The cause, for a heading.
        help: What to do.
        example: The latest reason.
        entries: How many events and deliveries there are.
        packages: How many packages they are of.
        accounts: Their accounts; an empty text for an account that is not known.
        latest: When the latest of them got its reason.
        commands: Commands that help.
    """

    kind: Kind
    title: str
    help: str
    example: str
    entries: int
    packages: int
    accounts: tuple[str, ...]
    latest: dt.datetime
    commands: tuple[Command, ...]


_LIST_REFUSED: Final = (
    "Write their rows to a file",
    "report --state refused --format csv --output refused.csv{account}{journal}",
)
_RETRY: Final = ("Send {them} again", "resolve --retry {which}{journal}")
_DISMISS: Final = ("Close {them}, if nothing is to be sent", "resolve --dismiss {which}{journal}")
_LIST_PARKED: Final = ("List them with their numbers", "orders parked{account}{journal}")
_IMPORT: Final = ("Import orders from a file", "orders import orders.csv{journal}")
_DROP: Final = ("Drop {them}", "orders parked --drop{numbers}{journal}")
_UNKNOWN: Final = (
    ("List them with their numbers", "resolve{account}{journal}"),
    ("Read the orders: what they show was applied", "resolve --read {all}{journal}"),
)
_MAY_BE_APPLIED: Final = (
    "VTEX may have applied them or not, so they are not sent again, and later events of their packages wait. Read the "
    "orders, or look at them in VTEX Admin and record what you saw, with --applied or --not-applied and the numbers."
)

#: The first rule whose pattern is found in a reason counts. The last one of each kind is for everything else.
_RULES: Final[dict[Kind, tuple[_Rule, ...]]] = {
    "in_flight": (
        _Rule(
            "",
            "A process was killed while it sent them",
            "They may have been applied. The next delivery of the account reads their orders, and finds out.",
            (("Deliver what is open", "push{journal}"),),
        ),
    ),
    "unknown": (
        _Rule(
            "the process that sent it was killed", "The process that sent them was killed", _MAY_BE_APPLIED, _UNKNOWN
        ),
        _Rule("got no response", "VTEX did not answer", _MAY_BE_APPLIED, _UNKNOWN),
        _Rule(
            "may or may not have been applied",
            "VTEX's answer does not say whether they were applied",
            _MAY_BE_APPLIED,
            _UNKNOWN,
            is_one=False,
        ),
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
            "Correct the invoice numbers where they come from, and push the rows again.",
            (_LIST_REFUSED, _DISMISS),
        ),
        _Rule(
            "; order .* has the invoices? ",
            "The order has another invoice",
            "Correct the invoice numbers where they come from, and push the rows again.",
            (_LIST_REFUSED, _DISMISS),
        ),
        _Rule(
            "; order .* has no invoice yet",
            "The order has no invoice yet",
            "Send the events again when the orders are invoiced.",
            (_RETRY, _DISMISS),
        ),
        _Rule(
            "was refused: 404",
            "VTEX does not know the order or the invoice",
            "Check the account, the order ids and the invoice numbers; ids differ between accounts. Push the corrected "
            "rows again.",
            (_LIST_REFUSED, _DISMISS),
        ),
        _Rule(
            "was refused: 409",
            "The state of the order does not allow it",
            "Look at the orders in VTEX Admin: they may be cancelled, or their invoices may lack tracking numbers. "
            "Send the events again when that is fixed, or close the refusals.",
            (_LIST_REFUSED, _RETRY, _DISMISS),
            is_one=False,
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
            "They waited for their orders in vain. They are sent as soon as their orders are known; or drop them.",
            (_LIST_PARKED, _IMPORT, _DROP),
        ),
        _Rule(
            "",
            "Another reason",
            "Fix what the reason says: they are tried again on their own. Or drop them.",
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
            "They are tried again on their own, until they have waited too long.",
            (_LIST_PARKED,),
            is_one=False,
        ),
    ),
}


@define
class _Collected:
    """What was seen of a cause so far; the latest event came first."""

    rule: _Rule
    latest: Record
    entries: int = 0
    numbers: list[int] = field(factory=list)
    packages: set[tuple[str, Hashable]] = field(factory=set)
    accounts: set[str] = field(factory=set)

    def add(self, record: Record) -> None:
        """Add an event."""
        self.entries += 1
        if len(self.numbers) <= _NAMED:
            self.numbers.append(record.number)
        self.packages.add((record.account, record.package))
        self.accounts.add(record.account)


def group(kind: Kind, records: Iterable[Record], option: str, *, has_accounts: bool = False) -> list[Group]:
    """Return events by their causes, the most frequent cause first.

    Args:
        kind: What they are.
        records: The events, the latest first.
        option: The option that names the journal in commands.
        has_accounts: Whether the journal has several accounts, so that commands for all events name the account.
    """
    found: dict[tuple[str, str], _Collected] = {}
    for record in records:
        rule = next(rule for rule in _RULES[kind] if re.search(rule.pattern, record.reason))
        key = rule.pattern, "" if rule.is_one else f"{record.status} {without_identifiers(record.reason)}"
        if key not in found:
            found[key] = _Collected(rule, record)
        found[key].add(record)
    return [
        Group(
            kind=kind,
            title=each.rule.title,
            help=each.rule.help,
            example=visible(without_request_line(each.latest.reason), REASON_LENGTH),
            entries=each.entries,
            packages=len(each.packages),
            accounts=tuple(sorted(each.accounts)),
            latest=dt.datetime.fromtimestamp(each.latest.at, dt.UTC),
            commands=_commands(kind, each, option, has_accounts=has_accounts),
        )
        for each in sorted(found.values(), key=lambda each: -each.entries)
    ]


def without_identifiers(reason: str) -> str:
    """Return a reason with ``…`` in place of what differs in reasons of the same cause."""
    text = _IDENTIFIER.sub("…", _REQUEST_ID.sub("", reason))
    for pattern, replacement in _LISTS:
        text = pattern.sub(replacement, text)
    return text


def without_request_line(reason: str) -> str:
    """Return a reason without method and path of the call, which say nothing to most readers."""
    return _REQUEST_LINE.sub("", reason)


def journal_option(name: str) -> str:
    """Return the option that names a journal, given its name without secrets."""
    return f" --journal {shlex.quote(visible(name))}"


def _commands(kind: Kind, collected: _Collected, option: str, *, has_accounts: bool) -> tuple[Command, ...]:
    """Return the commands for a cause.

    In their purposes, ``{them}`` stands for these events, or for all of their kind. In their texts, ``{which}`` and
    ``{numbers}`` stand for their numbers, or for all of their kind, and ``{account}`` for the option that names the
    account.
    """
    only = next(iter(collected.accounts)) if has_accounts and len(collected.accounts) == 1 else ""
    account = f" --account {shlex.quote(visible(only))}" if only else ""
    is_named = len(collected.numbers) <= _NAMED
    numbers = " ".join(map(str, sorted(collected.numbers))) if is_named else ""
    values = {
        "them": "them" if is_named else f"all {kind.replace('_', ' ')} events{' of the account' if account else ''}",
        "which": numbers or f"--all{account}",
        "numbers": f" {numbers}" if numbers else account,
        "all": numbers or "--all",
        "account": account,
        "journal": option,
    }
    return tuple(
        Command(purpose.format(**values), f"vtex-tracking {text.format(**values)}")
        for purpose, text in collected.rule.commands
    )
