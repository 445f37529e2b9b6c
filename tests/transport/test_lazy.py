"""The transport that is made with the first call."""

from __future__ import annotations

from typing import Any

from vtex_tracking_ext.config.redaction import Redactor
from vtex_tracking_ext.config.server import Server
from vtex_tracking_ext.transport.lazy import LazyTransport

SERVER = Server("https://mystore.example", {}, Redactor())


class Made:
    """A transport that counts how often it is closed."""

    def __init__(self, *arguments: Any) -> None:
        self.server, self.route, self.http_client = arguments
        self.closed = 0

    def close(self) -> None:
        """Count."""
        self.closed += 1


def test_the_transport_is_made_when_it_is_first_used() -> None:
    """It gets the server and its route, and is made once."""
    made: list[Made] = []

    def make(*arguments: Any) -> Made:
        made.append(Made(*arguments))
        return made[-1]

    lazy = LazyTransport[Made, None](make, SERVER, None)
    assert made == []
    assert lazy.open() is lazy.open()
    assert len(made) == 1
    assert (made[0].server, made[0].route.host, made[0].http_client) == (SERVER, "mystore.example", None)


def test_calls_that_begin_at_the_same_moment_use_one_transport() -> None:
    """While one is being made, another call makes and uses its own, and then both use that one."""
    made: list[Made] = []
    opened: list[Made] = []

    def make(*arguments: Any) -> Made:
        made.append(Made(*arguments))
        mine = made[-1]
        if len(made) == 1:
            opened.append(lazy.open())
        return mine

    lazy = LazyTransport[Made, None](make, SERVER, None)
    assert lazy.open() is opened[0] is made[1]


def test_a_callers_client_is_checked_at_once() -> None:
    """The transport over a caller's client is made immediately, without a route."""
    made: list[Made] = []

    def make(*arguments: Any) -> Made:
        made.append(Made(*arguments))
        return made[-1]

    LazyTransport[Made, str](make, SERVER, "client")
    assert [(each.route, each.http_client) for each in made] == [(None, "client")]


def test_a_closed_transport_is_closed_when_it_is_made_later() -> None:
    """Closing before the first call makes nothing; the first call then gets a closed transport."""
    lazy = LazyTransport[Made, None](Made, SERVER, None)
    lazy.close()
    assert lazy.open().closed == 1
    lazy.close()
    assert lazy.open().closed == 3
