"""The web page: orders, package timelines, and the latest requests. The browser refreshes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

if TYPE_CHECKING:
    from .oms import Oms

#: Number of requests on the page.
_REQUESTS: Final = 20

_TEMPLATES: Final = Environment(
    loader=ChoiceLoader([PackageLoader("vtex_tracking_ext.sandbox"), PackageLoader("vtex_tracking_ext")]),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(oms: Oms, nonce: str) -> str:
    """Return the page's HTML; ``nonce`` allows its style and script in the content security policy."""
    orders = [oms.get_order(order_id) for order_id in list(oms.orders)]
    return _TEMPLATES.get_template(
        "page.html"
    ).render(
        nonce=nonce,
        style=Markup(_TEMPLATES.get_template("page.css").render()),  # noqa: S704 - the package's own file
        orders=[{"order": order, "packages": order["packageAttachment"]["packages"]} for order in orders],
        requests=list(oms.received)[: -_REQUESTS - 1 : -1],
        counts=_counts(orders),
        day=lambda text: (text or "")[:10],
        moment=lambda text: (text or "")[:16].replace("T", " "),
    )


def _counts(orders: list[dict[str, Any]]) -> dict[str, int]:
    packages = [p for order in orders for p in order["packageAttachment"]["packages"] if p["type"] == "Output"]
    statuses = [package["courierStatus"] for package in packages if package["courierStatus"]]
    return {
        "orders": len(orders),
        "packages": len(packages),
        "events": sum(len(status["data"]) for status in statuses),
        "delivered": sum(status["finished"] for status in statuses),
    }
