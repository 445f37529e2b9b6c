"""Events are grouped by cause, and each cause has commands that exist."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from vtex_tracking_ext import NotFoundError, errors
from vtex_tracking_ext.call.order_lookup import explain_not_found, explain_refusal
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.events import Package
from vtex_tracking_ext.service.causes import Record, group, journal_option, without_identifiers, without_request_line

if TYPE_CHECKING:
    from vtex_tracking_ext.service.causes import Group, Kind

LINE = "PUT /api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}/tracking"
NOT_FOUND = f"{LINE} was refused: 404 Not Found, OMS004 'Invoice not found' (request id 8f-1). Check the account."
CONFLICT = f"{LINE} was refused: 409 Conflict, OMS003 'The state of order 1-01 is canceled' (request id 77)."
NO_ANSWER = f"{LINE} got no response: the connection was closed. It may have been applied."
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
    ("unknown", f"{LINE} may or may not have been applied: 504 Gateway Timeout.", "VTEX's answer does not say"),
    ("unknown", "", "The outcome is unknown"),
    ("refused", f"{CONFLICT}; invoice 1 has no tracking number yet. Set it", "The invoice has no tracking number"),
    ("refused", explain_not_found(NOT_FOUND, "1-01", "7", ["007"]), "The invoice number has other leading zeros"),
    ("refused", explain_not_found(NOT_FOUND, "1-01", "007", ["7"]), "The invoice number has other leading zeros"),
    ("refused", explain_not_found(NOT_FOUND, "1-01", "7", ["8"]), "The order has another invoice"),
    ("refused", explain_not_found(NOT_FOUND, "1-01", "7", ["8", "9"]), "The order has another invoice"),
    ("refused", explain_not_found(NOT_FOUND, "1-01", "7", []), "The order has no invoice yet"),
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


def record(number: int, reason: str = "", account: str = "mystore", package: str = "", status: int = 404) -> Record:
    """Return an event, of a package of its own unless it is given."""
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
    """The reasons that the client and the orders give are recognised, and the proposed commands exist."""
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
        f"vtex-tracking resolve --retry 1{OPTION}",
    ]


def test_few_events_are_named_by_their_numbers() -> None:
    """Commands name up to 20 events, and otherwise all of their kind, of the account if there are several."""
    records = [record(number, "wrong") for number in range(1, 21)]
    retry, dismiss = group("refused", records, OPTION, has_accounts=True)[0].commands[1:]
    assert dismiss.text == f"vtex-tracking resolve --dismiss {' '.join(map(str, range(1, 21)))}{OPTION}"
    assert retry.purpose == "Send them again"
    records.append(record(21, "wrong"))
    retry, _ = group("refused", records, OPTION, has_accounts=True)[0].commands[1:]
    assert retry == (
        "Send all refused events of the account again",
        f"vtex-tracking resolve --retry --all --account mystore{OPTION}",
    )
    retry, _ = group("refused", records, OPTION)[0].commands[1:]
    assert retry == ("Send all refused events again", f"vtex-tracking resolve --retry --all{OPTION}")
    records.append(record(22, "wrong", "another store"))
    retry, _ = group("refused", records, OPTION, has_accounts=True)[0].commands[1:]
    assert retry.text == f"vtex-tracking resolve --retry --all{OPTION}"
    parked = [record(number, "several packages may be meant") for number in range(21)]
    assert group("given_up", parked, "")[0].commands[-1] == (
        "Drop all given up events",
        "vtex-tracking orders parked --drop",
    )


def test_reasons_are_the_same_but_for_identifiers() -> None:
    """Reasons that differ in order, invoice and request id are one cause; those of another status are another one."""
    reasons = [
        f"{LINE} was refused: 400 Bad Request, OMS001 'Order {n}-01' (request id {n}). Invoice {n}" for n in "123"
    ]
    records = [record(n, reason, status=400) for n, reason in enumerate(reasons)]
    records += [record(9, reasons[0].replace("400 Bad Request", "422 Unprocessable Entity"), "b", status=422)]
    found = group("refused", records, "")
    assert [(each.entries, each.accounts) for each in found] == [(3, ("mystore",)), (1, ("b",))]
    assert found[0].example == "400 Bad Request, OMS001 'Order 1-01' (request id 1). Invoice 1"


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
        ("was refused: 404 Not Found, OMS004 'no 404' (request id ab)", "was refused: 404 Not Found, OMS004 'no …'"),
        ("account@127.0.0.1:8000 is paused", "… is paused"),
        ("nothing to replace", "nothing to replace"),
    ],
)
def test_identifiers_are_replaced(reason: str, expected: str) -> None:
    """What contains a digit is an identifier, except for a status and VTEX's error codes."""
    assert without_identifiers(reason) == expected


def test_request_lines_are_removed() -> None:
    """Method and path are removed from messages of the client, and other messages stay as they are."""
    error = errors.OutcomeUnknownError(NO_ANSWER)
    assert without_request_line(str(error)).startswith("got no response: the connection was closed.")
    assert without_request_line(f"stopped: {CONFLICT}").startswith("stopped: 409 Conflict")
    assert without_request_line("GET the parcel") == "GET the parcel"


def test_journal_is_quoted() -> None:
    """A journal's name is quoted for a shell, and has no control characters."""
    assert journal_option("my journal.db") == OPTION
    assert journal_option("a\x1b.db") == r" --journal 'a\x1b.db'"
