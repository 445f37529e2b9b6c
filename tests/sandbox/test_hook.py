"""VTEX's hook, as the sandbox plays it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.sandbox import APP_KEY, OmsError, configure_hook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.testing import VtexSandbox


class Receiver(HTTPServer):
    """Answers each request with a status, and keeps the bodies."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.received: list[tuple[str | None, dict[str, object]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.headers["X-Key"], body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return a running receiver of notifications."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.01,))
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def test_a_hook_is_pinged_before_it_is_stored(receiver: Receiver) -> None:
    """With the headers of its configuration; any answer but 200 is VTEX's 400."""
    configure_hook(receiver.url, {"X-Key": "k"})
    assert receiver.received == [("k", {"hookConfig": "ping"})]
    receiver.status = 201
    with pytest.raises(OmsError) as caught:
        configure_hook(receiver.url)
    assert caught.value.status == 400


def test_an_order_is_notified(receiver: Receiver, vtex_sandbox: VtexSandbox) -> None:
    """The body is that of VTEX's reference; whether it was answered with 200 is returned."""
    vtex_sandbox.add_order("o-01", ["1"], status="handling")
    vtex_sandbox.change_status("o-01", "invoiced")
    assert vtex_sandbox.notify_hook(receiver.url, "o-01")
    ((_, body),) = receiver.received
    assert str(body.pop("LastChange")) <= str(body.pop("CurrentChange"))
    assert body == {
        "Domain": "Fulfillment",
        "OrderId": "o-01",
        "State": "invoiced",
        "LastState": "handling",
        "Origin": {"Account": "sandbox", "Key": APP_KEY},
    }
    receiver.status = 500
    assert not vtex_sandbox.notify_hook(receiver.url, "o-01")
    assert not vtex_sandbox.notify_hook("http://127.0.0.1:1", "o-01")  # nothing listens there
