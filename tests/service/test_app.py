"""The addresses of the service, and how they answer: without sockets, and with nothing that happens behind."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.journal.interface import JournalUnavailableError
from vtex_tracking_ext.orders.parked import parked_events
from vtex_tracking_ext.orders.to_read import OrdersToRead
from vtex_tracking_ext.sandbox.hook import PING
from vtex_tracking_ext.service import app
from vtex_tracking_ext.service.app import create_app
from vtex_tracking_ext.service.limits import Limits

from support.services import HEADERS, ON_ITS_WAY, POSTED, SECRET, Client, correios

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal
    from vtex_tracking_ext.service import Bridge

WEBHOOK = "/carriers/correios/mystore"
HOOK = "/vtex/hook/mystore"
BODY = correios(POSTED, ON_ITS_WAY)


def parked(journal: SqliteJournal) -> list[tuple[str, str]]:
    """Return account and code of the parked events."""
    return [(each.account, each.event.code) for each in parked_events(journal)]


def order(order_id: str = "1-01", account: str = "mystore") -> dict[str, Any]:
    """Return a notification of VTEX."""
    return {"OrderId": order_id, "State": "invoiced", "Origin": {"Account": account, "Key": "vtexappkey-mystore-X"}}


def test_a_webhook_is_noted_once(client_of: Callable[..., Client], journal: SqliteJournal, bridge: Bridge) -> None:
    """Delivered five times, also at an address in other capitals, it is answered five times and on disk once."""
    client = client_of()
    for path in [WEBHOOK] * 4 + ["/carriers/CORREIOS/MyStore"]:
        answer = client.post(path, content=BODY, headers=HEADERS)
        assert answer.status_code == 200
        assert answer.json() == {"events": 2, "problems": [], "unknown_codes": []}
    assert parked(journal) == [("mystore", "PO/01"), ("mystore", "RO/01")]
    text = bridge.metrics.text().decode()
    assert 'vtex_tracking_received_events_total{account="mystore",source="correios"} 10.0' in text
    assert 'vtex_tracking_posts_total{account="mystore",source="correios",status="200"} 5.0' in text
    assert 'vtex_tracking_parked_events{account="mystore",state="waiting"} 2.0' in text


def test_the_account_is_that_of_the_address(client_of: Callable[..., Client], journal: SqliteJournal) -> None:
    """A sender with the secret of one account cannot report events of another account, even if the payload names it."""
    payload = json.loads(BODY)
    payload["account"] = payload["objetos"][0]["account"] = "other"
    assert client_of().post(WEBHOOK, json=payload, headers=HEADERS).status_code == 200
    assert {account for account, _ in parked(journal)} == {"mystore"}


@pytest.mark.parametrize(
    ("path", "headers", "status", "text"),
    [
        (WEBHOOK, {}, 401, "The signature or secret is missing or wrong."),
        (WEBHOOK, {"X-Webhook-Secret": f"{SECRET}."}, 401, "The signature or secret is missing or wrong."),
        (f"{WEBHOOK}/wrong", {}, 401, "The signature or secret is missing or wrong."),
        ("/carriers/jadlog/mystore", HEADERS, 403, "No secret is configured for jadlog of mystore: posts are refused."),
        ("/carriers/correios/other", HEADERS, 404, "There is no account 'other'."),
        ("/carriers/nobody/mystore", HEADERS, 404, "There is no source 'nobody'."),
        ("/carriers/vtex/mystore", HEADERS, 404, "There is no source 'vtex'."),
        (HOOK, {}, 401, "The signature or secret is missing or wrong."),
        ("/vtex/hook/other", HEADERS, 404, "There is no account 'other'."),
    ],
)
def test_others_are_refused(
    client_of: Callable[..., Client],
    journal: SqliteJournal,
    path: str,
    headers: dict[str, str],
    status: int,
    text: str,
) -> None:
    """Nothing of their posts is stored."""
    answer = client_of().post(path, content=BODY, headers=headers)
    assert (answer.status_code, answer.json()) == (status, {"error": text})
    assert parked(journal) == []


def test_a_secret_in_the_path(client_of: Callable[..., Client]) -> None:
    """For a carrier that can set no header, the address ends with the secret."""
    assert client_of().post(f"{WEBHOOK}/{SECRET}", content=BODY).status_code == 200


@pytest.mark.parametrize("path", [WEBHOOK, HOOK])
def test_other_methods(client_of: Callable[..., Client], path: str) -> None:
    """Nothing can be read at the addresses of posts."""
    assert client_of().get(path).status_code == 405


def test_what_cannot_be_read(client_of: Callable[..., Client], journal: SqliteJournal, bridge: Bridge) -> None:
    """The answer says what is wrong and which codes are unknown; the events that can be read are stored."""
    client = client_of()
    answer = client.post(WEBHOOK, content=b"{", headers=HEADERS)
    assert (answer.status_code, answer.json()["error"].startswith("correios: ")) == (400, True)
    answer = client.post(WEBHOOK, content=correios(("PO", "01", "yesterday")), headers=HEADERS)
    assert (answer.status_code, "dtHrCriado" in answer.json()["error"]) == (422, True)
    assert parked(journal) == []
    answer = client.post(WEBHOOK, content=correios(("PO", "01", "never"), ("XX", "9", POSTED[2])), headers=HEADERS)
    assert (answer.status_code, answer.json()["events"], answer.json()["unknown_codes"]) == (200, 1, ["XX/09"])
    assert len(answer.json()["problems"]) == 1
    text = bridge.metrics.text().decode()
    assert 'vtex_tracking_unreadable_events_total{account="mystore",source="correios"} 2.0' in text


def test_notifications(client_of: Callable[..., Client], journal: SqliteJournal) -> None:
    """The ping is answered; an order is recorded, once; what is no notification, or another account's, is refused."""
    client = client_of()
    assert client.post(HOOK, json=PING, headers=HEADERS).json() == {}
    for _ in range(5):
        assert client.post(HOOK, json=order(), headers=HEADERS).json() == {"orders": 1}
    assert [each.order_id for each in OrdersToRead(journal, "mystore").requests()] == ["1-01"]
    assert client.post(HOOK, json=[], headers=HEADERS).status_code == 400
    assert client.post(HOOK, json=order(account="other"), headers=HEADERS).status_code == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [(HOOK, PING), ("/carriers/melhor_envio/mystore", {}), ("/carriers/melhor_envio/mystore", {"event": "ping"})],
)
def test_messages_that_only_test_an_address(client_of: Callable[..., Client], path: str, body: Any) -> None:
    """They are answered without a secret, because it is not known whether they have one; they change nothing."""
    assert client_of().post(path, json=body).status_code == 200


