"""How each asynchronous subject sends an update; see :mod:`.senders_sync`. Clients are made in the running loop."""
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .names import AIOHTTP, BARE, FAST, GENERATOR, HTTPX, OURS
from .update import (
    ACCOUNT,
    APP_KEY,
    APP_TOKEN,
    CITY,
    DATE,
    DESCRIPTION,
    HEADERS,
    INVOICE,
    ORDER,
    PATH,
    POOL_SIZE,
    STATE,
    body,
    check,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Send = Callable[[int], Coroutine[Any, Any, None]]


async def _ours(url: str) -> Send:
    from vtex_tracking_ext import AsyncTrackingClient, TrackingEvent, TrackingUpdate

    client = AsyncTrackingClient(ACCOUNT, app_key=APP_KEY, app_token=APP_TOKEN, base_url=url, max_connections=POOL_SIZE)

    async def send(events: int) -> None:
        sent_events = [TrackingEvent(DATE, DESCRIPTION, CITY, STATE) for _ in range(events)]
        check((await client.send(TrackingUpdate(ORDER, INVOICE, sent_events))).receipt or "")

    return send


async def _bare(url: str) -> Send:
    from vtex_oms_client import Client
    from vtex_oms_client.api.tracking import update_tracking_status
    from vtex_oms_client.models import Event, UpdateTrackingStatusRequest

    client = Client(base_url=url, headers=dict(HEADERS), httpx_args={"trust_env": False})

    async def send(events: int) -> None:
        sent_events = [Event(CITY, STATE, DESCRIPTION, DATE) for _ in range(events)]
        update = UpdateTrackingStatusRequest(is_delivered=False, delivered_date=None, events=sent_events)
        response: Any = await update_tracking_status.asyncio_detailed(ORDER, INVOICE, client=client, body=update)
        check(response.parsed.receipt)

    return send


async def _httpx(url: str) -> Send:
    import httpx

    client = httpx.AsyncClient(headers=HEADERS, trust_env=False)

    async def send(events: int) -> None:
        check((await client.put(url + PATH, json=body(events))).json()["receipt"])

    return send


async def _aiohttp(url: str) -> Send:
    import aiohttp

    session = aiohttp.ClientSession(headers=HEADERS, connector=aiohttp.TCPConnector(limit=POOL_SIZE))

    async def send(events: int) -> None:
        async with session.put(url + PATH, json=body(events)) as response:
            check((await response.json())["receipt"])

    return send


async def _generator(url: str) -> Send:
    import oag_asyncio as oag

    keys = {"appKey": APP_KEY, "appToken": APP_TOKEN}
    api = oag.TrackingApi(oag.ApiClient(oag.Configuration(host=url, api_key=keys, connection_pool_maxsize=POOL_SIZE)))

    async def send(events: int) -> None:
        sent_events = [oag.Event(city=CITY, state=STATE, description=DESCRIPTION, date=DATE) for _ in range(events)]
        update = oag.UpdateTrackingStatusRequest(isDelivered=False, deliveredDate=None, events=sent_events)
        check((await api.update_tracking_status(ORDER, INVOICE, update)).receipt)

    return send


#: Name -> a function that connects to a server and returns the function that sends an update.
SENDERS: dict[str, Callable[[str], Coroutine[Any, Any, Send]]] = {
    FAST: _ours,
    OURS: _ours,
    BARE: _bare,
    HTTPX: _httpx,
    AIOHTTP: _aiohttp,
    GENERATOR["async"]: _generator,
}
