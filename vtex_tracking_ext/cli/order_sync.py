"""The actions sync, backfill and stale of the command orders: fill what the journal knows of orders from VTEX."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.delivery.pace import Pace
from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.call.validation import order_id_problems
from vtex_tracking_ext.errors import InvalidUpdateError, VtexTrackingError
from vtex_tracking_ext.orders import OrderStore
from vtex_tracking_ext.orders.backfill import backfill
from vtex_tracking_ext.orders.reader import Synced
from vtex_tracking_ext.orders.stale import stale_packages
from vtex_tracking_ext.orders.sync import sync_feed
from vtex_tracking_ext.orders.to_read import OrdersToRead
from vtex_tracking_ext.text import REASON_LENGTH, visible

from .accounts import Accounts
from .entry_text import counted
from .exit_codes import ExitCode, exit_code_of, most_severe
from .interrupts import stop_on_signal
from .journal_location import journal_location_for_writing, matching_accounts, open_journal_reader
from .output import inform, say, say_json, warn
from .parked import retry_after_growth
from .progress import ProgressLines

if TYPE_CHECKING:
    import argparse
    import datetime as dt
    from collections.abc import Callable, Mapping

    from vtex_tracking_ext.bulk.delivery.calls import AccountPause
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.orders.stale import Reason, StalePackage

#: Seconds between two readings of an empty feed.
_INTERVAL: Final = 30.0

#: Failed orders that are named.
_NAMED: Final = 20

_AGAIN: Final = "Run the command again to go on."

#: What is expected of a stale package, after its invoice, its first event, and its delivery.
_EXPECTED: Final[Mapping[Reason, str]] = {
    "no_event": "invoiced {days} ago, and no event is known",
    "no_delivery": "first event {days} ago, and no delivery is known",
    "not_finished": "delivered {days} ago, and its order does not show that",
}


def orders(parsed: argparse.Namespace) -> ExitCode:
    """Read orders from the feed or from the list of orders, or print the packages that are stale."""
    return {"sync": _sync, "backfill": _backfill, "stale": _stale}[parsed.action](parsed)


class _Run:
    """One run of an action: it makes calls at its pace until a signal comes.

    Args:
        parsed: The command's options.
    """

    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed
        self.pace = Pace(rate=parsed.rate)
        self.stopped = Event()
        self.pause: Callable[[AccountPause], None] = ProgressLines(0, as_json=parsed.json).pause

    def stop(self) -> None:
        """Start no further calls."""
        self.stopped.set()
        self.pace.cancel()

    def run(self, action: Callable[[TrackingClient, OrderStore], ExitCode]) -> ExitCode:
        """Run an action with the client of the account, and what the journal knows."""
        with (
            Accounts(self._parsed) as accounts,
            open_journal(journal_location_for_writing(self._parsed)) as journal,
            stop_on_signal(self.stop, ""),
        ):
            client = accounts.client()
            store = OrderStore(journal, accounts.name)
            self.resume(store, client)
            return action(client, store)

    def resume(self, store: OrderStore, client: TrackingClient) -> None:
        """Begin at the pace that the journal knows of the account."""
        record = store.journal.account(store.journal_account(client.account))
        if record is not None:
            self.pace.resume(record.pace)


def _sync(parsed: argparse.Namespace) -> ExitCode:
    if parsed.follow and parsed.order_ids:
        raise VtexTrackingError("--follow reads the feed: give no order ids with it.")
    for order_id in parsed.order_ids:
        if problems := order_id_problems(order_id):
            raise InvalidUpdateError(problems=problems)
    run = _Run(parsed)

    def sync(client: TrackingClient, store: OrderStore) -> ExitCode:
        for order_id in parsed.order_ids:
            OrdersToRead(store.journal, store.journal_account(client.account)).add(order_id)
        while True:
            synced = sync_feed(
                client,
                store,
                run.pace,
                has_feed=not (parsed.no_feed or parsed.order_ids),
                reconfigure=parsed.configure,
                on_pause=run.pause,
            )
            if synced.read:
                retry_after_growth(parsed, store)
            if not parsed.follow or synced != Synced():
                _print_synced(parsed, client.account, synced)
            code = _exit_code(synced)
            if parsed.order_ids and synced.missing:
                code = most_severe(code, ExitCode.REFUSED)
            if not parsed.follow or code in {ExitCode.CONFIGURATION, ExitCode.INTERRUPTED}:
                return code
            if run.stopped.wait(_INTERVAL):
                return ExitCode.INTERRUPTED
            if run.pace.stop_reason:  # such as a network that was down: it may be back
                run.pace = Pace(rate=parsed.rate)
                run.resume(store, client)

    return run.run(sync)


def _backfill(parsed: argparse.Namespace) -> ExitCode:
    if parsed.last < parsed.first:
        raise VtexTrackingError(f"--to {parsed.last} is before --from {parsed.first}.")
    run = _Run(parsed)

    def show(until: dt.datetime, synced: Synced) -> None:
        if parsed.json:
            say_json("progress", {"until": until.isoformat(), **_numbers(synced)})
        else:
            inform(f"invoiced until {until:%Y-%m-%d %H:%M} UTC: {_text(synced)}")

    def fill(client: TrackingClient, store: OrderStore) -> ExitCode:
        synced = backfill(client, store, parsed.first, parsed.last, run.pace, on_pause=run.pause, on_window=show)
        if synced.read:
            retry_after_growth(parsed, store)
        _print_synced(parsed, client.account, synced)
        if synced.until is not None and not parsed.json:
            warn(
                f"Orders that were invoiced after {synced.until:%Y-%m-%d %H:%M} UTC were not read: VTEX lists them "
                "some minutes late. They are left to orders sync, or to a later backfill of that day."
            )
        return _exit_code(synced)

    return run.run(fill)


def _stale(parsed: argparse.Namespace) -> ExitCode:
    """Print the packages that should have moved on. The status is INCOMPLETE if there are any."""
    with open_journal_reader(parsed) as journal:
        known = [each.journal_account for each in OrderStore(journal, "").counts()]
        names = matching_accounts(parsed.account, dict.fromkeys([*journal.accounts(), *known]))
        packages = stale_packages(journal, parsed.invoiced_days, parsed.shipped_days)
        found = [each for each in packages if each.account in names]
    totals: dict[str, int] = {reason: sum(each.reason == reason for each in found) for reason in _EXPECTED}
    for each in found:
        if parsed.json:
            say_json("package", _document(each))
        else:
            say(_line(each))
    if parsed.json:
        say_json("summary", totals)
    else:
        say(f"Stale packages: {', '.join(f'{number} {reason}' for reason, number in totals.items())}.")
    return ExitCode.INCOMPLETE if found else ExitCode.OK


def _exit_code(synced: Synced) -> ExitCode:
    if synced.is_cancelled:
        return ExitCode.INTERRUPTED
    if synced.error is not None:
        return exit_code_of(synced.error)
    return ExitCode.OK if synced.is_complete else ExitCode.INCOMPLETE


def _numbers(synced: Synced) -> dict[str, int]:
    names = ("read", "known", "missing", "items", "committed", "listed", "unlisted")
    return {**{name: getattr(synced, name) for name in names}, "failed": len(synced.failed)}


def _text(synced: Synced) -> str:
    """Return the numbers that are not 0, in words."""
    names = {"listed": "listed", "read": "read", "known": "known already", "missing": "not found", "failed": "failed"}
    numbers = _numbers(synced)
    parts = [counted(synced.items, "feed item")] if synced.items else []
    parts += [f"{numbers[name]:,} {text}" for name, text in names.items() if numbers[name]]
    parts += [f"{synced.unlisted:,} that VTEX does not list"] if synced.unlisted else []
    return ", ".join(parts) or ("nothing new" if synced.error is None else "nothing was read")


def _print_synced(parsed: argparse.Namespace, account: str, synced: Synced) -> None:
    """Print what was done, the orders that failed, and why the run ended early."""
    failed = [*synced.failed.items()]
    error = "" if synced.error is None else str(synced.error)
    if parsed.json:
        for order_id, reason in failed:
            say_json("failed", {"order_id": order_id, "reason": reason})
        document = {"account": account, **_numbers(synced), "configured": synced.is_configured, "ended": error}
        say_json("summary", document)
        return
    if synced.is_configured:
        say(
            f"The feed of {visible(account)} is configured. Orders that were invoiced before are not in it: "
            "vtex-tracking orders backfill reads them."
        )
    for order_id, reason in failed[:_NAMED]:
        warn(f"order {visible(order_id)}: {visible(reason, REASON_LENGTH)}")
    if len(failed) > _NAMED:
        warn(f"{counted(len(failed) - _NAMED, 'other order')} could not be read.")
    if error:
        warn(f"{visible(account)}: {visible(error, REASON_LENGTH)}")
    say(f"Orders of {visible(account)}: {_text(synced)}.{'' if synced.is_complete else f' {_AGAIN}'}")


def _line(package: StalePackage) -> str:
    expected = _EXPECTED[package.reason].format(days=counted(package.days, "day"))
    parts = [f"{package.account}, order {package.order_id}, invoice {package.invoice_number}: {expected}"]
    parts += [f"tracking number {package.tracking_number}"] if package.tracking_number else []
    parts += [f"courier {package.courier}"] if package.courier else []
    return visible("; ".join(parts), REASON_LENGTH)


def _document(package: StalePackage) -> dict[str, object]:
    names = ("reason", "account", "order_id", "invoice_number", "tracking_number", "courier", "days")
    return {**{name: getattr(package, name) for name in names}, "since": package.since.isoformat()}
