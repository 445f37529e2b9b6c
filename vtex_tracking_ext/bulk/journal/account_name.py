"""The name under which a journal keeps an account. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from vtex_oms_client import constants

if TYPE_CHECKING:
    from vtex_tracking_ext.client import TrackingClient

#: A host name that is VTEX's own for an account, in whichever environment.
_OWN_HOST: Final = constants.SERVER_URL.partition("://")[2]

#: Ports that an address need not name.
_USUAL_PORTS: Final = {"http": 80, "https": 443}


def account_name_of(client: TrackingClient) -> str:
    """Return the name under which a journal keeps a client's account; see :func:`account_name_at`."""
    return account_name_at(client.account, client.base_url)


def account_name_at(account: str, base_url: str) -> str:
    """Return the name under which a journal keeps an account that is called at an address.

    It is the account's; where another address is called, such as a sandbox's, that is added
    (``mystore@127.0.0.1:8000``), so that what went there does not pass for sent to the store. It is in lower case, as a
    journal keeps it, and a port that goes without saying is left out: the same store has the same name.
    """
    account = account.lower()
    address = urlsplit(base_url.lower())
    host = re.sub(r":[0-9]+$", "", address.netloc)
    if address.port not in {None, _USUAL_PORTS[address.scheme]}:
        host = f"{host}:{address.port}"
    own = re.escape(_OWN_HOST.format(accountName=account, environment="*")).replace(r"\*", "[a-z0-9-]+")
    if re.fullmatch(own, host) and not address.path:
        return account
    return f"{account}@{host}{address.path}"
