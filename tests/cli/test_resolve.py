"""The command resolve."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext.bulk.input.rows import Place
from vtex_tracking_ext.bulk.journal.entries import BY_HAND, Selection
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.cli import resolve as module
from vtex_tracking_ext.sandbox import Oms, OmsSettings, running

from support.journaled import add, delivery, row, to_state, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.bulk.input.rows import Row

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")

ORDER, INVOICE = "1172452900788-01", "000030711"


@pytest.fixture
def label(url: str) -> str:
    """Return the journal's name of the sandbox's account."""
    return f"sandbox@{url.partition('://')[2]}"


@pytest.fixture
def ledger(usual: Path, label: str) -> Path:
    """Return a journal: an event unknown, one in flight, a delivery that waits, and another store's event unknown."""
    with SqliteJournal.open(usual) as journal:
        add(journal, *rows_of(label, row(1, "a"), row(2, "b"), delivery(3, "2026-10-02")))
        add(journal, *rows_of("north", row(4, "c")))
        to_state(journal, 1, "unknown", reason="the connection was cut")
        to_state(journal, 2, "in_flight")
        to_state(journal, 4, "unknown", reason="the connection was cut")
    return usual


def rows_of(account: str, *rows: Row) -> list[Row]:
    """Return the rows as rows of an account's example package."""
    return [evolve(one, account=account, order_id=ORDER, invoice_number=INVOICE) for one in rows]


def states(path: Path) -> list[str]:
    """Return the states of the entries, in order."""
    with SqliteReader.open(path) as reader:
        return [state for _, _, state in told(reader)]


