"""One deadline for the whole call, whatever a server does to stretch it, sync as well as async."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import (
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    ReadFailedError,
    RefusedError,
    RetryPolicy,
)

from wire.calls import ONCE, ORDER, UPDATE, answer, ended, ended_at_once, order, update, within
from wire.server import (
    Server,
    again,
    apply,
    close,
    dribble,
    handshake,
    pause,
    read,
    reset,
    say,
    signal,
    until_gone,
    wait_for,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from support.answers import Twin
    from wire.server import Peer


pytestmark = pytest.mark.both_parsers

#: Seconds that the calls here may take. One byte every 50 ms keeps any time-out per read from ending them.
TIMEOUT = 0.6

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_SLOW_HEADS = {
    "silence": [until_gone],
    "a dribbled head": [dribble(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100)],
    "a dribbled status line": [dribble(b"HTTP/1.1 200 " + b"O" * 400)],
    "dribbled 100s": [again(dribble(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01))],
    "100s with pauses": [again(say(b"HTTP/1.1 100 Continue\r\n\r\n"), pause(0.05))],
    "one 100 and silence": [say(b"HTTP/1.1 100 Continue\r\n\r\n"), until_gone],
}
_SLOW_BODIES = {
    "a dribbled body": [say(answer(200, b"", length=10_000)), dribble(b" " * 400)],
    "no body": [say(answer(200, b"", length=10_000)), until_gone],
    "dribbled chunks": [say(_CHUNKED), again(say(b"1\r\n \r\n"), pause(0.05))],
    "a dribbled size of a chunk": [say(_CHUNKED), dribble(b"0" * 400)],
    "dribbled trailers": [say(_CHUNKED + b"0\r\n"), dribble(b"X: y\r\n" * 100)],
    "a body without an end, dribbled": [say(answer(200, b"", length=-1)), dribble(b" " * 400)],
    "empty chunks of an encoding": [
        say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"),
        dribble(b"1\r\n\x1f\r\n" * 60, 0.01),
        until_gone,
    ],
}


@pytest.mark.parametrize("steps", _SLOW_HEADS.values(), ids=_SLOW_HEADS)
def test_an_answer_that_does_not_come_in_time(
    make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]
) -> None:
    """The call ends at its deadline and nobody knows."""
    server = serve([read, apply, *steps], limit=4)
    with within(TIMEOUT):
        error = ended(make(server.url, timeout=TIMEOUT))
    assert isinstance(error, OutcomeUnknownError)
    assert len(server.requests) == 1


@pytest.mark.parametrize("steps", _SLOW_BODIES.values(), ids=_SLOW_BODIES)
def test_a_body_that_does_not_come_in_time(
    make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]
) -> None:
    """The call ends at its deadline; its status was said, so it is applied, and marked."""
    server = serve([read, apply, *steps], limit=4)
    with within(TIMEOUT):
        result = ended(make(server.url, timeout=TIMEOUT))
    assert result.applied is True
    assert result.note
    assert len(server.requests) == 1


def test_a_no_with_a_body_that_does_not_come_in_time(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """The status was said: it is a no."""
    server = serve([read, say(answer(403, b"", length=1000)), dribble(b" " * 400)], limit=4)
    with within(TIMEOUT):
        error = ended(make(server.url, timeout=TIMEOUT))
    assert isinstance(error, RefusedError)
    assert error.status_code == 403


@pytest.mark.parametrize(
    "steps",
    [
        [dribble(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100)],
        [say(answer(200, b"", length=1000)), dribble(b" " * 400)],
    ],
    ids=["head", "body"],
)
def test_a_read_is_bounded_too(make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]) -> None:
    """Tries included: an answer that does not come in time is a failed read."""
    server = serve([read, *steps], limit=4)
    client = make(server.url, timeout=TIMEOUT, retry=RetryPolicy(first_wait=0))
    with within(TIMEOUT), pytest.raises(ReadFailedError):
        client.get_packages(ORDER)


@pytest.mark.parametrize(
    "steps",
    [
        [until_gone],
        [dribble(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03" + bytes(400))],
        [again(say(b"\x16\x03\x03\x00\x01\x02"), pause(0.05))],
    ],
    ids=["silence", "dribbled", "tiny records"],
)
def test_a_handshake_that_never_ends(make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]) -> None:
    """TLS is part of the call, and nothing of the request was sent."""
    server = serve(steps, scheme="https", limit=4)
    with within(TIMEOUT):
        error = ended(make(server.url, timeout=TIMEOUT))
    assert isinstance(error, NotSentError)
    assert error.applied is False


@pytest.mark.parametrize(
    "steps",
    [
        [dribble(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100)],
        [say(answer(200, b"", length=1000)), dribble(b" " * 400)],
    ],
    ids=["head", "body"],
)
def test_over_tls(
    make: Callable[..., Twin],
    serve: Callable[..., Server],
    steps: list[Any],
    tls: ssl.SSLContext,
    ca_file: Path,
) -> None:
    """Each byte a TLS record of its own."""
    server = serve([handshake(tls), read, apply, *steps], scheme="https", limit=4)
    with within(TIMEOUT):
        result = ended(make(server.url, timeout=TIMEOUT, ca_file=ca_file))
    assert result.applied is not False
    assert len(server.applied) == 1


@pytest.mark.parametrize(
    "steps",
    [[until_gone], [dribble(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100)]],
    ids=["silence", "dribbled"],
)
def test_a_proxy_that_never_answers(make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]) -> None:
    """CONNECT is part of the call, and nothing of the request was sent."""
    proxy = serve([read, *steps], limit=4)
    with within(TIMEOUT):
        error = ended(make("https://store.example", proxy=proxy.url, timeout=TIMEOUT))
    assert isinstance(error, NotSentError)


@pytest.mark.parametrize(
    "steps",
    [
        [dribble(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100)],
        [say(answer(200, b"", length=1000)), dribble(b" " * 400)],
        [again(say(answer(404, b"")), read)],
    ],
    ids=["a dribbled head", "a dribbled body", "not there"],
)
def test_checking_an_unknown_outcome_is_bounded_too(
    make: Callable[..., Twin],
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    steps: list[Any],
) -> None:
    """The order that is read back never comes, or never shows it."""
    monkeypatch.setattr("vtex_tracking_ext.call.steps.CHECK_PAUSES", (0.1, 0.1, 3.0))
    server = serve([read, apply, reset], [read, *steps], limit=4)
    with within(TIMEOUT):
        error = ended(make(server.url, timeout=TIMEOUT, on_unknown="check"))
    assert isinstance(error, OutcomeUnknownError)
    assert [request.method for request in server.requests][:2] == ["PUT", "GET"]


def test_checking_finds_what_was_applied(
    make: Callable[..., Twin], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side of the test above: the order shows it, and the receipt says where it comes from."""
    monkeypatch.setattr("vtex_tracking_ext.call.steps.CHECK_PAUSES", (0.1,))
    server = serve([read, apply, reset], [read, say(answer(200, order(UPDATE))), close])
    result = ended(make(server.url, on_unknown="check"))
    assert result.applied is True
    assert result.confirmed_by == "reading"
    assert len(server.applied) == 1


