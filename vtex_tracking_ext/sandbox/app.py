"""The sandbox's HTTP application: routes, credentials, OMS's error envelope, and the page."""

from __future__ import annotations

import json
import secrets
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from vtex_oms_client import constants

from .bodies import (
    BadBody,
    check_commit,
    check_feed_configuration,
    check_feed_query,
    check_list_query,
    check_tracking,
    check_tracking_number,
    read_object,
)
from .keys import SECRET_HEADERS, Resource, owner_of, resources_of
from .oms import Oms, OmsError, ReceivedRequest
from .page import render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    Act = Callable[[Request], Awaitable[dict[str, Any] | list[dict[str, str]] | None]]

#: Maximum bytes of a request body.
MAX_BODY: Final = 1024 * 1024

#: Accepted Host names: another web page must not reach the sandbox through a DNS name of its own.
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})

#: Recorded status of a request whose client disconnected before it was complete, as in nginx.
CLIENT_CLOSED_REQUEST: Final = 499

_WRONG_HOST: Final = "The sandbox accepts loopback host names only."

#: Response headers of VTEX's documentation, with the values of its public examples.
_VTEX_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Expires": "-1",
    "Pragma": "no-cache",
    "X-CDNIgnore": "1",
    "X-Powered-by-VTEX-Janus-Edge": "sandbox",
    "X-Track": "stable",
    "X-VTEX-Janus-Router-Backend-App": "oms-sandbox",
}


def create_app(oms: Oms) -> Starlette:
    """Return the application for an OMS."""

    async def put(request: Request) -> dict[str, Any]:
        body = await _body(request, check_tracking)
        return oms.update_tracking_status(request.path_params["orderId"], request.path_params["invoiceNumber"], body)

    async def patch(request: Request) -> dict[str, Any]:
        body = await _body(request, check_tracking_number)
        return oms.send_tracking_number(request.path_params["orderId"], request.path_params["invoiceNumber"], body)

    async def get(request: Request) -> dict[str, Any]:
        return oms.get_order(request.path_params["orderId"])

    async def list_orders(request: Request) -> dict[str, Any]:
        check_list_query(request.query_params)
        return oms.list_orders(request.query_params)

    async def read_feed(request: Request) -> list[dict[str, str]]:
        return oms.read_feed(owner_of(request.headers), check_feed_query(request.query_params))

    async def commit_feed(request: Request) -> None:
        body = await _body(request, check_commit)
        oms.commit_feed(owner_of(request.headers), body["handles"])

    async def get_feed_configuration(request: Request) -> dict[str, Any]:
        return oms.get_feed_configuration(owner_of(request.headers))

    async def configure_feed(request: Request) -> None:
        body = await _body(request, check_feed_configuration)
        oms.configure_feed(owner_of(request.headers), body)

    async def page(request: Request) -> Response:
        _check_host(request)
        nonce = secrets.token_urlsafe(16)
        html = await run_in_threadpool(render, oms, nonce)
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'"
        return HTMLResponse(
            html,
            headers={
                "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            },
        )

    def route(path: str, method: str, resource: Resource, act: Act) -> Route:
        return Route(path, _endpoint(oms, resource, act), methods=[method])

    feed: Resource = "Feed v3 and Hook Admin"
    routes = [
        Route("/", page),
        route(constants.GET_ORDER_PATH, constants.GET_ORDER_METHOD, "View order", get),
        route(constants.SEND_TRACKING_NUMBER_PATH, constants.SEND_TRACKING_NUMBER_METHOD, "Notify invoice", patch),
        route(constants.UPDATE_TRACKING_STATUS_PATH, constants.UPDATE_TRACKING_STATUS_METHOD, "Notify invoice", put),
        route(constants.LIST_ORDERS_PATH, constants.LIST_ORDERS_METHOD, "List Orders", list_orders),
        route(constants.READ_FEED_PATH, constants.READ_FEED_METHOD, feed, read_feed),
        route(constants.COMMIT_FEED_PATH, constants.COMMIT_FEED_METHOD, feed, commit_feed),
        route(
            constants.GET_FEED_CONFIGURATION_PATH,
            constants.GET_FEED_CONFIGURATION_METHOD,
            feed,
            get_feed_configuration,
        ),
        route(constants.CONFIGURE_FEED_PATH, constants.CONFIGURE_FEED_METHOD, feed, configure_feed),
    ]

    async def handle_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
        if not _has_loopback_host(request):
            error = HTTPException(400, _WRONG_HOST)
        response = _error_response(OmsError(error.status_code, str(error.status_code), error.detail, error.headers))
        await _record(oms, request, response)
        return response

    app = Starlette(routes=routes, exception_handlers={HTTPException: handle_http_exception})
    app.router.redirect_slashes = False  # VTEX answers other paths with 404
    return app


def _endpoint(oms: Oms, resource: Resource, act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            _check_host(request)
            _authorize(oms, request, resource)
            response = _json_response(200, await act(request), {})
        except BadBody as error:
            response = _error_response(OmsError(400, "OMS002", str(error)))
        except OmsError as error:
            response = _error_response(error)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_CLOSED_REQUEST)  # the client is gone
        await _record(oms, request, response)
        return response

    return endpoint


def _has_loopback_host(request: Request) -> bool:
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.lower() in LOOPBACK_HOSTS


def _check_host(request: Request) -> None:
    if not _has_loopback_host(request):
        raise HTTPException(400, _WRONG_HOST)


def _authorize(oms: Oms, request: Request, resource: Resource) -> None:
    granted = resources_of(request.headers)
    if granted is None:
        raise OmsError(401, "401", "The credentials are missing or wrong.")
    oms.count_call()
    if resource not in granted:
        raise OmsError(403, "403", f"The key's role lacks the resource {resource}.")
    if " " in request.path_params.get("invoiceNumber", ""):
        # At every attempt: known issues 409225 and 631970.
        raise OmsError(500, "500", "An unexpected error happened.")


async def _body(request: Request, check: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    request.state.body = raw = bytearray()  # recorded even if the client disconnects
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY:
            raise BadBody(f"The body is larger than {MAX_BODY} bytes.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if raw and media_type != "application/json":
        # Guess: openapi.yaml has no other type, and JSON servers usually answer 415.
        raise OmsError(415, "415", "The body's Content-Type is not application/json.")
    document = read_object(bytes(raw))
    check(document)
    return document


async def _record(oms: Oms, request: Request, response: Response) -> None:
    """Keep a request for the page, and for tests that check what was sent."""
    headers = {name: value for name, value in request.headers.items() if name not in SECRET_HEADERS}
    path = request.scope["raw_path"].decode("ascii", "replace")
    body = bytes(getattr(request.state, "body", b""))
    oms.received.append(ReceivedRequest(request.method, path, headers, body, response.status_code))


def _error_response(error: OmsError) -> Response:
    envelope = {"error": {"code": error.code, "message": error.message, "exception": None}}
    headers = {"x-vtex-error-code": error.code, "x-vtex-error-message": quote(error.message), **error.headers}
    return _json_response(error.status, envelope, headers)


def _json_response(status: int, content: object, headers: Mapping[str, str]) -> Response:
    return Response(
        b"" if content is None else json.dumps(content, ensure_ascii=False),
        status,
        headers={**_VTEX_HEADERS, "x-vtex-operation-id": str(uuid.uuid4()), **headers},
        media_type="application/json; charset=utf-8",
    )
