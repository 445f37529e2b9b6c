"""The options of a client, checked."""

from __future__ import annotations

import datetime as dt
import inspect
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, get_args

from attrs import asdict, evolve, frozen
from vtex_oms_client import constants

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.events import AttemptEvent
from vtex_tracking_ext.text import plain, quoted

from .credentials import SETTING_NAMES, Settings, credential_headers, server_url, settings_from_env
from .redaction import Redactor, redact_http_logs
from .retry_policy import RetryPolicy
from .secret import Secret  # noqa: TC001
from .server import Server

#: Seconds that one call may be given at most, a week: sockets cannot count much further (some systems to 24 days).
LONGEST_TIMEOUT: Final = 7 * 24 * 3600

#: What to do with an update that may have been applied or not: raise an error, read the order, or send it again.
OnUnknown = Literal["raise", "check", "resend"]

#: One function, or several, that are called after each request.
Hooks = Callable[[AttemptEvent], object] | Iterable[Callable[[AttemptEvent], object]]


@frozen
class ClientOptions:
    """The options of a client.

    Attributes:
        account: The VTEX account.
        server: The server, and how to reach it.
        timeout: Seconds that one call may take, retries and pauses included.
        retry: When to retry.
        on_unknown: What to do when the outcome of an update is unknown.
        hooks: Called after each request.
        log_ids: Whether the log names orders and invoices.
        is_paced: Whether to raise at once after a 429 and after an unknown outcome.
        clock: Returns monotonic seconds.
        now: Returns the current local time.
        chance: Returns a random number from 0 to 1.
    """

    account: str
    server: Server
    timeout: float
    retry: RetryPolicy
    on_unknown: OnUnknown = "raise"
    hooks: tuple[Callable[[AttemptEvent], object], ...] = ()
    log_ids: bool = False
    is_paced: bool = False
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], dt.datetime] = dt.datetime.now
    chance: Callable[[], float] = random.random

    def without_waiting(self) -> ClientOptions:
        """Return the same options, but raise at once after a 429 and after an unknown outcome."""
        retry = evolve(self.retry, retry_after_cap=0.0, rate_limit_wait=1.0)  # every wait is above the cap
        return evolve(self, retry=retry, on_unknown="raise", is_paced=True)

    def with_changes(
        self, timeout: float | None = None, retry: RetryPolicy | None = None, on_unknown: OnUnknown | None = None
    ) -> ClientOptions:
        """Return the same options with what is not None instead. Paced options stay paced.

        Raises:
            ConfigurationError: A value cannot be used.
        """
        if timeout is None and retry is None and on_unknown is None:
            return self
        given = {"timeout": timeout, "retry": retry, "on_unknown": on_unknown}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        changed = evolve(self, **changes)
        with _redacted_errors(self.server.redactor):
            _check_call_options(changed.timeout, changed.retry, changed.on_unknown)
        return changed.without_waiting() if self.is_paced else changed

    def displayed_ids(self, order_id: object, invoice_number: object) -> tuple[str | None, str | None]:
        """Return an order id and an invoice number for errors and the log, without misplaced credentials.

        What is no text becomes None.
        """
        redact, given = self.server.redactor.redact, (order_id, invoice_number)
        order, invoice = [redact(str.__str__(each)) if isinstance(each, str) else None for each in given]
        return order, invoice

    def describe(self, name: str) -> str:
        """Return a client's repr: the address and the kind of credentials, never a credential."""
        has_user_token = bytes(self.server.headers).startswith(constants.VTEX_IDCLIENT_AUT_COOKIE_HEADER.encode())
        kind = "user token" if has_user_token else "app key"
        return f"{name}({quoted(self.account)}, {quoted(self.server.base_url)}, {kind})"


