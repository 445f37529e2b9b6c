"""Packages of orders, and an index of them by the identifiers that carriers use. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

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
        of_key = invoice_of_key(self.nfe_key)
        return Invoice(
            self.issuer or of_key.issuer, self.series or of_key.series, of_key.number or number_in(self.invoice_number)
        )

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


class OrderIndex:
    """An index of packages of orders by the identifiers that carriers use.

    Args:
        packages: The first packages of the index.
        returns: Returns, which no event is about, but for which a package may be mistaken.
    """

    def __init__(self, packages: Iterable[OrderPackage] = (), returns: Iterable[OrderPackage] = ()) -> None:
        self._packages: defaultdict[tuple[str, ...], dict[OrderPackage, None]] = defaultdict(dict)
        for package in packages:
            self.add(package)
        self.returns = OrderIndex(returns) if returns else None

    def add(self, package: OrderPackage) -> None:
        """Add a package under each of its known identifiers."""
        issuer, series, _ = package.invoice
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
