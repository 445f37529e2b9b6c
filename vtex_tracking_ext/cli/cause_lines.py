"""Print what needs attention by its cause: a line for each package, what to do, and the command that helps."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.report.cause_records import latest_entries, record_of
from vtex_tracking_ext.bulk.report.causes import ENTRY_KINDS, group, without_request_id
from vtex_tracking_ext.bulk.report.rows import iso
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .entry_text import counted, entries_text, event_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vtex_tracking_ext.bulk.journal.entries import Entry, State
    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.report.causes import Group, Kind, Record

    from .terminal import Style

#: Packages of a cause that are printed by push and status; resolve --cause lists all of them.
SHOWN: Final = 10

#: Numbers of events that the line of a package has.
_NUMBERS: Final = 5

_CONDITIONS: Final[Mapping[Kind, str]] = {
    "in_flight": "in flight",
    "unknown": "with an unknown outcome",
    "refused": "refused",
}


def group_entries(entries: Iterable[Entry], option: str, shown: int | None = None) -> list[Group]:
    """Return entries by their causes: in flight, unknown and refused.

    Args:
        entries: Entries in these states.
        option: The option that names the journal in commands.
        shown: Packages of a cause that are printed; by default :data:`SHOWN`.
    """
    records: defaultdict[str, list[Record]] = defaultdict(list)
    accounts = set()
    for entry in entries:
        records[entry.state].append(record_of(entry))
        accounts.add(entry.package.account)
    return [
        found
        for kind in ENTRY_KINDS
        for found in group(kind, records[kind], option, has_accounts=len(accounts) > 1, shown=shown or SHOWN)
    ]


def journal_causes(
    journal: JournalReader, total: Mapping[State, int], accounts: Mapping[str, bool], option: str
) -> list[Group]:
    """Return the latest entries of a journal by their causes, as :func:`group_entries` does, but faster.

    Args:
        journal: The journal.
        total: How many entries of all its accounts are in which state.
        accounts: The accounts that count, each with whether its entries in flight do.
        option: The option that names the journal in commands.
    """
    groups: list[Group] = []
    for kind in ENTRY_KINDS:
        records = (
            record
            for record in latest_entries(journal, kind, total[kind])
            if record.account in accounts and (kind != "in_flight" or accounts[record.account])
        )
        groups += group(kind, records, option, has_accounts=len(accounts) > 1, shown=SHOWN)
    return groups


def cause_document(found: Group) -> dict[str, Any]:
    """Return a cause for programs."""
    return {
        "cause": found.number,
        "kind": found.kind,
        "title": found.title,
        "help": found.help,
        "reason": found.example,
        "entries": found.entries,
        "packages": found.packages,
        "accounts": list(found.accounts),
        "latest": iso(found.latest),
        "commands": [{"purpose": command.purpose, "command": command.text} for command in found.commands],
    }


def cause_lines(
    journal: JournalReader, groups: Iterable[Group], option: str, *, is_detailed: bool = False
) -> Iterator[tuple[str, Style]]:
    """Yield what people read about causes, as lines with their styles.

    Args:
        journal: The journal with the entries of the causes.
        groups: The causes.
        option: The option that names the journal in commands.
        is_detailed: Whether each event has a line, and each command its purpose. Otherwise one command is named.
    """
    for found in groups:
        listing = f"vtex-tracking resolve --cause {found.number}{option}"
        style: Style = "bad" if found.kind == "refused" else "doubt"
        title = found.title if found.title.startswith("VTEX") else f"{found.title[0].lower()}{found.title[1:]}"
        yield (
            f"{counted(found.packages, 'package')} {_CONDITIONS[found.kind]}: {title} ({entries_text(found.entries)}).",
            style,
        )
        yield f"  {found.help}", ""
        yield from _package_lines(journal, found, is_detailed=is_detailed)
        if found.packages > len(found.members):
            yield f"  ... and {counted(found.packages - len(found.members), 'more package')}.", ""
        if is_detailed or found.kind not in {"unknown", "refused"}:
            for command in found.commands:
                if command.text != listing:
                    yield f"  {command.purpose}:", "soft"
                    yield f"    {command.text}", "command"
        else:
            yield f"  {listing}", "command"
        yield "", ""


def left_out_line(number: int, option: str) -> str:
    """Return how many events are in no cause, because there are too many.

    Args:
        number: How many.
        option: The option that names the journal in commands.
    """
    return f"... and {counted(number, 'earlier event')}; vtex-tracking report{option} lists all of them."


def _package_lines(journal: JournalReader, found: Group, *, is_detailed: bool) -> Iterator[tuple[str, Style]]:
    """Yield the lines of the packages of a cause.

    A reason is in the line of the first package that has it. Reasons that differ only in the order and the invoice are
    the same one.
    """
    printed = ""
    for numbers in found.members:
        entries = [*journal.entries(Selection(ids=numbers if is_detailed else numbers[:1]))]
        if not entries:
            continue  # it was settled and pruned meanwhile
        entry = entries[0]
        line = f"  {package_text(entry)}"
        if not is_detailed:
            named = ", ".join(map(str, numbers[:_NUMBERS]))
            more = f" and {len(numbers) - _NUMBERS} more" if len(numbers) > _NUMBERS else ""
            line += f", {'event' if len(numbers) == 1 else 'events'} {named}{more} ({visible(str(entry.place))})"
        reason = entry.reason
        compared = without_request_id(reason)
        for name in (entry.package.order_id, entry.package.invoice_number):
            compared = compared.replace(name, "")
        if reason and compared != printed:
            line += f": {visible(reason, REASON_LENGTH)}"
        printed = compared
        yield line, ""
        if is_detailed:
            for each in entries:
                yield f"    {each.id}: {event_line(each)}", ""


def package_text(entry: Entry) -> str:
    """Return the package of an entry."""
    package = entry.package
    return f"{visible(package.account)}, order {visible(package.order_id)}, invoice {visible(package.invoice_number)}"
