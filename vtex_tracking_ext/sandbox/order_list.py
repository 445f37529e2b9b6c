"""The order list of the sandbox: filters, order and pages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .orders import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .orders import Order


def list_orders(orders: Iterable[Order], query: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of orders.

    Args:
        orders: All orders.
        query: The parameters, checked by :func:`.check_list_query`.
    """
    page, per_page = int(query.get("page", "1")), int(query.get("per_page", "15"))
    found = [order for order in orders if _passes(order, query)]
    name, _, direction = query.get("orderBy", "creationDate,desc").partition(",")
    # The sandbox's orders do not differ in the other fields.
    keys: dict[str, Callable[[Order], Any]] = {"creationDate": lambda o: o.created_at, "orderId": lambda o: o.order_id}
    found.sort(key=keys.get(name, keys["creationDate"]), reverse=direction == "desc")
    return {
        "list": [_listed(order) for order in found[(page - 1) * per_page : page * per_page]],
        "facets": [],
        "paging": {
            "total": len(found),
            "pages": -(-len(found) // per_page),
            "currentPage": page,
            "perPage": per_page,
        },
        "stats": {"stats": {}},
    }


def _passes(order: Order, query: Mapping[str, str]) -> bool:
    if query.get("f_status", order.status) != order.status:
        return False
    if "f_invoicedDate" not in query:
        return True
    first, last = query["f_invoicedDate"].removeprefix("invoicedDate:[").removesuffix("]").split(" TO ")
    # Times of one format are in the order of their texts. VTEX's filter has milliseconds.
    invoiced = None if order.invoiced_at is None else timestamp(order.invoiced_at)[: len("yyyy-mm-ddThh:mm:ss.fff")]
    return invoiced is not None and first[:-1] <= invoiced <= last[:-1]


def _listed(order: Order) -> dict[str, Any]:
    return {
        "orderId": order.order_id,
        "creationDate": timestamp(order.created_at),
        "clientName": "",
        "items": None,
        "totalValue": 10150,
        "status": order.status,
        "sequence": order.sequence,
        "salesChannel": "1",
        "origin": "Fulfillment",
        "totalItems": 1,
    }