@pytest.mark.parametrize("body", [{"hookConfig": "ping", "data": [1]}, {"event": "x", "data": {"id": 1}}, [{}]])
@pytest.mark.parametrize("path", [HOOK, "/carriers/melhor_envio/mystore", WEBHOOK])
def test_other_messages_are_no_test(client_of: Callable[..., Client], path: str, body: Any) -> None:
    """What says more is refused without a secret."""
    client = client_of()
    assert client.post(path, json=body).status_code == 401
    assert client.post(path, content=json.dumps(body)[:-1]).status_code == 401


def test_bodies_that_are_too_large(client_of: Callable[..., Client], journal: SqliteJournal) -> None:
    """Whether the length is announced or not, no more is read than is allowed; compressed bodies are refused."""
    client = client_of(limits=Limits(max_body=1000))

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    for content in (b" " * 1001, endless()):
        answer = client.post(WEBHOOK, content=content, headers=HEADERS)
        assert (answer.status_code, answer.json()) == (413, {"error": "The body is larger than 1000 bytes."})
    assert client.post(WEBHOOK, content=b"", headers={**HEADERS, "Content-Encoding": "gzip"}).status_code == 415
    assert parked(journal) == []


def send(
    app: Any,
    *messages: dict[str, Any],
    path: str = WEBHOOK,
    headers: Iterable[tuple[bytes, bytes]] = ((b"x-webhook-secret", SECRET.encode()),),
) -> int:
    """Post with the given messages of ASGI, after which nothing comes, and return the status of the answer."""
    sent: list[dict[str, Any]] = []
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    async def answer(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [*headers], "query_string": b"", "client": None}
    asyncio.run(app(scope, receive, answer))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (WEBHOOK, 401),
        ("/carriers/intelipost/mystore", 401),
        (HOOK, 408),
        ("/carriers/melhor_envio/mystore", 408),
    ],
)
def test_bodies_without_a_secret(bridge: Bridge, path: str, status: int) -> None:
    """They are not even read, except for a signature, or if they may be VTEX's ping."""
    app = create_app(bridge, limits=Limits(body_seconds=0.05))
    assert send(app, {"type": "http.request", "body": b"{", "more_body": True}, path=path, headers=()) == status


