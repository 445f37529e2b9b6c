"""The URL of a journal on PostgreSQL: parsing, and hiding its secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from attrs import field, frozen
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.config.secret import Secret, hidden_frames
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Default schema of the tables.
SCHEMA: Final = "vtex_tracking"

_SCHEMA_OPTION: Final = re.compile(r"([?&])schema=([^&]*)(&?)")
_SCHEMA_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")

#: A second ``@`` before the options, or one in the database's name, belongs to a password that was not escaped. The
#: rest of the password would be taken for the host or database, and be shown.
_UNESCAPED: Final = re.compile(r"\w+://([^?]*@[^?]*@|[^?@]*/[^?]*@)")

_INVALID_URL: Final = (
    "The journal's address is not a valid PostgreSQL URL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with "
    "% escapes for special characters (%40 for @, %2F for /, %25 for %). It is not shown, because it may contain "
    "a password."
)

#: libpq's parameters whose values are secret.
_SECRET: Final = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")

#: Default connection parameters: a server that is gone is noticed within a minute.
_DEFAULTS: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


def _hidden(parameters: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    return parameters.copy  # the repr of a bound method does not show the parameters


@frozen
class Address:
    """The address of a journal.

    Attributes:
        name: The URL without secrets, for messages.
        schema: The schema of its tables: lower case letters, digits and underscores, so it needs no quotes.
    """

    name: str
    schema: str
    _parameters: Callable[[], dict[str, Any]] = field(converter=_hidden, repr=False)

    @property
    def parameters(self) -> dict[str, Any]:
        """Libpq's parameters for a connection; to be read only within :class:`.hidden_frames`."""
        return self._parameters()

    def redact(self, text: str) -> str:
        """Return a text with the secrets of this address replaced."""
        with hidden_frames():
            for secret in filter(None, map(self.parameters.get, _SECRET)):
                text = text.replace(secret, "***")
            return text


def parse_url(url: str | Secret) -> Address:
    """Parse a URL as libpq does, with the additional option ``schema=``.

    Raises:
        JournalError: It is not valid.
    """
    with hidden_frames():
        return _parse_url(str(Secret(url).reveal()))


def _parse_url(url: str) -> Address:
    schema = SCHEMA
    option = _SCHEMA_OPTION.search(url)
    if option is not None:
        schema = unquote(option[2])
        url = url[: option.start()] + (option[1] if option[3] else "") + url[option.end() :]
    if not _SCHEMA_NAME.fullmatch(schema):
        raise JournalError(
            f"{visible(schema)} is not a valid schema name for the journal: use lower case letters, digits and "
            "underscores, at most 63, not starting with a digit."
        )
    try:
        parameters = conninfo_to_dict(url)
    except (ProgrammingError, UnicodeError, ValueError):
        # libpq's message quotes parts of the URL, such as a password with an unescaped character.
        raise JournalError(_INVALID_URL) from None
    if _UNESCAPED.match(url) or "@" in str(parameters.get("host", "")):
        raise JournalError(_INVALID_URL)
    return Address(_name_of(parameters, schema), schema, {**_DEFAULTS, **parameters})


def _name_of(parameters: Mapping[str, Any], schema: str) -> str:
    shown = {name: visible(str(parameters.get(name) or "")) for name in ("user", "host", "hostaddr", "port", "dbname")}
    user = shown["user"] and f"{shown['user']}@"
    port = shown["port"] and f":{shown['port']}"
    option = "" if schema == SCHEMA else f"?schema={schema}"
    return f"postgresql://{user}{shown['host'] or shown['hostaddr']}{port}/{shown['dbname']}{option}"
