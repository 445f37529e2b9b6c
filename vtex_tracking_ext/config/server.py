"""A server, and how a client may reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from attrs import field, frozen
from attrs.converters import optional

from .secret import Secret, hidden_headers

if TYPE_CHECKING:
    from .redaction import Redactor


@frozen
class Server:
    """A server, and how a client may reach it.

    Attributes:
        base_url: The address before the paths of openapi.yaml, without a trailing slash.
        headers: Sent with every request; they hold the credentials. See :func:`.hidden_headers`.
        redactor: Removes the credentials from what the server answers.
        ca_file: A file of certificates to trust instead of the default ones, or None.
        proxy: The address of a proxy, which may hold a password, or None.
        trust_env: Whether the environment's proxies and certificates are used; their owner could read or forge traffic.
        max_connections: Maximum number of open connections.
    """

    base_url: str
    headers: memoryview = field(converter=hidden_headers, repr=False)
    redactor: Redactor
    ca_file: str | None = None
    proxy: Secret | None = field(default=None, converter=optional(Secret), repr=False)
    trust_env: bool = False
    max_connections: int = 100

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A client cannot be pickled or copied deeply, because it holds a credential. Make one where it is needed."
        )
