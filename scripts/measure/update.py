"""The update that every subject sends, and the account's headers. Imports nothing that is measured."""

from __future__ import annotations

#: The most that is ever in flight, and the connections that a subject may have.
MOST = 128

ACCOUNT = "bench"
#: As long as VTEX's are, and made up.
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
    """Return the update as JSON has it, made anew: a real one is never the same twice."""
    event = {"city": CITY, "state": STATE, "description": DESCRIPTION, "date": DATE}
    return {"isDelivered": False, "deliveredDate": None, "events": [dict(event) for _ in range(events)]}


def check(receipt: str) -> None:
    """See that the answer was read to its end and understood.

    Raises:
        ValueError: It was not.
    """
    if receipt != "0" * 32:
        raise ValueError(f"this is not the server's receipt: {receipt!r}")
