"""Where the journal is, and the command status."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from vtex_tracking_ext.bulk.journal.entries import STATES, State
from vtex_tracking_ext.bulk.journal.interface import JournalError, JournalInUseError
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.cli import main
from vtex_tracking_ext.cli.exit_codes import ExitCode, exit_code_of
from vtex_tracking_ext.cli.journal_location import (
    journal_location,
    journal_location_for_writing,
    open_journal_reader,
)
from vtex_tracking_ext.errors import ConfigurationError

from support.ledgers import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from support.commands import Ran

ADVICE: Mapping[State, str] = {
    "unknown": "Unknown: may have been applied; `vtex-tracking resolve` reads the orders or takes your answer.",
    "in_flight": "In flight: the last push was killed; push again to find out the outcome.",
    "pending": "Pending: not sent yet; push again to continue.",
    "refused": ("Refused: `vtex-tracking report --state refused` shows why; fix those rows and push them again."),
}


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
def test_the_journal_is_where_it_is_named_to_be(
    option: str | None, environ: Mapping[str, str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the option, the variable, or as usual in the folder of the user's state; a relative one is passed over."""
    monkeypatch.setenv("HOME", "/home/maria")
    assert journal_location(options(option), environ) == Path(path)


def test_a_user_without_a_home_must_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a service's user in a container."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(ConfigurationError, match="name one with --journal or VTEX_JOURNAL"):
        journal_location(options(), {})
    assert journal_location(options("a.db"), {}) == Path("a.db")


def test_the_usual_folder_is_made_only_to_write(tmp_path: Path) -> None:
    """For its owner alone; folders that are there stay as they are."""
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


def test_a_folder_that_was_named_is_not_made(tmp_path: Path) -> None:
    """It may be misspelt, and the journal of earlier pushes elsewhere."""
    path = tmp_path / "none" / "j.db"
    assert journal_location_for_writing(options(str(path)), {}) == path
    assert not path.parent.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With what to do instead."""
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"cannot be created: .*; fix that, or choose another journal"):
        journal_location_for_writing(options(), {"XDG_STATE_HOME": str(tmp_path / "state")})


def test_a_missing_journal_is_told_as_such(run: Callable[..., Ran], tmp_path: Path) -> None:
    """Exit status 3; nothing is made. The usual folder's absence is no mistake, that of a named one is."""
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


