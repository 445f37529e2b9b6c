"""Events are grouped by cause, and each cause has commands that exist."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from vtex_tracking_ext import NotFoundError
from vtex_tracking_ext.bulk.report.causes import (
    Record,
    cause_key,
    group,
    journal_option,
    without_identifiers,
)
from vtex_tracking_ext.call.order_lookup import explain_not_found, explain_refusal
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.events import Package

if TYPE_CHECKING:
    from vtex_tracking_ext.bulk.report.causes import Group, Kind

NOT_FOUND = "404 Invoice not found (OMS004, request id 8f-1). Check the account."
CONFLICT = "409 The state of order 1-01 is canceled (OMS003, request id 77)."
NO_ANSWER = "the connection was closed. It may have been applied."
OPTION = " --journal 'my journal.db'"

#: A reason of each cause, and its title.
CAUSES: tuple[tuple[Kind, str, str], ...] = (
    ("in_flight", "", "A process was killed while it sent them"),
    (
        "unknown",
        "the process that sent it was killed, and the order does not show it",
        "The process that sent them was",
    ),
    ("unknown", NO_ANSWER, "VTEX did not answer"),
    ("unknown", "504 Gateway Timeout. It may have been applied.", "VTEX's answer does not say"),
    ("unknown", "", "The outcome is unknown"),
    ("refused", f"{CONFLICT}; the invoice has no tracking number yet. Set it", "The invoice has no tracking number"),
    ("refused", explain_not_found(NOT_FOUND, "7", ["007"]), "The invoice number has other leading zeros"),
    ("refused", explain_not_found(NOT_FOUND, "007", ["7"]), "The invoice number has other leading zeros"),
    ("refused", explain_not_found(NOT_FOUND, "7", ["8"]), "The order has another invoice"),
    ("refused", explain_not_found(NOT_FOUND, "7", ["8", "9"]), "The order has another invoice"),
    ("refused", explain_not_found(NOT_FOUND, "7", []), "The order has no invoice yet"),
    ("refused", NOT_FOUND, "VTEX does not know the order or the invoice"),
    ("refused", CONFLICT, "The state of the order does not allow it"),
    ("refused", "description: too long", "Another reason"),
    ("given_up", "several packages may be meant: order 1-01, invoice 1; order 2-01, invoice 1", "Several packages"),
    ("given_up", "the tracking number 'QB1' is that of a return", "The package is a return"),
    ("given_up", "no order is known with tracking number 'QB1'", "No order is known with their identifiers"),
    ("given_up", "the payload does not name the package", "Another reason"),
    ("waiting", "its order is being looked up", "Just received"),
    ("waiting", "no order is known with NF-e key '3526'", "No order is known with their identifiers yet"),
    ("waiting", "no order is known with order id '1-01'; order 1-01 has no invoice yet", "No order is known"),
    ("waiting", "order 1-01 has no invoice yet", "The order has no invoice yet"),
    ("waiting", "order 1-01 cannot be read: 500", "Another reason to wait"),
)


def record(
    number: int, reason: str = "", account: str = "mystore", package: str = "", status: int | None = None
) -> Record:
    """Return an event, of a package of its own unless it is given, with the status that the reason names."""
    status = status or next((code for code in (404, 409) if f"{code} " in reason), None)
    return Record(number, account, package or number, status, reason, 1_800_000_000 - number)


def check_commands(found: Group, option: str = OPTION) -> None:
    """Check that the command line accepts the commands, and that each names the journal."""
    for command in found.commands:
        program, *arguments = shlex.split(command.text)
        assert program == "vtex-tracking"
        assert build_parser().parse_args(arguments).journal == shlex.split(option)[1]
        assert "{" not in command.purpose + command.text


@pytest.mark.parametrize(("kind", "reason", "title"), CAUSES)
@pytest.mark.parametrize("number", [1, 21])
@pytest.mark.parametrize("has_accounts", [False, True])
def test_each_cause_has_a_title_and_commands(
    kind: Kind, reason: str, title: str, number: int, *, has_accounts: bool
) -> None:
    """The reasons that the client and the orders give are recognised, and the suggested commands exist."""
    (found,) = group(kind, [record(n, reason) for n in range(1, number + 1)], OPTION, has_accounts=has_accounts)
    assert found.title.startswith(title)
    assert found.help
    assert (found.entries, found.packages, found.accounts) == (number, number, ("mystore",))
    check_commands(found)


def test_missing_tracking_numbers_are_recognised() -> None:
    """The reason of a refusal that its order explains is the first cause."""
    error = NotFoundError(NOT_FOUND, status_code=404)
    shown = Package("1", "Output", None, None, None, finished=False, delivered_date=None, events=())
    (found,) = group("refused", [record(1, explain_refusal(error, "1-01", "1", [shown]))], OPTION)
    assert found.title == "The invoice has no tracking number"
    assert [command.text for command in found.commands] == [
        f"vtex-tracking set-tracking-number --file numbers.csv{OPTION}",
        f"vtex-tracking resolve --retry --cause 1{OPTION}",
    ]


def test_commands_name_the_cause_by_its_earliest_event() -> None:
    """However many events there are, and in whatever order they are read."""
    for numbers in (range(1, 31), range(30, 0, -1)):
        (found,) = group("refused", [record(7 + number, "wrong") for number in numbers], OPTION, has_accounts=True)
        assert found.number == 8
        assert [command.text for command in found.commands] == [
            f"vtex-tracking report --state refused --format csv --output refused.csv --account mystore{OPTION}",
            f"vtex-tracking resolve --retry --cause 8 --account mystore{OPTION}",
            f"vtex-tracking resolve --dismiss --cause 8 --account mystore{OPTION}",
        ]


def test_few_parked_events_are_named_by_their_numbers() -> None:
    """Commands name up to 20 parked events, and otherwise all that were given up, of the account if there are more."""
    parked = [record(number, "several packages may be meant") for number in range(1, 21)]
    drop = group("given_up", parked, "", has_accounts=True)[0].commands[-1]
    assert drop == ("Drop them", f"vtex-tracking orders parked --drop {' '.join(map(str, range(1, 21)))}")
    parked.append(record(21, "several packages may be meant"))
    drop = group("given_up", parked, "", has_accounts=True)[0].commands[-1]
    assert drop == (
        "Drop all given up events of the account",
        "vtex-tracking orders parked --drop --account mystore",
    )
    parked.append(record(22, "several packages may be meant", "another store"))
    drop = group("given_up", parked, "", has_accounts=True)[0].commands[-1]
    assert drop == ("Drop all given up events", "vtex-tracking orders parked --drop")


def test_causes_are_ordered_by_frequency_and_age() -> None:
    """Of causes with as many events, the one with the earliest event comes first, whatever was read first."""
    records = [record(1, "a"), record(2, "b"), record(3, "c"), record(4, "c")]
    for each in (records, records[::-1]):
        assert [found.number for found in group("refused", each, "")] == [3, 1, 2]


def test_numbers_of_the_first_packages_are_kept() -> None:
    """Each package has the numbers of its events, in their order; packages beyond those that are shown have none."""
    records = [record(5, "a", package="p"), record(4, "a", package="q"), record(3, "a", package="p")]
    assert group("refused", records, "")[0].members == ()
    assert group("refused", records, "", shown=1)[0].members == ((3, 5),)
    assert group("refused", records, "", shown=2)[0].members == ((3, 5), (4,))


def test_a_status_tells_the_cause_whatever_the_reason_says() -> None:
    """A 404 and a 409 without a known text have the causes of their statuses."""
    titles = {status: group("refused", [record(1, "x", status=status)], "")[0].title for status in (404, 409, 400)}
    assert titles == {
        404: "VTEX does not know the order or the invoice",
        409: "The state of the order does not allow it",
        400: "Another reason",
    }


def test_a_long_reason_has_the_same_cause_where_less_of_it_was_read() -> None:
    """Characters of a reason that some readers do not read do not count."""
    assert cause_key("refused", 400, f"{'x' * 600}y") == cause_key("refused", 400, "x" * 600)


def test_reasons_are_the_same_but_for_identifiers() -> None:
    """Reasons that differ in order, invoice and request id are one cause; those of another status are another one."""
    reasons = [f"400 Order {n}-01 (OMS001, request id {n}). Invoice {n}" for n in "123"]
    records = [record(n, reason, status=400) for n, reason in enumerate(reasons)]
    records += [record(9, reasons[0].replace("400 Order", "422 Order"), "b", status=422)]
    found = group("refused", records, "")
    assert [(each.entries, each.accounts) for each in found] == [(3, ("mystore",)), (1, ("b",))]
    assert found[0].example == "400 Order 1-01 (OMS001, request id 1). Invoice 1"


def test_packages_are_counted() -> None:
    """Two events of one package are one package; the same package of another account is another one."""
    records = [record(1, "a", package="p"), record(2, "a", package="p"), record(3, "a", "other", package="p")]
    (found,) = group("refused", records, "")
    assert (found.entries, found.packages, found.accounts) == (3, 2, ("mystore", "other"))
    assert found.latest.timestamp() == 1_800_000_000 - 1
    assert evolve(found, kind="unknown").kind == "unknown"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("no order is known with tracking number 'QB1BR'", "no order is known with tracking number '…'"),
        (
            "several packages may be meant: order v1-01, invoice 1; order v2-01, invoice 2 and 7 more",
            "several packages may be meant: order …, invoice …",
        ),
        ("order 1-01 has the invoices 1, 2, 3 and 4 more.", "order … has the invoices …."),
        ("404 Not Found (OMS004, request id ab). See 404", "404 Not Found (OMS004). See …"),
        ("account@127.0.0.1:8000 is paused", "… is paused"),
        ("nothing to replace", "nothing to replace"),
    ],
)
def test_identifiers_are_replaced(reason: str, expected: str) -> None:
    """What contains a digit is an identifier, except for a status and VTEX's error codes."""
    assert without_identifiers(reason) == expected


def test_journal_is_quoted() -> None:
    """A journal's name is quoted for a shell, and has no control characters."""
    assert journal_option("my journal.db") == OPTION
    assert journal_option("a\x1b.db") == r" --journal 'a\x1b.db'"
