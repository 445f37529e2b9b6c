"""What a journal knows of orders: kept in its database, and looked up for carrier events.

::

    from vtex_tracking_ext.bulk.journal.opening import open_journal
    from vtex_tracking_ext.orders import OrderStore, carrier_rows, read_orders

    with open_journal("journal.db") as journal:
        orders = OrderStore(journal, client)
        orders.save(package for package in read_orders("orders.csv") if isinstance(package, OrderPackage))
        push(carrier_rows(reading, orders=orders), client, journal)
"""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import frozen

from vtex_tracking_ext.bulk.journal.account_name import account_name_of
from vtex_tracking_ext.bulk.journal.interface import BATCH, Journal, batched
from vtex_tracking_ext.carriers.invoice_key import letters_and_digits, without_zeros
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import visible

from .package import OrderIndex, OrderPackage, Series, package_of_order, tracking_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.recorder import AccountLookup
    from vtex_tracking_ext.carriers.event import CarrierEvent
    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import Package

    from .to_read import Statements

PackagesT = TypeVar("PackagesT")

#: Characters of an account's name that a message shows.
_SHOWN: Final = 60

#: How often an order is read at most because other processes save it.
_READINGS: Final = 3

#: The type of a package on its way to the shopper. VTEX's other type, ``Input``, is that of a return.
OUTPUT: Final = "Output"

#: How a package can be looked up: the end of the statement's name, what the values are called, and a value as stored.
_LOOK_UPS: Final[Sequence[tuple[str, str, Callable[[str], str]]]] = (
    ("order_id", "order id", str),
    ("nfe_key", "NF-e key", letters_and_digits),
    ("tracking_key", "tracking number", tracking_key),
    ("parcel", "tracking number", tracking_key),
    ("number", "invoice number", without_zeros),
    ("key_number", "number of the invoice", without_zeros),
)


@frozen
class KnownPackage:
    """A package as a journal knows it.

    Attributes:
        package: The package. Its account is the plain name.
        journal_account: The account as the journal names it.
        type: ``Output`` for a package on its way to the shopper, ``Input`` for a return.
        courier: Name of the carrier, or empty.
        finished: Whether VTEX shows it as delivered, or None if the order was not read.
        invoiced: When it was invoiced, as VTEX or a file has it, or empty.
        order_status: The status of the order when it was read, or empty.
        seen: When the order was last read or imported, in UTC.
    """

    package: OrderPackage
    journal_account: str
    type: str
    courier: str
    finished: bool | None
    invoiced: str
    order_status: str
    seen: dt.datetime

    @classmethod
    def from_record(cls, record: tuple[Any, ...]) -> KnownPackage:
        """Return the package in a record of the journal."""
        type_, courier, finished, invoiced, status, seen = record[7:]
        is_finished = None if finished is None else bool(finished)
        return cls(_package(record), record[0], type_, courier, is_finished, invoiced, status, _utc(seen))


@frozen
class LookUp:
    """What a journal knows of the orders that some events may be about.

    Attributes:
        packages: The packages on their way to shoppers.
        returns: The tracking numbers of returns, as they are compared.
        return_packages: The returns.
        series: The series of invoices that the accounts use.
    """

    packages: tuple[OrderPackage, ...]
    returns: frozenset[str]
    return_packages: tuple[OrderPackage, ...]
    series: frozenset[Series]

    @property
    def index(self) -> OrderIndex:
        """An index that resolves the events."""
        return OrderIndex(self.packages, self.return_packages, self.series)


@frozen
class KnownOrders:
    """How much a journal knows of the orders of an account.

    Attributes:
        journal_account: The account as the journal names it.
        orders: Orders.
        packages: Their packages on their way to shoppers.
        tracked: Those of the packages with a tracking number.
        keyed: Those of the packages with an NF-e key.
        oldest: When the order that was not read or imported for longest was, in UTC.
        newest: When an order was last read or imported, in UTC.
    """

    journal_account: str
    orders: int
    packages: int
    tracked: int
    keyed: int
    oldest: dt.datetime
    newest: dt.datetime


