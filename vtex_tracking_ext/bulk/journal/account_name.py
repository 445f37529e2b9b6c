"""The name of an account in a journal. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from vtex_oms_client import constants

if TYPE_CHECKING:
    from vtex_tracking_ext.client import TrackingClient

#: VTEX's host name of an account in an environment.
_VTEX_HOST: Final = constants.SERVER_URL.partition("://")[2]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def account_name_of(client: TrackingClient) -> str:
    """Return the name of a client's account in a journal; see :func:`account_name_at`."""
    return account_name_at(client.account, client.base_url)


def account_name_at(account: str, base_url: str) -> str:
    """Return the name in a journal of an account that is called at an address.

    It is the account's name. An address other than VTEX's, such as a sandbox's, is added (``mystore@127.0.0.1:8000``),
    so that what was sent there does not count as sent to the store. The name is in lower case and has no default port,
    so that the same store always has the same name.
    """
    account = account.lower()
    address = urlsplit(base_url.lower())
    host = re.sub(r":[0-9]+$", "", address.netloc)
    if address.port not in {None, _DEFAULT_PORTS[address.scheme]}:
        host = f"{host}:{address.port}"
    vtex_host = re.escape(_VTEX_HOST.format(accountName=account, environment="*")).replace(r"\*", "[a-z0-9-]+")
    if re.fullmatch(vtex_host, host) and not address.path:
        return account
    return f"{account}@{host}{address.path}"
