"""The keyword arguments of the clients, as types for ``from_env``. Only type checkers import this module.

``account`` is among them, because ``from_env`` takes it as a keyword.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import os

    from .config.options import Hooks, OnUnknown
    from .config.retry_policy import RetryPolicy
    from .transport.caller_client import HttpClient
    from .transport.caller_client_async import AsyncHttpClient


class _SharedArguments(TypedDict, total=False):
    account: str
    app_key: str | None
    app_token: str | None
    user_token: str | None
    base_url: str | None
    environment: str | None
    timeout: float
    retry: RetryPolicy | None
    on_unknown: OnUnknown
    ca_file: str | os.PathLike[str] | None
    proxy: str | None
    trust_env: bool
    max_connections: int
    on_attempt: Hooks
    log_ids: bool


class ClientArguments(_SharedArguments, total=False):
    """The arguments of :class:`.TrackingClient`."""

    http_client: HttpClient | None


class AsyncClientArguments(_SharedArguments, total=False):
    """The arguments of :class:`.AsyncTrackingClient`."""

    http_client: AsyncHttpClient | None
