"""No error about a journal in a database shows the password of its URL, not even in the local variables of a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk import deliver, note, push
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.opening import display_name, migrate, open_journal, open_reader

from support.leaks import forms, leaks

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = "TOP-SECRET-PASSWORD"


def make_client() -> TrackingClient:
    """Return a client, which sends nothing."""
    return TrackingClient("mystore", user_token="ANYTOKEN")


OPENINGS: dict[str, Callable[[str], Any]] = {
    "note": lambda url: note([], url, account="mystore"),
    "deliver": lambda url: deliver(make_client(), url),
    "push": lambda url: push([], make_client(), url),
    "open_journal": open_journal,
    "open_reader": open_reader,
    "migrate": migrate,
}


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{PASSWORD}@127.0.0.1:9/database",
        f"postgresql://user@127.0.0.1:9/database?password={PASSWORD}",
        f"postgresql://user:{PASSWORD}@@127.0.0.1:9/database",
        f"postgresql://user:{PASSWORD}%zz@127.0.0.1:9/database",
        f"postgresql://user:{PASSWORD}@127.0.0.1:9/database?schema=-",
        f"postgresql://user:{PASSWORD}@127.0.0.1:9/database?unknown=1",
        f"POSTGRESQL://user:{PASSWORD}@127.0.0.1:9/database",
        f"host=127.0.0.1 port=9 password={PASSWORD}",
    ],
)
def test_an_error_about_a_journal_shows_no_password(opening: str, url: str) -> None:
    """A server that refuses the connection, an invalid URL, or what is no URL, is reported without the password."""
    with pytest.raises(JournalError) as caught:
        OPENINGS[opening](url)
    assert leaks(caught.value, forms(PASSWORD)) == []


def test_the_name_of_a_journal_shows_no_password() -> None:
    """Neither the displayed URL nor the error about an invalid one shows the password."""
    assert display_name(f"postgresql://user:{PASSWORD}@host/database") == "postgresql://user@host/database"
    with pytest.raises(JournalError) as caught:
        display_name(f"postgresql://user:{PASSWORD}@@host/database")
    assert leaks(caught.value, forms(PASSWORD)) == []
