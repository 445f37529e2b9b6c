"""What four carriers post in ``scripts/service_trial``: packages with their histories, payloads and signatures."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from support.carriers import sample

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

#: The zone of the carriers' times.
_ZONE: Final = dt.timezone(dt.timedelta(hours=-3))

#: A day in the past, from which on everything happens.
_FIRST: Final = dt.datetime(2026, 8, 1, 8, tzinfo=_ZONE)

_HOUR: Final = dt.timedelta(hours=1)
_MINUTE: Final = dt.timedelta(minutes=1)

#: The codes of each source in the order in which a package gets them; the last one is its delivery.
CODES: Final[Mapping[str, Sequence[str]]] = {
    "easypost": ("pre_transit", "in_transit", "in_transit", "out_for_delivery", "delivered"),
    "melhor_envio": ("generated", "posted", "delivered"),
    "aftership": ("InfoReceived_001", "InTransit_002", "OutForDelivery_001", "Delivered_001"),
    "intelipost": ("NEW", "SHIPPED", "TO_BE_DELIVERED", "DELIVERED"),
}

#: The texts of Melhor Envio's milestones, which come without one.
_MILESTONES: Final = {"generated": "Etiqueta gerada", "posted": "Postado", "delivered": "Entregue"}


@frozen
class Step:
    """An event of a package.

    Attributes:
        code: The carrier's code.
        time: When it happened.
        text: What the order must show.
        city: Where it happened, or an empty text.
    """

    code: str
    time: dt.datetime
    text: str
    city: str

    @property
    def event(self) -> dict[str, str]:
        """The event as VTEX must receive it."""
        state = "SP" if self.city else ""
        return {"city": self.city, "state": state, "description": self.text, "date": f"{self.time:%Y-%m-%d}"}


@frozen(eq=False)
class Parcel:
    """A package that a carrier transports.

    Attributes:
        source: The source of its webhooks.
        order_id: Its order.
        invoice: The number of its invoice, as VTEX has it.
        series: The series of its invoice.
        nfe_key: The key of its invoice.
        code: Its tracking code.
        names_order: Whether the carrier knows the id of the order.
        is_return: Whether it goes back to the shop, so that VTEX must get none of its events.
        steps: Its events, oldest first.
    """

    source: str
    order_id: str
    invoice: str
    series: str
    nfe_key: str
    code: str
    names_order: bool
    is_return: bool
    steps: tuple[Step, ...]

    @property
    def delivered_date(self) -> str:
        """When it was delivered, as VTEX must receive it."""
        return f"{self.steps[-1].time:%Y-%m-%d %H:%M}"

    def bodies(self) -> list[bytes]:
        """Return the body of the webhook of each step."""
        return [
            json.dumps(_PAYLOADS[self.source](self, self.steps[: number + 1]), ensure_ascii=False).encode()
            for number in range(len(self.steps))
        ]


def make_steps(source: str, code: str, choose: random.Random) -> tuple[Step, ...]:
    """Return the events of a package at random times, several of them on one day."""
    time = _FIRST + choose.randrange(24 * 30) * _HOUR
    steps = []
    for number, step in enumerate(CODES[source], 1):
        time += choose.randrange(1, 30) * _HOUR + choose.randrange(60) * _MINUTE
        text = f"Etapa {number} do objeto {code}"
        if source == "melhor_envio":
            steps.append(Step(step, time, _MILESTONES[step], ""))
        else:
            steps.append(
                Step(step, time, text, "" if source == "intelipost" else choose.choice(["Campinas", "Santos"]))
            )
    return tuple(steps)


def make_key(issuer: str, series: str, number: int) -> str:
    """Return the key of an invoice."""
    return f"352609{issuer}55{series:0>3}{number:09}1{number:08}0"


def signed(source: str, secret: str, body: bytes) -> dict[str, str]:
    """Return the headers with which a source proves that a body is its own."""
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    if source == "easypost":
        return {"X-Hmac-Signature": f"hmac-sha256-hex={digest.hex()}"}
    if source == "melhor_envio":
        return {"X-ME-Signature": base64.b64encode(digest).decode()}
    if source == "aftership":
        return {"aftership-hmac-sha256": base64.b64encode(digest).decode()}
    return {"Authorization": f"Basic {base64.b64encode(f'{secret}:'.encode()).decode()}"}


def _easypost(parcel: Parcel, steps: Sequence[Step]) -> dict[str, Any]:
    """Return the whole history up to a step."""
    document: dict[str, Any] = sample("easypost.json")
    tracker = document["result"]
    detail, last = tracker["tracking_details"][-1], steps[-1]
    tracker |= {"tracking_code": parcel.code, "status": last.code, "is_return": parcel.is_return}
    tracker["tracking_details"] = [
        {
            **detail,
            "message": step.text,
            "status": step.code,
            "status_detail": "unknown",
            "datetime": step.time.isoformat(),
            "tracking_location": {**detail["tracking_location"], "city": step.city, "state": "SP"},
        }
        for step in steps
    ]
    return document


def _aftership(parcel: Parcel, steps: Sequence[Step]) -> dict[str, Any]:
    """Return the whole history up to a step. It names the order, also that of a return."""
    document: dict[str, Any] = sample("aftership.json")
    tracking = document["msg"]
    checkpoint, last = tracking["checkpoints"][-1], steps[-1]
    tracking |= {"tracking_number": parcel.code, "subtag": last.code, "tag": last.code.partition("_")[0]}
    tracking |= {"order_id": parcel.order_id if parcel.names_order else "", "order_number": "", "custom_fields": {}}
    tracking["checkpoints"] = [
        {
            **checkpoint,
            "checkpoint_time": step.time.isoformat(),
            "city": step.city,
            "state": "SP",
            "message": step.text,
            "tag": step.code.partition("_")[0],
            "subtag": step.code,
        }
        for step in steps
    ]
    return document


def _melhor_envio(parcel: Parcel, steps: Sequence[Step]) -> dict[str, Any]:
    """Return the times of the milestones up to a step."""
    document: dict[str, Any] = sample("melhor_envio.json")
    document["event"] = f"order.{steps[-1].code}"
    data = document["data"]
    data |= {"status": steps[-1].code, "tracking": parcel.code, "posted_at": None, "delivered_at": None}
    data |= {f"{step.code}_at": f"{step.time:%Y-%m-%d %H:%M:%S}" for step in steps}
    data["tags"] = [{"tag": parcel.order_id, "url": None}] if parcel.names_order else []
    return document


def _intelipost(parcel: Parcel, steps: Sequence[Step]) -> dict[str, Any]:
    """Return the step alone, with the invoice."""
    document: dict[str, Any] = sample("intelipost.json")
    step = steps[-1]
    document |= {
        "order_number": f"IP-{parcel.order_id}",
        "sales_order_number": parcel.order_id if parcel.names_order else "",
        "tracking_code": parcel.code,
        "volume_number": "1",
        "invoice": {
            "invoice_series": parcel.series,
            "invoice_number": parcel.invoice.lstrip("0"),
            "invoice_key": parcel.nfe_key,
        },
    }
    document["history"] |= {
        "shipment_order_volume_state": step.code,
        "provider_message": step.text,
        "esprinter_message": step.text,
        "event_date_iso": step.time.isoformat(timespec="milliseconds"),
    }
    return document


_PAYLOADS: Final[Mapping[str, Callable[[Parcel, Sequence[Step]], dict[str, Any]]]] = {
    "easypost": _easypost,
    "melhor_envio": _melhor_envio,
    "aftership": _aftership,
    "intelipost": _intelipost,
}