def test_a_folder_that_may_not_be_looked_into_is_told(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system says it."""
    stat = Path.stat

    def forbidden(path: Path, **options: bool) -> os.stat_result:
        if path.is_relative_to(tmp_path / "state"):
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", forbidden)
    ran = run("status")
    assert ran.status == 3
    assert "Permission denied; fix that, or name a journal elsewhere" in ran.err


def test_the_numbers_are_those_of_the_journal(run: Callable[..., Ran], usual: Path) -> None:
    """Of each account, and in all; the gravest gives the exit status, and each state what to do."""
    fill(usual, {"mystore": {"pending": 3, "in_flight": 1, "applied": 1200, "refused": 2, "unknown": 1}})
    fill(usual, {"other": {"applied": 34}})
    ran = run("status")
    assert ran.status == 4
    assert ran.out.splitlines() == [
        "account  pending  in flight  applied  refused  unknown",
        "mystore        3          1    1,200        2        1",
        "other          0          0       34        0        0",
        "total          3          1    1,234        2        1",
        ADVICE["unknown"],
        ADVICE["in_flight"],
        ADVICE["pending"],
        ADVICE["refused"],
    ]
    assert ran.err == ""


@pytest.mark.parametrize(
    ("states", "status", "advice"),
    [
        ({"applied": 1}, 0, ["Nothing left to do."]),
        ({}, 0, ["Nothing has been pushed yet."]),
        ({"applied": 1, "refused": 1}, 1, [ADVICE["refused"]]),
        ({"pending": 1}, 5, [ADVICE["pending"]]),
        ({"pending": 1, "refused": 1}, 5, [ADVICE["pending"], ADVICE["refused"]]),
        ({"unknown": 1, "pending": 1}, 4, [ADVICE["unknown"], ADVICE["pending"]]),
        ({"in_flight": 1, "applied": 1}, 4, [ADVICE["in_flight"]]),
    ],
)
def test_the_gravest_state_gives_the_exit_status(
    run: Callable[..., Ran], usual: Path, states: Mapping[State, int], status: int, advice: list[str]
) -> None:
    """Unknown, which in flight without a run is; then pending, then refused."""
    fill(usual, {"mystore": states})
    ran = run("status")
    assert (ran.status, ran.out.splitlines()[2:]) == (status, advice)
    assert json.loads(run("status", "--json").out)["next"] == advice


@pytest.mark.parametrize(
    ("states", "status", "more"),
    [
        ({"in_flight": 1, "pending": 1}, 5, []),
        ({"in_flight": 1}, 5, []),
        ({"in_flight": 1, "unknown": 1}, 4, [ADVICE["unknown"]]),
        ({"applied": 1}, 0, []),
    ],
)
def test_what_a_running_push_has_in_flight_is_not_unknown(
    run: Callable[..., Ran], usual: Path, states: Mapping[State, int], status: int, more: list[str]
) -> None:
    """It is looked at while it goes on, and the process is named."""
    fill(usual, {"mystore": states})
    with SqliteJournal.open(usual):
        ran = run("status")
        assert (ran.status, ran.out.splitlines()[3:]) == (status, more)
        assert ran.out.splitlines()[2].startswith(f"A push is running (process {os.getpid()}, since 2")
        assert json.loads(run("status", "--json").out)["is_running"] is True


def test_a_look_does_not_keep_a_push_out(usual: Path) -> None:
    """Nor does it leave anything behind, or open what is not there."""
    fill(usual, {"mystore": {"applied": 1}})
    usual.with_name("journal.db-lock").unlink()
    with open_journal_reader(options()) as journal:
        assert journal.active_writers() == ""
        assert not usual.with_name("journal.db-lock").exists()
        with SqliteJournal.open(usual):
            assert journal.active_writers().startswith(f"process {os.getpid()}, since 2")
            with pytest.raises(JournalInUseError):
                SqliteJournal.open(usual)
        assert journal.active_writers() == ""
        SqliteJournal.open(usual).close()


def test_a_lock_that_cannot_be_read_is_told(run: Callable[..., Ran], usual: Path) -> None:
    """Rather than taken for a run's, or for none."""
    fill(usual, {"mystore": {"applied": 1}})
    lock = usual.with_name("journal.db-lock")
    lock.unlink()
    lock.mkdir()
    ran = run("status")
    assert ran.status == 3
    assert "journal.db-lock: the disk failed" in ran.err


def test_one_account_is_told_alone(run: Callable[..., Ran], usual: Path) -> None:
    """In any case; one that the journal does not know is a mistake, not an account with nothing to do."""
    fill(usual, {"mystore": {"unknown": 1}, "other": {"applied": 2}})
    ran = run("status", "--account", "OTHER")
    assert ran.status == 0
    assert ran.out.splitlines()[1:] == [
        "other          0          0        2        0        0",
        "Nothing left to do.",
    ]
    ran = run("status", "--account", "othr")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "vtex-tracking status: account othr is not in the journal; accounts in it: mystore, other.\n"
    usual.unlink()
    fill(usual, {"mystore@127.0.0.1:80": {"applied": 1}, "mystore": {"applied": 2}, "other": {"applied": 3}})
    assert run("status", "--account", "MyStore").out.splitlines()[-2].split()[-3:] == ["3", "0", "0"]
    assert run("status", "--account", "mystore@127.0.0.1:80").out.splitlines()[1].split()[-3:] == ["1", "0", "0"]
    usual.unlink()
    fill(usual, {})
    assert "accounts in it: none." in run("status", "--account", "other").err


def test_json_has_every_number(run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the zeros, for programs."""
    path = tmp_path / "j.db"
    monkeypatch.setenv("VTEX_JOURNAL", str(path))
    fill(path, {"mystore": {"applied": 2, "refused": 1}})
    assert f"`vtex-tracking report --state refused --journal {path}` shows why" in run("status", "--journal", path).out
    ran = run("status", "--json")
    numbers = {"pending": 0, "in_flight": 0, "applied": 2, "refused": 1, "unknown": 0}
    assert ran.status == 1
    assert json.loads(ran.out) == {
        "journal": str(path),
        "is_running": False,
        "accounts": {"mystore": numbers},
        "total": numbers,
        "next": [ADVICE["refused"]],
    }


def test_an_account_is_shown_safely(run: Callable[..., Ran], usual: Path) -> None:
    """Its name was written by others; the columns stay aligned."""
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
    """Unless it is graver than that."""
    fill(usual, {"mystore": states})
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["status"]) == status


def test_a_journal_that_cannot_be_used_is_a_matter_of_configuration() -> None:
    """Like credentials: nothing can be done until somebody mends it."""
    assert exit_code_of(JournalError("x")) is exit_code_of(JournalInUseError("x")) is ExitCode.CONFIGURATION


def test_every_state_of_the_journal_is_in_the_shared_constants() -> None:
    """The constants of the options, which load quickly, are the states that the journal's type names."""
    assert set(get_args(State)) == set(STATES)


def test_help_does_not_import_what_is_heavy() -> None:
    """Neither the journal nor an HTTP library."""
    code = (
        "import sys\nfrom vtex_tracking_ext.cli import main\n"
        "try: main(['report', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(bool({'httpx', 'sqlite3', 'jinja2', 'vtex_tracking_ext.bulk.journal.entries'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_a_test_has_a_state_folder_of_its_own(tmp_path: Path) -> None:
    """No test can write to the journal of whoever runs it."""
    assert Path(journal_location(options(), os.environ)).is_relative_to(tmp_path)
