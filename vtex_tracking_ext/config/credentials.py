"""Who calls, and where: credentials and address from arguments, environment or profile file.

Credentials are never printed, never pickled, and checked before they come near a header: an HTTP library
that meets a line break in one shows it in its error.

VTEX takes either an app key with its token or a user token (VTEX documentation, "API authentication"). The
key's role needs the License Manager resource *Notify invoice* to write, and *View order* to read.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import unquote

from attrs import field, frozen
from vtex_oms_client import constants

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import plain, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where credentials come from, for messages.
WHERE_TO_GET: Final = (
    "An app key and token are made in the VTEX Admin under Account settings > API keys; "
    "carriers get the merchant to grant their key a role with the resource Notify invoice"
)
#: Hosts that http may call, as they stand in an address.
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_LAST_PORT: Final = 65_535
_ANY_PORT: Final = "443"


class _Secret:
    """Keeps credentials out of pickles, and so out of caches, queues and crash reports."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled: it holds a credential")


@frozen
class AppKey(_Secret):
    """An API key with its token, sent as ``X-VTEX-API-AppKey`` and ``X-VTEX-API-AppToken``."""

    app_key: str = field(repr=False)
    app_token: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """Return the headers that carry it."""
        return {
            constants.X_VTEX_API_APP_KEY_HEADER: self.app_key,
            constants.X_VTEX_API_APP_TOKEN_HEADER: self.app_token,
        }


@frozen
class UserToken(_Secret):
    """The token of a signed-in user, valid for 24 hours, sent as ``VtexIdclientAutCookie``."""

    user_token: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """Return the header that carries it."""
        return {constants.VTEX_IDCLIENT_AUT_COOKIE_HEADER: self.user_token}


Credentials = AppKey | UserToken


def credentials_of(
    app_key: str | None = None, app_token: str | None = None, user_token: str | None = None
) -> Credentials:
    """Return the credentials that were given.

    Raises:
        ConfigurationError: None, half a pair, both kinds, or a value that no header can carry. The message
            names the argument and never its value.
    """
    app_key, app_token, user_token = plain(app_key), plain(app_token), plain(user_token)
    given = {"app_key": app_key, "app_token": app_token, "user_token": user_token}
    names = [name for name, value in given.items() if value is not None]
    for name in names:
        _check_header_value(name, given[name])
    if app_key is not None and app_token is not None and user_token is None:
        return AppKey(app_key, app_token)
    if user_token is not None and names == ["user_token"]:
        return UserToken(user_token)
    if not names:
        raise ConfigurationError(f"No credentials: give app_key and app_token, or user_token. {WHERE_TO_GET}.")
    if user_token is not None:
        raise ConfigurationError(f"Two kinds of credentials: {' and '.join(names)}. Give either the pair or the token.")
    missing = "app_token" if app_token is None else "app_key"
    raise ConfigurationError(
        f"{names[0]} without {missing}: VTEX needs both, and they are taken from the same source "
        f"(arguments or options, profile, or environment), never one from each. {WHERE_TO_GET}."
    )


def _check_header_value(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is not text.")
    if not value.strip():
        raise ConfigurationError(f"{name} is empty.")
    if value != value.strip():
        raise ConfigurationError(
            f"{name} has a line break or a space at its start or end, as files often do: strip it."
        )
    if not re.fullmatch(r"[!-~]+", value):
        raise ConfigurationError(f"{name} has a space, a line break or a character outside ASCII: copy it again.")


def server_url(account: str, environment: str | None = None, base_url: str | None = None) -> str:
    """Return the address to call, without a slash at its end.

    Args:
        account: Name of the VTEX account.
        environment: Host name part after the account; ``vtexcommercestable`` unless given.
        base_url: Another address altogether, such as a sandbox's; https, or http on this machine.

    Raises:
        ConfigurationError: One of them would send the credentials elsewhere than meant.
    """
    account, base_url = plain(account), plain(base_url)
    environment = constants.DEFAULT_ENVIRONMENT if environment is None else plain(environment)
    _check_host_part("account", account, constants.ACCOUNT_NAME_PATTERN, "mystore, as in mystore.myvtex.com")
    _check_host_part("environment", environment, constants.ENVIRONMENT_PATTERN, constants.DEFAULT_ENVIRONMENT)
    if base_url is None:
        return constants.SERVER_URL.format(accountName=account, environment=environment)
    return _checked_base_url(base_url)


def _check_host_part(name: str, value: object, pattern: str, example: str) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} is missing: give its name, such as {example}.")
    if not re.fullmatch(pattern, value):
        raise ConfigurationError(
            f"{name} {quoted(value, 80)} is not one host name part: it takes letters, digits and, inside, '-'. "
            f"Give the name alone, such as {example}; anything more would send the credentials to another host."
        )


