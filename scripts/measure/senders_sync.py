"""How each synchronous subject sends one update: a function that makes it of so many events and reads its receipt.

Imports are made where they are needed, because a subject must load nothing but itself.

httpx keeps its own number of connections, because with more of them it takes longer to find one; the others may have as
many as there are updates in flight.
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
    MOST,
    ORDER,
    PATH,
    STATE,
    body,
    check,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Send = Callable[[int], None]


def _ours(url: str) -> Send:
    from vtex_tracking_ext import TrackingClient, TrackingEvent, TrackingUpdate

    client = TrackingClient(ACCOUNT, app_key=APP_KEY, app_token=APP_TOKEN, base_url=url, max_connections=MOST)

    def send(events: int) -> None:
        told = [TrackingEvent(DATE, DESCRIPTION, CITY, STATE) for _ in range(events)]
        check(client.send(TrackingUpdate(ORDER, INVOICE, told)).receipt or "")

    return send


def _bare(url: str) -> Send:
    from vtex_oms_client import Client
    from vtex_oms_client.api.tracking import update_tracking_status
    from vtex_oms_client.models import Event, UpdateTrackingStatusRequest

    client = Client(base_url=url, headers=dict(HEADERS), httpx_args={"trust_env": False})

    def send(events: int) -> None:
        told = [Event(CITY, STATE, DESCRIPTION, DATE) for _ in range(events)]
        update = UpdateTrackingStatusRequest(is_delivered=False, delivered_date=None, events=told)
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

    pool = urllib3.PoolManager(maxsize=MOST, headers=HEADERS)

    def send(events: int) -> None:
        check(pool.request("PUT", url + PATH, json=body(events)).json()["receipt"])

    return send


def _generator(url: str) -> Send:
    import oag_urllib3 as oag

    keys = {"appKey": APP_KEY, "appToken": APP_TOKEN}
    api = oag.TrackingApi(oag.ApiClient(oag.Configuration(host=url, api_key=keys, connection_pool_maxsize=MOST)))

    def send(events: int) -> None:
        told = [oag.Event(city=CITY, state=STATE, description=DESCRIPTION, date=DATE) for _ in range(events)]
        update = oag.UpdateTrackingStatusRequest(isDelivered=False, deliveredDate=None, events=told)
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


#: Name -> what makes a function that sends to a server.
MAKERS: dict[str, Callable[[str], Send]] = {
    FAST: _ours,
    OURS: _ours,
    BARE: _bare,
    HTTPX: _httpx,
    URLLIB3: _urllib3,
    GENERATOR["sync"]: _generator,
    VTEXPY: _vtexpy,
}
