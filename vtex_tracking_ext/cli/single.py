"""Commands about one package or one order: update, deliver, packages."""

from __future__ import annotations

import codecs
import json
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from attrs import asdict

from vtex_tracking_ext.call.order_lookup import can_be_explained, explain_refusal
from vtex_tracking_ext.errors import InvalidUpdateError, Problem, RefusedError, VtexTrackingError
from vtex_tracking_ext.events import TrackingEvent
from vtex_tracking_ext.text import visible

from .accounts import make_client
from .exit_codes import ExitCode
from .output import say, warn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.events import Package, PackageEvent, TrackingReceipt

#: DATE DESCRIPTION [CITY [STATE]]
_EVENT_PARTS = range(2, 5)


def update(parsed: argparse.Namespace) -> ExitCode:
    """Add events to a package."""
    events = _events(parsed.events)
    with make_client(parsed) as client, _explained_refusal(parsed, client):
        receipt = client.update(parsed.order_id, parsed.invoice_number, events=events)
    _print_receipt(receipt)
    return ExitCode.OK


def deliver(parsed: argparse.Namespace) -> ExitCode:
    """Report a package as delivered."""
    events = _events(parsed.events)
    with make_client(parsed) as client, _explained_refusal(parsed, client):
        receipt = client.mark_delivered(
            parsed.order_id, parsed.invoice_number, delivered_date=parsed.delivered_date, events=events
        )
    _print_receipt(receipt)
    return ExitCode.OK


def packages(parsed: argparse.Namespace) -> ExitCode:
    """Show the packages of an order. The status is INCOMPLETE if they could not be printed completely."""
    with make_client(parsed) as client:
        found = client.get_packages(parsed.order_id)
    text = _json_text(found) if parsed.json else "\n".join(_timeline(parsed.order_id, found))
    if not say(text):
        warn("vtex-tracking packages: standard output cannot be written.")
        return ExitCode.INCOMPLETE
    return ExitCode.OK


def _events(options: list[list[str]]) -> list[TrackingEvent]:
    wrong = [index for index, parts in enumerate(options) if len(parts) not in _EVENT_PARTS]
    if wrong:
        message = "expected DATE DESCRIPTION [CITY [STATE]]; quote values that contain spaces"
        raise InvalidUpdateError(problems=[Problem(f"--event number {index + 1}", message) for index in wrong])
    return [TrackingEvent(*parts) for parts in options]


@contextmanager
def _explained_refusal(parsed: argparse.Namespace, client: TrackingClient) -> Iterator[None]:
    """Let the error of a refusal say what is wrong with the invoice, if the order can be read and shows that."""
    try:
        yield
    except RefusedError as error:
        if can_be_explained(error):
            with suppress(VtexTrackingError):
                packages = client.get_packages(parsed.order_id)
                error.args = (explain_refusal(error, parsed.order_id, parsed.invoice_number, packages),)
        raise


def _json_text(found: tuple[Package, ...]) -> str:
    """Return packages as JSON, with escapes for what is not printable, or not in the output's encoding."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    document = [asdict(package) for package in found]
    text = json.dumps(document, indent=2, ensure_ascii=codecs.lookup(encoding).name != "utf-8")
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _print_receipt(receipt: TrackingReceipt) -> None:
    """Print a receipt, on standard error if standard output fails."""
    date = receipt.date.isoformat() if receipt.date else "time unknown"
    note = f" ({receipt.note})" if receipt.note else ""
    line = f"applied: order {receipt.order_id or 'unknown'}, receipt {receipt.receipt or 'unknown'}, {date}{note}"
    if not say(line):
        warn(line)


def _timeline(order_id: str, found: tuple[Package, ...]) -> Iterator[str]:
    yield f"order {order_id}: {len(found)} package{'' if len(found) == 1 else 's'}"
    for package in found:
        parts = [f"invoice {visible(package.invoice_number or 'unknown')}"]
        parts += [visible(text) for text in (package.courier, package.tracking_number) if text]
        if package.type == "Input":
            parts.append("return")
        parts.append(_delivery(package))
        yield "  " + ", ".join(parts)
        yield from (f"    {_event_line(event)}" for event in package.events)


def _delivery(package: Package) -> str:
    if not package.finished:
        return "in transit" if package.tracking_number else "no tracking number"
    return f"delivered {visible(package.delivered_date)}" if package.delivered_date else "delivered"


def _event_line(event: PackageEvent) -> str:
    where = "/".join(visible(part) for part in (event.city, event.state) if part)
    return f"{visible(event.date) or 'no date'}  {visible(event.description, 200)}{where and f' ({where})'}"
