"""Parts of the service without sockets: payloads, secrets, and an HTTP client of the application."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from vtex_tracking_ext.config.secret import Secret
from vtex_tracking_ext.service import WebhookCheck

from support.carriers import sample

SECRET = "a secret of this test"
HEADERS = {"X-Webhook-Secret": SECRET}
CHECKS = {source: WebhookCheck((Secret(SECRET),)) for source in ("correios", "intelipost", "melhor_envio", "vtex")}


def correios(*events: tuple[str, str, str], code: str = "QB000000018BR") -> bytes:
    """Return a payload of Correios: events as code, type and time."""
    unit = {"tipo": "Agência", "endereco": {"cidade": "SAO PAULO", "uf": "SP"}}
    history = [
        {"codigo": name, "tipo": type_, "dtHrCriado": time, "descricao": f"{name} {type_}", "unidade": unit}
        for name, type_, time in reversed(events)
    ]
    return json.dumps({"objetos": [{"codObjeto": code, "eventos": history}]}).encode()


class Client:
    """Makes requests to an application, as from this machine.

    Args:
        app: The application.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Get an address."""
        return self._request("GET", path, options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Post to an address."""
        return self._request("POST", path, options)

    def _request(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("127.0.0.1", 50_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                return await client.request(method, path, **options)

        return asyncio.run(request())


POSTED = ("PO", "01", "2026-09-01T10:00:00")
ON_ITS_WAY = ("RO", "01", "2026-09-02T10:00:00")


def intelipost(order_id: str, code: str) -> bytes:
    """Return a payload of Intelipost that echoes an order id."""
    document = sample("intelipost.json")
    document["sales_order_number"], document["tracking_code"] = order_id, code
    document["invoice"] = {}
    return json.dumps(document).encode()
