"""Who calls, and where: credentials and address from arguments, environment or profile file.

Credentials are never printed, never pickled, and checked before they come near a header: an HTTP library
that meets a line break in one shows it in its error.

VTEX takes either an app key with its token or a user token (VTEX documentation, "API authentication"). The
key's role needs the License Manager resource *Notify invoice* to write, and *View order* to read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from attrs import field, frozen
from vtex_oms_client import constants

from .errors import ConfigurationError
from .text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHERE_TO_GET = (
    "An app key and token are made in the VTEX Admin under Account settings > API keys; "
    "carriers get the merchant to grant their key a role with the resource Notify invoice"
)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


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
    given = {"app_key": app_key, "app_token": app_token, "user_token": user_token}
    names = [name for name, value in given.items() if value is not None]
    for name in names:
        _check_header_value(name, given[name])
    if app_key is not None and app_token is not None and user_token is None:
        return AppKey(app_key, app_token)
    if user_token is not None and names == ["user_token"]:
        return UserToken(user_token)
    if not names:
        raise ConfigurationError(f"No credentials: give app_key and app_token, or user_token. {_WHERE_TO_GET}.")
    if user_token is not None:
        raise ConfigurationError(f"Two kinds of credentials: {' and '.join(names)}. Give either the pair or the token.")
    missing = "app_token" if app_token is None else "app_key"
    raise ConfigurationError(f"{names[0]} without {missing}: VTEX needs both. {_WHERE_TO_GET}.")


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
    environment = constants.DEFAULT_ENVIRONMENT if environment is None else environment
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
    try:
        if not isinstance(base_url, str) or not re.fullmatch(r"[!-~]+", base_url):
            raise ValueError("it is not an address")  # noqa: TRY301 - one message for all of them
        parts = urlsplit(base_url)
        parts.port  # noqa: B018 - raises on a port that is none
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("it must start with https:// and a host name")  # noqa: TRY301
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ValueError("it must hold no user, query or fragment")  # noqa: TRY301
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("http would send the credentials in clear text: use https")  # noqa: TRY301
    except ValueError as error:
        raise ConfigurationError(f"base_url cannot be used: {error}.") from None
    return base_url.rstrip("/")


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
    """Return ``first`` with its gaps filled from ``second``; credentials are taken whole from one of them."""
    keys = first if first.has_credentials() else second
    return Settings(
        account=first.account or second.account,
        app_key=keys.app_key,
        app_token=keys.app_token,
        user_token=keys.user_token,
        base_url=first.base_url or second.base_url,
        environment=first.environment or second.environment,
    )
