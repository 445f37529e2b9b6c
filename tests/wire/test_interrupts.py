"""Ctrl-C at any line of a call, and exceptions that a signal handler raises in any phase of a call."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import AsyncTrackingClient, RetryPolicy, TrackingClient, TrackingEvent, TrackingUpdate
from vtex_tracking_ext.config.redaction import HIDDEN, Redactor
from vtex_tracking_ext.config.retry_policy import RetryBudget
from vtex_tracking_ext.transport.body import Body

from support.interrupts import WAYS, Trial, Way, answering_server, cancel_others
from support.requests import observe_requests
from wire.calls import HASTY, INVOICE, OK, ORDER, UPDATE, answer, ended, within
from wire.server import HOST, Peer, Server, again, apply, dribble, pause, read, read_head, say, until_gone, wait_for
from wire.server import signal as signal_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vtex_tracking_ext import AttemptEvent

    from support.answers import Twin


@pytest.fixture
def _unchecked_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not check each of some thousand equal requests against openapi.yaml, which takes most of the time."""
    observe_requests(monkeypatch, lambda *_: None)


needs_alarm = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="nothing raises a signal here")

#: Every so many lines of a call are interrupted. ``scripts/interrupt_trial`` interrupts every line in every way.
STRIDES = dict.fromkeys(WAYS, 9) | {Way(asynchronous=False, parser="httptools", warm=False): 1}


@pytest.mark.usefixtures("_unchecked_requests")
@pytest.mark.parametrize(("way", "stride"), STRIDES.items(), ids=map(str, STRIDES))
def test_an_interrupt_at_any_line_loses_no_connection(way: Way, stride: int) -> None:
    """After it, the client's only place is free, no more connections are open than allowed, and receipts are right."""
    with answering_server() as server:
        trial, line = Trial(server, way), 1
        while trial.interrupt(line):
            line += stride
    assert trial.violations == []
    assert trial.lines > 200


class SoftTimeLimit(Exception):  # noqa: N818 - named as task queues name theirs
    """What a task queue raises at its time limit."""


class GoneError(ConnectionResetError):
    """An OSError of a signal handler."""


#: What time limits raise; TimeoutError is also what the network raises.
LIMITS = (SoftTimeLimit, TimeoutError)


def alarm(peer: Peer) -> None:
    """Let a signal come when the client is likely to wait for this server."""
    pause(0.02)(peer)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)


#: Where a call can be when the signal comes: the steps of its server, and whether anything of the request has left.
PHASES: dict[str, tuple[list[Any], bool]] = {
    "TLS handshake": ([alarm, until_gone], False),
    "proxy": ([read_head, alarm, until_gone], False),
    "dribbling proxy": ([read_head, dribble(b"HTTP/1.1 200 OK\r\n"), alarm, dribble(b"X: y\r\n" * 100)], False),
    "response": ([read, apply, alarm, until_gone], True),
    "body": ([read, apply, say(answer(200, b"", length=1000)), alarm, until_gone], True),
}


@contextmanager
def time_limit(limit: type[BaseException], seconds: float = 0.0) -> Iterator[None]:
    """Let the signal raise an exception, and let it come after some seconds, unless these are 0."""

    def raise_limit(*_: object) -> None:
        raise limit("the time is up")

    before = signal.signal(signal.SIGALRM, raise_limit)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limited(client: Twin, limit: type[BaseException], seconds: float = 0.0, sent: TrackingUpdate = UPDATE) -> None:
    """Check that a call raises what the signal does; tasks of an event loop are then cancelled, as at its end."""
    with pytest.raises(limit, match="the time is up") as caught, time_limit(limit, seconds):
        client.send(sent)
    assert caught.value.__cause__ is None
    if isinstance(client.client, AsyncTrackingClient):
        client._runner.run(cancel_others())
    else:
        assert f"Order {ORDER}, invoice {INVOICE}: " in "".join(caught.value.__notes__)


