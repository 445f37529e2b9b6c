"""What both clients are made of: who calls, where, and the conversations. No I/O."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, Final, Self, get_args

from attrs import asdict, evolve, fields
from vtex_oms_client import constants
from vtex_oms_client.models import SendTrackingNumberRequest

from vtex_tracking_ext.call import checks
from vtex_tracking_ext.call.hooks import AttemptEvent, keep_out_of_logs
from vtex_tracking_ext.call.operations import order_call, tracking_number_call, update_call
from vtex_tracking_ext.call.retry import RetryPolicy
from vtex_tracking_ext.call.steps import Conversation, OnUnknown, Rules, changing, checking, reading, sending
from vtex_tracking_ext.errors import ConfigurationError, InvalidUpdateError, Problem
from vtex_tracking_ext.events import TrackingUpdate
from vtex_tracking_ext.text import plain, quoted

from .credentials import Settings, credentials_of, merged, server_url, settings_from_env
from .redaction import Redactor
from .server import Wiring

if TYPE_CHECKING:
    from vtex_tracking_ext.events import Package, TrackingEvent, TrackingReceipt, When

#: Seconds that one call may be given at most, a week: sockets cannot count much further (some systems to 24 days).
LONGEST_TIMEOUT: Final = 7 * 24 * 3600

#: What is called after each request.
Hooks = Callable[[AttemptEvent], object] | Iterable[Callable[[AttemptEvent], object]]

_SETTINGS: Final = frozenset(attribute.name for attribute in fields(Settings))


class Plans:
    """A client without its I/O.

    Raises:
        ConfigurationError: An argument cannot be used.
    """

    def __init__(  # noqa: PLR0913 - the clients' arguments
        self,
        account: str,
        *,
        app_key: str | None,
        app_token: str | None,
        user_token: str | None,
        base_url: str | None,
        environment: str | None,
        timeout: float,
        retry: RetryPolicy | None,
        on_unknown: OnUnknown,
        ca_file: str | os.PathLike[str] | None,
        proxy: str | None,
        trust_env: bool,
        max_connections: int,
        on_attempt: Hooks,
        own: bool,
    ) -> None:
        credentials = credentials_of(app_key, app_token, user_token)
        headers = credentials.headers()
        redactor = Redactor(headers.values())
        keep_out_of_logs(redactor)
        with _redacted(redactor):
            address = server_url(account, environment, base_url)
            if isinstance(timeout, bool) or not (isinstance(timeout, int | float) and 0 < timeout <= LONGEST_TIMEOUT):
                what = f"a number of seconds above zero, up to {LONGEST_TIMEOUT} (a week)"
                raise ConfigurationError(f"timeout is {quoted(timeout)}: give {what}.")
            if on_unknown not in get_args(OnUnknown):
                raise ConfigurationError(f"on_unknown is {quoted(on_unknown)}: give one of {get_args(OnUnknown)}.")
            if not (retry is None or isinstance(retry, RetryPolicy)):
                raise ConfigurationError(f"retry is {quoted(retry)}: give a RetryPolicy, or none.")
            if type(max_connections) is not int or max_connections < 1:
                raise ConfigurationError(f"max_connections is {quoted(max_connections)}: give a number from 1 up.")
            if not own and (ca_file is not None or proxy is not None or trust_env):
                raise ConfigurationError(
                    "ca_file, proxy and trust_env cannot be given with http_client: set that client up with them."
                )
            hooks = _hooks(on_attempt)
        self.account = plain(account)
        self.wiring = Wiring(
            address,
            headers,
            redactor,
            ca_file=None if ca_file is None else _path(ca_file),
            proxy=proxy,
            trust_env=trust_env,
            max_connections=max_connections,
        )
        self.rules = Rules(timeout, retry or RetryPolicy(), on_unknown, address, hooks)

    def paced(self) -> Self:
        """Return the same, but for a 429 and an unknown outcome, which are raised at once."""
        other = copy(self)
        policy = evolve(self.rules.policy, retry_after_cap=0.0, rate_limit_wait=1.0)  # any wait is above the cap
        other.rules = evolve(self.rules, policy=policy, on_unknown="raise")
        return other

    def describe(self, name: str) -> str:
        """Return a client's repr: the address and the kind of credentials, never a credential."""
        kind = "user token" if constants.VTEX_IDCLIENT_AUT_COOKIE_HEADER in self.wiring.headers else "app key"
        return f"{name}({quoted(self.account)}, {quoted(self.wiring.base_url)}, {kind})"

    def send(self, update: TrackingUpdate) -> Conversation[TrackingReceipt]:
        """Check an update and plan its sending."""
        self._check(update)
        return sending(update_call(update), update, self.rules)

    def set_tracking_number(
        self, order_id: str, invoice_number: str, body: SendTrackingNumberRequest
    ) -> Conversation[TrackingReceipt]:
        """Check a tracking number and plan its registration."""
        self._refuse(
            *checks.order_id_problems(order_id),
            *checks.invoice_number_problems(invoice_number),
            *checks.tracking_number_problems(body.to_dict()),
        )
        call = tracking_number_call(plain(order_id), plain(invoice_number), body)
        return changing(call, plain(order_id), self.rules)

    def get_packages(self, order_id: str) -> Conversation[tuple[Package, ...]]:
        """Check an order id and plan the reading of the order."""
        self._refuse(*checks.order_id_problems(order_id))
        return reading(order_call(plain(order_id)), self.rules)

    def was_applied(self, update: TrackingUpdate) -> Conversation[bool | None]:
        """Check an update and plan the look at its order."""
        self._check(update)
        return checking(order_call(update.order_id), update, self.rules)

    def _check(self, update: TrackingUpdate) -> None:
        with _redacted(self.wiring.redactor):
            checks.check(update, self.rules.now())

    def _refuse(self, *problems: Problem) -> None:
        if problems:
            with _redacted(self.wiring.redactor):
                raise InvalidUpdateError(problems=problems)


