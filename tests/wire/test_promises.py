"""Promises over many calls: what was applied is known, nothing is sent too often, nothing leaks, text goes where meant.

The sequences are short in the ordinary run. ``VTEX_WIRE_CAMPAIGN=N`` tries N of them instead (a thousand take minutes).
"""

from __future__ import annotations

import os
import threading
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtex_tracking_ext import (
    AsyncTrackingClient,
    ConfigurationError,
    InvalidUpdateError,
    RetryPolicy,
    TrackingClient,
    TrackingEvent,
    TrackingReceipt,
    TrackingUpdate,
    VtexTrackingError,
)
from vtex_tracking_ext.transport.route import route_to

from support.answers import Twin
from wire.calls import OK, UPDATE, answer, ended, order
from wire.server import HOST, Server, again, apply, close, read, read_head, reset, respond, say

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.both_parsers

EXAMPLES = int(os.environ.get("VTEX_WIRE_CAMPAIGN", "40"))
campaign = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES == 40
)

SHOWN = answer(200, order(UPDATE))
LIMITED = answer(429, b"", "Retry-After: 0", "Connection: close")

#: What a server may do with one connection, by name.
CONDUCT: dict[str, tuple[Any, ...]] = {
    "accepts": (read, apply, say(OK), close),
    "accepts, keeps the connection": (again(read, apply, say(OK)),),
    "accepts with nonsense": (read, apply, say(answer(202, b"<html>", "Connection: close")), close),
    "accepts, cuts the answer": (read, apply, say(answer(length=999)), close),
    "applies, then hangs up": (read, apply, close),
    "applies, then resets": (read, apply, reset),
    "applies, then says 500": (read, apply, say(answer(500, b"", "Connection: close")), close),
    "applies, then says 520": (read, apply, say(answer(520, b"", "Connection: close")), close),
    "applies, then half an answer": (read, apply, say(b"HTTP/1.1 20"), close),
    "resets at once": (reset,),
    "resets after the head": (read_head, reset),
    "hangs up unread": (read_head, close),
    "says 500": (read, say(answer(500, b"", "Connection: close")), close),
    "says no": (read, say(answer(409, b"", "Connection: close")), close),
    "says not found": (read, say(answer(404, b"", "Connection: close")), close),
    "says 429": (read, say(LIMITED), close),
    "speaks nonsense": (read, say(b"nonsense\r\n\r\n"), close),
    "forges the next receipt": (read, apply, say(OK + OK), close),
}


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
@pytest.mark.parametrize("on_unknown", ["raise", "resend"])
@campaign
@given(
    conduct=st.lists(st.sampled_from(sorted(CONDUCT)), min_size=1, max_size=8),
    calls=st.integers(min_value=1, max_value=4),
    attempts=st.integers(min_value=1, max_value=3),
)
def test_what_was_applied_is_known(kind: Any, on_unknown: str, conduct: list[str], calls: int, attempts: int) -> None:
    """Applied by us <= truly applied <= applied and unknown, and no request beyond those the policy allows."""
    policy = RetryPolicy(attempts=attempts, first_wait=0, rate_limit_wait=0)
    with Server(*(CONDUCT[name] for name in conduct)) as server:
        client = Twin(
            kind, "mystore", user_token="MADEUP", base_url=server.url, timeout=5, retry=policy, on_unknown=on_unknown
        )
        try:
            results = [ended(client) for _ in range(calls)]
        finally:
            client.end()
        applied = sum(result.applied is True for result in results)
        unknown = sum(result.applied is None for result in results)
        resent = on_unknown == "resend"
        assert applied <= len(server.applied)
        assert len(server.applied) <= applied + (unknown if not resent else calls * attempts)
        assert resent or len(server.applied) <= applied + unknown
        assert len(server.requests) <= sum(result.attempts for result in results) <= calls * attempts
        assert all(isinstance(result, TrackingReceipt | VtexTrackingError) for result in results)


@pytest.mark.parametrize("own", [False, True], ids=["ours", "caller's"])
def test_hundreds_of_retried_calls_leak_nothing(
    make: Callable[..., Twin], serve: Callable[..., Server], own: bool
) -> None:
    """On two connections: neither a connection, nor a thread, nor a descriptor."""
    turn = iter(range(10_000))
    server = serve(
        [again(read, apply, respond(lambda _: OK if next(turn) % 2 else answer(429, b"", "Retry-After: 0")))],
        limit=300,  # seconds of one connection, which all of them may share
    )

    options: dict[str, Any] = {"own": {"limits": httpx.Limits(max_connections=2)}} if own else {"max_connections": 2}
    client = make(server.url, retry=RetryPolicy(attempts=3), **options)
    ended(client)
    before = _held()
    for _ in range(150 if own else 500):  # a caller's client has a connection for each request, which takes longer
        result = ended(client)
        assert result.applied is True
        assert result.attempts == 2
    assert server.most_open <= 2
    threads, descriptors = _held()
    assert threads <= before[0] + 2
    assert descriptors <= before[1] + 4


