"""The command push where others deliver, where nobody is to deliver, and --resend-after."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.delivery import options
from vtex_tracking_ext.bulk.input.rows import Place, Row
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate, Selection
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.cli import push_delivery
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms

from support.journaled import add, delivery, row, to_state, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from vtex_tracking_ext.bulk.journal.entries import Entry, Outcome
    from vtex_tracking_ext.bulk.journal.interface import Lease

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")

ORDER, INVOICE = "1172452900788-01", "000030711"
WHO = f"process {os.getpid()} on {socket.gethostname()}"


def write(folder: Path, *texts: str) -> Path:
    """Write a file with an event for each text."""
    package = {"orderId": ORDER, "invoiceNumber": INVOICE, "isDelivered": False}
    lines = [{**package, "date": "2026-10-05", "description": text} for text in texts]
    path = folder / "events.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def label(url: str) -> str:
    """Return the journal's name of the sandbox's account."""
    return f"sandbox@{url.partition('://')[2]}"


class Deliverer:
    """Another process that delivers the account.

    Attributes:
        steps: What it does while the push waits, one step after each look at the journal.
    """

    def __init__(self, path: Path, label: str) -> None:
        self._stack = ExitStack()
        self.journal = self._stack.enter_context(SqliteJournal.open(path))
        lease = self._stack.enter_context(self.journal.lease(label))
        assert lease is not None
        self.lease: Lease = lease
        self.steps: list[Callable[[], object]] = []

    def sleep(self, _: float) -> None:
        """Do the next step instead of sleeping."""
        self.steps.pop(0)()

    def begin(self) -> tuple[Entry, ...]:
        """Begin every pending entry."""
        return self.lease.begin(tuple(self.journal.entries(Selection(("pending",)))))

    def settle(self, *outcomes: Outcome, but: Sequence[int] = ()) -> None:
        """Settle the entries in flight, in their order, but not those with certain ids."""
        entries = [entry for entry in self.journal.entries(Selection(("in_flight",))) if entry.id not in but]
        for entry, outcome in zip(entries, outcomes, strict=True):
            self.lease.settle([entry], outcome, reason="said so")

    def end(self) -> None:
        """Give the lease back."""
        self._stack.close()


@pytest.fixture
def deliverer(usual: Path, label: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deliverer]:
    """Return another process that delivers the account; its steps replace the pauses of a push that waits."""
    found = Deliverer(usual, label)
    monkeypatch.setattr(push_delivery, "sleep", found.sleep)
    yield found
    found.end()


def summary(ran: Ran) -> dict[str, Any]:
    """Return the last line of JSON."""
    found: dict[str, Any] = json.loads(ran.out.splitlines()[-1])
    return found


UNTIL = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
HELD = "1 delivery is held until 2999-01-01 00:00 UTC, because the carrier can still take it back; "


def held(label: str) -> Row:
    """Return a row with a delivery that is held."""
    return delivery(9, "2026-10-06 10:00", "d", account=label, order_id=ORDER, invoice_number=INVOICE, hold_until=UNTIL)


class TestHolds:
    """Deliveries that the carrier can still take back."""

    def test_a_held_delivery_is_incomplete(self, run: Callable[..., Ran], oms: Oms, usual: Path, label: str) -> None:
        """Its event is sent, and the push says how long the delivery is held; pending events have their own line."""
        with SqliteJournal.open(usual) as journal:
            add(journal, held(label))
        ran = run("push")
        assert (ran.status, len(oms.received)) == (5, 1)
        assert ran.out.splitlines()[-2:] == [
            "2 events and deliveries of 1 package: 1 applied, 0 refused, 0 unknown, 1 pending; 1 call, 0 orders read.",
            f"{HELD}run again after that.",
        ]
        found = summary(run("push", "--json"))
        assert {name: found[name] for name in ("pending", "held", "held_until", "calls")} == {
            "pending": 1,
            "held": 1,
            "held_until": "2999-01-01T00:00:00.000Z",
            "calls": 0,
        }
        assert found["applied"] == 0

    def test_other_pending_events_are_told_too(
        self, run: Callable[..., Ran], usual: Path, label: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The account was stopped, so that the event of the held delivery was not sent either."""
        monkeypatch.setenv("VTEX_APP_TOKEN", "wrong")
        with SqliteJournal.open(usual) as journal:
            add(journal, held(label))
        ran = run("push")
        assert ran.status == 3
        assert ran.out.splitlines()[-2:] == [
            "Once that is fixed, send the pending events: vtex-tracking push",
            f"{HELD}run again after that.",
        ]

    def test_a_hold_is_not_waited_for(self, run: Callable[..., Ran], deliverer: Deliverer, label: str) -> None:
        """With --wait, the push waits until another process has sent the event."""
        add(deliverer.journal, held(label))
        deliverer.begin()
        deliverer.steps = [lambda: deliverer.settle("applied")]
        ran = run("push", "--wait")
        assert ran.status == 5
        assert ran.out.splitlines()[-1] == f"{HELD}run again after that."
        assert "1 applied, 0 refused, 0 unknown, 1 pending" in ran.out

    def test_workers_send_what_is_held(
        self, run: Callable[..., Ran], usual: Path, label: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody needs to run again."""
        with SqliteJournal.open(usual) as journal:
            add(journal, held(label))
            to_state(journal, 1, "applied")
        monkeypatch.setattr(SqliteJournal, "served_accounts", lambda _: {label})
        ran = run("push", "--wait")
        assert (ran.status, ran.out.splitlines()[-1]) == (5, f"{HELD}the workers send what is held.")


class TestOthers:
    """Another process delivers the account."""

    def test_rows_are_noted_for_the_process_that_delivers(
        self, run: Callable[..., Ran], oms: Oms, deliverer: Deliverer, label: str, tmp_path: Path
    ) -> None:
        """The push says who delivers, exits with 0 and sends nothing; without files, it says the same."""
        path = write(tmp_path, "a", "b")
        said = f"{WHO} is delivering {label}\n"
        assert run("push", path).out == f"noted 2 rows; {said}2 rows: 2 new, 0 already known, 0 invalid.\n"
        ran = run("push")
        assert (ran.status, ran.out) == (0, said)
        assert [state for _, _, state in told(deliverer.journal)] == ["pending", "pending"]
        deliverer.begin()
        assert run("push", path).status == 0
        assert len(oms.received) == 0

    def test_machines_get_a_line_for_each_account(
        self, run: Callable[..., Ran], deliverer: Deliverer, label: str, tmp_path: Path
    ) -> None:
        """The line comes before the summary, which does not count what others deliver."""
        delivered_by, last = map(json.loads, run("push", "--json", write(tmp_path, "a")).out.splitlines())
        assert delivered_by == {"type": "delivered_by", "account": label, "by": WHO}
        assert (last["type"], last["rows"], last["new"], last["pending"]) == ("summary", 1, 1, 0)
        assert deliverer.steps == []

    def test_other_accounts_are_delivered(
        self, run: Callable[..., Ran], oms: Oms, url: str, deliverer: Deliverer, tmp_path: Path
    ) -> None:
        """The accounts that nobody delivers are delivered by the push; invalid rows still exit with 2."""
        profiles = tmp_path / "profiles.toml"
        profiles.write_text(f'[north]\nbase_url = "{url}"\napp_key = "{APP_KEY}"\napp_token = "{APP_TOKEN}"\n', "utf-8")
        profiles.chmod(0o600)
        path = write(tmp_path, "a")
        north = {"account": "north", "orderId": ORDER, "invoiceNumber": INVOICE, "date": "2026-10-05"}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**north, "description": "b"}) + "\n" + json.dumps(north) + "\n")
        ran = run("push", path, "--profiles", profiles)
        assert ran.status == 2
        assert ran.out.startswith("noted 2 rows; ")
        assert "1 applied, 0 refused, 0 unknown, 0 pending; 1 call, 0 orders read." in ran.out
        assert [event["description"] for event in oms.applied(ORDER, INVOICE)] == ["b"]
        assert [state for _, _, state in told(deliverer.journal)] == ["pending", "applied"]


class TestWaiting:
    """--wait waits for what others deliver."""

    def test_the_outcomes_of_the_other_process_are_reported(
        self, run: Callable[..., Ran], oms: Oms, deliverer: Deliverer, label: str, tmp_path: Path
    ) -> None:
        """The push waits for what was open when it began, not for later rows, and exits with 1 if one was refused."""
        add(deliverer.journal, row(8, "earlier", account=label))
        deliverer.begin()
        later = row(9, "later", account=label)
        deliverer.steps = [
            lambda: add(deliverer.journal, later) and deliverer.begin(),
            lambda: deliverer.settle("applied", "applied", "refused", but=(4,)),
        ]
        ran = run("push", "--wait", write(tmp_path, "a", "b"))
        assert ran.status == 1
        assert f"  {label}, order {ORDER}, invoice {INVOICE}, event 3 ({tmp_path}/events.jsonl:2): said so\n" in ran.out
        counts = "2 applied, 1 refused, 0 unknown, 0 pending; 0 calls, 0 orders read."
        assert f"3 events and deliveries of 2 packages: {counts}" in ran.out
        assert deliverer.steps == []
        assert len(oms.received) == 0

    def test_an_account_is_taken_over_when_the_other_process_ends(
        self, run: Callable[..., Ran], oms: Oms, deliverer: Deliverer, tmp_path: Path
    ) -> None:
        """The push sends what the other process left."""
        deliverer.steps = [lambda: None, deliverer.end]
        ran = run("push", "--wait", "--json", write(tmp_path, "a", "b"))
        assert ran.status == 0
        assert (summary(ran)["applied"], summary(ran)["calls"]) == (2, 1)
        assert [event["description"] for event in oms.applied(ORDER, INVOICE)] == ["a", "b"]

    def test_what_became_unknown_meanwhile_is_counted_after_a_takeover(
        self,
        run: Callable[..., Ran],
        deliverer: Deliverer,
        label: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The other process noted another event, left it unknown and ended: the push that goes on ends with 4."""
        monkeypatch.setattr(options, "RECHECK_DELAYS", ())
        event = TrackingEvent("2026-10-06", "c")
        other = Row(Place("f.csv", 1), label, ORDER, "other", event, is_delivered=False, delivered_date=None)

        def leave_unknown() -> None:
            list(deliverer.journal.add([other]))
            pending = (entry for entry in deliverer.journal.entries() if entry.place.source == "f.csv")
            deliverer.lease.settle(deliverer.lease.begin(tuple(pending)), "unknown")
            deliverer.end()

        deliverer.steps = [leave_unknown]
        ran = run("push", "--wait", write(tmp_path, "a"))
        assert ran.status == 4
        assert "1 applied, 0 refused, 1 unknown, 0 pending" in ran.out

    def test_what_an_unknown_outcome_holds_is_not_waited_for(
        self, run: Callable[..., Ran], deliverer: Deliverer, label: str, tmp_path: Path
    ) -> None:
        """It may wait for a person, so the push ends with 4."""
        assert run("push", write(tmp_path, "a")).status == 0
        deliverer.begin()
        deliverer.settle("unknown")
        ran = run("push", "--wait", write(tmp_path, "a", "b"))
        assert ran.status == 4
        assert f"  {label}, order {ORDER}, invoice {INVOICE}, event 1 ({tmp_path}/events.jsonl:1): said so\n" in ran.out
        assert "0 applied, 0 refused, 1 unknown, 1 pending" in ran.out

    def test_waiting_can_be_interrupted(self, run: Callable[..., Ran], deliverer: Deliverer, tmp_path: Path) -> None:
        """Ctrl-C ends the waiting with 130; the rows are noted."""
        deliverer.steps = [lambda: os.kill(os.getpid(), signal.SIGINT)]
        ran = run("push", "--wait", write(tmp_path, "a"))
        assert ran.status == 130
        assert "0 applied, 0 refused, 0 unknown, 1 pending" in ran.out

    def test_a_push_says_that_the_workers_do_not_call_the_account(
        self, run: Callable[..., Ran], label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rows of an account that was stopped are noted, and a line says why they wait."""
        path = tmp_path / "journal.db"
        with SqliteJournal.open(path) as journal, journal.lease(label) as lease:
            assert lease is not None
            lease.update_account(AccountUpdate("HTTP 403"))
        monkeypatch.setattr(SqliteJournal, "served_accounts", lambda _: {label})
        ran = run("push", write(tmp_path, "a"), "--journal", path)
        assert ran.status == 0
        assert ran.out.startswith(f"noted 1 row; workers deliver {label}\n")
        assert ran.err.startswith(f"{label}: stopped since ")
        assert run("push", write(tmp_path, "a"), "--journal", path, "--json").err == ""

    def test_workers_that_stopped_the_account_are_not_waited_for(
        self, run: Callable[..., Ran], deliverer: Deliverer, label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The push says why the account was stopped, and exits with 5."""
        monkeypatch.setattr(SqliteJournal, "served_accounts", lambda _: {label})
        deliverer.steps = [lambda: deliverer.lease.update_account(AccountUpdate("HTTP 403"))]
        ran = run("push", "--wait", write(tmp_path, "a"))
        assert ran.status == 5
        assert ran.out.startswith(f"noted 1 row; workers deliver {label}\n")
        assert ran.out.endswith("\nOnce that is fixed, the workers send the pending events.\n")
        assert ran.err.endswith(f"{label}: stopped; pending events were not sent: HTTP 403\n")

    @pytest.mark.usefixtures("usual")
    def test_a_push_that_delivers_itself_does_not_wait(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """Without another process --wait changes nothing."""
        ran = run("push", "--wait", write(tmp_path, "a"))
        assert (ran.status, "1 applied" in ran.out) == (0, True)


class TestNoDeliver:
    """--no-deliver only notes."""

    @pytest.mark.parametrize("option", ["--no-deliver", "--enqueue"])
    def test_noting_needs_no_credentials(
        self,
        run: Callable[..., Ran],
        oms: Oms,
        label: str,
        usual: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        option: str,
    ) -> None:
        """The rows are in the journal under the name that the account has for a push, which sends them."""
        path = write(tmp_path, "a", "b")
        with monkeypatch.context() as patched:
            patched.delenv("VTEX_APP_KEY")
            patched.delenv("VTEX_APP_TOKEN")
            ran = run("push", option, path)
        assert (ran.status, ran.err) == (0, "")
        assert ran.out == (
            "Noted 2 rows: 2 new, 0 already known, 0 invalid.\n"
            "Nothing was sent: vtex-tracking push sends the pending events.\n"
        )
        assert len(oms.received) == 0
        with SqliteReader.open(usual) as reader:
            assert reader.counts() == {label: {"pending": 2}}
        assert "2 applied" in run("push").out

    def test_rows_are_noted_while_another_process_delivers(
        self, run: Callable[..., Ran], deliverer: Deliverer, tmp_path: Path
    ) -> None:
        """Noting does not ask who delivers; an invalid row exits with 2, and JSON has the counts."""
        path = write(tmp_path, "a", "")
        assert json.loads(run("push", "--no-deliver", "--json", path).out.splitlines()[-1]) == {
            "type": "noted",
            "rows": 2,
            "new": 1,
            "renewed": 0,
            "known": 0,
            "invalid": 1,
            "unmatched": 0,
        }
        assert run("push", "--no-deliver", path).status == 2
        assert [state for _, _, state in told(deliverer.journal)] == ["pending"]

    def test_workers_send_what_was_noted(
        self, run: Callable[..., Ran], label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where workers serve all accounts of the rows, the message says that they send them."""
        monkeypatch.setattr(SqliteJournal, "served_accounts", lambda _: {label})
        assert run("push", "--no-deliver", write(tmp_path, "a")).out.endswith(
            "Nothing was sent: workers send the pending events.\n"
        )

    def test_the_account_must_be_known(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A row without an account, and no account of the run, exits with 3; without files there is nothing to note."""
        monkeypatch.delenv("VTEX_ACCOUNT")
        ran = run("push", "--no-deliver", write(tmp_path, "a"))
        assert ran.status == 3
        assert "account is missing: give --account or --profile" in ran.err
        ran = run("push", "--no-deliver")
        assert (ran.status, ran.err) == (2, "vtex-tracking push: --no-deliver needs files to note.\n")
        assert "not allowed with argument" in run("push", "--no-deliver", "--wait", "x.csv").err


class TestResending:
    """--resend-after, and the profile's key."""

    def resend_after(self, run: Callable[..., Ran], *options: object) -> float | None:
        """Push with options, and return what the journal then knows of the account."""
        assert run("push", *options).status == 0
        (account,) = json.loads(run("status", "--json").out)["accounts"].values()
        found: float | None = account["resend_after"]
        return found

    def test_the_option_comes_before_the_profile(
        self, run: Callable[..., Ran], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is off unless the option or the account's profile turns it on; the option can turn it off."""
        assert self.resend_after(run, write(tmp_path, "a")) is None
        assert self.resend_after(run, write(tmp_path, "b"), "--resend-after", "90s") == 90
        profiles = tmp_path / "profiles.toml"
        profiles.write_text(
            f'[sandbox]\nbase_url = "{url}"\napp_key = "{APP_KEY}"\napp_token = "{APP_TOKEN}"\nresend_after = "2h"\n'
            f'[north]\nbase_url = "{url}"\n',
            "utf-8",
        )
        profiles.chmod(0o600)
        monkeypatch.delenv("VTEX_APP_KEY")
        monkeypatch.delenv("VTEX_APP_TOKEN")
        monkeypatch.delenv("VTEX_BASE_URL")
        assert self.resend_after(run, write(tmp_path, "c"), "--profiles", profiles) == 7200
        assert self.resend_after(run, write(tmp_path, "d"), "--profiles", profiles, "--resend-after", "30m") == 1800
        assert self.resend_after(run, write(tmp_path, "e"), "--profiles", profiles, "--resend-after", "off") is None

    def test_another_text_is_a_usage_error(self, run: Callable[..., Ran]) -> None:
        """A text that is not a duration exits with 2."""
        ran = run("push", "--resend-after", "1w")
        assert ran.status == 2
        assert "'1w' is not a duration such as 90s, 30m, 12h or 7d, or off" in ran.err
