"""The sandbox's credentials and their permissions. They are fictitious and work only in a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from vtex_oms_client import constants

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The License Manager resources that the operations need (VTEX documentation).
Resource = Literal["Notify invoice", "View order", "List Orders", "Feed v3 and Hook Admin"]

#: Account name of clients; the sandbox accepts any.
ACCOUNT: Final = "sandbox"

APP_KEY: Final = "vtexappkey-sandbox-FULLAC"
APP_TOKEN: Final = "SANDBOXTOKENFULLACCESSSANDBOXTOKEN"  # noqa: S105 - works only in a sandbox
USER_TOKEN: Final = "SANDBOXUSERTOKENFULLACCESS"  # noqa: S105 - as above
READ_ONLY_APP_KEY: Final = "vtexappkey-sandbox-READER"
READ_ONLY_APP_TOKEN: Final = "SANDBOXTOKENREADONLYSANDBOXTOKEN"  # noqa: S105 - as above
WRITE_ONLY_APP_KEY: Final = "vtexappkey-sandbox-WRITER"
WRITE_ONLY_APP_TOKEN: Final = "SANDBOXTOKENWRITEONLYSANDBOXTOKEN"  # noqa: S105 - as above

_ALL: Final[frozenset[Resource]] = frozenset(get_args(Resource))
_PAIRS: Final[dict[tuple[str, str], frozenset[Resource]]] = {
    (APP_KEY, APP_TOKEN): _ALL,
    (READ_ONLY_APP_KEY, READ_ONLY_APP_TOKEN): frozenset({"View order", "List Orders"}),
    (WRITE_ONLY_APP_KEY, WRITE_ONLY_APP_TOKEN): frozenset({"Notify invoice"}),
}

#: Headers that carry credentials, in lower case: VTEX's, and those that a caller may send by mistake.
SECRET_HEADERS: Final = frozenset(
    name.lower()
    for name in (
        "Authorization",
        "Cookie",
        "Proxy-Authorization",
        constants.X_VTEX_API_APP_KEY_HEADER,
        constants.X_VTEX_API_APP_TOKEN_HEADER,
        constants.VTEX_IDCLIENT_AUT_COOKIE_HEADER,
    )
)


def client_environment(url: str) -> dict[str, str]:
    """Return the environment variables that point ``TrackingClient.from_env()`` and the command line to a sandbox."""
    return {
        "VTEX_ACCOUNT": ACCOUNT,
        "VTEX_BASE_URL": url,
        "VTEX_APP_KEY": APP_KEY,
        "VTEX_APP_TOKEN": APP_TOKEN,
    }


def resources_of(headers: Mapping[str, str]) -> frozenset[Resource] | None:
    """Return the resources that a request's credentials allow, or None if they are missing or wrong."""
    if headers.get(constants.VTEX_IDCLIENT_AUT_COOKIE_HEADER) == USER_TOKEN:
        return _ALL
    key = headers.get(constants.X_VTEX_API_APP_KEY_HEADER, "")
    return _PAIRS.get((key, headers.get(constants.X_VTEX_API_APP_TOKEN_HEADER, "")))


def owner_of(headers: Mapping[str, str]) -> str:
    """Return whose feed a request means: that of the user whose token it has, or the app key's."""
    if constants.VTEX_IDCLIENT_AUT_COOKIE_HEADER in headers:
        return "user"
    return headers[constants.X_VTEX_API_APP_KEY_HEADER]
