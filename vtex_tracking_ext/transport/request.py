"""The request of a call, and its bytes."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Final, NamedTuple

from vtex_tracking_ext.call.faults import Fault, raise_interruption
from vtex_tracking_ext.config.secret import revealed_headers
from vtex_tracking_ext.config.version import package_version

from .body import ACCEPTED_ENCODING

if TYPE_CHECKING:
    from vtex_tracking_ext.call.operations import Call
    from vtex_tracking_ext.config.server import Server

#: What building a request may raise for its values; other exceptions are mistakes of this package and are not caught.
BUILD_ERRORS: Final = (RecursionError, TypeError, ValueError)

_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Origin(NamedTuple):
    """A server as requests name it.

    Attributes:
        host: The value of ``Host``.
        path: The path before the paths of openapi.yaml.
    """

    host: str
    path: str


class Request(NamedTuple):
    """A request before it is bytes.

    Attributes:
        method: The HTTP method.
        path: The path behind the server's base URL, percent-encoded.
        public_headers: The headers, except those of the connection and the credentials.
        credentials: The headers that hold the credentials, see :func:`.hidden_headers`.
        content: The body.
    """

    method: str
    path: str
    public_headers: dict[str, str]
    credentials: memoryview
    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers with the credentials as plain text, to be read only within :class:`.hidden_frames`."""
        return {**self.public_headers, **dict(revealed_headers(self.credentials))}


def build_request(call: Call, server: Server) -> Request:
    """Return the request of a call, with the credentials for a server.

    Raises:
        ValueError: The body holds a value that JSON cannot express: NaN, infinity, or a lone surrogate.
    """
    # VTEX's documentation requires Content-Type for every request, even without a body.
    headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING, "User-Agent": _user_agent()}
    headers |= {"Content-Type": "application/json", **call.kwargs.get("headers", {})}
    content = encode_json(call.kwargs["json"]) if "json" in call.kwargs else b""
    return Request(call.kwargs["method"].upper(), call.kwargs["url"], headers, server.headers, content)


def build_fault(error: Exception) -> Fault:
    """Return the fault of a request that cannot be built; if a signal handler raised the error, raise it again."""
    raise_interruption(error)
    return Fault(f"the request cannot be built: {type(error).__name__}", sent=False)


def encode_json(value: object) -> bytes:
    """Return a value as JSON in UTF-8, without spaces.

    Raises:
        ValueError: JSON cannot express the value: NaN, infinity, or a lone surrogate.
    """
    return _JSON.encode(value).encode()


def encode_request(request: Request, origin: Origin) -> memoryview:
    """Return a request as HTTP/1.1, in a memoryview, because its repr does not show the credentials.

    Raises:
        ValueError: The head has a character that no head may have; a line break would start another header.
    """
    target = f"{origin.path}{request.path}"
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {origin.host}"]
    lines += [f"{name}: {value}" for name, value in request.public_headers.items()]
    if " " in target or not all(map(str.isprintable, lines)):
        raise ValueError("the head of the request has characters that cannot be in one")
    head = "\r\n".join([*lines, ""]).encode("ascii")
    length = b"Content-Length: %d\r\n" % len(request.content) if request.content else b""
    return memoryview(b"".join((head, request.credentials, length, b"\r\n", request.content)))


@functools.cache
def _user_agent() -> str:
    return f"vtex-tracking/{package_version()}"