def _checked_base_url(base_url: object) -> str:
    fault = _address_fault(base_url)
    if fault or not isinstance(base_url, str):
        raise ConfigurationError(f"base_url cannot be used: {fault}.")
    return base_url.rstrip("/")


def _address_fault(address: object) -> str:
    """Return what is wrong with an address, or nothing. No part of it is quoted: it may hold a password.

    Stricter than :func:`urllib.parse.urlsplit`, which finds a host in ``http://[::1].example`` too: what passes
    here is read in the same way by every HTTP library.
    """
    if not isinstance(address, str) or not re.fullmatch(r"[!-~]+", address):
        return "it is not an address: it takes visible ASCII characters alone, an international name as xn--..."
    scheme, separator, rest = address.partition("://")
    authority, _, path = rest.partition("/")
    if not separator or scheme.lower() not in {"http", "https"} or not authority:
        return "it must start with https:// and a host name"
    if "@" in authority or "?" in rest or "#" in rest:
        return "it must hold no user, query or fragment"
    return _authority_fault(scheme.lower(), authority.lower()) or _path_fault(path)


def _authority_fault(scheme: str, authority: str) -> str:
    matched = re.fullmatch(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{1,5}))?", authority)
    if matched is None or not 1 <= int(matched[2] or _ANY_PORT) <= _LAST_PORT:
        return "after the host name it takes ':' and a port from 1 to 65535, or nothing"
    if not _is_host(matched[1]):
        return "its host is neither a name of labels with dots between them, nor an IPv4 address, nor an IPv6 one in []"
    if scheme == "http" and matched[1] not in _LOOPBACK:
        return "http would send the credentials in clear text: use https"
    return ""


def _is_host(host: str) -> bool:
    """Tell whether a host, in lower case, is a name (RFC 1123, and '_' as some networks have it) or an IP address."""
    try:
        if host.startswith("["):
            return "%" not in host and bool(IPv6Address(host[1:-1]))
        labels = host.split(".")
        if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):  # no top-level domain is a number
            return bool(IPv4Address(host))
        # What international labels stand for must be text; which text, the name's registry knows.
        names = [label.removeprefix("xn--").encode().decode("punycode") for label in labels if label[:4] == "xn--"]
    except ValueError:
        return False
    return all(re.fullmatch(_LABEL, label) for label in labels) and all(name.isprintable() for name in names)


def _path_fault(path: str) -> str:
    plain_path = unquote(path)
    if "\\" in plain_path or not plain_path.isprintable():
        return "its path holds a backslash or a control character"
    if {".", ".."} & set(plain_path.split("/")):
        return "its path holds a '.' or '..' part, which would lead elsewhere"
    return ""


@frozen
class Settings:
    """Where to call and as whom, before it is checked: what options, environment or a profile held."""

    account: str | None = None
    app_key: str | None = field(default=None, repr=False)
    app_token: str | None = field(default=None, repr=False)
    user_token: str | None = field(default=None, repr=False)
    base_url: str | None = None
    environment: str | None = None

    def has_credentials(self) -> bool:
        """Tell whether any credential is among them."""
        return not (self.app_key is None and self.app_token is None and self.user_token is None)


def settings_from_env(environ: Mapping[str, str]) -> Settings:
    """Read ``VTEX_ACCOUNT``, ``VTEX_APP_KEY``, ``VTEX_APP_TOKEN``, ``VTEX_USER_TOKEN``, ``VTEX_BASE_URL`` and
    ``VTEX_ENVIRONMENT``; an empty variable counts as absent.
    """  # noqa: D205 - the names do not fit one line
    return Settings(
        account=environ.get("VTEX_ACCOUNT") or None,
        app_key=environ.get("VTEX_APP_KEY") or None,
        app_token=environ.get("VTEX_APP_TOKEN") or None,
        user_token=environ.get("VTEX_USER_TOKEN") or None,
        base_url=environ.get("VTEX_BASE_URL") or None,
        environment=environ.get("VTEX_ENVIRONMENT") or None,
    )


def merged(first: Settings, second: Settings) -> Settings:
    """Return ``first`` with its gaps filled from ``second``; credentials are taken whole from one of them.

    A gap is a None: an empty text was given, and is refused later by its name, never replaced by another store's.
    """
    keys = first if first.has_credentials() else second
    return Settings(
        account=second.account if first.account is None else first.account,
        app_key=keys.app_key,
        app_token=keys.app_token,
        user_token=keys.user_token,
        base_url=second.base_url if first.base_url is None else first.base_url,
        environment=second.environment if first.environment is None else first.environment,
    )