@pytest.mark.usefixtures("ledger")
class TestListing:
    """Without an action."""

    def test_unknown_outcomes_are_listed(self, run: Callable[..., Ran], label: str) -> None:
        """Each cause has its packages, each entry its number, and the command exits with 4."""
        ran = run("resolve")
        assert ran.status == 4
        assert ran.out.splitlines() == [
            "1 package in flight: a process was killed while it sent them (1 event).",
            "  They may have been applied. The next delivery of the account reads their orders to find out.",
            f"  {label}, order {ORDER}, invoice {INVOICE}",
            "    2: 2026-10-01 b (f.csv:2)",
            "  Deliver what is open:",
            "    vtex-tracking push",
            "",
            "2 packages with an unknown outcome: the outcome is unknown (2 events and deliveries).",
            (
                "  VTEX may or may not have applied them, so they are not sent again, and later events of their "
                "packages wait. Read the orders, or look at them in VTEX Admin and record what you saw."
            ),
            f"  {label}, order {ORDER}, invoice {INVOICE}: the connection was cut",
            "    1: 2026-10-01 a (f.csv:1)",
            f"  north, order {ORDER}, invoice {INVOICE}",
            "    4: 2026-10-01 c (f.csv:4)",
            "  Read the orders: what they show was applied:",
            "    vtex-tracking resolve --read --cause 1",
            "  You saw all of them on their orders:",
            "    vtex-tracking resolve --applied --cause 1",
            "  You saw that all of them are missing; send them again:",
            "    vtex-tracking resolve --not-applied --cause 1",
            "",
            "3 unknown outcomes. Resolve them with --read, or look at the orders and use --applied or --not-applied.",
        ]

    def test_unknown_outcomes_of_one_account_are_listed(self, run: Callable[..., Ran], label: str) -> None:
        """The account is named with or without its address."""
        assert "2 unknown outcomes" in run("resolve", "--account", "Sandbox").out
        assert "2 unknown outcomes" in run("resolve", "--account", label).out

    def test_numbered_entries_are_listed(self, run: Callable[..., Ran]) -> None:
        """Only these are listed; an entry in another state is an error."""
        listed = run("resolve", 2, 4).out.splitlines()
        assert [line.split()[0] for line in listed if "(f.csv:" in line] == ["2:", "4:"]
        ran = run("resolve", 2, 3)
        assert (ran.status, ran.out) == (2, "")
        assert "3 is pending" in ran.err

    def test_entries_in_flight_of_a_delivery_are_not_listed(
        self, run: Callable[..., Ran], usual: Path, label: str
    ) -> None:
        """They are listed if nobody delivers their account: a killed process left them behind."""
        with SqliteJournal.open(usual) as journal:
            with journal.lease(label):
                assert "2 unknown outcomes" in run("resolve").out
            with journal.lease("north"):
                assert "3 unknown outcomes" in run("resolve").out

    def test_machines_get_json(self, run: Callable[..., Ran]) -> None:
        """A line for each entry, and one for each cause."""
        found = [json.loads(line) for line in run("resolve", "--json").out.splitlines()]
        assert [(line["type"], line["id"], line["state"]) for line in found[:3]] == [
            ("unknown", 4, "unknown"),
            ("unknown", 1, "unknown"),
            ("unknown", 2, "in_flight"),
        ]
        assert [(line["type"], line["cause"], line["kind"], line["entries"]) for line in found[3:]] == [
            ("cause", 2, "in_flight", 1),
            ("cause", 1, "unknown", 2),
        ]

    def test_entries_above_the_maximum_are_counted(
        self, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A person resolves the first ones first; JSON has all of them."""
        monkeypatch.setattr(module, "_LISTED", 1)
        ran = run("resolve")
        assert ran.out.count("(f.csv:") == 1
        assert "\n... and 2 later events; resolve these first.\n3 unknown outcomes." in ran.out
        assert run("resolve", "--json").out.count('"unknown", "id"') == 3


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--applied"], "Give either the numbers that"),
        (
            ["--applied", "1", "--cause", "1"],
            "numbers that vtex-tracking resolve lists, or --cause, or --all",
        ),
        (["--applied", "--all", "--cause", "1"], "Give either the numbers that"),
        (["1", "--cause", "1"], "Give either numbers or --cause."),
        (["--cause", "3"], "Nothing was changed: event 3 is pending, not in flight or unknown or refused."),
        (["--retry", "--cause", "1"], "Nothing was changed: event 1 is unknown, not refused."),
        (["--withdraw", "--cause", "3"], "Nothing was changed: pending events have no cause. Give their numbers, or"),
        (["--read", "--cause", "9"], "Nothing was changed: there is no event 9."),
        (["--applied", "--cause", "1", "--account", "south"], "account south is not in the journal"),
        (["--applied", "1", "--all"], "Give either the numbers that"),
        (["--read"], "the numbers that vtex-tracking resolve lists"),
        (["--withdraw"], "the numbers that vtex-tracking report --state pending lists"),
        (["--dismiss"], "the numbers that vtex-tracking report --state refused lists"),
        (["--dismiss", "1"], "Nothing was changed: event 1 is unknown, not refused."),
        (
            ["--applied", "--all", "--account", "south"],
            "account south is not in the journal; accounts in it: north, sand",
        ),
        (["--account", "south"], "account south is not in the journal; accounts in it: north, sand"),
        (
            ["--applied", "1", "3", "9"],
            "changed: event 3 is pending, not in flight or unknown; there is no event 9.",
        ),
        (["--withdraw", "1"], "Nothing was changed: event 1 is unknown, not pending."),
        (["--applied", "--read", "1"], "not allowed with"),
        (["--applied", "x"], "not a whole number"),
    ],
)
def test_invalid_selections_are_usage_errors(
    run: Callable[..., Ran], ledger: Path, arguments: list[str], why: str
) -> None:
    """The command exits with 2, and nothing is changed."""
    ran = run("resolve", *arguments)
    assert ran.status == 2
    assert why in ran.err
    assert states(ledger) == ["unknown", "in_flight", "pending", "unknown"]


def test_a_missing_journal_cannot_be_resolved(run: Callable[..., Ran]) -> None:
    """The command exits with 3, and no journal is created."""
    for arguments in ((), ("--all", "--applied")):
        ran = run("resolve", *arguments)
        assert ran.status == 3
        assert "There is no journal" in ran.err or "No such file or directory" in ran.err


class TestByHand:
    """A person's word."""

    def test_applied_entries_are_recorded(self, run: Callable[..., Ran], ledger: Path) -> None:
        """Unknown and abandoned entries become applied, with the reason that a person said so."""
        ran = run("resolve", "--applied", 1, 2)
        assert (ran.status, ran.out) == (4, "2 applied, 1 still unknown\n")
        assert states(ledger) == ["applied", "applied", "pending", "unknown"]
        with SqliteReader.open(ledger) as reader:
            assert {entry.reason for entry in reader.entries(Selection(("applied",)))} == {BY_HAND}

    def test_not_applied_entries_are_sent_again(self, run: Callable[..., Ran], ledger: Path, oms: Oms) -> None:
        """The next push sends them in order with the later events of their package."""
        ran = run("resolve", "--not-applied", "--all", "--account", "sandbox")
        assert (ran.status, ran.out) == (0, "2 to be sent again by the next push, 0 still unknown\n")
        assert run("push").status == 5  # another store's is unknown, and has no profile here
        assert [event["description"] for event in oms.applied(ORDER, INVOICE)] == ["a", "b"]
        assert states(ledger) == ["applied", "applied", "applied", "unknown"]

    def test_machines_get_json(self, run: Callable[..., Ran], ledger: Path) -> None:
        """One line."""
        assert json.loads(run("resolve", "--applied", "--all", "--json").out) == {
            "type": "summary",
            "applied": 3,
            "pending": 0,
            "unknown": 0,
        }
        assert "unknown" not in states(ledger)

    def test_what_another_process_sends_is_left_to_it(
        self, run: Callable[..., Ran], ledger: Path, label: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Entries in flight of an account that is delivered stay, and the message says who records their outcome."""
        with SqliteJournal.open(ledger) as journal, journal.lease(label):
            ran = run("resolve", "--not-applied", "--all")
            assert (ran.status, ran.out) == (0, "2 to be sent again by the next push, 0 still unknown\n")
            who = f"process {os.getpid()} on {socket.gethostname()}"
            assert ran.err == f"{label}: {who} is delivering it, and records the outcome of what is in flight.\n"
            assert states(ledger) == ["pending", "in_flight", "pending", "pending"]
            monkeypatch.setattr(SqliteJournal, "deliverers", lambda _: {})  # it has just given the lease back
            ran = run("resolve", "--applied", 2)
            assert (ran.status, ran.err.partition(" is ")[0]) == (4, f"{label}: another process")

    def test_pending_entries_can_be_withdrawn(self, run: Callable[..., Ran], ledger: Path, oms: Oms) -> None:
        """They become withdrawn and are not sent."""
        assert run("resolve", "--withdraw", "--all", "--account", "north").out == "0 withdrawn\n"
        number = json.loads(run("report", "--state", "pending").out)["number"]
        assert run("resolve", "--withdraw", number).out == "1 withdrawn\n"
        assert states(ledger) == ["unknown", "in_flight", "withdrawn", "unknown"]
        assert list(oms.received) == []


@pytest.fixture
def refusals(usual: Path, label: str) -> Path:
    """Return a journal with two refused events, and one that was withdrawn."""
    with SqliteJournal.open(usual) as journal:
        add(journal, *rows_of(label, row(1, "a"), row(2, "b"), row(3, "c")))
        to_state(journal, [1, 2], "refused", status_code=404, reason="no such invoice")
        to_state(journal, 3, "withdrawn")
    return usual


class TestRefusals:
    """What was refused is sent again or closed."""

    def test_refused_entries_are_retried(self, run: Callable[..., Ran], refusals: Path) -> None:
        """--retry --all leaves out withdrawn entries; their numbers retry them as well."""
        ran = run("resolve", "--retry", "--all")
        assert (ran.status, ran.out) == (0, "2 to be sent again by the next push\n")
        assert states(refusals) == ["pending", "pending", "withdrawn"]
        assert run("resolve", "--retry", 3).out == "1 to be sent again by the next push\n"
        assert states(refusals) == ["pending"] * 3
        ran = run("resolve", "--retry", 3)
        assert ran.status == 2
        assert "event 3 is pending, not refused or withdrawn" in ran.err
        assert "vtex-tracking report --state refused lists" in run("resolve", "--retry").err

    def test_dismissed_refusals_do_not_count(self, run: Callable[..., Ran], refusals: Path) -> None:
        """They become withdrawn with their reason and status, and status exits with 0."""
        assert run("status").status == 1
        assert run("resolve", "--dismiss", 2).out == "1 dismissed\n"
        assert json.loads(run("resolve", "--dismiss", 1, "--json").out) == {"type": "summary", "dismissed": 1}
        assert states(refusals) == ["withdrawn"] * 3
        assert run("status").status == 0
        with SqliteReader.open(refusals) as reader:
            assert [(entry.reason, entry.status_code) for entry in reader.entries(Selection(ids=(1, 2)))] == [
                ("no such invoice", 404)
            ] * 2


class TestCauses:
    """The entries of a cause are selected together."""

    @pytest.fixture
    def causes(self, usual: Path, label: str) -> Path:
        """Return a journal with refused events of two causes, the one of two accounts."""
        with SqliteJournal.open(usual) as journal:
            add(journal, *rows_of(label, row(1, "a"), row(2, "b"), row(3, "c")))
            add(journal, *rows_of("north", row(4, "d")))
            to_state(journal, [1, 3], "refused", status_code=404, reason="no such invoice (request id 7)")
            to_state(journal, 2, "refused", status_code=400, reason="description: too long")
            to_state(journal, 4, "refused", status_code=404, reason="no such invoice (request id 8)")
        return usual

    def test_a_cause_is_listed_by_the_number_that_status_prints(
        self, run: Callable[..., Ran], causes: Path, label: str
    ) -> None:
        """Status and resolve name a cause by the same number, which stays the same when others are resolved."""
        numbers = [cause["cause"] for cause in json.loads(run("status", "--json").out)["causes"]]
        assert numbers == [1, 2]
        out = run("status").out
        assert "  vtex-tracking resolve --cause 1\n" in out
        ran = run("resolve", "--cause", 1)
        assert ran.status == 1
        assert ran.out.splitlines()[-1] == "3 refused events."
        assert [line.split()[0] for line in ran.out.splitlines() if "(f.csv:" in line] == ["1:", "3:", "4:"]
        found = [json.loads(line) for line in run("resolve", "--cause", 2, "--json").out.splitlines()]
        assert [(line["type"], line.get("id"), line.get("cause")) for line in found] == [
            ("refused", 2, None),
            ("cause", None, 2),
        ]
        run("resolve", "--dismiss", "--cause", 1, "--yes")
        assert states(causes) == ["withdrawn", "refused", "withdrawn", "withdrawn"]
        assert [cause["cause"] for cause in json.loads(run("status", "--json").out)["causes"]] == [2]
        assert label in run("resolve", "--cause", 2).out

    def test_a_cause_of_one_account_is_selected(self, run: Callable[..., Ran], causes: Path) -> None:
        """With --account, events of other accounts stay as they are; any event of the cause names it."""
        ran = run("resolve", "--retry", "--cause", 4, "--account", "sandbox")
        assert ran.out == "2 to be sent again by the next push\n"
        assert states(causes) == ["pending", "refused", "pending", "refused"]

    def test_unknown_outcomes_of_a_cause_are_resolved(self, run: Callable[..., Ran], ledger: Path) -> None:
        """Those of the other cause stay."""
        assert run("resolve", "--applied", "--cause", 1).out == "2 applied, 1 still unknown\n"
        assert states(ledger) == ["applied", "in_flight", "pending", "applied"]


class TestConfirming:
    """Taking back several events needs a confirmation."""

    @pytest.fixture
    def terminal(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], str]], None]:
        """Return a function that puts a person, who gives an answer, in front of the command."""

        def sit_down(answer: Callable[[], str]) -> None:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True, readline=answer))
            monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

        return sit_down

    @pytest.fixture
    def many(self, usual: Path, label: str) -> Path:
        """Return a journal with pending events of four files and two accounts, and two refused ones."""
        with SqliteJournal.open(usual) as journal:
            for number, name in enumerate(("a.csv", "b.csv", "c.csv", "d.csv"), 1):
                account = "north" if number == 4 else label
                add(journal, *rows_of(account, row(1, f"e{number}", place=Place(name, 1))))
            add(journal, *rows_of("south", row(1, "x"), row(2, "y")))
            to_state(journal, (5, 6), "refused")
        return usual

    def test_without_a_terminal_an_option_confirms(self, run: Callable[..., Ran], many: Path, label: str) -> None:
        """Without --yes nothing is changed, and the error says what it is about; with it, nobody is asked."""
        ran = run("resolve", "--withdraw", "--all")
        assert (ran.status, ran.out) == (2, "")
        assert ran.err == (
            f"vtex-tracking resolve: Withdraw 4 pending events of north, {label} (2 packages, from d.csv, a.csv, b.csv "
            "and others)? Nothing was changed: add --yes to confirm.\n"
        )
        ran = run("resolve", "--dismiss", "--all")
        assert ran.status == 2
        assert "Dismiss 2 refused events of south (1 package, from f.csv)?" in ran.err
        assert states(many) == ["pending"] * 4 + ["refused"] * 2
        assert run("resolve", "--dismiss", "--all", "--yes").out == "2 dismissed\n"
        assert run("resolve", "--withdraw", 1, 2, "--yes").out == "2 withdrawn\n"
        assert states(many) == ["withdrawn"] * 2 + ["pending"] * 2 + ["withdrawn"] * 2

    @pytest.mark.parametrize("text", ["", "\n", "n\n"])
    def test_a_person_can_decline(
        self, run: Callable[..., Ran], many: Path, terminal: Callable[[Callable[[], str]], None], text: str
    ) -> None:
        """Anything but yes changes nothing and exits with 130."""
        terminal(lambda: text)
        ran = run("resolve", "--withdraw", "--all", "--account", "sandbox")
        assert (ran.status, ran.out) == (130, "")
        assert ran.err.endswith("(1 package, from a.csv, b.csv, c.csv)? [y/N] Nothing was changed.\n")
        assert states(many).count("pending") == 4

    def test_a_person_can_agree(
        self,
        run: Callable[..., Ran],
        many: Path,
        label: str,
        terminal: Callable[[Callable[[], str]], None],
    ) -> None:
        """What is withdrawn is what the question was about, not what was added while the person read it."""

        def agree() -> str:
            with SqliteJournal.open(many) as journal:
                add(journal, *rows_of(label, row(9, "later")))
            return "Y\n"

        terminal(agree)
        assert run("resolve", "--withdraw", "--all", "--account", "sandbox").out == "3 withdrawn\n"
        assert states(many).count("pending") == 2


class TestByReading:
    """The orders."""

    def test_entries_found_on_their_order_were_applied(self, run: Callable[..., Ran], ledger: Path, oms: Oms) -> None:
        """Others stay unknown, and another store's need its profile; nothing is sent."""
        event = {"date": "2026-10-01", "city": "S\u00e3o Paulo", "state": "SP", "description": "b"}
        body = {"isDelivered": False, "deliveredDate": None, "events": [event]}
        oms.update_tracking_status(ORDER, INVOICE, body)
        ran = run("resolve", "--read", "--all")
        assert ran.status == 3
        assert "north: not read: 'north' has no profile" in ran.err
        assert ran.out == "1 applied, 2 still unknown\n"
        assert states(ledger) == ["unknown", "applied", "pending", "unknown"]
        assert {request.method for request in oms.received} == {"GET"}
        ran = run("resolve", "--read", 1)
        assert (ran.status, ran.out) == (4, "2 still unknown\n")

    @pytest.mark.usefixtures("ledger")
    def test_each_order_is_read_once(self, run: Callable[..., Ran], oms: Oms) -> None:
        """Each order is read once, even if the journal has several accounts."""
        assert run("resolve", "--read", "--all").status == 3
        assert len(oms.received) == 1

    def test_entries_of_another_address_are_not_read(self, run: Callable[..., Ran], ledger: Path, oms: Oms) -> None:
        """The command exits with 3 and calls nothing."""
        with running(Oms()) as other:
            ran = run("resolve", "--read", "--all", "--account", "sandbox", "--base-url", other)
        assert ran.status == 3
        assert f"recorded for another address than {other}" in ran.err
        assert len(oms.received) == 0
        assert states(ledger) == ["unknown", "in_flight", "pending", "unknown"]

    def test_refused_credentials_stop_the_reading(self, run: Callable[..., Ran], ledger: Path) -> None:
        """The command exits with 3 and says why."""
        arguments = ("resolve", "--read", 1, "--app-key", "x", "--app-token", "y")
        ran = run(*arguments)
        assert ran.status == 3
        assert "stopped: " in ran.err
        (left_out, summary) = map(json.loads, run(*arguments, "--json").out.splitlines())
        assert (left_out["type"], left_out["reason"][:8]) == ("left_out", "stopped:")
        assert summary == {"type": "summary", "applied": 0, "unknown": 3}
        assert states(ledger) == ["unknown", "in_flight", "pending", "unknown"]

    def test_a_429_pauses_the_reading(self, run: Callable[..., Ran], ledger: Path, oms: Oms) -> None:
        """The pause is printed, and the order is read after it."""
        oms.settings = OmsSettings(rate_limit=1, rate_window=0.3, retry_after=1)
        oms.count_call()
        ran = run("resolve", "--read", 1, "--rate", 1000)
        assert ran.status == 4
        assert "paused for 1 s" in ran.err
        assert states(ledger)[0] == "unknown"

    def test_an_account_that_is_delivered_is_not_read(
        self, run: Callable[..., Ran], ledger: Path, oms: Oms, label: str
    ) -> None:
        """The deliverer reads the orders itself; the message names it."""
        with SqliteJournal.open(ledger) as journal, journal.lease(label):
            ran = run("resolve", "--read", 1, 2)
        who = f"process {os.getpid()} on {socket.gethostname()}"
        assert (ran.status, ran.out) == (4, "2 still unknown\n")
        assert ran.err == f"{label}: not read: {who} is delivering it.\n"
        assert len(oms.received) == 0

    def test_reading_can_be_interrupted(
        self, run: Callable[..., Ran], ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C exits with 130 before the next order is read."""
        original = Oms.get_order

        def interrupt(*arguments: Any) -> dict[str, Any]:
            os.kill(os.getpid(), signal.SIGINT)
            return original(*arguments)

        monkeypatch.setattr(Oms, "get_order", interrupt)
        ran = run("resolve", "--read", 1)
        assert (ran.status, ran.err.splitlines()[-1]) == (130, "vtex-tracking resolve: interrupted.")
        assert states(ledger)[1] == "in_flight"
