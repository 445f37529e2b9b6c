"""The routes of the page: one shows it, and one takes what its buttons post."""

from __future__ import annotations

import ipaddress
import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .faults import parse_fault
from .page import render

if TYPE_CHECKING:
    from starlette.requests import Request

    from .oms import Oms

#: Accepted Host names: another web page must not reach the sandbox through a DNS name of its own.
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})

WRONG_HOST: Final = "The sandbox accepts loopback host names only."

#: Path of the page.
PAGE_PATH: Final = "/"

#: Maximum bytes that the page posts.
_MAX_FORM: Final = 4096


def has_loopback_host(request: Request) -> bool:
    """Return whether a request names this machine as its host."""
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.lower() in LOOPBACK_HOSTS


def check_host(request: Request) -> None:
    """Refuse a request that a web page sends through a DNS name of its own.

    Raises:
        HTTPException: 400.
    """
    if not has_loopback_host(request):
        raise HTTPException(400, WRONG_HOST)


def page_routes(oms: Oms) -> list[Route]:
    """Return the routes of the page of an OMS."""

    async def show(request: Request) -> Response:
        check_host(request)
        nonce = secrets.token_urlsafe(16)
        host, query = request.headers["host"], request.query_params.get("q", "")
        html = await run_in_threadpool(render, oms, nonce, f"{request.url.scheme}://{host}", query)
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'"
        return HTMLResponse(
            html,
            headers={
                "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            },
        )

    async def change(request: Request) -> Response:
        check_host(request)
        _check_same_origin(request)
        form = dict(parse_qsl((await _read_form(request)).decode("utf-8", "replace")))
        match form.get("do"):
            case "reset":
                oms.reset()
            case "clear":
                oms.faults.clear()
            case "fail":
                operation = f"@{form['operation']}" if form.get("operation") else ""
                try:
                    fault = parse_fault(f"{form.get('fault', '')}:{form.get('times', '1')}{operation}")
                except ValueError as error:
                    raise HTTPException(400, str(error)) from None
                oms.faults.add(fault)
            case _:
                raise HTTPException(400, "The form must do fail, clear or reset.")
        query = form.get("q")
        return RedirectResponse(f"{PAGE_PATH}?{urlencode({'q': query})}" if query else PAGE_PATH, 303)

    async def no_icon(_: Request) -> Response:
        return Response(status_code=204)  # browsers ask for it, and it must not be among the requests

    return [
        Route(PAGE_PATH, show, methods=["GET"]),
        Route(PAGE_PATH, change, methods=["POST"]),
        Route("/favicon.ico", no_icon, methods=["GET"]),
    ]


def _check_same_origin(request: Request) -> None:
    """Refuse a post that the page did not send: each browser adds the origin, and no script can change it.

    Raises:
        HTTPException: 403.
    """
    if request.headers.get("origin") != f"{request.url.scheme}://{request.headers['host']}":
        raise HTTPException(403, "The sandbox takes this from its own page only.")
    if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
        raise HTTPException(403, "The sandbox takes this from its own machine only.")


async def _read_form(request: Request) -> bytes:
    form = bytearray()
    try:
        async for chunk in request.stream():
            form += chunk
            if len(form) > _MAX_FORM:
                raise HTTPException(413, f"The form is larger than {_MAX_FORM} bytes.")
    except ClientDisconnect:
        raise HTTPException(400, "The form is incomplete.") from None  # nobody reads this; the server must not log it
    return bytes(form)
