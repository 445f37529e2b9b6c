"""The secrets with which the posts of webhooks are verified, in the profile file and in the environment.

::

    [mystore.webhooks]
    easypost = "..."
    intelipost = ["new key", "old key"]               # during a rotation, both are valid
    frenet = {header = "X-Token", secret = "..."}     # secret may be a list here, too

In the environment, for one source: ``VTEX_WEBHOOK_SECRET_EASYPOST``, ``VTEX_WEBHOOK_SECRET_EASYPOST_OLD`` for the
previous one, and ``VTEX_WEBHOOK_HEADER_EASYPOST``.

Which sources exist, and what each of them needs, is checked by ``service.verification``. No message quotes a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted, trimmed, visible

from .redaction import Redactor, redact_http_logs
from .secret import Secret, hidden_frames

#: Prefix of the variables with a secret; the rest is the name of the source in upper case.
SECRET_VARIABLE: Final = "VTEX_WEBHOOK_SECRET_"  # noqa: S105 - the name of a variable

#: Prefix of the variables with the name of a header.
HEADER_VARIABLE: Final = "VTEX_WEBHOOK_HEADER_"

#: Suffix of the variables with a previous secret.
OLD: Final = "_OLD"

#: Shorter secrets can be guessed.
MIN_LENGTH: Final = 8

#: How to create a secret; ends error messages.
SECRET_HELP: Final = 'create one with python -c "import secrets; print(secrets.token_urlsafe(32))"'  # noqa: S105


@frozen(init=False)
class WebhookCheck:
    """How the posts of one source for one account are verified.

    Args:
        secrets: The secret, or several; see the attribute.
        header: See the attribute.

    Attributes:
        secrets: The current secret, and during a rotation the previous one as well. A post that was made with any of
            them is genuine.
        header: The name of the header with the secret; empty for the default of the source.

    Raises:
        ConfigurationError: There is no secret, or a value cannot be used.
    """

    secrets: tuple[Secret, ...]
    header: str = ""

    def __init__(self, secrets: str | Secret | Iterable[str | Secret], header: str = "") -> None:
        with hidden_frames():
            several = [secrets] if isinstance(secrets, str | Secret) else secrets
            self.__attrs_init__(tuple(map(Secret, several)), header)
            self._check()
            del secrets, several  # an interrupt as the block ends would show them

    def _check(self) -> None:
        if not self.secrets:
            raise ConfigurationError(f"there is no secret: {SECRET_HELP}.")
        for number, secret in enumerate(self.secrets, 1):
            name = "the secret" if len(self.secrets) == 1 else f"secret {number} of {len(self.secrets)}"
            problem = _secret_problem(secret.reveal())
            if problem:
                raise ConfigurationError(f"{name} {problem}.")
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*", self.header):  # a token of RFC 9110
            raise ConfigurationError("header is not the name of a header: give a name such as X-Webhook-Secret.")


def _secret_problem(value: object) -> str:  # noqa: PLR0911 - one return for each rule
    """Return why a secret cannot be used, or an empty text."""
    if not isinstance(value, str):
        return "is not text"
    if not trimmed(value):
        return f"is empty: {SECRET_HELP}"
    if value != trimmed(value):
        return "starts or ends with a space or a line break: remove it"
    if value[0] in "\"'" and value[0] == value[-1]:
        return "begins and ends with a quote: remove both. A Docker --env-file keeps quotes"
    if not value.isprintable():  # also a lone surrogate, which has no bytes to compare or to sign with
        return "contains a line break or another character that cannot be printed: copy it again"
    if len(value) < MIN_LENGTH:
        return f"is too short: {SECRET_HELP}"
    return ""


def parse_webhooks(table: object) -> dict[str, WebhookCheck]:
    """Return the checks of a table ``[NAME.webhooks]`` of the profile file, by source.

    Raises:
        ConfigurationError: A setting is unknown, or a value cannot be used.
    """
    with hidden_frames():
        if not isinstance(table, Mapping):
            raise ConfigurationError('webhooks is not a table: write [NAME.webhooks], and below it easypost = "...".')
        # In Python 3.12 and 3.13, an error in a comprehension adds this frame again after the block has removed it.
        checks = _parse_checks(table)
        del table  # an interrupt as the block ends would show it
        return checks


def _parse_checks(table: Mapping[str, object]) -> dict[str, WebhookCheck]:
    return {source: _parse_check(f"webhooks.{visible(source, 60)}", value) for source, value in table.items()}


def _parse_check(where: str, value: object) -> WebhookCheck:
    table = value if isinstance(value, Mapping) else {"secret": value}
    for key in table:
        if key not in {"secret", "header"}:
            raise ConfigurationError(f"{where}: {quoted(key, 60)} is not a setting; use secret and header.")
    secret, header = table.get("secret"), table.get("header", "")
    secrets = secret if isinstance(secret, list) else [secret]
    if not all(isinstance(each, str) for each in secrets):
        raise ConfigurationError(
            f"{where}: secret is missing or not text: write it between quotes, or as a list of two such texts, the new "
            "one and the old one."
        )
    if not isinstance(header, str) or ("header" in table and not header):
        raise ConfigurationError(f"{where}: header is not text: write the name of a header between quotes.")
    return _make_check(where, secrets, header)


def webhooks_from_env(environ: Mapping[str, str]) -> dict[str, WebhookCheck]:
    """Return the checks that the environment configures for the run's own account, by source.

    An empty variable counts as unset.

    Raises:
        ConfigurationError: An old secret or a header has no current secret, or a value cannot be used.
    """
    with hidden_frames():
        checks = _env_checks(environ)  # a function, like _parse_checks
        del environ  # an interrupt as the block ends would show it
        return checks


def _env_checks(environ: Mapping[str, str]) -> dict[str, WebhookCheck]:
    variable = re.compile(f"{SECRET_VARIABLE}(.+?)(?:{OLD})?|{HEADER_VARIABLE}(.+)")
    found = [variable.fullmatch(name) for name, value in environ.items() if value]
    names = {match[1] or match[2] for match in found if match}
    return {name.lower(): _env_check(environ, name) for name in sorted(names)}


def _env_check(environ: Mapping[str, str], name: str) -> WebhookCheck:
    variable = f"{SECRET_VARIABLE}{name}"
    where = f"The environment variable {variable}"
    if not environ.get(variable):
        raise ConfigurationError(
            f"{where} is missing: {variable}{OLD} and {HEADER_VARIABLE}{name} have an effect only together with it."
        )
    secrets = [environ[each] for each in (variable, f"{variable}{OLD}") if environ.get(each)]
    check = _make_check(where, secrets, "")
    header = environ.get(f"{HEADER_VARIABLE}{name}", "")
    return _make_check(f"The environment variable {HEADER_VARIABLE}{name}", check.secrets, header)


def _make_check(where: str, secrets: Iterable[Any], header: str) -> WebhookCheck:
    try:
        return WebhookCheck(secrets, header)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def webhook_redactor(checks: Iterable[WebhookCheck]) -> Redactor:
    """Return a redactor of the secrets, which :func:`.redact_known` uses for as long as it exists."""
    with hidden_frames():
        redactor = Redactor(str(secret.reveal()) for check in checks for secret in check.secrets)
    redact_http_logs(redactor)
    return redactor
