"""Each rule of "what happened to my update", by its number, over real sockets. What else can happen: the other files.

1. Nothing was sent: not applied, and safe to send again.
2. A definite no: not applied; only 429 is sent again.
3. Bytes may have left and no trustworthy answer came: unknown, and never sent again by default.
4. Any 2xx: applied, whatever its body.
5. One deadline; one cap; no redirect; no cookie; no connection used again after an unclean end.
6. No text holds a credential or a raw control character.
"""

from __future__ import annotations

import copy
import pickle
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import InvalidUpdateError, NotSentError, OutcomeUnknownError, RefusedError, TrackingUpdate
from vtex_tracking_ext.transport import pool

from wire.calls import HASTY, OK, UPDATE, answer, ended, ended_at_once, receipt, update, within
from wire.server import Server, again, apply, close, flood, read, reset, say, until_gone, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.answers import Twin


def test_rule_1_a_refused_connection_sent_nothing(make: Callable[..., Twin]) -> None:
    """Nobody listens there; it is tried as often as the policy says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    error = ended(make(url, retry=HASTY))
    assert isinstance(error, NotSentError)
    assert error.applied is False
    assert error.attempts == 3


def test_rule_1_a_name_nobody_knows_sent_nothing(make: Callable[..., Twin]) -> None:
    """The top-level domain ``invalid`` never resolves (RFC 6761)."""
    with within(5):
        error = ended(make("https://nonexistent.invalid", timeout=5))
    assert isinstance(error, NotSentError)
    assert error.applied is False


def test_rule_1_a_black_hole_sent_nothing(make: Callable[..., Twin]) -> None:
    """A listener that never accepts, with a full backlog, lets a connection attempt wait for ever."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as hole:
        queue = [socket.socket() for _ in range(4)]
        for each in queue:
            each.setblocking(False)  # noqa: FBT003 - the standard library's signature
            each.connect_ex(hole.getsockname())
        with within(0.6):
            error = ended(make(f"http://127.0.0.1:{hole.getsockname()[1]}", timeout=0.6))
        for each in queue:
            each.close()
    assert isinstance(error, NotSentError)
    assert error.applied is False


def test_rule_1_a_failed_handshake_sent_nothing(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """A server that does not speak TLS gets no request; the connection is tried again."""
    server = serve([say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), until_gone], scheme="https")
    error = ended(make(server.url, retry=HASTY))
    assert isinstance(error, NotSentError)
    assert error.applied is False
    assert server.requests == []
    assert server.connections == 3


