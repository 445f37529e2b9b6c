"""VTEX's hook: the requests with which VTEX notifies an address of changed orders (VTEX's guide on Feed v3)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from .feed import utc
from .keys import APP_KEY
from .oms import OmsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .feed import StatusChange

#: Seconds in which an address must answer (VTEX's guide).
_TIMEOUT: Final = 5.0

#: The body that VTEX posts when a hook is configured.
PING: Final[Mapping[str, str]] = {"hookConfig": "ping"}


def configure_hook(url: str, headers: Mapping[str, str] | None = None) -> None:
    """Ping an address, as VTEX does before it stores the configuration of a hook.

    Raises:
        OmsError: 400: the address did not answer 200 in five seconds.
    """
    if not _post(url, PING, headers or {}):
        raise OmsError(400, "400", "Unable to check address")


def notification(change: StatusChange, account: str = "sandbox") -> dict[str, Any]:
    """Return the body that VTEX posts for a change of an order."""
    return {
        "Domain": "Fulfillment",
        "OrderId": change.order_id,
        "State": change.state,
        "LastState": change.last_state,
        "LastChange": utc(change.last_at),
        "CurrentChange": utc(change.at),
        "Origin": {"Account": account, "Key": APP_KEY},
    }


def notify(url: str, change: StatusChange, headers: Mapping[str, str] | None = None) -> bool:
    """Post the notification of a change, and return whether it was answered with 200 in five seconds.

    VTEX repeats one that was not, at growing intervals; this function does not.
    """
    return _post(url, notification(change), headers or {})


def _post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    request = urllib.request.Request(  # noqa: S310 - the address is that of a test
        url, json.dumps(body).encode(), {**headers, "Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy of the environment
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            return bool(response.status == 200)  # noqa: PLR2004 - the status that VTEX requires
    except urllib.error.HTTPError as error:  # a status from 400
        error.close()
        return False
    except OSError:  # in particular, no answer in time
        return False
