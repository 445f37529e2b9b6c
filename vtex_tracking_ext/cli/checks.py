"""Checks of a store's address and credentials, for the commands doctor and init. They add nothing at VTEX.

Whether the key has *Notify invoice* is checked with an update that cannot add anything, whatever VTEX does with it: it
has no event and no delivery, and its order id is new and random, so that no order can have it. According to
VTEX's documentation, the answer is 403 if the resource is missing; else VTEX looks for the order, and answers 404.
"""

from __future__ import annotations

import datetime as dt
import uuid
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from vtex_tracking_ext.call.faults import Fault
from vtex_tracking_ext.call.operations import order_call, update_call
from vtex_tracking_ext.call.outcome import merge_headers
from vtex_tracking_ext.call.steps import Attempt
from vtex_tracking_ext.config.credentials import CREDENTIALS_HELP
from vtex_tracking_ext.events import TrackingUpdate
from vtex_tracking_ext.text import visible
from vtex_tracking_ext.transport.diagnosis import diagnose
from vtex_tracking_ext.transport.route import route_to
from vtex_tracking_ext.transport.transport import SyncTransport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vtex_tracking_ext.call.operations import Call
    from vtex_tracking_ext.config.server import Server
    from vtex_tracking_ext.transport.diagnosis import Diagnosis

Status = Literal["ok", "warning", "failed", "not checked"]

#: Days before the end of a certificate from which there is a warning. Most are renewed a month before.
EXPIRY_DAYS: Final = 14

#: Seconds that the clock may differ from VTEX's before there is a warning, and before the check fails.
SKEW_WARNING: Final = 60
SKEW_FAILURE: Final = 300

#: Seconds for each step, unless ``--timeout`` says otherwise.
STEP_SECONDS: Final = 15.0


@frozen
class Check:
    """The result of one check.

    Attributes:
        name: What was checked.
        status: The result.
        detail: What was found.
        remedy: What to do, if something should be done.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""


def not_checked(names: tuple[str, ...], reason: str) -> Iterator[Check]:
    """Yield a check that was not made for each name."""
    for name in names:
        yield Check(name, "not checked", reason)


#: The names of the checks of a server, in their order.
SERVER_CHECKS: Final = ("host", "proxy", "TLS", "clock", "credentials", "View order", "Notify invoice")
_CREDENTIAL_CHECKS: Final = SERVER_CHECKS[3:]


def check_server(server: Server, seconds: float, *, read_only: bool = False) -> Iterator[Check]:
    """Yield the checks of the way to a server, of the clock, the credentials and what they allow.

    Args:
        server: The server, with credentials if there are any.
        seconds: How long each step may take.
        read_only: Whether to send only requests that read.

    Raises:
        ConfigurationError: The proxy or the file of certificates cannot be used.
    """
    found = diagnose(server, seconds)
    yield _host_check(found)
    yield _proxy_check(found)
    yield _tls_check(found, server)
    if not server.headers:
        remedy = (
            "Ask for an app key and its token, and give them by a profile, which `vtex-tracking init` writes, by the "
            "environment, or by options."
        )
        yield Check("credentials", "failed", "there are none", remedy)
        yield from not_checked(("clock", "View order", "Notify invoice"), "there are no credentials")
    elif found.failed:
        yield from not_checked(_CREDENTIAL_CHECKS, "the server cannot be reached")
    else:
        yield from _check_credentials(server, seconds, read_only=read_only)


def _host_check(found: Diagnosis) -> Check:
    of = f"the proxy {found.proxy}" if found.proxy else found.host
    if found.failed == "look-up":
        return Check(
            "host",
            "failed",
            f"{of} has no address: {visible(found.reason)}",
            "Check the account name, the network and its name server. Where only a proxy reaches the internet, give "
            "--proxy.",
        )
    if found.failed == "connection":
        return Check(
            "host",
            "failed",
            f"{of} does not accept connections: {visible(found.reason)}",
            "Check the network and its firewall: port 443 must be open to this host, or give --proxy.",
        )
    return Check("host", "ok", f"{of} is {', '.join(found.addresses)}")


def _proxy_check(found: Diagnosis) -> Check:
    if not found.proxy:
        return Check("proxy", "ok", "none is used")
    if found.failed == "proxy":
        return Check(
            "proxy",
            "failed",
            visible(found.reason),
            f"Ask the operator of the proxy to allow CONNECT to {found.host}, and check the user and password in "
            "--proxy.",
        )
    if found.failed in {"look-up", "connection"}:
        return Check("proxy", "not checked", f"{found.proxy} cannot be reached")
    return Check("proxy", "ok", f"{found.proxy} connects to {found.host}")


def _tls_check(found: Diagnosis, server: Server) -> Check:
    if found.failed in {"look-up", "connection", "proxy"}:
        return Check("TLS", "not checked", f"there is no connection to {found.host}")
    if found.failed == "TLS":
        return Check(
            "TLS",
            "failed",
            visible(found.reason),
            "The server, or a firewall in front of it, does not speak TLS at this address. Check --base-url and the "
            "network.",
        )
    certificate = found.certificate
    issued = "" if certificate is None else f"; the certificate of {visible(certificate.subject)} was issued by "
    issued += (
        ""
        if certificate is None
        else f"{visible(certificate.issuer)} and is valid until {certificate.expires:%Y-%m-%d}"
    )
    if found.failed == "certificate":
        return Check("TLS", "failed", f"{visible(found.reason)}{issued}", _certificate_remedy(found.reason, server))
    if certificate is None:
        return Check("TLS", "ok", "not used: this address is on this machine")
    detail = f"{found.tls_version}{issued}"
    if certificate.expires - dt.datetime.fromtimestamp(time(), dt.UTC) < dt.timedelta(days=EXPIRY_DAYS):
        return Check("TLS", "warning", detail, "Tell the operator of this server that the certificate expires soon.")
    return Check("TLS", "ok", detail)


def _certificate_remedy(reason: str, server: Server) -> str:
    if "expired" in reason or "not yet valid" in reason:
        return (
            "If the clock of this machine is right, tell the operator of this server, or of the proxy that inspects "
            "TLS."
        )
    if "match" in reason:
        return "The certificate is for another host. Check the account, --environment and --base-url."
    if server.ca_file:
        return f"The file {visible(server.ca_file)} lacks the issuer's certificate. Add it, or give another file."
    return (
        "If this issuer is your company's, whose proxy inspects TLS, give the file of its certificate with --ca-file. "
        "If you do not know it, do not use this network."
    )


def _check_credentials(server: Server, seconds: float, *, read_only: bool) -> Iterator[Check]:
    """Yield the checks of the clock, the credentials and what they allow; see this module's docstring."""
    transport = SyncTransport(server, route_to(server), None)
    order_id = f"vtex-tracking-doctor-{uuid.uuid4().hex}"
    try:
        before = time()
        answer = _attempt(transport, order_call(order_id), seconds)
        yield _clock_check(answer.headers, before, time())
        checks = (_credentials_check(answer), _reading_check(answer))
        yield from checks
        if read_only:
            yield Check("Notify invoice", "not checked", "only requests that read were allowed (--read-only)")
        elif checks[0].status != "ok":
            yield Check("Notify invoice", "not checked", "the credentials could not be used")
        else:
            call = update_call(TrackingUpdate(order_id, "vtex-tracking-doctor", ()))
            yield _writing_check(_attempt(transport, call, seconds))
    finally:
        transport.close()


