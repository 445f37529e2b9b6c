"""The transport of a client, imported and made with the client's first call, because importing it takes long."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from .route import route_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtex_tracking_ext.config.server import Server

    from .route import Route


class _Transport(Protocol):
    def close(self) -> None:
        """Close the connections."""


T = TypeVar("T", bound=_Transport)
H = TypeVar("H")


class LazyTransport(Generic[T, H]):
    """Makes the transport when it is first used. There is no lock: see :mod:`.pool`.

    Args:
        make: Makes the transport.
        server: The server, and how to reach it.
        http_client: A caller's client to send through, or None.

    Raises:
        ConfigurationError: The proxy, the file of certificates, or ``http_client`` cannot be used.
    """

    def __init__(
        self, make: Callable[[Server, Route | None, H | None], T], server: Server, http_client: H | None
    ) -> None:
        route = route_to(server) if http_client is None else None
        self._make: Final = partial(make, server, route, http_client)
        self._made: Final[dict[str, T]] = {}
        self._is_closed = False
        if http_client is not None:
            self.open()

    def open(self) -> T:
        """Return the transport; threads that need it at the same moment get the same one."""
        made = self._made.get("transport") or self._made.setdefault("transport", self._make())
        if self._is_closed:
            made.close()
        return made

    def close(self) -> None:
        """Close the transport; its next use raises ConfigurationError."""
        self._is_closed = True
        for made in self._made.values():
            made.close()