def test_rule_1_waiting_for_a_free_connection_in_vain_sent_nothing(
    make: Callable[..., Twin], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection at a time, and it is taken: the second call ends at its deadline."""
    # The first gives its connection back at its deadline; the second may begin later, and must not wait for that.
    monkeypatch.setattr(pool, "MIN_SECONDS_LEFT", 0.6)
    server = serve([read, apply, until_gone])
    client = make(server.url, max_connections=1, timeout=1)
    with within(1):
        ends = ended_at_once(client, update("a-01"), update("b-01"))
    assert {type(end) for end in ends} == {NotSentError, OutcomeUnknownError}
    assert len(server.applied) == 1


def test_rule_1_our_own_checks_send_nothing(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """No connection is even opened."""
    server = serve([until_gone])
    error = ended(make(server.url), TrackingUpdate("..", "a b"))
    assert isinstance(error, InvalidUpdateError)
    assert error.applied is False
    assert server.connections == 0


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 422, 501])
def test_rule_2_a_definite_no_is_not_sent_again(
    make: Callable[..., Twin], serve: Callable[..., Server], status: int
) -> None:
    """One request, whatever the policy."""
    server = serve([again(read, say(answer(status, b"{}")))])
    error = ended(make(server.url, retry=HASTY))
    assert isinstance(error, RefusedError)
    assert error.applied is False
    assert error.attempts == len(server.requests) == 1


def test_rule_2_only_429_is_sent_again(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """It was turned away for its number, not for what it says."""
    server = serve([read, say(answer(429, b"", "Retry-After: 0")), read, apply, say(OK)])
    result = ended(make(server.url, retry=HASTY))
    assert result.applied is True
    assert result.attempts == len(server.requests) == 2


_HAZY = {
    "reset after the request": [read, apply, reset],
    "closed after the request": [read, apply, close],
    "half an answer": [read, apply, say(b"HTTP/1.1 200 OK\r\nContent-Le"), close],
    "not HTTP": [read, apply, say(b"SSH-2.0-server\r\n"), close],
    "408": [again(read, apply, say(answer(408, b"")))],
    "500": [again(read, apply, say(answer(500, b"{}")))],
    "503 that asks to come again": [again(read, apply, say(answer(503, b"", "Retry-After: 0")))],
    "a status nobody registered": [again(read, apply, say(answer(777, b"")))],
}


@pytest.mark.parametrize("script", _HAZY.values(), ids=_HAZY)
def test_rule_3_an_unknown_outcome_is_not_sent_again(
    make: Callable[..., Twin], serve: Callable[..., Server], script: list[Any]
) -> None:
    """It was applied each time, and nobody can see it from here."""
    server = serve(script)
    error = ended(make(server.url, retry=HASTY))
    assert isinstance(error, OutcomeUnknownError)
    assert error.applied is None
    assert error.attempts == len(server.applied) == len(server.requests) == 1


def test_rule_3_a_time_out_leaves_it_unknown(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """A server that says nothing may have done everything."""
    server = serve([read, apply, until_gone])
    with within(0.4, grace=1):
        error = ended(make(server.url, retry=HASTY, timeout=0.4))
    assert isinstance(error, OutcomeUnknownError)
    assert len(server.requests) == 1


def test_rule_3_the_caller_may_ask_for_a_re_send(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Knowingly: the server applies both."""
    server = serve([read, apply, reset], [read, apply, say(OK)])
    result = ended(make(server.url, retry=HASTY, on_unknown="resend"))
    assert result.applied is True
    assert result.attempts == len(server.applied) == 2


@pytest.mark.parametrize("status", [200, 201, 202, 204, 205, 206, 226, 299])
def test_rule_4_any_2xx_is_applied(make: Callable[..., Twin], serve: Callable[..., Server], status: int) -> None:
    """Without a body, with HTML, or cut: never failed, never sent again."""
    for said in (answer(status, b""), answer(status, b"<p>", "Content-Encoding: gzip"), answer(status, b"{", length=9)):
        server = serve([read, apply, say(said), close])
        result = ended(make(server.url, retry=HASTY))
        assert result.applied is True
        assert result.receipt is None
        assert result.note
        assert len(server.requests) == 1


def test_rule_4_a_receipt_of_another_order_is_marked(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """It is applied, and the receipt says what is odd."""
    server = serve([read, apply, say(answer(200, receipt("other-01"))), close])
    result = ended(make(server.url))
    assert result.applied is True
    assert "other-01" in result.note


def test_rule_5_one_deadline_for_all_tries(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Tries without number, none of which would end by itself."""
    server = serve([until_gone], scheme="https")
    policy = type(HASTY)(attempts=1000, attempt_timeout=0.2, first_wait=0)
    with within(0.7):
        error = ended(make(server.url, retry=policy, timeout=0.7))
    assert isinstance(error, NotSentError)
    assert 2 <= server.connections <= 5


def test_rule_5_one_cap_on_an_endless_body(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """A body without end is left at the cap, well before the time-out."""
    server = serve([read, apply, say(answer(200, b"", length=-1)), flood(b" " * 65536)])
    with within(5):
        result = ended(make(server.url))
    assert result.applied is True
    assert result.note


def test_rule_5_no_redirect_no_cookie(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Neither is followed nor sent back, and credentials stay with their server."""
    other = serve([until_gone])
    cookie = "Set-Cookie: session=1; Path=/"
    server = serve([again(read, say(answer(307, b"", f"Location: {other.url}/x", cookie)))])
    error = ended(make(server.url), UPDATE, UPDATE)
    assert isinstance(error, RefusedError)
    assert other.connections == 0
    assert [request.values("Cookie") for request in server.requests] == [[], []]


def test_rule_5_an_unclean_connection_is_not_used_again(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """What comes late on it is never read as the next receipt."""
    late = threading.Event()
    server = serve(
        [read, apply, wait_for(late), say(answer(200, receipt(number=1))), until_gone],
        [read, apply, say(answer(200, receipt(number=2))), until_gone],
    )
    client = make(server.url, timeout=0.4)
    assert ended(client).applied is None
    late.set()
    assert ended(client).receipt == f"{2:032x}"
    assert [request.connection for request in server.requests] == [0, 1]


def test_rule_6_no_text_holds_a_credential_or_a_control_character(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """Even when the server echoes them. The error survives pickle and copy."""
    said = answer(
        400, b'{"error": {"code": "\\u001b[31m", "message": "key MADEUPKEY token MADEUPTOKEN \\u202e\\u0000"}}'
    )
    server = serve([read, say(said), close])
    error = ended(make(server.url, app_key="MADEUPKEY", app_token="MADEUPTOKEN"))
    for each in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own pickle
        for text in (str(each), repr(each), str(each.headers), str(each.body), each.message):
            assert "MADEUP" not in text
        assert each.status_code == 400
        assert str(each).isprintable()


def test_rule_6_a_long_message_is_cut(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """500 kB of it, quickly."""
    server = serve([read, say(answer(400, b'{"error": {"code": "1", "message": "' + b"x" * 500_000 + b'"}}')), close])
    started = time.monotonic()
    error = ended(make(server.url))
    assert time.monotonic() - started < 2
    assert len(str(error)) < 1000
