"""Tests of the lines about accounts. The page's and the command's tests cover what they contain in full."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from vtex_tracking_ext.bulk.journal.entries import AccountRecord, Held
from vtex_tracking_ext.bulk.report.accounts import (
    account_line,
    first_resend,
    held_text,
    learned_rate,
    problem_lines,
    remedy,
    short_remedy,
    time_text,
)

from support.entries import ADDED, entry


def record(**known: Any) -> AccountRecord:
    """Return what is known of an account."""
    return AccountRecord("mystore", 1, ADDED, **known)


def test_an_account_of_which_nothing_is_known_has_no_line() -> None:
    """Without a deliverer, an applied event and a learned rate there is no line, and no problem."""
    assert account_line(record(), "") == ""
    assert learned_rate(record()) is None
    assert list(problem_lines([record()])) == []


def test_the_line_says_who_delivers_and_what_was_learned() -> None:
    """The line names the process, since when it delivers, when something was last applied, and the rate."""
    known = record(delivers_since=ADDED, last_applied=ADDED + dt.timedelta(minutes=1), pace='{"rate": 12.34}')
    assert account_line(known, "process 1 on \x1b") == (
        r"mystore: delivered by process 1 on \x1b since 2026-11-23 12:00 UTC; last applied 2026-11-23 12:01 UTC; "
        "up to 12.3 calls a second."
    )
    assert account_line(record(), "workers") == "mystore: delivered by workers."
    assert account_line(known, "").startswith("mystore: last applied")


def test_a_pause_that_is_over_is_not_reported() -> None:
    """An account is reported as not called only until the end of its pause, and not while its rate makes it wait."""
    assert list(problem_lines([record(quiet_until=ADDED, quiet_reason="HTTP 429")])) == []
    assert list(problem_lines([record(quiet_until=ADDED + dt.timedelta(seconds=0.1))])) == []


def test_the_first_unknown_entry_is_due_so_long_after_its_call() -> None:
    """The earliest call counts; without --resend-after, or without unknown entries, nothing is due."""
    late = entry(2, "unknown", begun=ADDED + dt.timedelta(minutes=5))
    assert first_resend(record(resend_after=60.0), [late, entry(1, "unknown")]) == ADDED + dt.timedelta(minutes=1)
    assert first_resend(record(), [late]) is None
    assert first_resend(record(resend_after=60.0), []) is None


def test_without_held_deliveries_there_is_no_text() -> None:
    """The text about held deliveries is empty, and names their number otherwise."""
    assert held_text(Held()) == ""
    assert held_text(Held(1234, ADDED)).startswith("1,234 deliveries are held, the last until 2026-11-23 12:00 UTC, ")


@pytest.mark.parametrize(
    ("reason", "short", "sentence"),
    [
        (
            "403 Forbidden",
            "403, grant Notify invoice",
            "Grant the key a role with the resource Notify invoice in VTEX's License Manager.",
        ),
        (
            "403 Forbidden. The merchant must grant the key a role with the resource View order.",
            "403, grant View order",
            "Grant the key a role with the resource View order in VTEX's License Manager.",
        ),
        ("401 Unauthorized", "401, check its key and token", "Check the key and the token of the account."),
        ("host 4031 not found", "", "Fix what the reason says."),
    ],
)
def test_the_remedy_for_a_stopped_account_depends_on_the_reason(reason: str, short: str, sentence: str) -> None:
    """Refused credentials have a remedy of their own, in a few words and as a sentence."""
    assert (short_remedy(reason), remedy(reason)) == (short, sentence)


def test_times_have_the_offset_of_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are in UTC, in a zone that is given, or in that of this machine."""
    assert time_text(ADDED) == "2026-11-23 12:00 UTC"
    assert time_text(ADDED, dt.timezone(dt.timedelta(hours=5, minutes=30))) == "2026-11-23 17:30 +05:30"
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "XXX+3")
        time.tzset()
        assert time_text(ADDED, None) == "2026-11-23 09:00 -03:00"
    time.tzset()
