"""Who may post: tell whether a post to the service was made by the source that it names.

A source is verified as it documents it: by a signature of the body, by HTTP Basic authentication, or by a secret in a
header. For a source that documents nothing, the secret is in a header or is the last part of the path. It is never in
the query, which servers and proxies log.

A signed post is genuine however old it is: of these sources, only Shippo signs the time. A post that is repeated does
no harm, because the journal knows its events.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode, b64encode
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from attrs import frozen

from vtex_tracking_ext.carriers.registry import SOURCES
from vtex_tracking_ext.config.secret import Secret, hidden_frames
from vtex_tracking_ext.config.webhooks import SECRET_HELP, WebhookCheck
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The name under which VTEX's hook is configured, beside the sources.
VTEX_HOOK: Final = "vtex"

#: The header with the secret, if the configuration names no other one.
DEFAULT_HEADER: Final = "X-Webhook-Secret"

#: Bytes of a message that tests an address.
LONGEST_TEST: Final = 1000

#: Least length of a secret that is sent as it is. The merchant chooses it, unlike a carrier's signing secret.
MIN_SENT_LENGTH: Final = 16


@frozen
class _Post:
    """What a check may look at.

    Attributes:
        headers: The headers.
        body: The body, as it was received.
        path_secret: The last part of the path; empty if the path has none.
        chosen_header: The name of the header with the secret, as configured; empty if none is.
    """

    headers: Mapping[str, str]
    body: bytes
    path_secret: str
    chosen_header: str

    def value(self, name: str) -> str:
        """Return the value of a header, or an empty text if it is missing or repeated.

        Of a repeated header, another reader could use another value. ``items()`` of Starlette's headers yields each.
        """
        values = [value for each, value in self.headers.items() if each.lower() == name.lower()]
        return values[0] if len(values) == 1 else ""


def is_genuine(
    source: str, check: WebhookCheck, headers: Mapping[str, str], body: bytes, path_secret: str = ""
) -> bool:
    """Return whether a post was made with one of the configured secrets.

    Args:
        source: One of :data:`~vtex_tracking_ext.carriers.registry.SOURCES`, or :data:`VTEX_HOOK`.
        check: The configuration for the source and the account.
        headers: The headers of the post.
        body: The body of the post, as it was received.
        path_secret: The last part of the path, where a source may have its secret.
    """
    with hidden_frames():
        post = _Post(headers, body, path_secret, check.header)
        was_made_with = _CHECKS.get(source, _never)
        # Each secret is tried, so that the time does not tell which one matched.
        results = list(map(partial(was_made_with, post), check.secrets))  # no comprehension: see parse_webhooks
        del headers, path_secret, post  # an interrupt as the block ends would show them
        return any(results)


def longest_unverified(source: str, longest: int) -> int:
    """Return how many bytes of a body may be read before it is known whether it is genuine.

    A signature is one of the whole body. A secret in a header or in the path is checked first, so that nothing has
    to be read; but VTEX's ping may come without it.

    Args:
        source: The source.
        longest: How many bytes a genuine body may have.
    """
    if source in _SIGNED:
        return longest
    return min(LONGEST_TEST, longest - 1) if source == VTEX_HOOK else 0


def is_test_message(source: str, body: bytes) -> bool:
    """Return whether a post only tests the address: VTEX's ping, or the message with which Melhor Envio registers it.

    Such a post changes nothing, and it is answered without a check, because nobody documents whether it is signed.
    """
    if source not in {VTEX_HOOK, "melhor_envio"} or len(body) > LONGEST_TEST:
        return False
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict):
        return False
    if source == VTEX_HOOK:
        return document == {"hookConfig": "ping"}
    return not any(isinstance(value, dict | list) and value for value in document.values())


def check_webhooks(webhooks: Mapping[str, WebhookCheck], setting: Callable[[str], str] = "webhooks.{}".format) -> None:
    """Check configured webhooks for what their sources need.

    Args:
        webhooks: The checks by the names of their sources.
        setting: Returns what messages call the setting of a source.

    Raises:
        ConfigurationError: A name is not that of a source, a source has no header to choose, or a secret that is sent
            as it is cannot be sent or is too short. No secret is quoted.
    """
    with hidden_frames():
        for source, check in webhooks.items():
            where = setting(visible(source, 60))
            if source not in _CHECKS:
                raise ConfigurationError(f"{where}: {quoted(source, 60)} is not a source: use {', '.join(_CHECKS)}.")
            if source in _SIGNED and check.header:
                raise ConfigurationError(f"{where}: {source} signs its posts, in a header of its own: remove header.")
            if source not in _SIGNED and not all(map(_can_be_sent, check.secrets)):
                raise ConfigurationError(
                    f"{where}: a secret has fewer than {MIN_SENT_LENGTH} characters, or one that is not ASCII: "
                    f"{SECRET_HELP}."
                )


def _can_be_sent(secret: Secret) -> bool:
    return re.fullmatch(rf"[ -~]{{{MIN_SENT_LENGTH},}}", _text(secret)) is not None


def _text(secret: Secret) -> str:
    return str(secret.reveal())


def _is_same(given: str, expected: str) -> bool:
    """Compare texts in a time that tells nothing about the expected one, not even its length."""
    one, other = (sha256(each.encode(errors="surrogatepass")).digest() for each in (given, expected))
    return hmac.compare_digest(one, other)


def _hmac(key: str, message: bytes) -> bytes:
    return hmac.digest(key.encode(), message, "sha256")


def _is_easypost(post: _Post, secret: Secret) -> bool:
    """EasyPost: ``X-Hmac-Signature: hmac-sha256-hex=<hex>``, with a secret in NFKD.

    Its documentation (docs.easypost.com/docs/webhooks) and its client (easypost-python, ``validate_webhook``). Its
    second signature, ``X-Hmac-Signature-V2``, is not in its clients.
    """
    signature = _hmac(normalize("NFKD", _text(secret)), post.body).hex()
    return _is_same(post.value("X-Hmac-Signature").lower(), f"hmac-sha256-hex={signature}")


def _is_melhor_envio(post: _Post, secret: Secret) -> bool:
    """Melhor Envio: ``X-ME-Signature``, with the secret of the app (docs.melhorenvio.com.br).

    Public code compares it as base64; some as hexadecimal digits.
    """
    signature, given = _hmac(_text(secret), post.body), post.value("X-ME-Signature")
    return _is_same(given, b64encode(signature).decode()) | _is_same(given.lower(), signature.hex())


def _is_aftership(post: _Post, secret: Secret) -> bool:
    """AfterShip Tracking: ``aftership-hmac-sha256``, in base64 (aftership.com/docs/tracking/webhook).

    The other names in its documentation, ``as-signature-hmac-sha256`` and ``am-webhook-signature``, belong to its
    products for returns, warranties and labels.
    """
    return _is_same(post.value("aftership-hmac-sha256"), b64encode(_hmac(_text(secret), post.body)).decode())


def _is_shippo(post: _Post, secret: Secret) -> bool:
    """Shippo: ``Shippo-Auth-Signature: t=<time>,v1=<hex>`` of ``<time>.<body>`` (docs.goshippo.com/tracking).

    Shippo signs only for those who ask its support. To others, it documents a token of their own in the address.
    """
    parts = re.fullmatch(r"t=([0-9]{1,20}), ?v1=([0-9A-Fa-f]{64})", post.value("Shippo-Auth-Signature"))
    time, given = parts.groups() if parts else ("", "")
    signature = _hmac(_text(secret), f"{time}.".encode() + post.body).hex()
    return _is_same(given.lower(), signature) | _is_in_path(post, secret)


def _is_track17(post: _Post, secret: Secret) -> bool:
    """17TRACK: ``sign``, the SHA-256 of ``<body>/<key>``, where the key is that of its API.

    Public code quotes its guide to version 2 (asset.17track.net/api/document/v2_en). A new key is used within five
    minutes, and posts are signed with the old one until then.
    """
    return _is_same(post.value("sign").lower(), sha256(post.body + f"/{_text(secret)}".encode()).hexdigest())


def _is_in_header(post: _Post, secret: Secret) -> bool:
    """Frenet and VTEX: a header of the merchant's choice, in Frenet's panel or in the hook's configuration.

    VTEX documents the latter (developers.vtex.com, POST /api/orders/hook/config); of Frenet, public code tells it.
    """
    return _is_same(post.value(post.chosen_header or DEFAULT_HEADER), _text(secret))


def _is_in_path(post: _Post, secret: Secret) -> bool:
    return _is_same(post.path_secret, _text(secret))


def _is_in_header_or_path(post: _Post, secret: Secret) -> bool:
    """All others: they document no check, or one that is not supported.

    ShipEngine (ShipStation) is among them. It signs with RSA, and its public keys would have to be fetched; but it also
    sends headers of the merchant's choice.
    """
    return _is_in_header(post, secret) | _is_in_path(post, secret)


def _is_intelipost(post: _Post, secret: Secret) -> bool:
    """Intelipost: HTTP Basic authentication, where the user is the merchant's API key.

    Its module for Magento 2 (Controller/Webhook/Index.php) does not look at the password. That for Magento 1 expects
    the key in the header ``api-key``: a configured header is used instead.
    """
    if post.chosen_header:
        return _is_in_header(post, secret)
    scheme, _, credentials = post.value("Authorization").partition(" ")
    try:
        user, colon, _ = b64decode(credentials, validate=True).decode("latin-1").partition(":")
    except ValueError:
        return False
    return (scheme.lower() == "basic") & bool(colon) & _is_same(user, _text(secret))


def _never(_post: _Post, _secret: Secret) -> bool:
    return False


#: The checks of the sources that sign their posts. For these, the secret itself proves nothing, except for Shippo.
_SIGNED: Final[Mapping[str, Callable[[_Post, Secret], bool]]] = {
    "easypost": _is_easypost,
    "melhor_envio": _is_melhor_envio,
    "aftership": _is_aftership,
    "shippo": _is_shippo,
    "track17": _is_track17,
}

#: The checks of all sources.
_CHECKS: Final[Mapping[str, Callable[[_Post, Secret], bool]]] = {
    VTEX_HOOK: _is_in_header,
    **dict.fromkeys(SOURCES, _is_in_header_or_path),
    "intelipost": _is_intelipost,
    "frenet": _is_in_header,
    **_SIGNED,
}
