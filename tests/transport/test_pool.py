"""The places of a pool, when other threads come between two of its steps."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import AsyncTrackingClient, TrackingClient
from vtex_tracking_ext.transport.pool import Lease, Places

from support.interrupts import answering_server
from wire.calls import UPDATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.answers import Twin


class FakeConnection:
    """A connection that is never connected."""

    def __init__(self, expires: float) -> None:
        self.expires = expires
        self.closed = False

    def is_stale(self) -> bool:
        """Return False."""
        return False

    def close(self) -> None:
        """Record it."""
        self.closed = True


class RacedDeque(deque[Any]):
    """A deque whose last element another thread takes after each look at its length."""

    def __len__(self) -> int:
        length = super().__len__()
        if length:
            super().pop()
        return length


def places_with(*idle: FakeConnection) -> Places[FakeConnection]:
    """Return places with idle connections that other threads take at the last moment."""
    places: Places[FakeConnection] = Places(1)
    places._idle = RacedDeque(idle)
    return places


def test_an_idle_connection_that_another_thread_takes_first_is_not_used() -> None:
    """The request then opens a connection of its own."""
    lease: Lease[FakeConnection] = Lease()
    assert places_with(FakeConnection(time.monotonic() + 60)).take_idle(lease) is False
    assert lease.held == []


def test_an_expired_connection_that_another_thread_takes_first_is_left_to_it() -> None:
    """Giving back a lease does not fail."""
    lease: Lease[FakeConnection] = Lease()
    expired = FakeConnection(1.0)
    places_with(expired).give_back(lease)
    assert lease.ended
    assert not expired.closed


def test_closing_leaves_to_another_thread_what_it_takes_first() -> None:
    """Closing does not fail, and later connections are closed when they are given back."""
    places = places_with(FakeConnection(time.monotonic() + 60))
    places.close()
    lease: Lease[FakeConnection] = Lease()
    lease.held.append(late := FakeConnection(time.monotonic() + 60))
    places._idle = deque()
    places.give_back(lease)
    assert late.closed


def test_a_forked_process_closes_connections_in_use() -> None:
    """A call of the parent's is in progress on them, or it is the call that forked; the places are free."""
    places: Places[FakeConnection] = Places(1)
    lease: Lease[FakeConnection] = Lease()
    places.leases[lease] = None
    lease.held.append(used := FakeConnection(0.0))
    places.reset()
    assert used.closed
    assert not places.leases


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
def test_an_interrupt_while_a_connection_is_given_back_leaves_the_rest_to_a_second_try(
    twin: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    """The interrupt is raised, and the connection and its place are free."""
    give_back, interrupts = Places.give_back, [KeyboardInterrupt()]

    def interrupted(places: Places[Any], lease: Lease[Any]) -> None:
        if interrupts:
            raise interrupts.pop()
        give_back(places, lease)

    with answering_server() as server:
        client = twin(kind, "mystore", user_token="MADEUP", base_url=server.url, max_connections=1, timeout=5)
        monkeypatch.setattr(Places, "give_back", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.send(UPDATE)
        assert client.send(UPDATE).applied is True
        assert server.connections == 1
