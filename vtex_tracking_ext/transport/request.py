"""The request of a call, and its bytes."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Final, NamedTuple

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
        headers: The headers except those of the connection; they hold the credentials.
        content: The body.
    """

    method: str
    path: str
    headers: dict[str, str]
    content: bytes


def build_request(call: Call, server: Server) -> Request:
    """Return the request of a call, with the credentials for a server.

    Raises:
        ValueError: The body holds a value that JSON cannot express: NaN, infinity, or a lone surrogate.
    """
    # VTEX's documentation requires Content-Type for every request, even without a body.
    headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING, "User-Agent": _user_agent()}
    headers |= {"Content-Type": "application/json", **call.kwargs.get("headers", {}), **server.headers}
    content = encode_json(call.kwargs["json"]) if "json" in call.kwargs else b""
    return Request(call.kwargs["method"].upper(), call.kwargs["url"], headers, content)


def encode_json(value: object) -> bytes:
    """Return a value as JSON in UTF-8, without spaces.

    Raises:
        ValueError: JSON cannot express the value: NaN, infinity, or a lone surrogate.
    """
    return _JSON.encode(value).encode()


def encode_request(request: Request, origin: Origin) -> bytes:
    """Return a request as HTTP/1.1.

    Raises:
        ValueError: The head has a character that no head may have; a line break would start another header.
    """
    target = f"{origin.path}{request.path}"
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {origin.host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if request.content:
        lines.append(f"Content-Length: {len(request.content)}")
    if " " in target or not all(map(str.isprintable, lines)):
        raise ValueError("the head of the request has characters that cannot be in one")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + request.content


@functools.cache
def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - it takes milliseconds to import

    try:
        return f"vtex-tracking/{version('vtex-tracking')}"
    except PackageNotFoundError:  # a source tree that was never installed
        return "vtex-tracking"
