"""Where a journal on PostgreSQL is: its URL, taken apart; what of it may be shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from attrs import field, frozen
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Schema of the tables, unless the URL names another one.
SCHEMA: Final = "vtex_tracking"

_SCHEMA_OPTION: Final = re.compile(r"([?&])schema=([^&]*)(&?)")
_SCHEMA_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")

#: A second ``@`` before the options, or one in the name of the database: that of a password which was not escaped. The
#: rest of the password would stand in the host's name, or in the database's, and be shown.
_LOOSE: Final = re.compile(r"\w+://([^?]*@[^?]*@|[^?@]*/[^?]*@)")

_NO_URL: Final = (
    "The journal's address is no URL that PostgreSQL knows: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with "
    "% escapes for special characters (%40 for @, %2F for /, %25 for %). It is not shown, because it may hold "
    "a password."
)

#: libpq's parameters whose values are secret.
_SECRET: Final = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")

#: What a connection is made with unless the URL says otherwise. A server that is gone is noticed within a minute.
_USUAL: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


@frozen
class Address:
    """Where a journal is.

    Attributes:
        name: The URL without what is secret, for messages.
        schema: The schema of its tables: lower case letters, digits and underscores, so it needs no quotes.
        parameters: libpq's parameters for a connection; not shown.
    """

    name: str
    schema: str
    parameters: Mapping[str, Any] = field(repr=False)

    def redacted(self, text: str) -> str:
        """Return a text without this address's secrets."""
        for secret in filter(None, (self.parameters.get(name) for name in _SECRET)):
            text = text.replace(secret, "***")
        return text


def parse_url(url: str) -> Address:
    """Take a URL apart: libpq's, and ``schema=`` among its options for tables in another schema.

    Raises:
        JournalError: It is none.
    """
    schema = SCHEMA
    option = _SCHEMA_OPTION.search(url)
    if option is not None:
        schema = unquote(option[2])
        url = url[: option.start()] + (option[1] if option[3] else "") + url[option.end() :]
    if not _SCHEMA_NAME.fullmatch(schema):
        raise JournalError(
            f"The journal's schema {visible(schema)} is none: use lower case letters, digits and underscores, at most "
            "63, the first of them no digit."
        )
    try:
        parameters = conninfo_to_dict(url)
    except (ProgrammingError, UnicodeError, ValueError):
        # What libpq says quotes parts of the URL, such as a password with a character that should be escaped.
        raise JournalError(_NO_URL) from None
    if _LOOSE.match(url) or "@" in str(parameters.get("host", "")):
        raise JournalError(_NO_URL)
    return Address(_name_of(parameters, schema), schema, {**_USUAL, **parameters})


def _name_of(parameters: Mapping[str, Any], schema: str) -> str:
    shown = {name: visible(str(parameters.get(name) or "")) for name in ("user", "host", "hostaddr", "port", "dbname")}
    user = shown["user"] and f"{shown['user']}@"
    port = shown["port"] and f":{shown['port']}"
    option = "" if schema == SCHEMA else f"?schema={schema}"
    return f"postgresql://{user}{shown['host'] or shown['hostaddr']}{port}/{shown['dbname']}{option}"