def client_options(  # noqa: PLR0913 - the arguments of the clients
    account: str,
    *,
    app_key: str | Secret | None,
    app_token: str | Secret | None,
    user_token: str | Secret | None,
    base_url: str | None,
    environment: str | None,
    timeout: float,
    retry: RetryPolicy | None,
    on_unknown: OnUnknown,
    ca_file: str | os.PathLike[str] | None,
    proxy: str | Secret | None,
    trust_env: bool,
    max_connections: int,
    on_attempt: Hooks,
    log_ids: bool,
    has_http_client: bool,
) -> ClientOptions:
    """Return the options of a client from its arguments. Call it only within :class:`.hidden_frames`.

    Raises:
        ConfigurationError: An argument cannot be used.
    """
    headers = credential_headers(app_key, app_token, user_token)
    redactor = Redactor(headers.values())
    redact_http_logs(redactor)
    with _redacted_errors(redactor):
        address = server_url(account, environment, base_url)
        _check_call_options(timeout, RetryPolicy() if retry is None else retry, on_unknown)
        if type(max_connections) is not int or max_connections < 1:
            raise ConfigurationError(f"max_connections is {quoted(max_connections)}: give a number from 1 up.")
        if has_http_client and (ca_file is not None or proxy is not None or trust_env):
            raise ConfigurationError(
                "ca_file, proxy and trust_env cannot be given with http_client: set that client up with them."
            )
        hooks = _checked_hooks(on_attempt)
        ca_path = None if ca_file is None else _checked_path(ca_file)
    server = Server(address, headers, redactor, ca_path, proxy, trust_env, max_connections)
    return ClientOptions(plain(account), server, timeout, retry or RetryPolicy(), on_unknown, hooks, bool(log_ids))


def _check_call_options(timeout: object, retry: object, on_unknown: object) -> None:
    if isinstance(timeout, bool) or not (isinstance(timeout, int | float) and 0 < timeout <= LONGEST_TIMEOUT):
        what = f"a number of seconds above zero, up to {LONGEST_TIMEOUT} (a week)"
        hint = (
            " for the whole call; for one request, use RetryPolicy(attempt_timeout=...)" if _is_httpx(timeout) else ""
        )
        raise ConfigurationError(f"timeout is {quoted(timeout)}: give {what}{hint}.")
    if on_unknown not in get_args(OnUnknown):
        raise ConfigurationError(f"on_unknown is {quoted(on_unknown)}: give one of {get_args(OnUnknown)}.")
    if not isinstance(retry, RetryPolicy):
        raise ConfigurationError(f"retry is {quoted(retry)}: give a RetryPolicy, or none.")


def _is_httpx(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "httpx"


@contextmanager
def _redacted_errors(redactor: Redactor) -> Iterator[None]:
    """Remove the credentials from errors about other values, because people paste them into the wrong place."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(redactor.redact_message(str(error))) from None


def _checked_hooks(value: object) -> tuple[Callable[[AttemptEvent], object], ...]:
    hooks = (value,) if callable(value) else tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(map(callable, hooks)):
        raise ConfigurationError("on_attempt: give a function, or several, that take an AttemptEvent.")
    # Both clients call hooks from code that cannot await: the coroutine of an async hook would never run.
    if any(inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__) for hook in hooks):
        raise ConfigurationError("on_attempt: an async function would never be awaited: give one made with plain def.")
    return hooks


def _checked_path(ca_file: object) -> str:
    if not isinstance(ca_file, str | os.PathLike):
        raise ConfigurationError(f"ca_file is {quoted(ca_file)}: give the path of a file.")
    return os.fsdecode(ca_file)


def arguments_from_env(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a client, with missing ones read from the environment.

    Raises:
        ConfigurationError: The account is missing.
    """
    known = {name: arguments[name] for name in SETTING_NAMES if name in arguments}
    settings = Settings(**known).with_defaults(settings_from_env(os.environ))
    if settings.account is None:
        raise ConfigurationError("The account is missing: set VTEX_ACCOUNT, or give account=.")
    return {**arguments, **asdict(settings)}
