"""A server with the sandbox's orders, random faults, and an action at a given request."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from itertools import cycle
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

from vtex_tracking_ext.sandbox import OmsError
from vtex_tracking_ext.sandbox.bodies import BadBody, check_tracking, read_object

from support.killing.files import POISON
from wire.server import Peer, Request, Server, again, close, pause, read, reset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vtex_tracking_ext.sandbox import Oms

#: A fault of a request. ``dropped``: the connection is reset, and nothing is applied. ``cut``, ``torn`` and ``failed``:
#: the update is applied, and the connection closes before or within the response's head, or the response is a 500.
#: ``late``: the connection closes, and the update is applied seconds later. ``broken``: the response is truncated.
Fault = Literal["", "dropped", "cut", "torn", "failed", "late", "broken"]

#: The faults of updates; most of them occur after the update is applied.
KINDS: Final[tuple[Fault, ...]] = ("cut", "cut", "torn", "failed", "late", "broken", "dropped")

_OF_READS: Final[tuple[Fault, ...]] = ("dropped", "failed")

#: Minimum number of requests between two faults, so that the client seldom pauses.
_MIN_DISTANCE: Final = 4

#: Seconds after which a late update is applied.
_LATE: Final = 2.0


class Faults:
    """Chooses faults at random. Thread-safe.

    Args:
        share: Probability of a fault, from 0 to 1.
        seed: Seed of the random numbers.
        kinds: Faults of updates, in turn.
    """

    def __init__(self, share: float, seed: int, kinds: tuple[Fault, ...]) -> None:
        self.share = share
        self._chance = random.Random(seed)  # noqa: S311 - reproducible
        self._kinds = cycle(kinds)
        self._until_next = 0
        self._lock = threading.Lock()

    def draw(self, method: str) -> Fault:
        """Return the fault of a request, or an empty text."""
        with self._lock:
            self._until_next -= 1
            if self._until_next > 0 or self._chance.random() >= self.share:
                return ""
            self._until_next = _MIN_DISTANCE + 1
            return next(self._kinds) if method == "PUT" else self._chance.choice(_OF_READS)


@frozen
class Strike:
    """An action at a request.

    Attributes:
        at: The number of the request, starting with 1 when the strike is set.
        after: Whether to act after the request is applied and before it is answered; else before both.
        act: The action; the request continues when it returns.
    """

    at: int
    after: bool
    act: Callable[[], object]


class Vtex:
    """Serves an OMS with faults. Use its ``server`` as a context manager.

    Attributes:
        oms: The orders.
        server: The server.
        puts: Number of updates.
        gets: Number of orders read.
        throttled: Number of requests answered 429.
        gone_wrong: Fault -> number of occurrences.
    """

    def __init__(self, oms: Oms, faults: Faults, limit: float) -> None:
        self.oms = oms
        self.server = Server([again(read, self._handle)], limit=limit)
        self.puts = self.gets = self.throttled = 0
        self.gone_wrong: Counter[Fault] = Counter()
        self._faults = faults
        self._lock = threading.Lock()
        self._count = 0
        self._strike: Strike | None = None

    def strike(self, strike: Strike | None) -> None:
        """Set the action at a request, which replaces the previous one."""
        with self._lock:
            self._count, self._strike = 0, strike

    def behave(self) -> None:
        """Stop all faults."""
        self._faults.share = 0.0

    def quiet(self) -> None:
        """Wait until all requests have ended, late updates included."""
        self.server.wait_until(lambda server: server.open == 0, _LATE + 10)

    def _handle(self, peer: Peer) -> None:
        request = peer.request
        assert request is not None
        fault = self._faults.draw(request.method)
        with self._lock:
            self._count += 1
            strike = self._strike if self._strike and self._strike.at == self._count else None
            self.puts += request.method == "PUT"
            self.gets += request.method == "GET"
            self.gone_wrong += Counter([fault] if fault else [])
        if strike and not strike.after:
            strike.act()
        if fault == "dropped":
            reset(peer)
        if fault == "late":
            peer.socket.close()
            pause(_LATE)(peer)
        answer = self._apply(request)
        if strike and strike.after:
            strike.act()
        if fault in {"cut", "late"}:
            close(peer)
        if fault == "failed":
            answer = _refusal(OmsError(500, "1", "An unexpected error happened."))
        if fault in {"torn", "broken"}:
            peer.send(answer[: 10 if fault == "torn" else -10])
            close(peer)
        peer.send(answer)

    def _apply(self, request: Request) -> bytes:
        """Apply a request, and return the response."""
        order_id, *rest = request.target.removeprefix("/api/oms/pvt/orders/").split("/")
        try:
            self.oms.count_call()
            if request.method == "GET":
                return _answer(200, self.oms.get_order(order_id))
            document = read_object(request.body)
            check_tracking(document)
            if any(POISON in event["description"] for event in document["events"]):
                raise BadBody("An event cannot be taken.")  # noqa: TRY301 - handled below like the sandbox's own
            return _answer(200, self.oms.update_tracking_status(order_id, rest[1], document))
        except BadBody as error:
            return _refusal(OmsError(400, "OMS002", str(error)))
        except OmsError as error:
            with self._lock:
                self.throttled += error.status == 429
            return _refusal(error)


def _refusal(error: OmsError) -> bytes:
    envelope = {"error": {"code": error.code, "message": error.message, "exception": None}}
    return _answer(error.status, envelope, error.headers)


def _answer(status: int, document: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
    body = json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers.items())]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
