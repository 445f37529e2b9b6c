"""How each synchronous subject sends an update of some events and reads its receipt.

Each subject imports only its own package. httpx keeps its default number of connections, because it is slower with
more; the others may open one connection per concurrent update.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .names import BARE, FAST, GENERATOR, HTTPX, OURS, URLLIB3, VTEXPY
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
    from collections.abc import Callable

    Send = Callable[[int], None]


def _ours(url: str) -> Send:
    from vtex_tracking_ext import TrackingClient, TrackingEvent, TrackingUpdate

    client = TrackingClient(ACCOUNT, app_key=APP_KEY, app_token=APP_TOKEN, base_url=url, max_connections=POOL_SIZE)

    def send(events: int) -> None:
        sent_events = [TrackingEvent(DATE, DESCRIPTION, CITY, STATE) for _ in range(events)]
        check(client.send(TrackingUpdate(ORDER, INVOICE, sent_events)).receipt or "")

    return send


def _bare(url: str) -> Send:
    from vtex_oms_client import Client
    from vtex_oms_client.api.tracking import update_tracking_status
    from vtex_oms_client.models import Event, UpdateTrackingStatusRequest

    client = Client(base_url=url, headers=dict(HEADERS), httpx_args={"trust_env": False})

    def send(events: int) -> None:
        sent_events = [Event(CITY, STATE, DESCRIPTION, DATE) for _ in range(events)]
        update = UpdateTrackingStatusRequest(is_delivered=False, delivered_date=None, events=sent_events)
        response: Any = update_tracking_status.sync_detailed(ORDER, INVOICE, client=client, body=update)
        check(response.parsed.receipt)

    return send


def _httpx(url: str) -> Send:
    import httpx

    client = httpx.Client(headers=HEADERS, trust_env=False)

    def send(events: int) -> None:
        check(client.put(url + PATH, json=body(events)).json()["receipt"])

    return send


def _urllib3(url: str) -> Send:
    import urllib3

    pool = urllib3.PoolManager(maxsize=POOL_SIZE, headers=HEADERS)

    def send(events: int) -> None:
        check(pool.request("PUT", url + PATH, json=body(events)).json()["receipt"])

    return send


def _generator(url: str) -> Send:
    import oag_urllib3 as oag

    keys = {"appKey": APP_KEY, "appToken": APP_TOKEN}
    api = oag.TrackingApi(oag.ApiClient(oag.Configuration(host=url, api_key=keys, connection_pool_maxsize=POOL_SIZE)))

    def send(events: int) -> None:
        sent_events = [oag.Event(city=CITY, state=STATE, description=DESCRIPTION, date=DATE) for _ in range(events)]
        update = oag.UpdateTrackingStatusRequest(isDelivered=False, deliveredDate=None, events=sent_events)
        check(api.update_tracking_status(ORDER, INVOICE, update).receipt)

    return send


def _vtexpy(url: str) -> Send:
    import vtex
    from vtex._api import base

    # It calls https://api.vtex.com alone, so the function that joins the parts of an address gives ours instead.
    base.join_url = lambda *_: url + PATH
    client = vtex.VTEX(vtex.VTEXConfig(account_name=ACCOUNT, app_key=APP_KEY, app_token=APP_TOKEN))

    def send(events: int) -> None:
        check(client.custom.request("PUT", PATH, json=body(events)).data["receipt"])

    return send


#: Name -> a function that connects to a server and returns the function that sends an update.
SENDERS: dict[str, Callable[[str], Send]] = {
    FAST: _ours,
    OURS: _ours,
    BARE: _bare,
    HTTPX: _httpx,
    URLLIB3: _urllib3,
    GENERATOR["sync"]: _generator,
    VTEXPY: _vtexpy,
}
