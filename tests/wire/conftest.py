"""What the wire tests share: servers that end with their test, and either client."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme

from vtex_tracking_ext import AsyncTrackingClient, TrackingClient
from vtex_tracking_ext.transport import response

from wire.calls import ONCE
from wire.server import HOST, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.answers import Twin

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the proxies of whoever runs the tests."""
    for name in _PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server with scripts; it ends with the test."""
    with ExitStack() as stack:

        def start(*scripts: Any, **options: Any) -> Server:
            return stack.enter_context(Server(*scripts, **options))

        yield start


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with both clients, and with both parsers if it is marked ``both_parsers``."""
    if "make" in metafunc.fixturenames:
        ways = ["sync", "async"]
        if metafunc.definition.get_closest_marker("both_parsers"):
            ways += ["sync-h11", "async-h11"]
        metafunc.parametrize("make", ways, indirect=True)


@pytest.fixture
def make(
    request: pytest.FixtureRequest, twin: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Twin]]:
    """Return a function that makes either client for an address, with either parser of responses.

    With ``own={...}`` the client is handed an httpx client made with those options, as a user would.
    """
    kind, _, parser = request.param.partition("-")
    if parser:
        monkeypatch.setattr(response, "httptools", None)
    ends: list[Callable[[], object]] = []

    def build(url: str | None, *, own: dict[str, Any] | None = None, **options: Any) -> Twin:
        options = {"account": "mystore", "base_url": url, "timeout": 10, "retry": ONCE, **options}
        if not options.keys() & {"app_key", "user_token"}:
            options["user_token"] = "MADEUP"
        if kind == "sync":
            if own is not None:
                options["http_client"] = http = httpx.Client(**own)
                ends.append(http.close)
            return twin(TrackingClient, **options)
        if own is None:
            return twin(AsyncTrackingClient, **options)
        client = httpx.AsyncClient(**own)
        made = twin(AsyncTrackingClient, http_client=client, **options)
        ends.append(lambda: made._runner.run(client.aclose()))
        return made

    yield build
    for end in ends:
        end()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts unless told."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that makes a client trust it."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's TLS context with a good certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context
