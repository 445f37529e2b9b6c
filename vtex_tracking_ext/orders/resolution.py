"""Find the packages that a carrier event is about, in an index of known packages. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from vtex_tracking_ext.text import quoted

from .package import Series, number_in, tracking_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vtex_tracking_ext.carriers.event import CarrierEvent

    from .package import OrderIndex, OrderPackage

#: Most packages that a reason lists.
_NAMED: Final = 5

#: An order id of VTEX, which ends with the number of the order's part. Carriers also echo other systems' ids.
_ORDER_ID: Final = re.compile(r".+-[0-9]{2}")


@frozen
class Match:
    """The packages that an event is about, or the reason why they could not be found.

    Attributes:
        packages: The packages: several if several invoices have the tracking number, and none if they were not found.
        reason: Why no package was found, or an empty text.
        is_waiting: Whether the order was not read, so that a later run that reads it may find the package.
        is_refused: Whether the event is not sent although its package may be known: several packages may be meant, or
            a return. Or the event names no package at all.
    """

    packages: tuple[OrderPackage, ...] = ()
    reason: str = ""
    is_waiting: bool = False
    is_refused: bool = False


def resolve(event: CarrierEvent, index: OrderIndex) -> Match:
    """Return the packages that an event is about.

    These identifiers are tried in order, and the first one that a known package has decides: the order id that the
    payload echoes; the NF-e key; issuer, series and number of the invoice; the tracking number, which several invoices
    may have; the number of the invoice alone. A package is left out if its NF-e key, or its issuer, series or number of
    the invoice, is known and differs from that of the event. A different tracking number or order id only leaves a
    package out if the number of the invoice alone decides, because two carriers and a broker use different ones for one
    package. Nor does the number alone decide if the accounts are known to use several issuers or series, and the event
    may mean another one than that of the package. An event about the invoice of a known return is about no package.
    """
    if of_order := index.find("order", event.order_reference):
        return choose(event, of_order)
    for found in (
        index.find("nfe_key", event.nfe_key),
        index.find("invoice", event.issuer, event.series, event.invoice_number),
    ):
        if packages := _consistent(event, found):
            return _only(packages)
    if returns := _returns(event, index, "nfe_key", event.nfe_key) or _returns(
        event, index, "invoice", event.issuer, event.series, event.invoice_number
    ):
        return Match(reason=f"the invoice is that of a return: {returns[0]}", is_refused=True)
    if packages := _consistent(event, index.find("tracking", tracking_key(event.tracking_code))):
        return Match(_distinct(packages))
    numbered, doubt = index.find("number", event.invoice_number), ""
    packages = _consistent(event, numbered)
    if packages := tuple(each for each in packages if not _has_other_identifier(event, each)):
        # Several series have this number. A package whose series is not known may be of the event's or of a third one.
        if not (event.series and all(each.invoice.series for each in packages)):
            packages = tuple(each for each in numbered if not _has_other_account(event, each))
        # Returns come first, because an order may have a return with the number of its package.
        match = _only((*_returns(event, index, "number", event.invoice_number), *packages))
        series = Series(event.account.lower(), event.issuer, event.series)
        if not match.packages or index.is_same_series(series, match.packages[0].invoice_series):
            return match
        doubt = f"; {match.packages[0]} has this number, but another issuer or series may be meant"
    known = described(event)
    reason = f"no order is known with {known}{doubt}" if known else "the payload does not name the package"
    return Match(reason=reason, is_refused=not known)


def choose(event: CarrierEvent, packages: Sequence[OrderPackage]) -> Match:
    """Return the packages of an order that an event is about.

    Args:
        event: The event, whose payload names the order.
        packages: The packages of the order.
    """
    if packages := _consistent(event, packages):
        numbered = tuple(each for each in packages if event.invoice_number in each.numbers - {""})
        tracked = tuple(each for each in packages if _has_tracking_number(event, each))
        return _only(numbered) if numbered else Match(_distinct(tracked)) if tracked else _only(packages)
    known = described(evolve(event, order_reference=""))
    return Match(reason=f"order {event.order_reference} has no package with {known}")


def is_named(event: CarrierEvent, package: OrderPackage) -> bool:
    """Return whether an event names a package, not only its order."""
    return (
        _has_tracking_number(event, package)
        or bool(event.nfe_key and event.nfe_key == package.nfe_key)
        or bool(event.invoice_number and event.invoice_number in package.numbers)
    )


def described(event: CarrierEvent) -> str:
    """Return the identifiers of an event's package, for a message; or an empty text."""
    invoice = [("issuer", event.issuer), ("series", event.series), ("invoice number", event.invoice_number)]
    known = [
        ("order id", event.order_reference),
        *([("NF-e key", event.nfe_key)] if event.nfe_key else invoice),
        ("tracking number", event.tracking_code),
    ]
    return ", ".join(f"{name} {quoted(value, 60)}" for name, value in known if value)


def _returns(event: CarrierEvent, index: OrderIndex, kind: str, *values: str) -> tuple[OrderPackage, ...]:
    """Return the known returns with an identifier that an event may be about."""
    return () if index.returns is None else _consistent(event, index.returns.find(kind, *values))


def _consistent(event: CarrierEvent, packages: Iterable[OrderPackage]) -> tuple[OrderPackage, ...]:
    """Return the packages whose invoices can be that of an event."""
    return tuple(package for package in packages if not _differs(event, package))


def _differs(event: CarrierEvent, package: OrderPackage) -> bool:
    invoice = package.invoice
    pairs = (
        (event.nfe_key, package.nfe_key),
        (event.issuer, invoice.issuer),
        (event.series, invoice.series),
        (number_in(event.invoice_number) or event.invoice_number, invoice.number),
    )
    return _has_other_account(event, package) or any(known and other and known != other for known, other in pairs)


def _has_other_account(event: CarrierEvent, package: OrderPackage) -> bool:
    known = event.account and package.account
    return bool(known) and event.account.lower() != package.account.lower()


def _has_tracking_number(event: CarrierEvent, package: OrderPackage) -> bool:
    return bool(event.tracking_code) and tracking_key(event.tracking_code) == tracking_key(package.tracking_number)


def _has_other_identifier(event: CarrierEvent, package: OrderPackage) -> bool:
    """Return whether a package has another tracking number or order id than an event."""
    known = event.tracking_code and package.tracking_number
    is_other_order = _ORDER_ID.fullmatch(event.order_reference) and event.order_reference != package.order_id
    return bool(known and not _has_tracking_number(event, package)) or bool(is_other_order)


def _distinct(packages: Iterable[OrderPackage]) -> tuple[OrderPackage, ...]:
    """Return packages, each once: files of orders may tell of one package in several rows."""
    return tuple({(each.account.lower(), each.order_id, each.invoice_number): each for each in packages}.values())


def _only(packages: tuple[OrderPackage, ...]) -> Match:
    """Return the package if there is only one, or else a reason that lists the candidates."""
    packages = _distinct(packages)
    if len(packages) == 1:
        return Match(packages)
    more = f" and {len(packages) - _NAMED} more" if len(packages) > _NAMED else ""
    names = "; ".join(map(str, packages[:_NAMED]))
    return Match(reason=f"several packages may be meant: {names}{more}", is_refused=True)