def test_test_messages_leave_the_rate_to_others(
    client_of: Callable[..., Client], journal: SqliteJournal, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can send them, so they have a separate, low limit, and no account is processed because of them."""
    woken: list[object] = []
    monkeypatch.setattr(bridge, "wake", woken.append)
    client = client_of(limits=Limits(posts_per_second=5))
    statuses = [client.post(HOOK, json=PING).status_code for _ in range(30)]
    assert ({*statuses}, woken) == ({200, 429}, [])
    assert client.post(HOOK, json=PING, headers=HEADERS).status_code == 200
    assert client.post(HOOK, json=order(), headers=HEADERS).status_code == 200
    assert len(OrdersToRead(journal, "mystore").requests()) == 1


def test_a_redirect_would_repeat_the_secret(client_of: Callable[..., Client]) -> None:
    """A path with a slash at its end is not found."""
    answer = client_of().post(f"{WEBHOOK}/{SECRET}/", content=BODY, headers={"Host": "tracking.example"})
    assert (answer.status_code, answer.headers.get("Location")) == (404, None)


def test_bodies_that_do_not_arrive(bridge: Bridge, journal: SqliteJournal) -> None:
    """A body that is too slow, or whose sender goes away, is not stored."""
    app = create_app(bridge, limits=Limits(body_seconds=0.05))
    part = {"type": "http.request", "body": BODY[:10], "more_body": True}
    assert send(app, part) == 408
    assert send(app, part, {"type": "http.disconnect"}) == 400
    assert parked(journal) == []


def test_large_headers(client_of: Callable[..., Client]) -> None:
    """Headers are limited as a whole."""
    answer = client_of().post(WEBHOOK, content=BODY, headers={**HEADERS, "X-Large": "x" * 16_384})
    assert (answer.status_code, answer.json()) == (431, {"error": "The headers are larger than 16384 bytes."})


def test_too_many_posts(client_of: Callable[..., Client], journal: SqliteJournal) -> None:
    """Above the rate, a sender is asked to wait; the posts of other sources are not affected."""
    client = client_of(limits=Limits(posts_per_second=0.5))
    assert client.post(WEBHOOK, content=BODY, headers=HEADERS).status_code == 200
    answer = client.post(WEBHOOK, content=BODY, headers=HEADERS)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) in {1, 2}
    assert client.post(HOOK, json=PING, headers=HEADERS).status_code == 200
    assert len(parked(journal)) == 2


def test_a_journal_that_cannot_be_used(
    client_of: Callable[..., Client], journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Senders are asked to repeat what was not stored."""

    def fail(*_: object) -> None:
        raise JournalUnavailableError("the disk is full")

    monkeypatch.setattr(journal, "execute", fail)
    client = client_of()
    for path, content in ((WEBHOOK, BODY), (HOOK, json.dumps(order()).encode())):
        answer = client.post(path, content=content, headers=HEADERS)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json() == {"error": "The post was not stored: send it again."}


def test_a_journal_that_does_not_answer(
    client_of: Callable[..., Client], journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Senders are answered in time; what is stored late is stored once, also if it comes again."""
    goes_on = threading.Event()
    execute = journal.execute

    def wait(*arguments: Any) -> None:
        goes_on.wait()
        execute(*arguments)

    monkeypatch.setattr(journal, "execute", wait)
    client = client_of(limits=Limits(answer_seconds=0.05))
    assert client.post(WEBHOOK, content=BODY, headers=HEADERS).status_code == 503
    goes_on.set()
    client = client_of()
    assert client.post(WEBHOOK, content=BODY, headers=HEADERS).status_code == 200
    assert len(parked(journal)) == 2


def test_too_many_posts_at_once(bridge: Bridge) -> None:
    """Those that cannot be read at once are asked to come again, before their bodies are read."""
    app = create_app(bridge, limits=Limits(in_memory=15, body_seconds=0.2))

    async def both() -> list[int]:
        part = {"type": "http.request", "body": BODY[:10], "more_body": True}
        return await asyncio.gather(*(asyncio.to_thread(send, app, part) for _ in range(2)))

    assert sorted(asyncio.run(both())) == [408, 503]


def test_memory_is_free_again_after_a_post(client_of: Callable[..., Client]) -> None:
    """Whether the post was stored or refused; otherwise, all later posts would be refused."""
    client = client_of(limits=Limits(in_memory=len(BODY)))
    for content, status in ((BODY, 200), (b"{", 400)) * 3:
        assert client.post(WEBHOOK, content=content, headers=HEADERS).status_code == status


def test_health(client_of: Callable[..., Client], bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is healthy as long as it answers; it is ready if the journal can be written to."""
    client = client_of()
    assert client.get("/health").json() == {"status": "ok"}
    assert (client.get("/ready").status_code, client.get("/ready").headers["Retry-After"]) == (503, "5")
    with bridge:
        assert client.get("/ready").json() == {"status": "ready"}

        def fail(_: object) -> None:
            raise JournalUnavailableError("the disk is full <now>")

        with monkeypatch.context() as patch:
            patch.setattr(bridge.journal, "execute", fail)
            assert client.get("/ready").json() == {"status": "ready"}  # it was, a moment ago
            patch.setattr(app, "_READY_INTERVAL", -1.0)
            client = client_of()
            assert client.get("/ready").json() == {"error": "The journal cannot be written to, or does not answer."}
            assert client.get("/health").status_code == 200
            assert "cannot be written to: <bdi>the disk is full &lt;now&gt;</bdi>" in client.get("/").text
        assert client.get("/ready").json() == {"status": "ready"}
        assert "cannot be written to" not in client.get("/").text
    assert not bridge.is_running()


def test_metrics_of_this_machine(client_of: Callable[..., Client]) -> None:
    """Without a password, only a request that was made on this machine is answered."""
    client = client_of()
    assert client.get("/metrics").headers["Content-Type"].startswith("text/plain; version=")
    for name, value in (
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 proxy"),
        ("Host", "tracking.example"),
    ):
        assert client.get("/metrics", headers={name: value}).status_code == 403
    assert client.get("/metrics", headers={"Host": "localhost"}).status_code == 200
    assert client.get("/metrics", headers={"Host": "[::1]"}).status_code == 200


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Basic " + b64encode(b"anybody:correct").decode(), 200),
        ("basic " + b64encode(b":correct").decode(), 200),
        ("Basic " + b64encode(b"correct").decode(), 401),
        ("Basic " + b64encode(b"anybody:wrong").decode(), 401),
        ("Basic \u00e9", 401),
        ("Bearer correct", 401),
    ],
)
def test_metrics_with_a_password(client_of: Callable[..., Client], authorization: str | None, status: int) -> None:
    """With a password, every request needs it."""
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    answer = client_of(password="correct").get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_page(client_of: Callable[..., Client], bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address without a path is the page, also that of a package; nothing is kept of it, and it has no script."""
    client = client_of()
    client.post(WEBHOOK, content=BODY, headers=HEADERS)
    answer = client.get("/")
    assert (answer.status_code, "mystore" in answer.text) == (200, True)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["Cache-Control"] == "no-store"
    answer = client.get("/", params={"find": "QB000000018BR"})
    assert (answer.status_code, "RO/01" in answer.text) == (200, True)
    assert client.get("/", params={"find": ""}).status_code == 200
    assert client.get("/", headers={"X-Real-IP": "192.0.2.1"}).status_code == 403

    def fail(*_: object) -> None:
        raise JournalUnavailableError("the database restarts")

    monkeypatch.setattr(bridge.reader, "_fetch_many", fail)
    answer = client.get("/", params={"find": "QB000000018BR"})
    assert (answer.status_code, answer.json()) == (503, {"error": "the database restarts"})


def test_log(client_of: Callable[..., Client], caplog: pytest.LogCaptureFixture) -> None:
    """Each post is logged with its answer, without a secret; of many refusals in a second, only some are."""
    caplog.set_level(logging.INFO, "vtex_tracking_ext.service")
    client = client_of()
    client.post(f"{WEBHOOK}/{SECRET}", content=BODY)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"mystore, correios: 200, {len(BODY)} bytes, ")
    assert (record.__dict__["source"], record.__dict__["events"]) == ("correios", 2)
    client.post(WEBHOOK, content=correios(("XX", "9", POSTED[2]), ("PO", "01", "never")), headers=HEADERS)
    assert "codes whose meaning is not known: XX/09" in caplog.text
    assert "dtHrCriado" in caplog.text
    caplog.clear()
    for _ in range(100):
        assert client.post(WEBHOOK, content=BODY).status_code == 401
    assert 0 < len(caplog.records) < 100
    assert SECRET not in caplog.text
    caplog.clear()
    client = client_of()
    for path in (f"/carriers/correios/{SECRET}", f"/carriers/{SECRET}/mystore", f"/vtex/hook/{SECRET}"):
        assert SECRET in client.post(path, content=BODY).json()["error"]
    assert "a post: 404: there is no source of this name" in caplog.text
    assert SECRET not in caplog.text


def test_an_unexpected_error_is_logged(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The sender is told that it is one, and nothing more."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bridge.intake, "receive_webhook", fail)
    sent: list[Any] = []

    async def post() -> None:
        scope = {"type": "http", "method": "POST", "path": f"{WEBHOOK}/{SECRET}", "headers": [], "query_string": b""}
        messages = [{"type": "http.request", "body": BODY}]

        async def receive() -> Any:
            return messages.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        await create_app(bridge)(scope, receive, send)

    with pytest.raises(ZeroDivisionError):  # for the server, which logs nothing of it
        asyncio.run(post())
    assert (sent[0]["status"], json.loads(sent[1]["body"])) == (500, {"error": "An unexpected error of the service."})
    (record,) = caplog.records
    assert record.exc_info is not None
    assert SECRET not in caplog.text


def test_log_of_what_cannot_be_read(client_of: Callable[..., Client], caplog: pytest.LogCaptureFixture) -> None:
    """It names the place, not the value, which may be the name of a person; each problem is logged once."""
    client, name = client_of(), "Maria d'Ávila"
    client.post(WEBHOOK, content=correios(("PO", name, POSTED[2]), ("PO", "01", name)), headers=HEADERS)
    note, codes = (record.getMessage() for record in caplog.records)
    assert note.startswith("mystore, correios: not read: objetos[0].eventos[")
    assert "codes whose meaning is not known: …" in codes
    caplog.clear()
    assert name in client.post(WEBHOOK, content=correios(("PO", "01", name)), headers=HEADERS).json()["error"]
    (record,) = caplog.records
    assert record.getMessage().startswith("mystore, correios: 422: ")
    assert (record.__dict__["account"], record.__dict__["source"]) == ("mystore", "correios")
    assert not re.search("Maria|vila", caplog.text)
