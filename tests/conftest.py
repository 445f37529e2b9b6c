"""Fixtures of all tests; one of them checks every request of the package against openapi.yaml."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from vtex_tracking_ext.config.retry_policy import PROCESS_BUDGET
from vtex_tracking_ext.transport import response

from cassettes import summary
from support.answers import Twin
from support.contract_check import check_request
from support.postgres import Databases, Server
from support.requests import observe_requests

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_START", None)  # this process is measured already; its children need not be

# How long an example takes depends on the machine and on what else it does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vtex_tracking_ext.config.server import Server as VtexServer
    from vtex_tracking_ext.transport.request import Request


@pytest.fixture(scope="session", autouse=True)
def _default_sigint() -> Iterator[None]:
    """Restore SIGINT's default effect, for the tests and the processes that they start.

    A shell starts background jobs with SIGINT ignored, which child processes inherit and the package respects.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _isolated_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the user's account, credentials and profile file from the tests, and their journal from writes."""
    names = (
        "ACCOUNT",
        "APP_KEY",
        "APP_TOKEN",
        "USER_TOKEN",
        "BASE_URL",
        "ENVIRONMENT",
        "PROFILE",
        "PROFILES",
        "ALLOW_READABLE_PROFILES",
    )
    for name in (*names, "JOURNAL"):
        monkeypatch.delenv(f"VTEX_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def _full_retry_budget() -> None:
    """Refill the process's retry budget, which earlier tests may have spent."""
    PROCESS_BUDGET.record_success(1_000_000)


@pytest.fixture
def twin() -> Iterator[Callable[..., Twin]]:
    """Return a function that makes a client of either kind; the client is closed after the test."""
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
    """Return a factory of PostgreSQL databases; its server starts when the first test requests it."""
    with ExitStack() as stack:
        url = os.environ.get("VTEX_TEST_DATABASE") or stack.enter_context(Server()).url
        yield stack.enter_context(closing(Databases(url)))


@pytest.fixture
def journal_url(postgres: Databases) -> Iterator[str]:
    """Return the URL of a PostgreSQL journal that does not exist yet."""
    with postgres.schema() as url:
        yield url


@pytest.fixture
def database(postgres: Databases) -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database, for tests that need more than a schema."""
    url = postgres.new()
    yield url
    postgres.drop(url)


@pytest.fixture(autouse=True)
def _requests_conform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check every outgoing request against openapi.yaml, credentials included."""

    def check(request: Request, server: VtexServer) -> None:
        path = urlsplit(server.base_url).path + request.path
        check_request(request.method, path, list(request.headers.items()), request.content)

    observe_requests(monkeypatch, check)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report which servers the valid contract cassettes were recorded from."""
    for line in summary().splitlines():
        terminalreporter.write_line(line)