def test_tries_end_with_the_time_the_policy_gives(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """``elapsed`` bounds them, however many the policy allows."""
    server = serve([again(read, say(answer(429, b"", "Retry-After: x")))])
    policy = RetryPolicy(attempts=10**6, elapsed=0.3, rate_limit_wait=0.05)
    with within(0.3, grace=1):
        error = ended(make(server.url, retry=policy))
    assert isinstance(error, RateLimitedError)
    assert 1 < error.attempts == len(server.requests) <= 7


def test_tries_end_with_the_time_out(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """A wait that the time-out would cut is not begun: the error comes at once."""
    server = serve([again(read, say(answer(429, b"", "Retry-After: 5")))])
    with within(0.2, grace=1):
        error = ended(make(server.url, timeout=2, retry=RetryPolicy()))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 5
    assert len(server.requests) == 1


def test_a_slow_call_does_not_hold_up_another(make: Callable[..., Twin], serve: Callable[..., Server]) -> None:
    """Side by side, the second is answered while the first waits."""
    answered = threading.Event()
    slow = [read, apply, wait_for(answered), say(answer(200)), close]
    server = serve(slow, [read, apply, signal(answered), say(answer(200)), close])
    client = make(server.url, retry=ONCE)
    with within(2):
        results = ended_at_once(client, update("a-01"), update("b-01"))
    assert [result.applied for result in results] == [True, True]


def test_an_endless_answer_to_one_call_does_not_hold_up_another(
    make: Callable[..., Twin], serve: Callable[..., Server]
) -> None:
    """The other call ends in its receipt while the flood goes on; the flood's own call ends without one."""
    answered = threading.Event()

    def flood_until_answered(peer: Peer) -> None:
        while not answered.is_set():
            peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)

    server = serve(
        [read, apply, flood_until_answered, close],
        [read, apply, say(answer(200)), signal(answered), close],
    )
    with within(5):
        results = ended_at_once(make(server.url, retry=ONCE), update("a-01"), update("b-01"))
    assert sorted(result.applied is True for result in results) == [False, True]