@contextmanager
def _redacted(redactor: Redactor) -> Iterator[None]:
    """Keep the credentials out of what is said of other values: people paste them into the wrong place."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(redactor.message(str(error))) from None
    except InvalidUpdateError as error:
        problems = [problem._replace(message=redactor.message(problem.message)) for problem in error.problems]
        raise InvalidUpdateError(problems=problems) from None


def _hooks(given: object) -> tuple[Callable[[AttemptEvent], object], ...]:
    hooks = (given,) if callable(given) else tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(map(callable, hooks)):
        raise ConfigurationError("on_attempt: give a function, or several, that take an AttemptEvent.")
    # Both clients call them from code that cannot await; an async one would only be made, and never run.
    if any(inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__) for hook in hooks):
        raise ConfigurationError("on_attempt: an async function would never be awaited: give one made with plain def.")
    return hooks


def _path(ca_file: object) -> str:
    if not isinstance(ca_file, str | os.PathLike):
        raise ConfigurationError(f"ca_file is {quoted(ca_file)}: give the path of a file.")
    return os.fsdecode(ca_file)


def from_env(options: dict[str, Any]) -> dict[str, Any]:
    """Return a client's arguments: those given, the gaps filled from the environment."""
    known = {name: options[name] for name in _SETTINGS & options.keys()}
    settings = merged(Settings(**known), settings_from_env(os.environ))
    if settings.account is None:
        raise ConfigurationError("account is missing: set VTEX_ACCOUNT, or give account=.")
    return {**options, **asdict(settings)}


def delivery(
    order_id: str, invoice_number: str, delivered_date: When | None, events: Iterable[TrackingEvent]
) -> TrackingUpdate:
    """Return the update that reports a delivery."""
    return TrackingUpdate(order_id, invoice_number, events, is_delivered=True, delivered_date=delivered_date)


def tracking_number_body(
    tracking_number: str, tracking_url: str | None, courier: str | None, dispatched_date: When | None
) -> SendTrackingNumberRequest:
    """Return the body that registers a tracking number."""
    return SendTrackingNumberRequest(
        tracking_number=tracking_number,
        tracking_url=tracking_url,
        courier=courier,
        dispatched_date=checks.instant_text(dispatched_date),
    )