def test_what_fails_gives_its_place_back(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Before a connection is made and after, on the only one that is allowed; else nobody could call any more."""
    server = serve([read, close], [read_head, reset], [read, say(b"nonsense"), close], [again(read, apply, say(OK))])
    client = make(server.url, max_connections=1, timeout=3)
    assert [ended(client).applied for _ in range(5)] == [None, None, None, True, True]
    nobody = make("http://127.0.0.1:9", max_connections=1, timeout=3)
    assert ["in use" in str(ended(nobody)) for _ in range(3)] == [False] * 3


def _held() -> tuple[int, int]:
    """Return how many threads and descriptors this process has."""
    descriptors = Path("/proc/self/fd")
    return threading.active_count(), len(list(descriptors.iterdir())) if descriptors.exists() else 0


def test_both_clients_send_the_same_bytes(serve: Callable[..., Server], twin: Callable[..., Twin]) -> None:
    """All three operations, but for the port."""
    seen = []
    for kind in (TrackingClient, AsyncTrackingClient):
        server = serve([again(read, apply, respond(lambda request: SHOWN if request.method == "GET" else OK))])
        client = twin(kind, "mystore", user_token="MADEUP", base_url=server.url)
        client.send(UPDATE)
        client.set_tracking_number("o-01", "1", tracking_number="AB1", courier="Correios")
        client.was_applied(UPDATE)
        port = f":{server.port}".encode()
        seen.append([(request.raw.replace(port, b""), request.body) for request in server.requests])
    assert seen[0] == seen[1]
    assert len(seen[0]) == 3


def test_a_call_changes_nothing_that_it_was_given(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Events, their list, and what the caller keeps."""
    server = serve([again(read, apply, say(OK))])
    events = [TrackingEvent("2015-06-23", "Coletado")]
    kept = deepcopy(events)
    make(server.url).update("o-01", "1", events=events)
    assert events == kept


TEXTS = st.one_of(
    st.text(max_size=30),
    st.text("0123456789abcXYZ-_./% \\?#@:", min_size=1, max_size=30),
    st.sampled_from(["..", ".", "a/../b", "%2e%2e", "a%2fb", "1?x=1", "1#x", "1\r\nX: y", "\u0661\u0662", " 1", "1\n"]),
)


@pytest.fixture(scope="module")
def listening() -> Any:
    """Return a server that accepts everything."""
    with Server([again(read, apply, say(OK))], limit=600) as server:
        yield server


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
@campaign
@given(order_id=TEXTS, invoice=TEXTS)
def test_any_text_as_an_id_is_refused_or_lands_where_it_was_meant(
    kind: Any, listening: Server, order_id: str, invoice: str
) -> None:
    """The request target is the path template with the two texts in it, as they are."""
    client = Twin(kind, "mystore", user_token="MADEUP", base_url=listening.url)
    before = len(listening.requests)
    try:
        client.send(TrackingUpdate(order_id, invoice, is_delivered=True))
    except InvalidUpdateError:
        assert len(listening.requests) == before
    else:
        assert listening.requests[-1].target == f"/api/oms/pvt/orders/{order_id}/invoice/{invoice}/tracking"
    finally:
        client.end()


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
@campaign
@given(key=TEXTS, token=TEXTS)
def test_any_text_as_a_credential_is_refused_or_travels_as_it_is(
    kind: Any, listening: Server, key: str, token: str
) -> None:
    """In its own header, once."""
    before = len(listening.requests)
    try:
        client = Twin(kind, "mystore", app_key=key, app_token=token, base_url=listening.url)
    except ConfigurationError:
        assert len(listening.requests) == before
        return
    try:
        client.send(UPDATE)
        request = listening.requests[-1]
        assert request.values("X-VTEX-API-AppKey") == [key]
        assert request.values("X-VTEX-API-AppToken") == [token]
    finally:
        client.end()


@given(account=TEXTS)
def test_any_text_as_an_account_is_refused_or_one_part_of_vtexs_host(account: str) -> None:
    """Nothing else of the address changes."""
    try:
        client = TrackingClient(account, user_token="MADEUP")
    except ConfigurationError:
        return
    with client:
        route = route_to(client._options.server)
        assert route.host == f"{account}.vtexcommercestable.com.br".lower()
        assert (route.port, route.tls is not None) == (443, True)
        assert "." not in account
        assert HOST not in route.host
