"""The command orders: what the journal knows of orders, and where carriers' payloads find them."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from attrs import asdict, frozen

from vtex_tracking_ext.bulk.input.rows import Place, RowProblem
from vtex_tracking_ext.bulk.journal.interface import NoJournalError
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.bulk.report.accounts import time_text
from vtex_tracking_ext.bulk.report.rows import iso
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.orders import OrderStore, read_orders
from vtex_tracking_ext.orders.store import OUTPUT
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .accounts import Accounts
from .entry_text import counted
from .exit_codes import ExitCode
from .journal_location import journal_location_for_writing, journal_option, matching_accounts, open_journal_reader
from .messages import Console, parked_lines
from .output import say, say_json
from .parked import counts_by_account, counts_document, parked, report_parked, retry_parked

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from contextlib import ExitStack

    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.bulk.recorder import AccountLookup
    from vtex_tracking_ext.orders import OrderPackage
    from vtex_tracking_ext.orders.store import KnownOrders, KnownPackage

#: Identifiers that mean one package: if several have it, an event with nothing else is ambiguous.
_OF_ONE_PACKAGE: Final = frozenset({"NF-e key", "invoice number", "invoice number in the NF-e key"})

_IMPORT: Final = "vtex-tracking orders import FILE"


@frozen
class Imported:
    """What was saved of a file of orders.

    Attributes:
        packages: How many packages its rows named; one that several rows in turn name counts once.
        problems: Why rows cannot be used.
        note: Which packages were left out, or an empty text.
    """

    packages: int
    problems: tuple[RowProblem, ...]
    note: str


def orders(parsed: argparse.Namespace) -> ExitCode:
    """Import files of orders, find an order, show how much is known, or which events wait for their orders."""
    return {"import": _import, "find": _find, "status": _status, "parked": parked}[parsed.action](parsed)


def import_orders(path: str, store: OrderStore, encoding: str | None = None) -> Imported:
    """Save the orders of a file; see :func:`~vtex_tracking_ext.orders.read_orders`.

    Raises:
        InputFileError: The file cannot be read.
        ConfigurationError: The file does not name the account, and the run has none of its own.
    """
    problems: list[RowProblem] = []
    number = 0
    last: OrderPackage | None = None

    def packages() -> Iterator[OrderPackage]:
        nonlocal number, last
        for each in read_orders(path, encoding):
            if isinstance(each, RowProblem):
                problems.append(each)
            elif each != last:  # VTEX Admin's report has a row for each SKU
                number += 1
                last = each
                yield each

    left_out = store.save(packages())
    note = ""
    if left_out:
        names = ", ".join(map(visible, sorted(left_out)))
        note = f"{counted(left_out.total(), 'package')} of accounts that this run does not have left out: {names}"
    return Imported(number - left_out.total(), tuple(problems), note)


def trial_store(
    parsed: argparse.Namespace, stack: ExitStack, journal: Journal, accounts: Accounts, account_name: AccountLookup
) -> OrderStore:
    """Return a store for a trial, which knows what the run's journal knows, and keeps what is new in another journal.

    Args:
        parsed: The options.
        stack: Closes the run's journal, which is not created if it does not exist.
        journal: The other journal.
        accounts: The accounts of the run.
        account_name: Returns the other journal's name of an account.
    """

    def known_name(account: str) -> str:
        try:
            return accounts.name(account)
        except ConfigurationError:
            if accounts.own:
                raise
            return account.lower()  # the run does not say which account: that of the order

    behind = None
    with suppress(NoJournalError):
        behind = OrderStore(stack.enter_context(open_journal_reader(parsed)), known_name)
    return OrderStore(journal, account_name, behind)


def _import(parsed: argparse.Namespace) -> ExitCode:
    console = Console(as_json=parsed.json)
    packages = invalid = 0
    with Accounts(parsed) as accounts, open_journal(journal_location_for_writing(parsed)) as journal:
        store = OrderStore(journal, accounts.name)
        for path in parsed.files:
            imported = import_orders(path, store, parsed.encoding)
            for problem in imported.problems:
                console.problem(problem)
            if imported.note:
                console.note(Place(path, 1), imported.note)
            packages += imported.packages
            invalid += len(imported.problems)
        unparked = retry_parked(parsed, store, console)
        console.omitted_lines()
        report_parked(store, unparked, console)
        if parsed.json:
            say_json("summary", {"packages": packages, "invalid": invalid})
        else:
            say(f"Packages of orders: {packages} imported, {invalid} invalid.")
            say("\n".join(map(_account_line, store.counts())))
    return ExitCode.USAGE if invalid else ExitCode.OK


def _find(parsed: argparse.Namespace) -> ExitCode:
    """Print what an identifier means. The status is INCOMPLETE if it means nothing, or it is ambiguous."""
    with open_journal_reader(parsed) as journal:
        store = OrderStore(journal, "")
        found = [*store.find(parsed.what)]
        if parsed.account is not None:
            known_accounts = [each.journal_account for each in store.counts()]
            names = matching_accounts(parsed.account, dict.fromkeys([*journal.accounts(), *known_accounts]))
            found = [(how, known) for how, known in found if known.journal_account in names]
    first = next((how for how, known in found if known.type == OUTPUT), "")
    candidates = [known for how, known in found if known.type == OUTPUT and how in _kin(first)]
    accounts = Counter(known.journal_account for known in candidates)  # a push looks at the orders of its own
    is_ambiguous = len(candidates) > len(accounts) and first in _OF_ONE_PACKAGE
    if parsed.json:
        for how, known in found:
            say_json("package", {"found_by": how, **_document(known), "is_meant": known in candidates})
        say_json("summary", {"packages": len(candidates), "is_ambiguous": is_ambiguous})
    else:
        say("\n".join(_find_lines(parsed.what, found, candidates, is_ambiguous=is_ambiguous)))
    return ExitCode.OK if candidates and not is_ambiguous else ExitCode.INCOMPLETE


def _kin(how: str) -> frozenset[str]:
    """Return the kinds of identifiers that count alike."""
    numbers = frozenset({"invoice number", "invoice number in the NF-e key"})
    return numbers if how in numbers else frozenset({how})


def _find_lines(
    what: str, found: Iterable[tuple[str, KnownPackage]], candidates: list[KnownPackage], *, is_ambiguous: bool
) -> Iterator[str]:
    for how, known in found:
        package = known.package
        parts = [f"{package} of {known.journal_account}, found by its {how}"]
        parts += ["a return, which is sent no events"] if known.type != OUTPUT else []
        parts += [f"NF-e key {package.nfe_key}"] if package.nfe_key else []
        parts += [f"tracking number {package.tracking_number}"] if package.tracking_number else []
        parts += [f"courier {known.courier}"] if known.courier else []
        parts += ["delivered"] if known.finished else []
        parts += [f"order {known.order_status}"] if known.order_status else []
        yield visible("; ".join([*parts, f"last seen {time_text(known.seen, None)}"]), REASON_LENGTH)
    if not candidates:
        yield visible(
            f"No package on its way to a shopper is known with {what!r}: import its order with {_IMPORT}.",
            REASON_LENGTH,
        )
    elif is_ambiguous:
        yield f"Ambiguous: events that name nothing else are not sent to any of these {len(candidates)} packages."
    else:
        is_one = len({known.journal_account for known in candidates}) == 1
        each = "" if is_one else ", those of an account to its own"
        yield f"Events that name it are sent to {counted(len(candidates), 'package')}{each}."


def _document(known: KnownPackage) -> dict[str, object]:
    return {
        **asdict(known.package),
        "account": known.journal_account,
        "package_type": known.type,
        "courier": known.courier,
        "finished": known.finished,
        "invoiced": known.invoiced,
        "order_status": known.order_status,
        "seen": iso(known.seen),
    }


def _status(parsed: argparse.Namespace) -> ExitCode:
    with open_journal_reader(parsed) as journal:
        counts = OrderStore(journal, "").counts()
        waiting = counts_by_account(journal)
    names = matching_accounts(parsed.account, dict.fromkeys([*(each.journal_account for each in counts), *waiting]))
    counts = [each for each in counts if each.journal_account in names]
    waiting = {name: each for name, each in waiting.items() if name in names}
    if parsed.json:
        for each in counts:
            times = {"oldest": iso(each.oldest), "newest": iso(each.newest)}
            say_json(
                "account", {**asdict(each), **times, "parked": counts_document(waiting.pop(each.journal_account, None))}
            )
        for name, number in waiting.items():
            say_json("account", {"journal_account": name, "orders": 0, "parked": counts_document(number)})
    elif counts or waiting:
        say("\n".join([*map(_account_line, counts), *parked_lines(waiting.values(), journal_option(parsed))]))
    else:
        say(f"The journal {visible(journal.name)} knows no orders: import a file of them with {_IMPORT}.")
    return ExitCode.OK


def _account_line(known: KnownOrders) -> str:
    account, packages = visible(known.journal_account), counted(known.packages, "package")
    return (
        f"{account}: {counted(known.orders, 'order')} with {packages}; "
        f"{known.tracked:,} with a tracking number, {known.keyed:,} with an NF-e key. Last read or imported from "
        f"{time_text(known.oldest, None)} to {time_text(known.newest, None)}."
    )
