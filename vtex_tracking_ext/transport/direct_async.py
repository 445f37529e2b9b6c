"""One request straight over our own connections, for asyncio: the twin of :mod:`.direct`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .direct import Address, DirectStub

if TYPE_CHECKING:
    from vtex_tracking_ext.config.server import Wiring

    from .connection_async import AsyncConnection
    from .pool_async import AsyncPool


class AsyncDirectStub(DirectStub):
    """Stands in for ``httpx.AsyncClient`` during one request."""

    def __init__(self, wiring: Wiring, seconds: float, address: Address, pool: AsyncPool[AsyncConnection]) -> None:
        super().__init__(wiring, seconds, address)
        self._pool = pool

    async def request(self, **arguments: Any) -> Any:
        """Send one request and read its answer."""
        request = self._bytes(arguments)
        try:
            async with asyncio.timeout(self._watch.left()):
                connection = await self._pool.take(self._watch)
                try:
                    await connection.exchange(request, self._reading)
                finally:
                    await self._pool.give_back(connection)
        except Exception as error:  # noqa: BLE001 - every exception is a fault; which, the watch tells
            self._settle(error)
        else:
            self._settle(None)
        return self._give()
