"""What the generated function is given in the place of an HTTP client: a stand-in that lives for one request.

The generated functions call ``.request(...)`` on whatever client they are given, and read the response that it
returns. A stand-in sends the request its own way, keeps what came of it, and lets the generated parser see only what it
can read.
"""

from __future__ import annotations

import functools
import json
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Self

from vtex_tracking_ext.call.faults import Fault
from vtex_tracking_ext.call.outcome import Answer, accepted
from vtex_tracking_ext.call.steps import Exchange

from .body import ACCEPTED_ENCODING, Body

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vtex_oms_client.types import Response

    from vtex_tracking_ext.config.server import Wiring

#: Decoded bytes of an answer that are read. Orders of real stores are a few hundred kB; receipts a few hundred bytes.
MAX_BODY: Final = 8 * 1024 * 1024

#: Bytes of an answer that are read in all: the body as it travels, and heads and interim answers before it.
MAX_ANSWER: Final = MAX_BODY + 1024 * 1024


_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Ended(Exception):  # noqa: N818 - a way out of the generated function, never seen outside the stand-ins
    """The request has ended and the generated parser has nothing to do."""


class Outgoing(NamedTuple):
    """A request, before it is bytes.

    Attributes:
        method: HTTP method.
        path: Where to, behind the server's address; percent-encoded.
        headers: Its headers but those of the connection; they hold the credentials.
        content: Its body.
    """

    method: str
    path: str
    headers: dict[str, str]
    content: bytes


class _Accepted:
    """As much of a response as the generated parser looks at."""

    #: That of every answer that accepts, because that is what the contract describes.
    status_code = HTTPStatus.OK.value
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, content: bytes) -> None:
        self.content = content

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.content)


class Stub:
    """What all stand-ins share.

    Each is both to the generated functions: the generated client, as much of it as they look at, and its HTTP client.
    """

    raise_on_unexpected_status: Final = False

    def get_httpx_client(self) -> Self:
        """Return itself."""
        return self

    get_async_httpx_client = get_httpx_client

    def __init__(self, wiring: Wiring) -> None:
        self.result: Answer | Fault | None = None
        self._wiring = wiring

    def _outgoing(self, arguments: Mapping[str, Any]) -> Outgoing:
        """Return the request that the generated function asks for, credentials added.

        Raises:
            Ended: It cannot be made.
        """
        # VTEX's own text requires Content-Type of every request, even of those without a body.
        headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING, "User-Agent": _user_agent()}
        headers |= {"Content-Type": "application/json", **arguments.get("headers", {}), **self._wiring.headers}
        try:
            content = json_bytes(arguments["json"]) if "json" in arguments else b""
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            self._unbuildable(error)
        return Outgoing(arguments["method"].upper(), arguments["url"], headers, content)

    def _unbuildable(self, error: Exception) -> NoReturn:
        self._end(Fault(f"the request cannot be built: {type(error).__name__}", sent=False))

    def _end(self, result: Answer | Fault) -> NoReturn:
        self.result = result
        raise Ended

    @staticmethod  # a bound method would make a cycle of whoever holds it and this
    def _body(encoding: str = "") -> Body:
        """Return what an answer's body goes into.

        Args:
            encoding: Its ``Content-Encoding``; none where it comes decoded.
        """
        return Body(encoding, MAX_BODY)

    def _answered(self, status: int, headers: Iterable[tuple[str, str]], body: Body) -> None:
        """Keep an answer, as far as it came, without the credentials that it may echo."""
        redactor = self._wiring.redactor
        self.result = Answer(status, redactor.pairs(headers), redactor.data(body.content), complete=body.complete)

    def _give(self) -> Any:
        """Hand the answer to the generated parser, if it is one that it can read."""
        answer = self.result
        if not (isinstance(answer, Answer) and accepted(answer) and answer.complete):
            raise Ended
        return _Accepted(answer.body)

    def with_parsed(self, response: Response[Any]) -> Exchange:
        """Return what came of the request, with what the generated parser made of it."""
        assert self.result is not None  # noqa: S101 - the generated function returned, so it made its request
        return Exchange(self.result, None if response.parsed is None else response.parsed.to_dict())

    def without_parsed(self) -> Exchange:
        """Return what came of the request, inside a handler for an exception of the generated function.

        That is our own way out of it, or its parser meeting an answer of another shape. An exception before
        the request was made is a mistake in this package, and goes on.
        """
        if self.result is None:
            raise  # noqa: PLE0704 - called from an except block, as the docstring says
        return Exchange(self.result)


def json_bytes(value: object) -> bytes:
    """Return a value as the JSON that travels.

    Raises:
        ValueError: It holds what JSON cannot say: a number that is none, or half a character.
    """
    return _JSON.encode(value).encode()


@functools.cache
def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - it costs milliseconds to import

    try:
        return f"vtex-tracking/{version('vtex-tracking')}"
    except PackageNotFoundError:  # a source tree that was never installed
        return "vtex-tracking"
