"""One request through httpx, for asyncio: the twin of :mod:`.caller_client`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httpx

from .caller_client import HttpxStub, UsedConnection

if TYPE_CHECKING:
    from collections.abc import Mapping


class AsyncHttpxStub(HttpxStub):
    """Stands in for ``httpx.AsyncClient`` during one request."""

    @property
    def _trace(self) -> Any:
        """Return the same for httpcore's async connections, which await it."""

        async def see(event: str, info: Mapping[str, Any]) -> None:
            self._see(event, info)

        return see

    async def request(self, **arguments: Any) -> Any:
        """Send one request and read its answer."""
        request = self._build(arguments)
        deadline = asyncio.get_running_loop().time() + self._watch.left()
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._sent(request)
        except httpx.HTTPStatusError as error:  # a caller's event hook; the answer is an answer all the same
            response = error.response
        except Exception as error:  # noqa: BLE001 - every exception is a fault; which, the watch tells
            self._end(self.result or self._fault(error))
        await self._read(response, deadline)
        return self._give()

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        while self._watch.left() > 0:
            with suppress(UsedConnection):  # see the synchronous twin
                response: httpx.Response = await self._send(request)
                return response
        raise TimeoutError

    async def _read(self, response: httpx.Response, deadline: float) -> None:
        body = self._head(response)
        try:
            if self._read_already(response):
                return
            async with asyncio.timeout_at(deadline):
                async for piece in cast("httpx.AsyncByteStream", response.stream):
                    if not body.feed(piece):
                        break
                else:
                    body.end()
        except Exception:  # noqa: BLE001, S110 - the status has been said; what is cut is the body
            pass
        finally:
            with suppress(Exception):
                await response.aclose()
        self._keep(response.status_code, response.headers, body)