class OrderStore:
    """What a journal knows of the orders of a run's accounts. Thread-safe, as the journal is.

    Every method may raise :class:`~vtex_tracking_ext.bulk.journal.interface.JournalError`.

    Args:
        journal: The journal. One that was opened for reading keeps nothing that is saved.
        account: The client of the run's only account, or that account as the journal names it; or a function that
            returns the journal's name of each account of the run, and of the run's own for an empty text, and raises
            ConfigurationError for other accounts.
        behind: Another store, which knows more. What it has for the events that are looked up is copied where nothing
            is known.
    """

    def __init__(
        self,
        journal: JournalReader,
        account: TrackingClient | AccountLookup | str,
        behind: OrderStore | None = None,
    ) -> None:
        self._journal = journal
        if isinstance(account, str):
            self._account_name = _only_account(account)
        else:
            self._account_name = account if callable(account) else _only_account(account_name_of(account))
        self._behind = behind
        self._is_of_run: dict[str, bool] = {}

    @property
    def journal(self) -> JournalReader:
        """The journal."""
        return self._journal

    def journal_account(self, account: str = "") -> str:
        """Return the journal's name of an account of the run, or of the run's own.

        Raises:
            ConfigurationError: The account is not one of the run's.
        """
        return self._account_name(account)

    def look_up(self, events: Iterable[CarrierEvent]) -> LookUp:
        """Return what is known of the orders that events may be about, of the run's accounts.

        It takes a few statements for all events together.
        """
        events = list(events)
        return_packages: dict[OrderPackage, None] = {}
        known_series = self._journal.select("known_series")
        series = {Series(name.partition("@")[0], *rest) for name, *rest in known_series if self.has_account(name)}
        if self._behind is not None:
            known = self._behind.look_up(events)
            self._save(known.packages, keeps=True)
            return_packages |= dict.fromkeys(known.return_packages)
            series |= known.series
        codes = {tracking_key(event.tracking_code) for event in events}
        numbers = {event.invoice_number for event in events}
        values = (
            {event.order_reference for event in events},
            {event.nfe_key for event in events},
            codes,
            codes,
            numbers,
            numbers,
        )
        records: dict[tuple[Any, ...], None] = {}
        for (column, *_), wanted in zip(_LOOK_UPS, values, strict=True):
            if wanted := wanted - {""}:
                records |= dict.fromkeys(self._journal.select_many(f"known_by_{column}", sorted(wanted)))
        if records:  # all parcels of a package, because each is a volume
            records |= dict.fromkeys(self._journal.select_many("known_parcels", sorted({each[1] for each in records})))
        own = [(record[7], _package(record)) for record in records if self.has_account(record[0])]
        return_packages |= dict.fromkeys(package for type_, package in own if type_ != OUTPUT)
        returns = {tracking_key(package.tracking_number) for package in return_packages} - {""}
        packages = tuple(package for type_, package in own if type_ == OUTPUT)
        return LookUp(packages, frozenset(returns), tuple(return_packages), frozenset(series))

    def find(self, what: str) -> Iterator[tuple[str, KnownPackage]]:
        """Yield the packages that an identifier may mean, of all accounts, and what it is of each.

        Args:
            what: An order id, an NF-e key, a tracking number or an invoice number.
        """
        found: set[tuple[Any, ...]] = set()
        for column, name, stored in _LOOK_UPS:
            if wanted := stored(what.strip()):
                for record in sorted(set(self._journal.select_many(f"known_by_{column}", [wanted])) - found, key=repr):
                    found.add(record)
                    yield name, KnownPackage.from_record(record)

    def counts(self) -> list[KnownOrders]:
        """Return how much is known of each account, also of other accounts than the run's."""
        return [
            KnownOrders(
                account, orders, int(packages or 0), int(tracked or 0), int(keyed or 0), _utc(first), _utc(last)
            )
            for account, orders, packages, tracked, keyed, first, last in self._journal.select("count_known")
        ]

    def save(self, packages: Iterable[OrderPackage]) -> Counter[str]:
        """Save what is known of packages, such as the rows of a file. What they do not say stays as it is known.

        Of two invoice numbers of an order that differ by leading zeros alone, the longer one is kept, because files
        lose zeros. Packages that VTEX says are returns stay returns. If a package has several tracking numbers, each is
        that of a parcel. They replace those that were known; a single one does unless it is one of these.

        Returns:
            How many packages were left out because their account is not one of the run's, by account.

        Raises:
            ConfigurationError: A package names no account, and the run has none of its own.
        """
        return self._save(packages, keeps=False)

    def read_order(self, order_id: str, read: Callable[[], PackagesT]) -> PackagesT:
        """Read an order for :meth:`save_order`: again if another process saved a change of it meanwhile.

        Otherwise a reading that is older than the saved one could replace it, and a new package would be unknown.

        Args:
            order_id: The order.
            read: Reads its packages.
        """
        attempt = 1
        while True:
            known = self._journal.select_many("known_by_order_id", [order_id])
            packages = read()
            saved = self._journal.select_many("known_by_order_id", [order_id])
            if attempt == _READINGS or set(saved) == set(known):
                return packages
            attempt += 1

    def save_order(
        self, account: str, order_id: str, packages: Iterable[Package], status: str = "", also: Statements = ()
    ) -> None:
        """Save an order as VTEX has it: its packages replace those that were known.

        What VTEX does not say of a package, such as a tracking number that is known from a file, is kept. So are the
        tracking numbers of its parcels if VTEX has one of them.

        Args:
            account: The account, or an empty text for the run's own.
            order_id: The order.
            packages: All of its packages.
            status: Its status.
            also: Other statements for the same transaction, see :meth:`.Journal.execute`.

        Raises:
            ConfigurationError: The account is not one of the run's.
        """
        if not isinstance(self._journal, Journal):
            return
        order = {"account": self._account_name(account), "order_id": order_id}
        saved = [
            {
                **_values(package_of_order(order_id, each, account)),
                **order,
                "type": each.type or OUTPUT,
                "courier": each.courier or "",
                "finished": int(each.finished),
                "invoiced": each.issuance_date or "",
            }
            for each in packages
            if each.invoice_number
        ]
        records = self._journal.select_many("known_by_order_id", [order_id])
        known = {(record[2], record[7]) for record in records if record[0] == order["account"]}
        kept = {(each["invoice_number"], each["type"]) for each in saved}
        new = {(without_zeros(number), type_): number for number, type_ in kept - known}
        gone, renamed = [], []
        for number, type_ in sorted(known - kept):
            package = {**order, "invoice_number": number, "type": type_}
            with_zeros = new.pop((without_zeros(number), type_), None)
            if with_zeros is None:
                gone.append(package)
            else:
                renamed.append({**package, "invoice_number": with_zeros, "old_number": number})
        self._journal.execute(
            [
                ("save_known_order", [{**order, "status": status}]),
                ("delete_known_package", gone),
                ("delete_known_parcels", [*map(_any_parcel, gone), *(each for each in saved if each["tracking_key"])]),
                ("rename_known_package", renamed),
                ("save_known_package", [{**each, "keeps": False} for each in saved]),
                ("save_known_series", _series(saved)),
                ("was_read", [{**order, "changed": 0}]),
                *also,
            ]
        )

    def _save(self, packages: Iterable[OrderPackage], *, keeps: bool) -> Counter[str]:
        left_out: Counter[str] = Counter()
        if not isinstance(self._journal, Journal):
            return left_out
        tracked: set[int] = set()
        # What is kept is decided before anything is saved, so that is done at once.
        for batch in batched(packages, sys.maxsize if keeps else BATCH):
            saved = []
            for package in batch:
                try:
                    account = self._account_name(package.account)
                except ConfigurationError:
                    if not package.account:
                        raise
                    left_out[package.account] += 1
                else:
                    saved.append({**_values(package), "account": account, "keeps": keeps})
            saved, renamed = self._reconciled(saved)
            orders = {(each["order_id"], each["account"]): each for each in saved}
            self._journal.execute(
                [
                    ("save_known_order", [*orders.values()]),
                    ("rename_known_package", renamed),
                    *_parcels(saved, tracked),
                    ("save_known_package", saved),
                    ("save_known_series", _series(saved)),
                ]
            )
        return left_out

    def _reconciled(self, saved: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return values to save, and known packages to rename, so that no package is known under two numbers.

        Packages that VTEX says are returns are left out.
        """
        known: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for record in self._journal.select_many("known_by_order_id", sorted({each["order_id"] for each in saved})):
            known[record[0], record[1], without_zeros(record[2]), record[7]].add(record[2])
        best: dict[tuple[str, ...], str] = {}
        keyed = [((each["account"], each["order_id"], each["number"]), each) for each in saved]
        keyed = [(key, each) for key, each in keyed if (*key, OUTPUT) in known or (*key, "Input") not in known]
        for key, each in keyed:
            numbers = known[*key, OUTPUT]
            if each["invoice_number"] not in numbers:
                best[key] = max((*numbers, each["invoice_number"], best.get(key, "")), key=len)
        renamed = []
        for key, each in keyed:
            each["invoice_number"] = best.get(key, each["invoice_number"])
            numbers = known[*key, OUTPUT]
            if len(numbers) == 1 and each["invoice_number"] not in numbers:
                renamed.append({**each, "old_number": numbers.pop()})
        return [each for _, each in keyed], renamed

    def has_account(self, journal_account: str) -> bool:
        """Return whether an account, as the journal names it, is one of the run's."""
        if journal_account not in self._is_of_run:
            try:
                name = self._account_name(journal_account.partition("@")[0])
            except ConfigurationError:
                name = None
            self._is_of_run[journal_account] = name == journal_account
        return self._is_of_run[journal_account]


def _package(record: tuple[Any, ...]) -> OrderPackage:
    account, order_id, invoice_number, nfe_key, issuer, series, tracking_number = record[:7]
    plain = account.partition("@")[0]
    return OrderPackage(order_id, invoice_number, nfe_key, issuer, series, tracking_number, plain)


def _values(package: OrderPackage) -> dict[str, Any]:
    """Return the columns of a package, but for its account."""
    number, key_number = without_zeros(package.invoice_number), package.invoice.number
    return {
        "order_id": package.order_id,
        "status": "",
        "invoice_number": package.invoice_number,
        "type": OUTPUT,
        "nfe_key": package.nfe_key,
        "issuer": package.issuer,
        "series": package.series,
        "invoice_issuer": package.invoice.issuer,
        "invoice_series": package.invoice.series,
        "number": number,
        "key_number": "" if key_number == number else key_number,
        "tracking_number": package.tracking_number,
        "tracking_key": tracking_key(package.tracking_number),
        "courier": "",
        "finished": None,
        "invoiced": "",
    }


def _series(saved: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the parameters that save the series of packages of which anything is known, each once."""
    names = ("account", "invoice_issuer", "invoice_series")
    found = {tuple(each[name] for name in names) for each in saved}
    return [dict(zip(names, each, strict=True)) for each in sorted(found) if any(each[1:])]


def _any_parcel(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters with which all parcels of a package are deleted."""
    return {**package, "number": without_zeros(package["invoice_number"]), "tracking_key": ""}


def _parcels(saved: Iterable[dict[str, Any]], tracked: set[int]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Yield the statements that save the parcels of packages, before the packages themselves are saved.

    Args:
        saved: The values of packages; those of one with several tracking numbers come as often.
        tracked: Hashes of the packages of earlier batches with tracking numbers; those of these packages are added.
    """
    by_package: defaultdict[tuple[str, str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for each in saved:
        if each["tracking_key"]:
            by_package[each["account"], each["order_id"], each["number"]].setdefault(each["tracking_key"], each)
    replaced: list[Mapping[str, Any]] = []
    continued: list[Mapping[str, Any]] = []
    parcels: list[Mapping[str, Any]] = []
    for package, by_key in by_package.items():
        first, *more = by_key.values()
        if hash(package) in tracked:
            continued.append(first)
        elif not first["keeps"]:
            replaced.append(_any_parcel(first) if more else first)
        if more or hash(package) in tracked:
            parcels += by_key.values()
        tracked.add(hash(package))
    yield "delete_known_parcels", replaced
    yield "add_known_parcel", continued
    yield "save_known_parcel", parcels


def _only_account(name: str) -> AccountLookup:
    """Return the function that knows one account, by its name in a journal."""

    def account_name(account: str) -> str:
        if account.lower() in {"", name.partition("@")[0]}:
            return name
        raise ConfigurationError(f"{visible(account, _SHOWN)} is not the account of this run")

    return account_name


def _utc(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
