"""Where the journal is, and the command status."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from vtex_tracking_ext.bulk.journal.entries import STATES, AccountUpdate, State
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError
from vtex_tracking_ext.bulk.journal.opening import display_name
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.bulk.report import cause_records
from vtex_tracking_ext.cli import main
from vtex_tracking_ext.cli.exit_codes import ExitCode, exit_code_of
from vtex_tracking_ext.cli.journal_location import (
    journal_location,
    journal_location_for_writing,
    open_journal_reader,
)
from vtex_tracking_ext.errors import ConfigurationError

from support.journaled import add, delivery
from support.ledgers import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from support.commands import Ran

FLAGS = re.MULTILINE | re.DOTALL

ADVICE: Mapping[State, str] = {
    "unknown": "Unknown: may have been applied; `vtex-tracking resolve` lists them and shows how to resolve them.",
    "in_flight": "In flight: the process that sent them was killed; push again to find out the outcome.",
    "pending": "Pending: not sent yet; push again to continue.",
    "refused": (
        "Refused: `vtex-tracking report --state refused` shows why; fix those rows and push them again, or close them "
        "with `vtex-tracking resolve --dismiss --all`."
    ),
}
#: Advice that people read with the causes instead.
EXPLAINED = (ADVICE["unknown"], ADVICE["in_flight"], ADVICE["refused"])
HELD = "Events after an unknown one of their package wait until it is resolved."
RESEND = (
    "`vtex-tracking push --resend-after 1h` sends unknown events again if their orders do not show them an hour after "
    "their calls."
)


def without_causes(text: str) -> list[str]:
    """Return the lines of an output without the paragraphs about causes."""
    paragraphs = re.sub(r"^\d+ packages? (in flight|with an unknown outcome|refused): .*?\n\n", "", text, flags=FLAGS)
    return paragraphs.splitlines()


def learn(path: Path, account: str, update: AccountUpdate) -> None:
    """Record what a delivery learned about an account."""
    with SqliteJournal.open(path) as journal, journal.lease(account) as lease:
        assert lease is not None
        lease.update_account(update)


def options(journal: str | None = None) -> argparse.Namespace:
    """Return a command's options, as far as they name the journal."""
    return argparse.Namespace(journal=journal)