@frozen
class _Answer:
    """What an attempt ended in.

    Attributes:
        status: The HTTP status, or 0 without a response.
        text: The answer, for messages.
        is_page: Whether the answer is an HTML page.
        headers: The headers of the response, with names in lower case.
    """

    status: int
    text: str
    is_page: bool
    headers: Mapping[str, str]


def _attempt(transport: SyncTransport, call: Call, seconds: float) -> _Answer:
    result = transport.attempt(Attempt(call, seconds))
    if isinstance(result, Fault):
        return _Answer(0, result.reason, is_page=False, headers={})
    headers = merge_headers(result.headers)
    is_page = result.body.lstrip()[:1] == b"<"
    text = f"VTEX answered {result.status}{' with a page in HTML' if is_page else ''}"
    return _Answer(result.status, text, is_page, headers)


def _clock_check(headers: Mapping[str, str], before: float, after: float) -> Check:
    """Return the check of this machine's clock by the header Date, which has whole seconds."""
    try:
        date = parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return Check("clock", "not checked", "no response says the time")
    skew = 0.0 if before - 1 <= date <= after else before - date if date < before else after - date
    detail = f"{abs(skew):.0f} seconds {'ahead of' if skew > 0 else 'behind'} the server's"
    remedy = "Set the clock with a time service (NTP): the delivery dates of updates are compared with the clock."
    if abs(skew) > SKEW_FAILURE:
        return Check("clock", "failed", detail, remedy)
    if abs(skew) > SKEW_WARNING:
        return Check("clock", "warning", detail, remedy)
    return Check("clock", "ok", "it agrees with the server's")


def _credentials_check(answer: _Answer) -> Check:
    if answer.status == 0:
        return Check("credentials", "not checked", answer.text, "Fix the connection first.")
    if answer.status == 401:  # noqa: PLR2004 - HTTP
        return Check(
            "credentials",
            "failed",
            f"{answer.text}: the key or the token is wrong, expired or of another account",
            f"{CREDENTIALS_HELP}. A user token is valid for 24 hours.",
        )
    if answer.status == 429:  # noqa: PLR2004 - HTTP
        text = f"{answer.text}: the account is over its rate limit"
        return Check("credentials", "not checked", text, "Run this again after a minute.")
    if answer.status in {403, 404} and not answer.is_page:
        return Check("credentials", "ok", "VTEX accepts them")
    return Check(
        "credentials",
        "not checked",
        f"{answer.text} to a request for an order that cannot exist",
        "Check the account and --base-url; a firewall or proxy may have answered. If they are right, try again later.",
    )


def _reading_check(answer: _Answer) -> Check:
    if answer.status == 404 and not answer.is_page:  # noqa: PLR2004 - HTTP
        return Check("View order", "ok", "granted: VTEX looked for an order that cannot exist")
    if answer.status == 403 and not answer.is_page:  # noqa: PLR2004 - HTTP
        return Check(
            "View order",
            "warning",
            "not granted: unknown outcomes cannot be resolved, and packages cannot be shown",
            "Ask the merchant to add the resource View order (License Manager) to the key's role.",
        )
    return Check("View order", "not checked", "the credentials could not be used")


def _writing_check(answer: _Answer) -> Check:
    if answer.status == 404 and not answer.is_page:  # noqa: PLR2004 - HTTP
        return Check("Notify invoice", "ok", "granted: VTEX looked for an order that cannot exist, to update it")
    if answer.status in {401, 403} and not answer.is_page:
        return Check(
            "Notify invoice",
            "failed",
            f"not granted: {answer.text}",
            "Ask the merchant to add the resource Notify invoice (License Manager) to the key's role.",
        )
    return Check("Notify invoice", "not checked", f"{answer.text}, which does not show whether it is granted")
