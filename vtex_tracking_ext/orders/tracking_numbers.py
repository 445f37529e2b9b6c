"""Tracking numbers to set: read from a file, and completed with the values of an order."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from vtex_tracking_ext.bulk.input.dates import DateError, day_order, needs_order, read_moment
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place, RowProblem
from vtex_tracking_ext.bulk.input.values import ValueFaultError, read_name, read_text
from vtex_tracking_ext.call.order_lookup import packages_of_invoice
from vtex_tracking_ext.call.validation import (
    invoice_number_problems,
    is_dispatched_date,
    order_id_problems,
    tracking_number_problems,
)

from .orders_file import FileKind, read_package_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from vtex_tracking_ext.bulk.input.dates import Order
    from vtex_tracking_ext.errors import Problem
    from vtex_tracking_ext.events import Package

#: The values that a call replaces.
VALUES: Final = ("tracking_number", "tracking_url", "courier", "dispatched_date")

#: Those of them that an order shows.
_SHOWN: Final = VALUES[:3]

#: Where a message about a date says which option of push reads it.
_OPTION: Final = re.compile("(?:;|:|, or) give --.*")

_COLUMNS: Final = ("order_id", "invoice_number", *VALUES, "account")
_KIND: Final = FileKind("tracking numbers", _COLUMNS, _COLUMNS[:3])


@frozen
class TrackingNumber:
    """The tracking number of a package, with the values that are set with it. A value that is not given is empty.

    Attributes:
        order_id: Order id.
        invoice_number: The invoice number, verbatim as VTEX has it.
        tracking_number: The carrier's number.
        tracking_url: The page on which the shopper can follow the package.
        courier: The name of the carrier.
        dispatched_date: When the package was dispatched, in ISO 8601.
        account: The account, in lower case, or an empty text for that of the run.
        place: The row that the tracking number comes from, or None. Not compared.
    """

    order_id: str
    invoice_number: str
    tracking_number: str
    tracking_url: str = ""
    courier: str = ""
    dispatched_date: str = ""
    account: str = ""
    place: Place | None = field(default=None, eq=False)

    def problems(self) -> list[Problem]:
        """Return the reasons for which VTEX would refuse the tracking number."""
        body = {
            "trackingNumber": self.tracking_number,
            "trackingUrl": self.tracking_url or None,
            "courier": self.courier or None,
            "dispatchedDate": self.dispatched_date or None,
        }
        ids = (*order_id_problems(self.order_id), *invoice_number_problems(self.invoice_number))
        return [*ids, *tracking_number_problems(body)]

    def completed(self, packages: Sequence[Package]) -> TrackingNumber:
        """Return a copy in which missing values are those of the package of an order.

        The date of dispatch stays as it is, because an order does not show it.
        """
        shown = packages_of_invoice(packages, self.invoice_number)
        return evolve(
            self,
            tracking_url=self.tracking_url or next(filter(None, (each.tracking_url for each in shown)), ""),
            courier=self.courier or next(filter(None, (each.courier for each in shown)), ""),
        )

    def is_set(self, packages: Sequence[Package]) -> bool:
        """Return whether the package of an order has exactly these values; false with a date, which no order shows.

        Args:
            packages: The packages of the order; one of them has the invoice.
        """
        wanted = [getattr(self, name) for name in _SHOWN]
        shown = packages_of_invoice(packages, self.invoice_number)
        return not self.dispatched_date and all(
            wanted == [getattr(package, name) or "" for name in _SHOWN] for package in shown
        )


def read_tracking_numbers(path: Path | str) -> tuple[list[TrackingNumber], list[RowProblem]]:
    """Return the tracking numbers of a CSV file or a workbook, each package once, and why rows cannot be used.

    Its columns are ``order_id``, ``invoice_number`` and ``tracking_number``, and any of ``tracking_url``, ``courier``,
    ``dispatched_date`` and ``account``; usual names in Portuguese and Spanish are known, and other columns are
    ignored. Rows that give one package different values cannot be used.

    Args:
        path: The file; ``-`` for standard input.

    Raises:
        InputFileError: The file cannot be read, its header lacks a column, or the order of day and month in its dates
            is ambiguous.
    """
    rows = list(read_package_rows(path, _KIND))
    problems = [row for row in rows if isinstance(row, RowProblem)]
    values = [row for row in rows if not isinstance(row, RowProblem)]
    order = _day_order(values)
    numbers: dict[tuple[str, str, str], dict[TrackingNumber, Place]] = {}
    for place, row in values:
        number = _tracking_number(place, row, order)
        if isinstance(number, RowProblem):
            problems.append(number)
        else:
            package = number.account, number.order_id, number.invoice_number
            numbers.setdefault(package, {}).setdefault(number, place)
    for places in numbers.values():
        problems += _contradictions([*places.values()])
    unique = [number for each in numbers.values() for number in each if len(each) == 1]
    return unique, sorted(problems, key=lambda problem: problem.place.line)


def _contradictions(places: Sequence[Place]) -> Iterator[RowProblem]:
    """Yield the rows of one package, if there are several: their values differ."""
    for index, place in enumerate(places):
        if (other := places[index - 1]) != place:
            yield RowProblem(place, "", f"line {other.line} gives this package other values; keep one, neither is set")


def _tracking_number(place: Place, values: dict[str, str], order: Order | None) -> TrackingNumber | RowProblem:
    """Return the tracking number of a row, or why it cannot be used."""
    column = "tracking_number"
    try:
        values[column] = read_name(values.get(column, ""))
        for column in ("tracking_url", "courier", "account", "dispatched_date"):
            values[column] = read_text(values.get(column, ""), repair=True).value
        values["dispatched_date"] = _dispatched(values["dispatched_date"], order)
    except (ValueFaultError, DateError) as error:
        return RowProblem(place, column, _message(error))
    number = TrackingNumber(**{**values, "account": values["account"].lower()}, place=place)
    problem = next(iter(number.problems()), None)
    return RowProblem(place, problem.place, problem.message) if problem else number


def _dispatched(text: str, order: Order | None) -> str:
    """Return a date of dispatch in ISO 8601.

    Raises:
        DateError: The text is not a date.
    """
    if not text or is_dispatched_date(text):
        return text
    moment = read_moment(text, order=order)
    if not moment.time:
        return moment.day
    return dt.datetime.fromisoformat(f"{moment.day}T{moment.time}").replace(tzinfo=moment.zone).isoformat()


def _day_order(rows: Sequence[tuple[Place, dict[str, str]]]) -> Order | None:
    """Return the order of day and month in the dates, or None if they have the year first.

    Raises:
        InputFileError: The order is ambiguous.
    """
    texts = [values.get("dispatched_date", "") for _, values in rows]
    place = next((place for place, values in rows if needs_order(values.get("dispatched_date", ""))), None)
    if place is None:
        return None
    try:
        return day_order(texts, "dispatched_date")
    except DateError as error:
        raise InputFileError(f"{place.source}: {_message(error)}.") from None


def _message(error: ValueFaultError | DateError) -> str:
    """Return what is wrong with a value, without the options of push, which do not exist here."""
    text = str(error)
    without = _OPTION.sub("", text)
    return text if without == text else f"{without}; write yyyy-mm-dd"