@pytest.mark.parametrize(
    ("option", "environ", "path"),
    [
        ("a.db", {"VTEX_JOURNAL": "b.db", "XDG_STATE_HOME": "/state"}, "a.db"),
        (None, {"VTEX_JOURNAL": "b.db", "XDG_STATE_HOME": "/state"}, "b.db"),
        (None, {"VTEX_JOURNAL": "", "XDG_STATE_HOME": "/state"}, "/state/vtex-tracking/journal.db"),
        (None, {"XDG_STATE_HOME": "/state", "LOCALAPPDATA": "/local"}, "/state/vtex-tracking/journal.db"),
        (None, {"LOCALAPPDATA": "/local"}, "/local/vtex-tracking/journal.db"),
        (None, {"XDG_STATE_HOME": "state", "LOCALAPPDATA": "/local"}, "/local/vtex-tracking/journal.db"),
        (None, {"XDG_STATE_HOME": "state"}, "/home/maria/.local/state/vtex-tracking/journal.db"),
        (None, {}, "/home/maria/.local/state/vtex-tracking/journal.db"),
    ],
)
def test_the_journal_location_follows_option_environment_and_default(
    option: str | None, environ: Mapping[str, str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option comes before the variable and the state folder; relative folders are ignored."""
    monkeypatch.setenv("HOME", "/home/maria")
    assert journal_location(options(option), environ) == Path(path)


def test_any_name_of_a_file_is_accepted_after_a_dot_and_a_slash() -> None:
    """A name that looks like a connection string is a file's if it begins with ``./``, also where it is opened."""
    location = journal_location(options("./user=ana.db"), {})
    assert display_name(location) == str(Path("user=ana.db").absolute())


def test_a_user_without_a_home_must_name_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's user without a home folder gets an error, unless the journal is named."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(ConfigurationError, match="name one with --journal or VTEX_JOURNAL"):
        journal_location(options(), {})
    assert journal_location(options("a.db"), {}) == Path("a.db")


def test_the_default_folder_is_created_only_for_writing(tmp_path: Path) -> None:
    """The folder is created for its owner only; existing folders keep their permissions."""
    environ = {"XDG_STATE_HOME": str(tmp_path / "a" / "state")}
    path = Path(journal_location(options(), environ))
    assert list(tmp_path.iterdir()) == []
    old = os.umask(0)
    try:
        tmp_path.chmod(0o755)
        assert journal_location_for_writing(options(), environ) == path
        assert journal_location_for_writing(options(), environ) == path
    finally:
        os.umask(old)
    for folder in (path.parent, path.parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_named_folder_is_not_created(tmp_path: Path) -> None:
    """The folder of a named journal is not created, because the name may be misspelt."""
    path = tmp_path / "none" / "j.db"
    assert journal_location_for_writing(options(str(path)), {}) == path
    assert not path.parent.exists()


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """The error says what to do instead."""
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"cannot be created: .*; fix that, or choose another journal"):
        journal_location_for_writing(options(), {"XDG_STATE_HOME": str(tmp_path / "state")})


def test_a_missing_journal_is_reported(run: Callable[..., Ran], tmp_path: Path) -> None:
    """Status exits with 3 and creates nothing; a missing folder is reported only if it was named."""
    ran = run("status")
    assert (ran.status, ran.out) == (3, "")
    assert "There is no journal " in ran.err
    assert "a push creates it" in ran.err
    assert not (tmp_path / "state").exists()
    ran = run("status", "--journal", tmp_path / "j.db")
    assert ran.status == 3
    assert "a push creates it" in ran.err
    ran = run("status", "--journal", tmp_path / "none" / "j.db")
    assert ran.status == 3
    assert "No such file or directory" in ran.err


def test_a_folder_without_permission_is_reported(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status exits with 3 and the system's message."""
    stat = Path.stat

    def forbidden(path: Path, **options: bool) -> os.stat_result:
        if path.is_relative_to(tmp_path / "state"):
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", forbidden)
    ran = run("status")
    assert ran.status == 3
    assert "Permission denied; fix that, or name a journal elsewhere" in ran.err


def test_status_prints_a_table_and_advice(run: Callable[..., Ran], usual: Path) -> None:
    """The table has each account and the total; each cause and each open state has its advice."""
    fill(usual, {"mystore": {"pending": 3, "in_flight": 1, "applied": 1200, "refused": 2, "unknown": 1}})
    fill(usual, {"other": {"applied": 34, "withdrawn": 5}})
    ran = run("status")
    assert ran.status == 4
    assert ran.out.splitlines() == [
        "account  pending  in flight  applied  refused  unknown  withdrawn",
        "mystore        3          1    1,200        2        1          0",
        "other          0          0       34        0        0          5",
        "total          3          1    1,234        2        1          5",
        "1 package in flight: a process was killed while it sent them (1 event).",
        "  They may have been applied. The next delivery of the account reads their orders to find out.",
        "  mystore, order o-01, invoice 1, event 4 (events.csv:2)",
        "  Deliver what is open:",
        "    vtex-tracking push",
        "",
        "1 package with an unknown outcome: the outcome is unknown (1 event).",
        (
            "  VTEX may or may not have applied them, so they are not sent again, and later events of their packages "
            "wait. Read the orders, or look at them in VTEX Admin and record what you saw."
        ),
        "  mystore, order o-01, invoice 1, event 1207 (events.csv:2): said so",
        "  vtex-tracking resolve --cause 1207",
        "",
        "1 package refused: another reason (2 events and deliveries).",
        "  Nothing was applied. Correct what the reason says, and send the events again, or close the refusals.",
        "  mystore, order o-01, invoice 1, events 1205, 1206 (events.csv:2): said so",
        "  vtex-tracking resolve --cause 1205",
        "",
        RESEND,
        f"{ADVICE['pending']} {HELD}",
    ]
    assert ran.err == ""


@pytest.mark.parametrize(
    ("states", "status", "advice"),
    [
        ({"applied": 1}, 0, ["Nothing left to do."]),
        ({"applied": 1, "withdrawn": 1}, 0, ["Nothing left to do."]),
        ({}, 0, ["The journal has no events."]),
        ({"applied": 1, "refused": 1}, 1, [ADVICE["refused"]]),
        ({"pending": 1}, 5, [ADVICE["pending"]]),
        ({"pending": 1, "refused": 1}, 5, [ADVICE["pending"], ADVICE["refused"]]),
        ({"unknown": 1, "pending": 1}, 4, [ADVICE["unknown"], RESEND, f"{ADVICE['pending']} {HELD}"]),
        ({"in_flight": 1, "applied": 1}, 4, [ADVICE["in_flight"]]),
    ],
)
def test_the_most_severe_state_is_the_exit_status(
    run: Callable[..., Ran], usual: Path, states: Mapping[State, int], status: int, advice: list[str]
) -> None:
    """Unknown and abandoned in flight come first, then pending, then refused."""
    fill(usual, {"mystore": states})
    ran = run("status")
    printed = [line for line in advice if line not in EXPLAINED]
    assert (ran.status, without_causes(ran.out)[2:]) == (status, printed)
    assert json.loads(run("status", "--json").out)["next"] == advice


@pytest.mark.parametrize(
    ("states", "status", "more"),
    [
        ({"in_flight": 1, "pending": 1}, 5, []),
        ({"in_flight": 1}, 5, []),
        ({"in_flight": 1, "unknown": 1}, 4, [RESEND]),
        ({"applied": 1}, 0, ["Nothing left to do."]),
    ],
)
def test_entries_in_flight_of_a_running_push_are_incomplete(
    run: Callable[..., Ran], usual: Path, states: Mapping[State, int], status: int, more: list[str]
) -> None:
    """Status works while an account is delivered and names the process; only its entries in flight are not lost."""
    fill(usual, {"mystore": states})
    with SqliteJournal.open(usual) as journal, journal.lease("mystore"):
        ran = run("status")
        who = f"process {os.getpid()} on {socket.gethostname()}"
        told, *rest = without_causes(ran.out)[2:]
        assert re.fullmatch(f"mystore: delivered by {re.escape(who)} since [0-9-]+ [0-9:]+ UTC.", told)
        if status:
            more = [f"Events are being delivered ({who}): check again later.", *more]
        assert (ran.status, rest) == (status, more)
        document = json.loads(run("status", "--json").out)
        assert (document["is_running"], document["accounts"]["mystore"]["deliverer"]) == (True, who)
        fill(usual, {"other": {"in_flight": 1, "pending": 1}})
        ran = run("status")
        assert ran.status == 4
        assert "\n1 package in flight: a process was killed while it sent them (1 event).\n" in ran.out
        assert ran.out.splitlines()[-1] == ADVICE["pending"]


def test_workers_deliver_the_accounts_that_they_serve(
    run: Callable[..., Ran], usual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such an account counts as delivered also while no worker has its lease."""
    fill(usual, {"mystore": {"pending": 1}})
    monkeypatch.setattr(SqliteReader, "served_accounts", lambda _: {"mystore"})
    ran = run("status")
    assert ran.status == 5
    assert ran.out.splitlines()[2:] == [
        "mystore: delivered by workers.",
        "Events are being delivered (workers): check again later.",
    ]


def test_held_deliveries_are_told(run: Callable[..., Ran], usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line says how many are held and until when; the advice tells them from other pending entries."""
    held = delivery(1, "2026-10-01", hold_until=dt.datetime(2999, 1, 1, tzinfo=dt.UTC))
    with SqliteJournal.open(usual) as journal:
        add(journal, held)
    line = "mystore: 1 delivery is held until 2999-01-01 00:00 UTC, because the carrier can still take it back."
    ran = run("status")
    assert (ran.status, ran.out.splitlines()[2:]) == (5, [line, "Held: push again after that time."])
    account = json.loads(run("status", "--json").out)["accounts"]["mystore"]
    assert (account["pending"], account["held"]) == (1, {"deliveries": 1, "until": "2999-01-01T00:00:00.000Z"})
    fill(usual, {"other": {"pending": 1}})
    assert run("status").out.splitlines()[-2:] == [ADVICE["pending"], "Held: push again after that time."]
    assert run("status", "--account", "other").out.splitlines()[2:] == [ADVICE["pending"]]
    monkeypatch.setattr(SqliteReader, "served_accounts", lambda _: {"mystore"})
    ran = run("status", "--account", "mystore")
    assert ran.out.splitlines()[2:] == [
        "mystore: delivered by workers.",
        line,
        "Events are being delivered (workers): check again later.",
    ]


def test_a_stopped_account_is_left_to_the_workers(
    run: Callable[..., Ran], usual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events are not being delivered, and a push leaves them to the workers: the advice says when those try."""
    fill(usual, {"mystore": {"pending": 1}})
    learn(usual, "mystore", AccountUpdate("HTTP 403"))
    monkeypatch.setattr(SqliteReader, "served_accounts", lambda _: {"mystore"})
    ran = run("status")
    assert ran.status == 5
    assert ran.out.splitlines()[4:] == [
        "Pending: not sent yet; once the reason is fixed, the workers continue within ten minutes, or when one starts."
    ]


def test_reading_does_not_lock_the_journal(usual: Path) -> None:
    """A reader creates no lock file and does not stop a push from opening the journal."""
    fill(usual, {"mystore": {"applied": 1}})
    locks = [*usual.parent.glob("journal.db-l*")]
    for lock in locks:
        lock.unlink()
    with open_journal_reader(options()) as journal:
        assert journal.deliverers() == {}
        assert [*usual.parent.glob("journal.db-l*")] == []
        with SqliteJournal.open(usual) as other, other.lease("mystore"):
            assert journal.deliverers().keys() == {"mystore"}
        assert journal.deliverers() == {}


def test_an_unreadable_lock_is_reported(run: Callable[..., Ran], usual: Path) -> None:
    """Status exits with 3 rather than guess whether an account is delivered."""
    fill(usual, {"mystore": {"applied": 1}})
    (lock,) = usual.parent.glob("journal.db-lease-*")
    lock.unlink()
    lock.mkdir()
    ran = run("status")
    assert ran.status == 3
    assert f"{lock.name} is a link or not a file; remove it" in ran.err


def test_accounts_that_are_not_called_come_first(run: Callable[..., Ran], usual: Path) -> None:
    """Why an account was stopped, and its pause, stand before the table; JSON has both with their times."""
    fill(usual, {"mystore": {"pending": 1}, "other": {"applied": 1}})
    stop = "HTTP 403. The merchant must grant the key a role"
    update = AccountUpdate(stop, quiet_seconds=3600, quiet_reason="HTTP 429")
    learn(usual, "mystore", update)
    before, line, pause, *_ = (text.split(" UTC: ") for text in run("status").out.splitlines())
    assert before[0].startswith("mystore: stopped since 2")
    assert before[1] == (
        f"{stop}. The next push tries one call, or a worker within ten minutes; once it succeeds, the pending events "
        "are sent."
    )
    assert line[0].startswith("mystore: not called until 2")
    assert line[1] == "HTTP 429."
    assert pause[0].startswith("account ")
    assert run("status", "--account", "other").out.startswith("account ")
    accounts = json.loads(run("status", "--json").out)["accounts"]
    assert accounts["mystore"]["stopped"]["reason"] == stop
    assert accounts["mystore"]["stopped"]["since"] < accounts["mystore"]["quiet"]["until"]
    assert (accounts["other"]["stopped"], accounts["other"]["quiet"]) == (None, None)


def test_status_says_when_unknown_events_are_sent_again(run: Callable[..., Ran], usual: Path) -> None:
    """With --resend-after, status counts the unknown events and says when the first is due, not how to turn it on."""
    fill(usual, {"mystore": {"unknown": 2}})
    learn(usual, "mystore", AccountUpdate(has_applied=True, resend_after=60.0, pace='{"rate": 12.5}'))
    known, due, *advice = without_causes(run("status").out)[2:]
    assert re.fullmatch(r"mystore: last applied [0-9-]+ [0-9:]+ UTC; up to 12\.5 calls a second\.", known)
    assert re.fullmatch(
        r"mystore: to be sent again if their orders do not show them: 2 unknown events, the first at .* UTC\.", due
    )
    assert advice == []
    assert json.loads(run("status", "--json").out)["next"] == [ADVICE["unknown"]]
    account = json.loads(run("status", "--json").out)["accounts"]["mystore"]
    assert (account["rate"], account["resend_after"]) == (12.5, 60.0)
    assert account["first_resend"] > account["last_applied"]


def test_status_of_one_account(run: Callable[..., Ran], usual: Path) -> None:
    """The account is found in any case and at each address; an unknown one exits with 2."""
    fill(usual, {"mystore": {"unknown": 1}, "other": {"applied": 2}})
    ran = run("status", "--account", "OTHER")
    assert ran.status == 0
    assert ran.out.splitlines()[1:] == [
        "other          0          0        2        0        0          0",
        "Nothing left to do.",
    ]
    ran = run("status", "--account", "othr")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "vtex-tracking status: account othr is not in the journal; accounts in it: mystore, other.\n"
    usual.unlink()
    fill(usual, {"mystore@127.0.0.1:80": {"applied": 1}, "mystore": {"applied": 2}, "other": {"applied": 3}})
    assert run("status", "--account", "MyStore").out.splitlines()[-2].split()[-4:] == ["3", "0", "0", "0"]
    assert run("status", "--account", "mystore@127.0.0.1:80").out.splitlines()[1].split()[-4:] == ["1", "0", "0", "0"]
    usual.unlink()
    fill(usual, {})
    assert "accounts in it: none." in run("status", "--account", "other").err


def test_status_as_json(run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The JSON document has every state, including those without entries."""
    path = tmp_path / "j.db"
    monkeypatch.setenv("VTEX_JOURNAL", str(path))
    fill(path, {"mystore": {"applied": 2, "refused": 1}})
    assert f"  vtex-tracking resolve --cause 3 --journal {path}\n" in run("status", "--journal", path).out
    ran = run("status", "--json")
    numbers = {"pending": 0, "in_flight": 0, "applied": 2, "refused": 1, "unknown": 0, "withdrawn": 0}
    known = ("stopped", "quiet", "held", "last_applied", "deliverer", "rate", "resend_after", "first_resend")
    assert ran.status == 1
    document = json.loads(ran.out)
    assert [(cause["cause"], cause["kind"], cause["reason"]) for cause in document.pop("causes")] == [
        (3, "refused", "said so")
    ]
    assert document == {
        "journal": str(path),
        "is_running": False,
        "accounts": {"mystore": {**numbers, **dict.fromkeys(known)}},
        "total": numbers,
        "next": [ADVICE["refused"]],
    }


def test_an_account_name_is_escaped(run: Callable[..., Ran], usual: Path) -> None:
    """Control characters are escaped, and the columns stay aligned."""
    fill(usual, {"my\x1b[31m\u202estore": {"applied": 1}, "other": {"applied": 1}})
    lines = run("status").out.splitlines()
    assert lines[1].startswith(r"my\x1b[31m\u202estore  ")
    assert len({len(line) for line in lines[:4]}) == 1
    assert json.loads(run("status", "--json").out)["accounts"].keys() == {"my\x1b[31m\u202estore", "other"}


@pytest.mark.parametrize(
    ("states", "status"), [({"applied": 1}, 5), ({"refused": 1}, 5), ({"pending": 1}, 5), ({"unknown": 1}, 4)]
)
def test_numbers_that_cannot_be_printed_are_incomplete(
    states: Mapping[State, int], status: int, usual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed output exits with 5, or with 4 if outcomes are unknown."""
    fill(usual, {"mystore": states})
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["status"]) == status


def test_journal_errors_are_configuration_errors() -> None:
    """A journal that cannot be used exits with 3, like wrong credentials."""
    assert exit_code_of(JournalError("x")) is exit_code_of(JournalInUseError("x")) is ExitCode.CONFIGURATION


def test_every_state_of_the_journal_is_in_the_shared_constants() -> None:
    """The constants of the options, which load quickly, are the states that the journal's type names."""
    assert set(get_args(State)) == set(STATES)


def test_help_imports_no_heavy_modules() -> None:
    """The help of a command imports neither the journal nor an HTTP library."""
    code = (
        "import sys\nfrom vtex_tracking_ext.cli import main\n"
        "try: main(['report', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(bool({'httpx', 'sqlite3', 'jinja2', 'vtex_tracking_ext.bulk.journal.entries'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_a_test_has_a_state_folder_of_its_own(tmp_path: Path) -> None:
    """No test can write to the journal of the user who runs it."""
    assert Path(journal_location(options(), os.environ)).is_relative_to(tmp_path)


def test_the_numbers_of_causes_add_up(run: Callable[..., Ran], usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entries of all causes are those of the table, and those beyond the maximum are counted in a line."""
    fill(usual, {"mystore": {"refused": 3, "unknown": 2, "in_flight": 1}, "other": {"refused": 1}})
    document = json.loads(run("status", "--json").out)
    entries = {cause["kind"]: cause["entries"] for cause in document["causes"]}
    assert entries == {kind: document["total"][kind] for kind in ("in_flight", "unknown", "refused")}
    assert "earlier" not in run("status").out
    monkeypatch.setattr(cause_records, "MAX_GROUPED", 2)
    assert "\n... and 2 earlier events; vtex-tracking report lists all of them.\n" in run("status").out
