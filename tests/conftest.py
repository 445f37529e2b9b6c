"""What every test shares: each request the package sends is held against openapi.yaml."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from vtex_tracking_ext.config.retry_policy import PROCESS_BUDGET
from vtex_tracking_ext.transport import response

from cassettes import tally
from support.answers import Twin
from support.contract_check import check_request
from support.postgres import Databases, Server
from support.requests import observe_requests

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_START", None)  # this process is measured already; what it starts need not be

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vtex_tracking_ext.config.server import Server as VtexServer
    from vtex_tracking_ext.transport.request import Request


@pytest.fixture(autouse=True)
def _environment_is_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the caller's account, credentials or profile file, nor writes to the caller's journal."""
    names = ("ACCOUNT", "APP_KEY", "APP_TOKEN", "USER_TOKEN", "BASE_URL", "ENVIRONMENT", "PROFILE", "PROFILES")
    for name in (*names, "JOURNAL"):
        monkeypatch.delenv(f"VTEX_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def _retries_are_afforded() -> None:
    """No test finds the process's budget spent by those before it."""
    PROCESS_BUDGET.record_success(1_000_000)


@pytest.fixture
def twin() -> Iterator[Callable[..., Twin]]:
    """Return a function that makes clients of either kind; they are ended with the test."""
    made: list[Twin] = []

    def make(*arguments: Any, **options: Any) -> Twin:
        made.append(Twin(*arguments, **options))
        return made[-1]

    yield make
    for client in made:
        client.end()


@pytest.fixture(params=["h11", "httptools"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read responses with each parser: as without the extra ``fast``, and as with it."""
    if request.param == "h11":
        monkeypatch.setattr(response, "httptools", None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """Return what makes databases on PostgreSQL: a server that is started when a test first needs one."""
    given = os.environ.get("VTEX_TEST_DATABASE")
    with ExitStack() as stack:
        url = given or stack.enter_context(Server()).url
        yield stack.enter_context(closing(Databases(url)))


@pytest.fixture
def journal_url(postgres: Databases) -> Iterator[str]:
    """Return the URL of a journal on PostgreSQL that is not there yet."""
    with postgres.schema() as url:
        yield url


@pytest.fixture
def database(postgres: Databases) -> Iterator[str]:
    """Return the URL of an empty database on PostgreSQL, where a schema is not enough."""
    url = postgres.new()
    yield url
    postgres.drop(url)


@pytest.fixture(autouse=True)
def _requests_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold every request that is about to leave against openapi.yaml, credentials included."""

    def check(request: Request, server: VtexServer) -> None:
        path = urlsplit(server.base_url).path + request.path
        check_request(request.method, path, list(request.headers.items()), request.content)

    observe_requests(monkeypatch, check)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the contract cassettes come from: whose answers the tests believe."""
    for line in tally().splitlines():
        terminalreporter.write_line(line)
