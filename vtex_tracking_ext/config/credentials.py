"""Check credentials and addresses, and merge the sources they come from.

VTEX accepts either an app key with its token or a user token (VTEX documentation, "API authentication"). The key's role
needs the License Manager resource *Notify invoice* to write, *View order* to read an order, *List Orders* to list them,
and *Feed v3 and Hook Admin* for the feed.

Credentials are checked before they reach a header: an HTTP library that finds a line break in one quotes it in its
error. No message quotes a credential.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from attrs import asdict, evolve, field, fields, frozen
from attrs.converters import optional
from vtex_oms_client import constants

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import plain, quoted

from .redaction import Redactor, redact_http_logs
from .secret import Secret, hidden_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where to get credentials; ends error messages.
CREDENTIALS_HELP: Final = (
    "Create an app key and token in the VTEX Admin under Account settings > API keys; a carrier's key needs "
    "a role that the merchant grants, with the License Manager resource Notify invoice"
)
#: Hosts that may be called over plain http, as written in a URL.
_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_MAX_PORT: Final = 65_535


def credential_headers(
    app_key: str | Secret | None = None, app_token: str | Secret | None = None, user_token: str | Secret | None = None
) -> dict[str, str]:
    """Return the request headers that carry the credentials.

    Args:
        app_key: Sent as ``X-VTEX-API-AppKey``, together with ``app_token``.
        app_token: Sent as ``X-VTEX-API-AppToken``.
        user_token: Token of a signed-in user, valid for 24 hours, sent as ``VtexIdclientAutCookie``.

    Raises:
        ConfigurationError: No credentials, half a pair, both kinds, or a value that a header cannot carry. The message
            names the argument, never its value.
    """
    given = {"app_key": app_key, "app_token": app_token, "user_token": user_token}
    values = {name: _checked_header_value(name, value) for name, value in given.items() if value is not None}
    names = list(values)
    if not names:
        raise ConfigurationError(f"No credentials: give app_key and app_token, or user_token. {CREDENTIALS_HELP}.")
    if "user_token" in values:
        if len(names) > 1:
            raise ConfigurationError(
                f"Two kinds of credentials: {' and '.join(names)}. Give app_key and app_token, or user_token alone."
            )
        return {constants.VTEX_IDCLIENT_AUT_COOKIE_HEADER: values["user_token"]}
    if len(names) > 1:
        return {
            constants.X_VTEX_API_APP_KEY_HEADER: values["app_key"],
            constants.X_VTEX_API_APP_TOKEN_HEADER: values["app_token"],
        }
    missing = "app_token" if "app_key" in values else "app_key"
    raise ConfigurationError(
        f"{names[0]} without {missing}: VTEX needs both, from the same source (arguments or options, profile, or "
        f"environment). {CREDENTIALS_HELP}."
    )


def _checked_header_value(name: str, secret: object) -> str:
    value = Secret(secret).reveal()
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is not text.")
    if not value.strip():
        raise ConfigurationError(f"{name} is empty.")
    if value != value.strip():
        raise ConfigurationError(f"{name} starts or ends with a space or a line break: remove it.")
    if value[0] in "\"'" and value[0] == value[-1]:
        raise ConfigurationError(f"{name} begins and ends with a quote: remove both. A Docker --env-file keeps quotes.")
    if not re.fullmatch(r"[!-~]+", value):
        raise ConfigurationError(f"{name} contains a space, a line break or a non-ASCII character: copy it again.")
    return value


def server_url(account: str, environment: str | None = None, base_url: str | None = None) -> str:
    """Return the URL of the server to call, without a trailing slash.

    Args:
        account: Name of the VTEX account, such as ``mystore``.
        environment: Part of VTEX's host name after the account; ``vtexcommercestable`` by default.
        base_url: URL to call instead, such as a sandbox's; https, or http on this machine.

    Raises:
        ConfigurationError: A value is missing, or would send the credentials to another host than intended.
    """
    account, base_url = plain(account), plain(base_url)
    environment = constants.DEFAULT_ENVIRONMENT if environment is None else plain(environment)
    _check_host_label("account", account, constants.ACCOUNT_NAME_PATTERN, "mystore, as in mystore.myvtex.com")
    _check_host_label("environment", environment, constants.ENVIRONMENT_PATTERN, constants.DEFAULT_ENVIRONMENT)
    if base_url is None:
        return constants.SERVER_URL.format(accountName=account, environment=environment)
    problem = _url_problem(base_url)
    if problem:
        raise ConfigurationError(f"base_url cannot be used: {problem}.")
    return base_url.rstrip("/")


def _check_host_label(name: str, value: object, pattern: str, example: str) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"The {name} is missing: give its name, such as {example}.")
    if not re.fullmatch(pattern, value):
        raise ConfigurationError(
            f"{name} {quoted(value, 80)} is not a single host name label: use only letters, digits and inner hyphens. "
            f"Give the name alone, such as {example}; anything else could send the credentials to another host."
        )


def _url_problem(url: object) -> str:  # noqa: PLR0911 - one return for each rule
    """Return why a URL cannot be used, or an empty string. The URL is not quoted: it may contain a password.

    Stricter than :func:`urllib.parse.urlsplit`, which finds a host in ``http://[::1].example`` too: every HTTP library
    finds the same host in a URL that passes.
    """
    if not isinstance(url, str) or not re.fullmatch(r"[!-~]+", url):
        return "it is not an address: use printable ASCII without spaces, and write an international domain as xn--..."
    scheme, separator, rest = url.lower().partition("://")
    authority, _, path = rest.partition("/")
    if not separator or scheme not in {"http", "https"} or not authority:
        return "it must start with https:// and a host name"
    if "@" in authority or "?" in rest or "#" in rest:
        return "it must not contain user information, a query or a fragment"
    matched = re.fullmatch(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{1,5}))?", authority)
    if matched is None or (matched[2] and not 1 <= int(matched[2]) <= _MAX_PORT):
        return f"its host name may be followed only by ':' and a port from 1 to {_MAX_PORT}"
    if not _is_host(matched[1]):
        return "its host must be a domain name, an IPv4 address, or an IPv6 address in brackets"
    if scheme == "http" and matched[1] not in _LOOPBACK_HOSTS:
        return "http would send the credentials in clear text: use https"
    path = unquote(path)
    if "\\" in path or not path.isprintable():
        return "its path contains a backslash or a control character"
    if {".", ".."} & set(path.split("/")):
        return "its path contains a '.' or '..' segment, which would change the path that is called"
    return ""


def _is_host(host: str) -> bool:
    """Tell whether a lower-case host is a domain name (RFC 1123, and '_' as some networks use) or an IP address."""
    try:
        if host.startswith("["):
            return "%" not in host and bool(IPv6Address(host[1:-1]))
        labels = host.split(".")
        if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):  # no top-level domain is a number
            return bool(IPv4Address(host))
        # An international label must decode to printable text; whether it is registered is not checked.
        names = [label.removeprefix("xn--").encode().decode("punycode") for label in labels if label[:4] == "xn--"]
    except ValueError:
        return False
    return all(re.fullmatch(_HOST_LABEL, label) for label in labels) and all(name.isprintable() for name in names)


@frozen
class Settings:
    """Account, credentials and address from one source (options, environment or a profile), not checked yet.

    None means that the source does not set the value. An empty string is a value, and is refused when it is checked.

    Attributes:
        account: Name of the VTEX account.
        app_key: See :func:`credential_headers`, also for the two tokens.
        app_token: Token of the app key.
        user_token: Token of a signed-in user.
        base_url: See :func:`server_url`, also for the environment.
        environment: Part of VTEX's host name after the account.
    """

    account: str | None = None
    app_key: Secret | None = field(default=None, converter=optional(Secret), repr=False)
    app_token: Secret | None = field(default=None, converter=optional(Secret), repr=False)
    user_token: Secret | None = field(default=None, converter=optional(Secret), repr=False)
    base_url: str | None = None
    environment: str | None = None

    def has_credentials(self) -> bool:
        """Tell whether any credential is set."""
        return not (self.app_key is None and self.app_token is None and self.user_token is None)

    def redactor(self) -> Redactor:
        """Return a redactor of the credentials, which :func:`.redact_known` uses for as long as it exists."""
        with hidden_frames():
            secrets = [each.reveal() for each in (self.app_key, self.app_token, self.user_token) if each is not None]
            redactor = Redactor(each for each in secrets if isinstance(each, str))
        redact_http_logs(redactor)
        return redactor

    def with_defaults(self, defaults: Settings) -> Settings:
        """Return these settings, with those that are None taken from ``defaults``.

        The credentials all come from one of the two: a user token must not be mixed with another store's app key.
        """
        if self.has_credentials():
            defaults = evolve(defaults, app_key=None, app_token=None, user_token=None)
        return evolve(defaults, **{name: value for name, value in asdict(self).items() if value is not None})


#: Names of all settings.
SETTING_NAMES: Final = tuple(attribute.name for attribute in fields(Settings))


def settings_from_env(environ: Mapping[str, str]) -> Settings:
    """Return the settings in the environment; an empty variable counts as unset.

    The variables are ``VTEX_ACCOUNT``, ``VTEX_APP_KEY``, ``VTEX_APP_TOKEN``, ``VTEX_USER_TOKEN``, ``VTEX_BASE_URL`` and
    ``VTEX_ENVIRONMENT``.
    """
    with hidden_frames():
        return Settings(**{name: environ.get(f"VTEX_{name.upper()}") or None for name in SETTING_NAMES})
