"""Packages of orders, and an index of them by the identifiers that carriers use. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import field, frozen

from vtex_tracking_ext.carriers.invoice_key import (
    Invoice,
    invoice_of_key,
    issuer_of,
    letters_and_digits,
    without_zeros,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtex_tracking_ext.events import Package


#: The number of an invoice within a text such as ``30711-1``.
_NUMBER: Final = re.compile(r"(?<![0-9])[0-9]{1,9}(?![0-9])")


def number_in(text: str) -> str:
    """Return the number of an invoice in a text such as ``30711-1`` or ``NF 30711``, or an empty text.

    VTEX takes any text as an invoice number, also with the series beside the number, and an NF-e key.
    """
    numbers = _NUMBER.findall(text)
    return invoice_of_key(letters_and_digits(text)).number or without_zeros(max(numbers, key=len, default=""))


def tracking_key(number: str) -> str:
    """Return the form in which a tracking number is compared."""
    return without_zeros("".join(number.split()).upper())


@frozen
class OrderPackage:
    """A package of an order. An unknown value is an empty text.

    Attributes:
        order_id: Order id.
        invoice_number: The invoice number, verbatim as VTEX has it.
        nfe_key: The NF-e key of the invoice.
        issuer: The CNPJ of the issuer of the invoice.
        series: The series of the invoice.
        tracking_number: The carrier's tracking number.
        account: The account of the order; an empty text for the account of the run.
    """

    order_id: str
    invoice_number: str
    nfe_key: str = field(default="", converter=letters_and_digits)
    issuer: str = field(default="", converter=issuer_of)
    series: str = field(default="", converter=without_zeros)
    tracking_number: str = ""
    account: str = ""

    def __str__(self) -> str:
        return f"order {self.order_id}, invoice {self.invoice_number}"

    @property
    def invoice(self) -> Invoice:
        """What is known of the invoice: as given, as in its NF-e key, or in its invoice number."""
        of_key = invoice_of_key(self.nfe_key or letters_and_digits(self.invoice_number))
        return Invoice(
            self.issuer or of_key.issuer, self.series or of_key.series, of_key.number or number_in(self.invoice_number)
        )

    @property
    def invoice_series(self) -> Series:
        """What is known of the series of the invoice."""
        return Series(self.account.lower(), self.invoice.issuer, self.invoice.series)

    @property
    def numbers(self) -> set[str]:
        """The numbers that a carrier may give: the invoice number as VTEX has it, and that of the invoice."""
        return {without_zeros(self.invoice_number), self.invoice.number}


def package_of_order(order_id: str, package: Package, account: str) -> OrderPackage:
    """Return a package as an order has it. A key of another kind than an NF-e key is ignored."""
    nfe_key = letters_and_digits(package.invoice_key or "")
    return OrderPackage(
        order_id,
        package.invoice_number or "",
        nfe_key if invoice_of_key(nfe_key).number else "",
        tracking_number=package.tracking_number or "",
        account=account,
    )


class Series(NamedTuple):
    """A series of invoices. Each invoice of a series has another number. An unknown value is an empty text.

    Attributes:
        account: The account whose orders have these invoices, in lower case.
        issuer: The CNPJ of the issuer.
        series: The series.
    """

    account: str
    issuer: str
    series: str

    def agrees(self, other: Series) -> bool:
        """Return whether no value that is known of both series differs."""
        return all(not mine or not its or mine == its for mine, its in zip(self, other, strict=True))

    def may_be(self, other: Series) -> bool:
        """Return whether both may be one series, which one issuer may also use for orders of two accounts."""
        return self.agrees(other) or (all(self[1:]) and self[1:] == other[1:])


class OrderIndex:
    """An index of packages of orders by the identifiers that carriers use.

    Args:
        packages: The first packages of the index.
        returns: Returns, which no event is about, but for which a package may be mistaken.
        series: Series that the accounts use besides those of the packages and returns.
    """

    def __init__(
        self,
        packages: Iterable[OrderPackage] = (),
        returns: Iterable[OrderPackage] = (),
        series: Iterable[Series] = (),
    ) -> None:
        self._packages: defaultdict[tuple[str, ...], dict[OrderPackage, None]] = defaultdict(dict)
        self._series = set(series)
        for package in packages:
            self.add(package)
        returns = [*returns]
        for package in returns:
            self._add_series(package)
        self.returns = OrderIndex(returns) if returns else None

    def add(self, package: OrderPackage) -> None:
        """Add a package under each of its known identifiers."""
        issuer, series, _ = package.invoice
        self._add_series(package)
        for number in package.numbers:
            keys = (
                ("order", package.order_id),
                ("nfe_key", package.nfe_key),
                ("invoice", issuer, series, number),
                ("tracking", tracking_key(package.tracking_number)),
                ("number", number),
            )
            for key in filter(all, keys):
                self._packages[key][package] = None

    def is_same_series(self, first: Series, second: Series) -> bool:
        """Return whether two invoices are of one series, by all series that the accounts are known to use.

        If issuer, series or account of an invoice is not known, the invoice may be of any series that the accounts use
        and that agrees with the rest. The invoices are only of one series if any two that they may be of may be one.

        Args:
            first: What is known of the series of the first invoice.
            second: What is known of the series of the second invoice.
        """
        of_first, of_second = ({each, *filter(each.agrees, self._series)} for each in (first, second))
        return all(one.may_be(other) for one, other in product(of_first, of_second))

    def is_in_parcels(self, package: OrderPackage) -> bool:
        """Return whether a package has several tracking numbers, one for each of its parcels."""
        of_order = self.find("order", package.order_id)
        numbers = {each.tracking_number for each in of_order if each.invoice_number == package.invoice_number}
        return len(numbers - {""}) > 1

    def find(self, kind: str, *values: str) -> tuple[OrderPackage, ...]:
        """Return the packages with an identifier.

        Args:
            kind: The kind of identifier: ``order``, ``nfe_key``, ``invoice`` (issuer, series and number), ``tracking``
                or ``number`` (of the invoice alone).
            *values: The values of the identifier, numbers without leading zeros. No package has an empty value.
        """
        return tuple(self._packages.get((kind, *values), ()))

    def _add_series(self, package: OrderPackage) -> None:
        series = package.invoice_series
        if series.issuer or series.series:
            self._series.add(series)
