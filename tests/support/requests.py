"""Observe the requests that the package builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.transport import caller_client, request, transport, transport_async

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from vtex_tracking_ext.call.operations import Call
    from vtex_tracking_ext.config.server import Server

BUILD = request.build_request


def observe_requests(monkeypatch: pytest.MonkeyPatch, observe: Callable[[request.Request, Server], object]) -> None:
    """Call a function with each request that is built, before it leaves."""

    def build_and_observe(call: Call, server: Server) -> request.Request:
        built = BUILD(call, server)
        observe(built, server)
        return built

    for module in (caller_client, transport, transport_async):
        monkeypatch.setattr(module, "build_request", build_and_observe)