@needs_alarm
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    ("own", "phase"),
    # httpcore leaves the socket of a TLS handshake to the garbage collector if its asynchronous client is cancelled.
    [*((None, phase) for phase in PHASES), *(({}, phase) for phase in PHASES if phase != "TLS handshake")],
    ids=lambda each: each if isinstance(each, str) else "ours" if each is None else "caller's",
)
def test_a_time_limit_ends_a_call_in_any_phase(
    make: Callable[..., Twin],
    serve: Callable[..., Server],
    phase: str,
    limit: type[BaseException],
    own: dict[str, Any] | None,
) -> None:
    """The signal's exception is raised at once as it is, nothing is retried, and the hook learns what was sent."""
    steps, has_left = PHASES[phase]
    server = serve(steps, scheme="https" if phase == "TLS handshake" else "http")
    events: list[AttemptEvent] = []
    options: dict[str, Any] = {"retry": HASTY, "on_unknown": "resend", "on_attempt": events.append}
    url = server.url
    if "proxy" in phase:
        url = "https://store.example"
        options |= {"proxy": server.url} if own is None else {"own": {"proxy": server.url}}
    elif own is not None:
        options["own"] = own
    limited(make(url, **options), limit)
    assert server.connections == 1
    (event,) = events
    assert event.error is not None
    assert event.error.applied is (None if has_left else False)
    assert event.retry_in is None
    if own is None:
        server.wait_until(lambda each: each.open == 0)


@needs_alarm
@pytest.mark.parametrize("limit", LIMITS)
def test_a_time_limit_ends_the_wait_for_a_connection(
    make: Callable[..., Twin], serve: Callable[..., Server], limit: type[BaseException]
) -> None:
    """All connections are in use: nothing was sent, and the place in the queue is free again."""
    held, go = threading.Event(), threading.Event()
    server = serve([read, apply, signal_to(held), wait_for(go), say(OK), again(read, apply, say(OK))])
    events: list[AttemptEvent] = []
    client = make(server.url, max_connections=1, on_attempt=events.append)
    if isinstance(client.client, AsyncTrackingClient):
        first = client._runner.get_loop().create_task(client.client.send(UPDATE))
    else:
        thread = threading.Thread(target=client.send, args=(UPDATE,))
        thread.start()
        assert held.wait(5)
    with pytest.raises(limit), time_limit(limit, 0.1):
        client.send(UPDATE)
    go.set()
    if isinstance(client.client, AsyncTrackingClient):
        client._runner.run(cancel_others(first))
        assert first.result().applied is True
    else:
        thread.join(5)
    assert client.send(UPDATE).applied is True
    assert [each.error.applied for each in events if each.error is not None] == [False]
    assert server.connections == 1


@needs_alarm
@pytest.mark.parametrize("limit", LIMITS)
def test_a_time_limit_ends_a_look_up(
    make: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch, limit: type[BaseException]
) -> None:
    """Nothing was sent; the thread of the look-up ends when the look-up does."""
    go = threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
        go.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    events: list[AttemptEvent] = []
    client = make("https://store.example", on_attempt=events.append)
    threading.Timer(0.1, go.set).start()  # asyncio waits for its thread
    limited(client, limit)
    assert [each.error and each.error.applied for each in events] == [False]


@needs_alarm
@pytest.mark.parametrize("limit", LIMITS)
def test_a_time_limit_ends_a_connect(make: Callable[..., Twin], limit: type[BaseException]) -> None:
    """The server's queue of connections is full, so the system waits. Nothing was sent."""
    events: list[AttemptEvent] = []
    with socket.create_server((HOST, 0), backlog=0) as listener, socket.create_connection(listener.getsockname()):
        client = make(f"http://{HOST}:{listener.getsockname()[1]}", retry=HASTY, on_attempt=events.append)
        limited(client, limit, 0.1)
    assert [each.error and each.error.applied for each in events] == [False]


@needs_alarm
@pytest.mark.parametrize("limit", LIMITS)
def test_a_time_limit_ends_a_write(
    make: Callable[..., Twin], serve: Callable[..., Server], limit: type[BaseException]
) -> None:
    """The server does not read all of a long request: it may have been applied."""
    server = serve([read_head, alarm, pause(5)], receive_buffer=4096)
    events: list[AttemptEvent] = []
    long = TrackingUpdate(ORDER, INVOICE, [TrackingEvent("2015-06-23", "x" * 5000)] * 2000)
    client = make(server.url, on_attempt=events.append)
    limited(client, limit, sent=long)
    assert [each.error and each.error.applied for each in events] == [None]


@needs_alarm
@pytest.mark.parametrize("limit", LIMITS)
def test_a_time_limit_ends_the_pause_before_a_retry(make: Callable[..., Twin], limit: type[BaseException]) -> None:
    """One attempt was made and reported; the second one never is."""
    events: list[AttemptEvent] = []
    retry = RetryPolicy(attempts=3, first_wait=1000, longest_wait=1000, elapsed=1000)

    def start_timer(event: AttemptEvent) -> None:
        events.append(event)
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    client = make("http://127.0.0.1:9", retry=retry, on_attempt=start_timer, timeout=1000)
    with pytest.raises(limit), time_limit(limit):
        client.send(UPDATE)
    assert len(events) == 1


