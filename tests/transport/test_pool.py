"""The state of a pool, when other threads run between two of its steps."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import AsyncTrackingClient, TrackingClient
from vtex_tracking_ext.transport.pool import PoolRequest, PoolState

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


def state_with(*idle: FakeConnection) -> PoolState[FakeConnection]:
    """Return a state with idle connections that other threads take at the last moment."""
    state: PoolState[FakeConnection] = PoolState(1)
    state._idle = RacedDeque(idle)
    return state


def test_an_idle_connection_that_another_thread_takes_first_is_not_used() -> None:
    """The request then opens a connection of its own."""
    pool_request: PoolRequest[FakeConnection] = PoolRequest()
    assert state_with(FakeConnection(time.monotonic() + 60)).acquire_idle(pool_request) is False
    assert pool_request.held == []


def test_an_expired_connection_that_another_thread_takes_first_is_left_to_it() -> None:
    """Releasing a request does not fail."""
    pool_request: PoolRequest[FakeConnection] = PoolRequest()
    expired = FakeConnection(1.0)
    state_with(expired).release(pool_request)
    assert pool_request.released
    assert not expired.closed


def test_closing_leaves_to_another_thread_what_it_takes_first() -> None:
    """Closing does not fail, and later connections are closed when they are given back."""
    state = state_with(FakeConnection(time.monotonic() + 60))
    state.close()
    pool_request: PoolRequest[FakeConnection] = PoolRequest()
    pool_request.held.append(late := FakeConnection(time.monotonic() + 60))
    state._idle = deque()
    state.release(pool_request)
    assert late.closed


def test_a_forked_process_closes_connections_in_use() -> None:
    """A call of the parent's is in progress on them, or it is the call that forked; the pool has no requests."""
    state: PoolState[FakeConnection] = PoolState(1)
    pool_request: PoolRequest[FakeConnection] = PoolRequest()
    state.requests[pool_request] = None
    pool_request.held.append(used := FakeConnection(0.0))
    state.reset()
    assert used.closed
    assert not state.requests


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
def test_an_interrupt_while_a_connection_is_given_back_leaves_the_rest_to_a_second_try(
    twin: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch, kind: type
) -> None:
    """The interrupt is raised, and the connection is free for another request."""
    release, interrupts = PoolState.release, [KeyboardInterrupt()]

    def interrupted(state: PoolState[Any], pool_request: PoolRequest[Any]) -> None:
        if interrupts:
            raise interrupts.pop()
        release(state, pool_request)

    with answering_server() as server:
        client = twin(kind, "mystore", user_token="MADEUP", base_url=server.url, max_connections=1, timeout=5)
        monkeypatch.setattr(PoolState, "release", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.send(UPDATE)
        assert client.send(UPDATE).applied is True
        assert server.connections == 1
