"""A service without sockets: an account, its bridge, and an HTTP client of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
from vtex_tracking_ext.service import Bridge, ServedAccount
from vtex_tracking_ext.service.app import create_app

from support.journaled import Account
from support.services import CHECKS, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def account() -> Account:
    """Return a client that applies what it is sent."""
    return Account()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Return an empty journal in a file."""
    with SqliteJournal.open(tmp_path / "journal.db") as journal:
        yield journal


@pytest.fixture
def served(account: Any) -> ServedAccount:
    """Return the account with secrets of some sources."""
    return ServedAccount(account, CHECKS)


@pytest.fixture
def bridge(journal: SqliteJournal, served: ServedAccount) -> Iterator[Bridge]:
    """Return a bridge that is not started, so that nothing happens to what is received."""
    bridge = Bridge(journal, [served])
    yield bridge
    bridge.close()


@pytest.fixture
def client_of(bridge: Bridge) -> Callable[..., Client]:
    """Return a function that returns a client of the application."""
    return lambda **options: Client(create_app(bridge, **options))
