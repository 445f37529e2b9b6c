"""What the wire tests send and expect: an update, answers as bytes, and calls whose end is looked at."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vtex_tracking_ext import (
    AsyncTrackingClient,
    RetryPolicy,
    TrackingEvent,
    TrackingReceipt,
    TrackingUpdate,
    VtexTrackingError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.answers import Twin

ORDER, INVOICE = "o-01", "000030711"
UPDATE = TrackingUpdate(ORDER, INVOICE, [TrackingEvent("2015-06-23", "Coletado", "Rio de Janeiro", "RJ")])

#: No second try, so that a test sees what one request comes to.
ONCE = RetryPolicy(attempts=1)

#: Three tries without a pause between them, whatever is tried again.
HASTY = RetryPolicy(attempts=3, first_wait=0, rate_limit_wait=0)

#: Seconds a call may take beyond its time-out before a test calls it late: threads of a busy machine need some.
GRACE = 3.0


def update(order_id: str) -> TrackingUpdate:
    """Return an update of another order."""
    return TrackingUpdate(order_id, INVOICE, UPDATE.events)


def receipt(order_id: str = ORDER, number: int = 1) -> bytes:
    """Return a receipt's JSON, as VTEX documents it."""
    body = {"date": "2017-03-29T18:04:31.0521233+00:00", "orderId": order_id, "receipt": f"{number:032x}"}
    return json.dumps(body).encode()


def order(*updates: TrackingUpdate) -> bytes:
    """Return an order's JSON on which updates stand."""
    packages = [
        {
            "invoiceNumber": each.invoice_number,
            "type": "Output",
            "courierStatus": {
                "finished": each.is_delivered,
                "data": [
                    {
                        "lastChange": f"{event.date}T00:00:00",
                        "description": event.description,
                        "city": event.city,
                        "state": event.state,
                    }
                    for event in reversed(each.events)
                ],
            },
        }
        for each in updates
    ]
    return json.dumps({"orderId": ORDER, "packageAttachment": {"packages": packages}}).encode()


def answer(status: int | str = 200, body: bytes | None = None, *headers: str, length: int | None = None) -> bytes:
    """Return an answer's bytes.

    Args:
        status: Its status, perhaps with a phrase.
        body: Its body; a receipt unless given.
        headers: Further header lines.
        length: The Content-Length it claims; the true one unless given, none at all where negative.
    """
    body = receipt() if body is None else body
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    if length is None or length >= 0:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


OK = answer()


def ended(client: Twin, *updates: TrackingUpdate) -> Any:
    """Send updates one after the other and return what the last came to: its receipt or its error."""
    result: TrackingReceipt | VtexTrackingError | None = None
    for each in updates or (UPDATE,):
        try:
            result = client.send(each)
        except VtexTrackingError as error:
            result = error
    return result


def ended_at_once(client: Twin, *updates: TrackingUpdate) -> list[Any]:
    """Send updates side by side (threads, or tasks) and return what each came to."""
    if isinstance(client.client, AsyncTrackingClient):

        async def gather() -> list[Any]:
            return await asyncio.gather(*map(client.client.send, updates), return_exceptions=True)

        results: list[Any] = client._runner.run(gather())
    else:
        with ThreadPoolExecutor(len(updates)) as threads:
            results = list(threads.map(lambda each: ended(client, each), updates))
    for result in results:
        assert isinstance(result, TrackingReceipt | VtexTrackingError), result
    return results


@contextmanager
def within(seconds: float, grace: float = GRACE) -> Iterator[None]:
    """Fail unless the block ends in time."""
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert took < seconds + grace, f"it took {took:.2f} s"
