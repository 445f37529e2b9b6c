"""The command set-tracking-number: registers the tracking numbers of packages, which VTEX requires before events."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, evolve

from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.delivery.paced import PacedCalls
from vtex_tracking_ext.bulk.journal.interface import JournalError, NoJournalError
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.call.order_lookup import explain_not_found, invoice_numbers_of, packages_of_invoice
from vtex_tracking_ext.errors import (
    ConfigurationError,
    InvalidUpdateError,
    OutcomeUnknownError,
    VtexTrackingError,
)
from vtex_tracking_ext.orders import OrderPackage, OrderStore
from vtex_tracking_ext.orders.tracking_numbers import VALUES, TrackingNumber, read_tracking_numbers
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .accounts import Accounts
from .entry_text import counted
from .exit_codes import ExitCode, exit_code_of, most_severe
from .journal_location import is_journal_named, journal_location, open_journal_reader
from .messages import Console
from .output import say, say_json, warn
from .parked import retry_after_growth
from .progress import ProgressLines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause
    from vtex_tracking_ext.bulk.input.rows import RowProblem
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import Package, TrackingReceipt

#: How often a call is made at most while its outcome is unknown.
_ATTEMPTS: Final = 3

#: The outcomes of packages, for the totals.
_OUTCOMES: Final = ("set", "would_set", "already_set", "refused", "unknown", "not_set")

#: Those of them that say that a tracking number may not be set.
_FAILURES: Final = frozenset({"refused", "unknown", "not_set"})

#: The note about a package that had a tracking number, if no date is given.
_NO_DATE: Final = (
    "if it had a date of dispatch, that is not kept, because orders do not show it; to set one, give --dispatched, or "
    "dispatched_date in a file"
)


def set_tracking_number(parsed: argparse.Namespace) -> ExitCode:
    """Set the tracking number of a package, or those of the rows of a file."""
    numbers, problems = _numbers(parsed)
    console = Console(as_json=parsed.json)
    for problem in problems:
        console.problem(problem)
    console.omitted_lines()
    with Accounts(parsed) as accounts, _known_orders(parsed, accounts) as store:
        run = _Run(parsed, store)
        by_account: dict[str, list[TrackingNumber]] = {}
        for number in numbers:
            named = evolve(number, account=number.account or accounts.own)
            by_account.setdefault(named.account, []).append(named)
        for account, own in by_account.items():
            try:
                client = accounts.client(account)
            except ConfigurationError as error:
                if account == accounts.own:
                    raise
                run.leave(account, len(own), error)
            else:
                pause = ProgressLines(0, as_json=parsed.json).pause
                run.set_all(_PacedCalls(client, parsed.rate, pause), own)
        if store is not None and run.has_kept:
            retry_after_growth(parsed, store)
    run.print_totals(len(problems))
    return most_severe(run.exit_code, ExitCode.USAGE if problems else ExitCode.OK)


@contextmanager
def _known_orders(parsed: argparse.Namespace, accounts: Accounts) -> Iterator[OrderStore | None]:
    """Open the index of orders in the journal; None in a dry run, or if the default journal does not exist.

    Raises:
        JournalError: The journal cannot be used.
    """
    with ExitStack() as stack:
        journal = None
        with suppress(NoJournalError):
            if not parsed.dry_run:
                is_named = is_journal_named(parsed)
                if not is_named:
                    _require_journal(parsed)
                journal = stack.enter_context(open_journal(journal_location(parsed), create=is_named))
        yield None if journal is None else OrderStore(journal, accounts.name)


def _require_journal(parsed: argparse.Namespace) -> None:
    """Raise NoJournalError if there is no journal."""
    try:
        open_journal_reader(parsed).close()
    except NoJournalError:
        raise
    except JournalError:  # perhaps of an older version, which is upgraded when it is opened for writing
        pass


def _numbers(parsed: argparse.Namespace) -> tuple[list[TrackingNumber], list[RowProblem]]:
    """Return the tracking number of the arguments, or those of the file, and the problems of its rows.

    Raises:
        VtexTrackingError: The arguments do not fit together.
        InvalidUpdateError: Something is wrong with the arguments.
        InputFileError: The file cannot be used.
    """
    values = (parsed.order_id, parsed.invoice_number, parsed.tracking_number)
    options = (parsed.tracking_url, parsed.courier, parsed.dispatched_date)
    if parsed.file is not None:
        if any(value is not None for value in (*values, *options)):
            raise VtexTrackingError("With --file, all values come from the file: give no order and no values.")
        return read_tracking_numbers(parsed.file)
    if None in values:
        raise VtexTrackingError("Give ORDER_ID, INVOICE_NUMBER and TRACKING_NUMBER, or --file FILE.")
    url, courier, dispatched = (option or "" for option in options)
    number = TrackingNumber(*values, url, courier, dispatched.replace(" ", "T", 1))
    if problems := number.problems():
        raise InvalidUpdateError(problems=problems)
    return [number], []


class _PacedCalls:
    """Makes the calls of one account, one after the other, at the pace of a push.

    Args:
        client: The client.
        rate: Calls a second at most.
        on_pause: Called with each pause.

    Attributes:
        account: The account.
        pace: Says why the account was stopped.
    """

    def __init__(self, client: TrackingClient, rate: float, on_pause: Callable[[AccountPause], object]) -> None:
        self.account = client.account
        self.pace = Pace(rate=rate)
        self._calls = PacedCalls(client, self.pace, self.account, on_pause)

    def packages(self, order_id: str) -> tuple[Package, ...]:
        """Read the packages of an order.

        Raises:
            VtexTrackingError: They cannot be read.
        """
        return self._calls.call(lambda client: client.get_packages(order_id))

    def set(self, number: TrackingNumber) -> TrackingReceipt:
        """Set a tracking number. A call of unknown outcome is repeated, which is safe because the call replaces.

        Raises:
            VtexTrackingError: It was not set, or it is not known whether it was.
        """
        values: dict[str, Any] = {name: getattr(number, name) or None for name in VALUES}
        attempt = 1
        while True:
            try:
                return self._calls.call(
                    lambda client: client.set_tracking_number(number.order_id, number.invoice_number, **values)
                )
            except OutcomeUnknownError:
                if attempt == _ATTEMPTS:
                    raise
                attempt += 1


class _Run:
    """Sets tracking numbers, and prints the outcomes.

    Args:
        parsed: The command's options.
        store: The index of orders, which learns the tracking numbers, or None.

    Attributes:
        exit_code: The most severe status so far.
        has_kept: Whether the index learned a number.
    """

    def __init__(self, parsed: argparse.Namespace, store: OrderStore | None) -> None:
        self._parsed = parsed
        self._store = store
        self._outcomes: Counter[str] = Counter()
        self._undated = 0
        self.exit_code = ExitCode.OK
        self.has_kept = False

    def set_all(self, calls: _PacedCalls, numbers: Iterable[TrackingNumber]) -> None:
        """Set the tracking numbers of one account. Each order is read first; a refusal does not stop the others."""
        by_order: dict[str, list[TrackingNumber]] = {}
        for number in numbers:
            by_order.setdefault(number.order_id, []).append(number)
        left = 0
        for order_id, own in by_order.items():
            if calls.pace.stop_reason:
                left += len(own)
                continue
            try:
                packages = calls.packages(order_id)
            except VtexTrackingError as error:
                for number in own:
                    self._fail(number, error)
                continue
            for number in own:
                self._set(calls, number, packages)
        if calls.pace.stop_error is not None:
            self.leave(calls.account, left, calls.pace.stop_error)

    def _set(self, calls: _PacedCalls, number: TrackingNumber, packages: Sequence[Package]) -> None:
        """Set a tracking number, unless the package has it already, and keep what is not given."""
        shown = packages_of_invoice(packages, number.invoice_number)
        if not shown:
            numbers = invoice_numbers_of(packages)
            self._print("refused", number, explain_not_found("not found", number.invoice_number, numbers))
            self.exit_code = most_severe(self.exit_code, ExitCode.REFUSED)
            return
        completed = number.completed(packages)
        if completed.is_set(packages):
            self._print("already_set", completed)
            self._keep(completed)
            return
        note = _NO_DATE if not number.dispatched_date and any(each.tracking_number for each in shown) else ""
        if self._parsed.dry_run:
            self._print("would_set", completed, note=note)
            return
        try:
            receipt = calls.set(completed)
        except VtexTrackingError as error:
            self._fail(completed, error)
        else:
            self._print("set", completed, receipt.note or "", note, receipt.receipt)
            self._keep(completed)

    def _keep(self, number: TrackingNumber) -> None:
        """Add a tracking number to the index of orders, so that carriers' payloads find the package."""
        if self._store is not None:
            known = OrderPackage(
                number.order_id,
                number.invoice_number,
                tracking_number=number.tracking_number,
                account=number.account,
            )
            self._store.save([known])
            self.has_kept = True

    def _fail(self, number: TrackingNumber, error: VtexTrackingError) -> None:
        """Print why a tracking number was not set, or that it is not known."""
        code = exit_code_of(error)
        outcomes = {ExitCode.UNKNOWN: "unknown", ExitCode.REFUSED: "refused"}
        self._print(outcomes.get(code, "not_set"), number, error.reason)
        self.exit_code = most_severe(self.exit_code, code)

    def _print(
        self, outcome: str, number: TrackingNumber, reason: str = "", note: str = "", receipt: str | None = None
    ) -> None:
        """Count and print the outcome of a package, and count the notes, which are the same."""
        self._outcomes[outcome] += 1
        self._undated += bool(note)
        is_file = self._parsed.file is not None
        if self._parsed.json:
            document = {**_number_document(number), "receipt": receipt, "reason": reason, "note": note}
            say_json("outcome", {"outcome": outcome, **document})
        elif outcome in _FAILURES or self._parsed.dry_run or not is_file or reason:
            more = f"; receipt {receipt}" if receipt else ""
            more += f": {visible(reason, REASON_LENGTH)}" if reason else ""
            write = warn if outcome in _FAILURES and not is_file else say
            write(f"{outcome.replace('_', ' ')}: {_number_line(number)}{more}")

    def leave(self, account: str, packages: int, error: VtexTrackingError) -> None:
        """Print why the remaining packages of an account are not set."""
        self._outcomes["not_set"] += packages
        self.exit_code = most_severe(self.exit_code, exit_code_of(error))
        if self._parsed.json:
            say_json("ended", {"account": account, "packages": packages, "reason": error.reason})
        elif packages:
            reason = visible(error.reason, REASON_LENGTH)
            warn(f"{visible(account)}: {counted(packages, 'package')} not set: {reason}")

    def print_totals(self, invalid: int) -> None:
        """Print how many packages have which outcome."""
        if self._parsed.json:
            say_json("summary", {**{name: self._outcomes[name] for name in _OUTCOMES}, "invalid": invalid})
            return
        if self._undated:
            warn(f"Note on {counted(self._undated, 'package')} that had a tracking number: {_NO_DATE}.")
        if self._parsed.file is not None:
            totals = Counter({**self._outcomes, "invalid": invalid})
            parts = [f"{totals[name]} {name.replace('_', ' ')}" for name in (*_OUTCOMES, "invalid") if totals[name]]
            say(f"Tracking numbers: {', '.join(parts) or 'none'}.")
        if self._outcomes["unknown"]:
            warn("An unknown tracking number may be set or not. To be sure, run the command again, which is safe.")


def _number_line(number: TrackingNumber) -> str:
    texts = {"tracking number": number.tracking_number, "courier": number.courier, "URL": number.tracking_url}
    values = [
        f"{name} {visible(text)}" for name, text in {**texts, "dispatched": number.dispatched_date}.items() if text
    ]
    place = f" ({visible(str(number.place))})" if number.place else ""
    return f"{number.account}, order {number.order_id}, invoice {number.invoice_number}, {', '.join(values)}{place}"


def _number_document(number: TrackingNumber) -> dict[str, Any]:
    place = number.place
    return {
        **{name: value for name, value in asdict(number, recurse=False).items() if name != "place"},
        "source": place.source if place else None,
        "line": place.line if place else None,
    }