@pytest.mark.usefixtures("_unchecked_requests")
@pytest.mark.parametrize("limit", [SoftTimeLimit, TimeoutError, GoneError, ValueError])
@pytest.mark.parametrize("way", [WAYS[0], WAYS[2]], ids=str)
def test_an_exception_of_a_handler_at_any_line_is_raised(way: Way, limit: type[BaseException]) -> None:
    """It reaches the caller as it is, also if it is of a type that the network, or the parsing of a body, raises."""
    with answering_server() as server:
        trial, line = Trial(server, way, limit), 1
        while trial.interrupt(line):
            line += 7
    assert trial.violations == []


def succeeds_in_child(act: Callable[[], bool]) -> bool:
    """Return whether a function returns True in a forked process, within 5 seconds."""
    child = os.fork()
    if child == 0:  # pragma: no cover - it is not this process
        try:
            signal.alarm(5)
            os._exit(0 if act() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_uses_the_retry_budget_hangs_nothing(serve: Callable[..., Server]) -> None:
    """In the child, a call of the same client is retried and succeeds."""
    inside, go = threading.Event(), threading.Event()

    class Stopped(int):
        """A number of tokens that stops the thread that compares it, which is where a lock would be held."""

        def __lt__(self, other: int) -> bool:
            if threading.current_thread() is not threading.main_thread():
                inside.set()
                go.wait(10)
            return super().__lt__(other)

    budget = RetryBudget()
    budget._tokens = Stopped(500)
    retry = RetryPolicy(attempts=2, first_wait=0, rate_limit_wait=0, budget=budget)
    server = serve([again(read, say(answer(429, b"")), read, apply, say(OK))])
    with TrackingClient("mystore", user_token="MADEUP", base_url=server.url, retry=retry, timeout=5) as client:
        thread = threading.Thread(target=budget.try_acquire)
        thread.start()
        assert inside.wait(5)
        assert succeeds_in_child(lambda: client.send(UPDATE).attempts == 2)
        go.set()
        thread.join(5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_prepares_the_redaction_hangs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child can redact."""
    inside, go = threading.Event(), threading.Event()
    compile_ = re.compile

    def slow(*arguments: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            go.wait(10)
        return compile_(*arguments)

    monkeypatch.setattr("vtex_tracking_ext.config.redaction.re.compile", slow)
    redactor = Redactor(["MADEUP"])
    thread = threading.Thread(target=redactor.redact, args=("%4dADEUP",))
    thread.start()
    assert inside.wait(5)
    assert succeeds_in_child(lambda: redactor.redact("%4dADEUP") == HIDDEN)
    go.set()
    thread.join(5)


@pytest.mark.parametrize("steps", [[read_head], [until_gone]], ids=["proxy", "TLS handshake"])
def test_connecting_that_takes_too_long_leaves_no_thread_and_no_socket(
    make: Callable[..., Twin], serve: Callable[..., Server], steps: list[Any]
) -> None:
    """A proxy or a server that sends a byte at a time could otherwise keep both for each call."""
    said = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 if steps == [read_head] else b"\x16\x03\x03\x3f\xff" + bytes(400)
    server = serve([*(steps if steps == [read_head] else []), dribble(said)], scheme="https")
    proxy = {"proxy": f"http://{HOST}:{server.port}"} if steps == [read_head] else {}
    with within(0.2, grace=1):
        error = ended(make("https://store.example" if proxy else server.url, timeout=0.2, **proxy))
    assert error.applied is False
    server.wait_until(lambda each: each.connections == 1 and each.open == 0)
    assert not [each for each in threading.enumerate() if each.name.startswith("vtex-tracking")]


def test_a_mistake_in_this_package_is_not_an_outcome(
    make: Callable[..., Twin], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised as it is, through our own connections and through a caller's client."""

    def fail(*_: object) -> None:
        raise AssertionError("a mistake")

    monkeypatch.setattr(Body, "feed", fail)
    monkeypatch.setattr(Body, "end", fail)
    ways: list[dict[str, Any] | None] = [None, {}]
    for own in ways:
        client = make(serve([read, apply, say(OK)]).url, own=own, retry=HASTY)
        with pytest.raises(AssertionError, match="a mistake"):
            client.send(UPDATE)
