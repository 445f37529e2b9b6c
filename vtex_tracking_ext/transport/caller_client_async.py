"""Make one request through an asynchronous httpx client: the twin of :mod:`.caller_client`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httpx

from .caller_client import SEND_OPTIONS, HttpxExchange, UsedConnection, check_is_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.call.answer import Answer
    from vtex_tracking_ext.call.faults import Fault


#: A caller's own client.
AsyncHttpClient = httpx.AsyncClient


class AsyncHttpxExchange(HttpxExchange):
    """One request through an ``httpx.AsyncClient``."""

    async def send(self, http_client: httpx.AsyncClient) -> Answer | Fault:
        """Send a request and return its answer, or the fault."""

        async def trace(event: str, info: Mapping[str, Any]) -> None:  # httpcore awaits it
            self._trace(event, info)

        request = self._build(trace)
        if request is not None:
            deadline = asyncio.get_running_loop().time() + self._progress.seconds_left()
            try:
                async with asyncio.timeout_at(deadline):
                    response = await self._send_on_new_connection(http_client, request)
            except httpx.HTTPStatusError as error:  # raised by a caller's event hook; there is an answer all the same
                await self._read(error.response, deadline)
            except Exception as error:  # noqa: BLE001 - the progress says which fault it is
                check_is_fault(error)
                self.result = self.result or self._fault(error)
            else:
                await self._read(response, deadline)
        return cast("Answer | Fault", self.result)

    async def _send_on_new_connection(self, http_client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        while self._progress.seconds_left() > 0:
            with suppress(UsedConnection):  # see the synchronous twin
                return await http_client.send(request, **SEND_OPTIONS)
        raise TimeoutError

    async def _read(self, response: httpx.Response, deadline: float) -> None:
        body = self._receive_head(response)
        try:
            if self._has_content(response):
                return
            async with asyncio.timeout_at(deadline):
                async for piece in cast("httpx.AsyncByteStream", response.stream):
                    if not body.feed(piece):
                        break
                else:
                    body.end()
        except Exception as error:  # noqa: BLE001 - the status is known; only the body is cut off
            check_is_fault(error)
        finally:
            try:
                await response.aclose()
            except Exception as error:  # noqa: BLE001 - as above
                check_is_fault(error)
        self._keep(response.status_code, response.headers, body)
