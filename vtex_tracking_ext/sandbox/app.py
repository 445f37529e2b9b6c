"""The sandbox's HTTP application: routes, credentials, OMS's error envelope, faults, and the page."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from anyio import move_on_after
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
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
from .keys import Resource, owner_of, resources_of
from .oms import Oms, OmsError
from .page_routes import PAGE_PATH, WRONG_HOST, check_host, has_loopback_host, page_routes
from .received import without_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from vtex_tracking_ext.errors import Operation

    Act = Callable[[Request], Awaitable[dict[str, Any] | list[dict[str, str]] | None]]

#: Maximum bytes of a request body.
MAX_BODY: Final = 1024 * 1024

#: Recorded status of a request whose client disconnected before it was complete, as in nginx.
CLIENT_CLOSED_REQUEST: Final = 499

#: Recorded status of a request whose connection the sandbox closed without an answer, as in nginx.
NO_RESPONSE: Final = 444

_ON_DEMAND: Final = "The sandbox was asked to answer with this status."

#: The sandbox's own function in the scope of a request: closes the connection.
_CUT: Final = "vtex_tracking_ext.cut"

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


class _Sandbox(Starlette):
    """The application; what its endpoints need of the server, it adds to each request's scope."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def cut() -> None:
            # ASGI has no message for this. uvicorn's ``send`` is a method of an object that has the transport.
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            if transport is None:
                raise ConnectionResetError("The sandbox was asked to cut this connection.")
            transport.abort()
            await receive()  # returns when the connection is closed; only then, uvicorn does not want an answer

        scope[_CUT] = cut
        await super().__call__(scope, receive, send)


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

    def route(path: str, method: str, operation: Operation, resource: Resource, act: Act) -> Route:
        return Route(path, _endpoint(oms, operation, resource, act), methods=[method])

    feed: Resource = "Feed v3 and Hook Admin"
    routes = [
        *page_routes(oms),
        route(constants.GET_ORDER_PATH, constants.GET_ORDER_METHOD, "get_packages", "View order", get),
        route(
            constants.SEND_TRACKING_NUMBER_PATH,
            constants.SEND_TRACKING_NUMBER_METHOD,
            "set_tracking_number",
            "Notify invoice",
            patch,
        ),
        route(
            constants.UPDATE_TRACKING_STATUS_PATH,
            constants.UPDATE_TRACKING_STATUS_METHOD,
            "send",
            "Notify invoice",
            put,
        ),
        route(constants.LIST_ORDERS_PATH, constants.LIST_ORDERS_METHOD, "list_orders", "List Orders", list_orders),
        route(constants.READ_FEED_PATH, constants.READ_FEED_METHOD, "read_feed", feed, read_feed),
        route(constants.COMMIT_FEED_PATH, constants.COMMIT_FEED_METHOD, "commit_feed", feed, commit_feed),
        route(
            constants.GET_FEED_CONFIGURATION_PATH,
            constants.GET_FEED_CONFIGURATION_METHOD,
            "get_feed_configuration",
            feed,
            get_feed_configuration,
        ),
        route(
            constants.CONFIGURE_FEED_PATH,
            constants.CONFIGURE_FEED_METHOD,
            "configure_feed",
            feed,
            configure_feed,
        ),
    ]

    async def handle_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
        if not has_loopback_host(request):
            error = HTTPException(400, WRONG_HOST)
        response = _error_response(OmsError(error.status_code, str(error.status_code), error.detail, error.headers))
        if request.url.path != PAGE_PATH:
            _record(oms, request, response)
        return response

    app = _Sandbox(routes=routes, exception_handlers={HTTPException: handle_http_exception})
    app.router.redirect_slashes = False  # VTEX answers other paths with 404
    return app


def _endpoint(oms: Oms, operation: Operation, resource: Resource, act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        check_host(request)
        fault = oms.faults.take(operation)
        try:
            if fault is not None:
                await _read(request)  # whatever goes wrong, the whole request has left its client
            if fault is None or fault.is_applied:
                _authorize(oms, request, resource)
                response = _json_response(200, await act(request), {})
        except BadBody as error:
            response = _error_response(OmsError(400, "OMS002", str(error)))
        except OmsError as error:
            response = _error_response(error)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_CLOSED_REQUEST)  # the client is gone
        if fault is None:
            _record(oms, request, response)
            return response
        if fault.status is not None:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            response = _error_response(OmsError(fault.status, str(fault.status), _ON_DEMAND, headers))
        elif fault.is_cut:
            response = Response(status_code=NO_RESPONSE)
        # The record comes first, so that a test finds it when its client has failed.
        _record(oms, request, response, str(fault))
        if fault.is_cut:
            await request.scope[_CUT]()
        elif fault.delay is not None:
            with move_on_after(fault.delay):
                await request.receive()  # returns when the client disconnects
        return response

    return endpoint


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


async def _read(request: Request) -> bytes:
    """Return the body of a request, which may be read several times."""
    if not hasattr(request.state, "body"):
        request.state.body = bytearray()  # recorded even if the client disconnects
        async for chunk in request.stream():
            request.state.body += chunk
            if len(request.state.body) > MAX_BODY:
                raise BadBody(f"The body is larger than {MAX_BODY} bytes.")
    return bytes(request.state.body)


async def _body(request: Request, check: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    raw = await _read(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if raw and media_type != "application/json":
        # Guess: openapi.yaml has no other type, and JSON servers usually answer 415.
        raise OmsError(415, "415", "The body's Content-Type is not application/json.")
    document = read_object(raw)
    check(document)
    return document


def _record(oms: Oms, request: Request, response: Response, fault: str = "") -> None:
    """Keep a request for the page, and for tests that check what was sent."""
    path = request.scope["raw_path"].decode("ascii", "replace")
    body = bytes(getattr(request.state, "body", b""))
    answer = bytes(response.body)
    status = response.status_code
    oms.received.append(
        without_credentials(request.method, path, request.headers, body, status, answer, oms.clock(), fault)
    )


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
