"""The web page: orders and package timelines, the latest requests, and faults. The browser refreshes it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from attrs import frozen
from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

from vtex_tracking_ext.text import visible

from .faults import OPERATIONS
from .keys import client_environment
from .orders import duplicates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .oms import Oms
    from .received import ReceivedRequest

#: Largest numbers of orders and of requests on the page.
MAX_ORDERS: Final = 50
MAX_SHOWN_REQUESTS: Final = 50

#: Largest number of characters of a body on the page.
_MAX_TEXT: Final = 6000

#: The page's faults in the grammar of :func:`.parse_fault`, with their meaning.
_FAULTS: Final = {
    "cut": "Apply, then cut the connection",
    "500-after": "Apply, then answer 500",
    "503-after": "Apply, then answer 503",
    "slow=30": "Apply, and answer 30 seconds later",
    "cut-before": "Cut the connection, apply nothing",
    "500": "Answer 500, apply nothing",
    "429": "Answer 429 without Retry-After",
    "429=5": "Answer 429 with Retry-After: 5",
    "401": "Answer 401: wrong credentials",
    "403": "Answer 403: a resource is missing",
    "404": "Answer 404: unknown order",
}

#: What the page calls the operations that clients use most; the others have the names of the client's methods.
_OPERATIONS: Final = {
    "send": "updates",
    "get_packages": "reading an order",
    "set_tracking_number": "setting a tracking number",
}

_TEMPLATES: Final = Environment(
    loader=ChoiceLoader([PackageLoader("vtex_tracking_ext.sandbox"), PackageLoader("vtex_tracking_ext")]),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@frozen
class _Package:
    """A package as the page shows it; ``duplicates`` says of each event, newest first, whether it is one."""

    shown: Mapping[str, Any]
    duplicates: list[bool]

    @property
    def badge(self) -> tuple[str, str]:
        """The style and the text of its state."""
        status = self.shown["courierStatus"]
        if self.shown["type"] == "Input":
            return "off", "return"
        if status and status["finished"]:
            return "good", f"delivered {_moment(status['deliveredDate'])}".rstrip()
        if not self.shown["trackingNumber"]:
            return "bad", "no tracking number"
        return "wait", "in transit" if status else "no updates yet"

    @property
    def text(self) -> str:
        """Everything that a search finds."""
        duplicate = "duplicate" if any(self.duplicates) else ""
        return f"{json.dumps(self.shown, ensure_ascii=False)} {self.badge[1]} {duplicate}"


@frozen
class _Order:
    """An order as the page shows it."""

    shown: Mapping[str, Any]
    packages: list[_Package]

    @property
    def changed(self) -> str:
        """When its newest event was accepted; an empty text if it has none."""
        statuses = (package.shown["courierStatus"] for package in self.packages)
        return max((status["data"][0]["createDate"] for status in statuses if status and status["data"]), default="")

    def matches(self, query: str) -> bool:
        """Return whether it contains a text, which is in lower case."""
        texts = [self.shown["orderId"], self.shown["status"], *(package.text for package in self.packages)]
        return query in "\n".join(texts).lower()


def render(oms: Oms, nonce: str, url: str, query: str) -> str:
    """Return the page's HTML.

    Args:
        oms: The order system to show.
        nonce: Allows the page's style and script in the content security policy.
        url: The sandbox's address, as the browser knows it.
        query: The orders that contain this text are shown, and their requests, and other requests that contain it; all,
            if it is empty.
    """
    orders = [_order(shown) for shown in oms.all_orders()]
    sought = query.strip().lower()
    found = [order for order in orders if not sought or order.matches(sought)]
    newest = {id(order) for order in sorted(found, key=lambda order: order.changed, reverse=True)[:MAX_ORDERS]}
    ids = {order.shown["orderId"] for order in found}
    requests = [each for each in reversed(list(oms.received)) if not sought or _matches(each, sought, ids)]
    return _TEMPLATES.get_template(
        "page.html"
    ).render(
        nonce=nonce,
        style=Markup(_TEMPLATES.get_template("page.css").render()),  # noqa: S704 - the package's own file
        query=query,
        environment=client_environment(url),
        example=_example(orders),
        orders=[order for order in found if id(order) in newest],
        left_out=len(found) - len(newest),
        requests=requests[:MAX_SHOWN_REQUESTS],
        requests_left_out=max(len(requests) - MAX_SHOWN_REQUESTS, 0),
        counts=_counts(orders),
        waiting=oms.faults.waiting(),
        faults=_FAULTS,
        operations={name: _OPERATIONS.get(name, name) for name in OPERATIONS},
        day=lambda text: text[:10],
        time=_time,
        text=_text,
        visible=visible,
    )


def _order(shown: Mapping[str, Any]) -> _Order:
    packages = []
    for package in shown["packageAttachment"]["packages"]:
        status = package["courierStatus"]
        data = status["data"] if status else []
        packages.append(_Package(package, duplicates(data[::-1])[::-1]))
    return _Order(shown, packages)


def _counts(orders: Iterable[_Order]) -> dict[str, int]:
    orders = list(orders)
    packages = [package for order in orders for package in order.packages if package.shown["type"] == "Output"]
    statuses = [package.shown["courierStatus"] for package in packages if package.shown["courierStatus"]]
    return {
        "orders": len(orders),
        "packages": len(packages),
        "events shown": sum(len(status["data"]) for status in statuses),
        "delivered": sum(status["finished"] for status in statuses),
        "duplicates": sum(sum(package.duplicates) for package in packages),
    }


def _example(orders: Iterable[_Order]) -> tuple[str, str]:
    """Return an order and an invoice that accept events, for the page's example."""
    for order in orders:
        for package in order.packages:
            if package.shown["trackingNumber"] and order.shown["status"] == "invoiced":
                return order.shown["orderId"], package.shown["invoiceNumber"]
    return "1172452900788-01", "000030711"


def _matches(request: ReceivedRequest, query: str, order_ids: set[str]) -> bool:
    """Return whether a request is about one of the orders, or contains a text, which is in lower case."""
    order_id = unquote(request.path.partition("/orders/")[2].partition("/")[0])
    line = f"{request.method} {request.path} {request.status} {request.fault}"
    return order_id in order_ids or query in f"{line}\n{_json(request.body)}\n{_json(request.answer)}".lower()


def _moment(text: str | None) -> str:
    """Return a time of VTEX's to the minute."""
    return (text or "")[: len("yyyy-mm-ddThh:mm")].replace("T", " ")


def _time(seconds: float, form: str = "%H:%M:%S") -> str:
    """Return a time in this machine's time zone, which is the browser's, too."""
    return datetime.fromtimestamp(seconds).astimezone().strftime(form)


def _json(data: bytes) -> str:
    """Return a body as text, indented if it is JSON."""
    text = data.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def _text(data: bytes) -> str:
    """Return a body for the page: printable, indented if it is JSON, and truncated if it is long."""
    text = _json(data)
    lines = (visible(line, _MAX_TEXT) for line in text[:_MAX_TEXT].splitlines())
    rest = len(text) - _MAX_TEXT
    return "\n".join(lines) + (f"\n… and {rest:,} characters more" if rest > 0 else "")
