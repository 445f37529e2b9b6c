"""The update that every subject sends, and the credentials. This module imports no measured package."""

from __future__ import annotations

#: Maximum concurrency, and maximum number of connections of a subject.
POOL_SIZE = 128

ACCOUNT = "bench"
#: Not real, but as long as those of VTEX.
APP_KEY = "vtexappkey-bench-ABCDEF"
APP_TOKEN = "ABCDEFGH" * 10
HEADERS = {"X-VTEX-API-AppKey": APP_KEY, "X-VTEX-API-AppToken": APP_TOKEN}

ORDER = "1172452900788-01"
INVOICE = "000030711"
PATH = f"/api/oms/pvt/orders/{ORDER}/invoice/{INVOICE}/tracking"

DATE = "2026-10-01"
DESCRIPTION = "Objeto em trânsito - por favor aguarde"
CITY = "São Paulo"
STATE = "SP"


def body(events: int) -> dict[str, object]:
    """Return a new JSON document of the update, as every real update differs."""
    event = {"city": CITY, "state": STATE, "description": DESCRIPTION, "date": DATE}
    return {"isDelivered": False, "deliveredDate": None, "events": [dict(event) for _ in range(events)]}


def check(receipt: str) -> None:
    """Check that the response was read and parsed.

    Raises:
        ValueError: The receipt is not the server's.
    """
    if receipt != "0" * 32:
        raise ValueError(f"not the server's receipt: {receipt!r}")
