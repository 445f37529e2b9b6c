"""docs/how-to/test.md says which libraries that mock HTTP see a client's requests: each claim is tried."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
import requests_mock
import responses
import respx
import vcr

from vtex_tracking_ext import AsyncTrackingClient, TrackingClient, TrackingEvent

from support.pages import section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vtex_tracking_ext.testing import VtexSandbox

ORDER, INVOICE = "1172452900788-01", "000030711"
EVENT: Final = TrackingEvent("2015-06-23", "Coletado", "Curitiba", "PR")
RECEIPT: Final = {"date": "2026-10-05T10:00:00+00:00", "orderId": ORDER, "receipt": "0" * 32}
#: Library -> whether it sees the requests of a client, and those of one with http_client=httpx.Client().
CLAIMS: Final = {
    row.split(" | ")[0].strip("| "): tuple("yes" in cell for cell in row.strip("| ").split(" | ")[1:])
    for row in section("docs/how-to/test.md", "Libraries that mock HTTP").splitlines()
    if row.startswith("| ") and not row.startswith("| library")
}


@contextmanager
def with_vcrpy(path: Path, _: pytest.FixtureRequest) -> Iterator[Callable[[], bool]]:
    """Record a cassette."""
    with vcr.use_cassette(str(path / "cassette.yaml"), record_mode="all") as cassette:
        yield lambda: len(cassette) > 0


@contextmanager
def with_pytest_httpx(_: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], bool]]:
    """Use the fixture of pytest-httpx."""
    mock = request.getfixturevalue("httpx_mock")
    mock.add_response(json=RECEIPT)
    yield lambda: len(mock.get_requests()) > 0


@contextmanager
def with_respx(_: Path, __: pytest.FixtureRequest) -> Iterator[Callable[[], bool]]:
    """Let respx answer every PUT."""
    with respx.mock(assert_all_called=False) as router:
        router.put().respond(json=RECEIPT)
        yield lambda: router.calls.call_count > 0


@contextmanager
def with_patched_send(_: Path, __: pytest.FixtureRequest) -> Iterator[Callable[[], bool]]:
    """Patch httpx.Client.send with a function that counts its calls."""
    original, calls = httpx.Client.send, []

    def send(*arguments: Any, **options: Any) -> httpx.Response:
        calls.append(arguments)
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx.Client, "send", send)
        yield lambda: calls != []


@contextmanager
def with_responses(_: Path, __: pytest.FixtureRequest) -> Iterator[Callable[[], bool]]:
    """Let responses refuse every request."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield lambda: len(mock.calls) > 0


@contextmanager
def with_requests_mock(_: Path, __: pytest.FixtureRequest) -> Iterator[Callable[[], bool]]:
    """Let requests-mock answer every PUT."""
    with requests_mock.Mocker() as mock:
        mock.put(requests_mock.ANY, json=RECEIPT)
        yield lambda: bool(mock.called)


TOOLS: Final = {
    "vcrpy": with_vcrpy,
    "pytest-httpx": with_pytest_httpx,
    "respx": with_respx,
    "a patched `httpx.Client.send`": with_patched_send,
    "responses": with_responses,
    "requests-mock": with_requests_mock,
}


def test_the_table_has_these_libraries() -> None:
    """Each library of the table is tried below."""
    assert CLAIMS.keys() == TOOLS.keys()


@pytest.mark.parametrize("has_http_client", [False, True])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_library_sees_what_the_table_says(
    tool: str, has_http_client: bool, vtex_sandbox: VtexSandbox, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A request that the library does not see reaches the sandbox."""
    vtex_sandbox.add_order(ORDER, [INVOICE])
    options: dict[str, Any] = {"http_client": httpx.Client()} if has_http_client else {}
    with (
        TOOLS[tool](tmp_path, request) as has_seen,
        TrackingClient("sandbox", base_url=vtex_sandbox.url, **credentials(vtex_sandbox), **options) as client,
    ):
        client.update(ORDER, INVOICE, events=[EVENT])
        assert has_seen() == CLAIMS[tool][has_http_client]
    has_reached = vtex_sandbox.events(ORDER, INVOICE) == [EVENT]
    is_recording = tool in {"vcrpy", "a patched `httpx.Client.send`"}
    assert has_reached == (is_recording or not CLAIMS[tool][has_http_client])
    if has_http_client:
        options["http_client"].close()


def test_respx_sees_an_asynchronous_client_with_an_http_client(vtex_sandbox: VtexSandbox) -> None:
    """As the page says, httpx.AsyncClient is what to pass to the asynchronous client."""

    async def report() -> None:
        async with httpx.AsyncClient() as http_client, vtex_sandbox.async_client(http_client=http_client) as client:
            assert isinstance(client, AsyncTrackingClient)
            await client.update(ORDER, INVOICE, events=[EVENT])

    with respx.mock() as router:
        router.put().respond(json=RECEIPT)
        asyncio.run(report())
    assert list(vtex_sandbox.oms.received) == []


def credentials(vtex_sandbox: VtexSandbox) -> dict[str, Any]:
    """Return the credentials of a sandbox's clients."""
    return {name: vtex_sandbox.environ[f"VTEX_{name.upper()}"] for name in ("app_key", "app_token")}
