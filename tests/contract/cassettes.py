"""Cassettes: how they are scrubbed, matched, labelled and checked. Shared by the recorder and the tests."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import vcr
import yaml
from attrs import asdict, frozen

from cases import ACCOUNT, TARGETS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "cassettes"
MEND = "record it again: scripts/record_cassettes --upstream FILE --target"

#: Every recorded address stands under the example account's host.
HOST = f"https://{ACCOUNT}.vtexcommercestable.com.br"

#: Headers that are kept; every other one is dropped, so that a new one cannot carry a secret.
REQUEST_HEADERS = ("accept", "content-type")
RESPONSE_HEADERS = (
    "cache-control",
    "content-type",
    "expires",
    "pragma",
    "retry-after",
    "x-cdnignore",
    "x-track",
    "x-vtex-error-code",
    "x-vtex-error-message",
)

#: Fields of a body that are kept: those of openapi.yaml's answers, and those of the errors VTEX is known to send.
BODY_FIELDS = frozenset(
    name
    for schema in yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))["components"]["schemas"].values()
    for name in schema["properties"]
) | {"error", "code", "message", "exception", "type", "title", "status", "detail", "traceId"}


@frozen
class Provenance:
    """Where a cassette comes from.

    Attributes:
        target: ``real``, ``prism`` or ``sandbox``.
        server: The server that answered, with its version.
        spec_sha256: Of openapi.yaml when it was recorded.
        upstream_sha256: Of VTEX's own file, against which the traffic was held too.
        cassette_sha256: Of the cassette as it was written.
        recorded: The day, yyyy-mm-dd.
    """

    target: str
    server: str
    spec_sha256: str
    upstream_sha256: str
    cassette_sha256: str
    recorded: str


class CassetteError(AssertionError):
    """A cassette cannot be believed; the text says why, and names the command that mends it."""


@frozen
class Scrubber:
    """What must not stay in a recording, and what stands there instead.

    Attributes:
        secrets: Replaced by a mark wherever they stand.
        names: An account, an order id, an invoice number, and the example that takes the place of each. They may be
            as short as one digit, so they are replaced where they stand as a word of their own.
    """

    secrets: Collection[str] = ()
    names: Mapping[str, str] = {}

    def text(self, text: str) -> str:
        """Scrub a text: a segment of a path, a header's value, a string of a body."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "[credential]")
        for name in sorted(self.names, key=len, reverse=True):
            text = re.sub(rf"(?<![\w.:+-]){re.escape(name)}(?![\w:+-])", self.names[name], text)
        return text

    def body(self, body: bytes) -> bytes:
        """Return what is kept of a body: the fields that are known, and of what is no JSON its length alone.

        An order of a real store names a person and an address; none of that may reach a cassette.
        """
        try:
            document = json.loads(body)
        except ValueError:
            return f"[{len(body)} bytes that are not JSON]".encode()
        return json.dumps(self._known_fields(document), ensure_ascii=False).encode()

    def _known_fields(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._known_fields(field) for name, field in value.items() if name in BODY_FIELDS}
        if isinstance(value, list):
            return [self._known_fields(entry) for entry in value]
        return self.text(value) if isinstance(value, str) else value


def recorder(mode: str, scrubber: Scrubber | None = None) -> vcr.VCR:
    """Return vcrpy, set to scrub what it writes and to match on everything but headers.

    Args:
        mode: vcrpy's record mode; ``none`` replays alone.
        scrubber: What to scrub beyond the headers and fields that are on no list.
    """
    scrub = scrubber or Scrubber()

    def request(sent: Any) -> Any:
        parts = urlsplit(sent.uri)
        path = "/".join(map(scrub.text, parts.path.split("/")))
        sent.uri = f"{HOST}{path}{'?' if parts.query else ''}{scrub.text(parts.query)}"
        sent.headers = {name: value for name, value in sent.headers.items() if name.lower() in REQUEST_HEADERS}
        return sent

    def response(received: dict[str, Any]) -> dict[str, Any]:
        headers = {
            name.lower(): list(map(scrub.text, values))
            for name, values in received["headers"].items()
            if name.lower() in RESPONSE_HEADERS
        }
        return {**received, "headers": headers, "body": {"string": scrub.body(received["body"]["string"])}}

    return vcr.VCR(
        record_mode=mode,
        match_on=["method", "scheme", "host", "port", "path", "query", "body"],
        before_record_request=request,
        before_record_response=response,
        decode_compressed_response=True,
    )


def cassette_path(target: str, name: str) -> Path:
    """Return where a cassette lies."""
    return FOLDER / target / f"{name}.yaml"


def sha256(path: Path) -> str:
    """Return a file's hash."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def label(path: Path, provenance: Provenance) -> None:
    """Write a cassette's provenance beside it."""
    path.with_suffix(".provenance.json").write_text(json.dumps(asdict(provenance), indent=2) + "\n", encoding="utf-8")


def believed(path: Path) -> Provenance:
    """Return a cassette's provenance, having checked it.

    Raises:
        CassetteError: It is missing, has no label, was edited by hand, or was recorded under another contract.
    """
    target = path.parent.name
    name = f"{target}/{path.name}"
    beside = path.with_suffix(".provenance.json")
    if not path.exists():
        raise CassetteError(f"{name} is missing; {MEND} {target}")
    if not beside.exists():
        raise CassetteError(f"{name} has no provenance; {MEND} {target}")
    try:
        provenance = Provenance(**json.loads(beside.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise CassetteError(f"{name} has a provenance that cannot be read; {MEND} {target}") from None
    if provenance.target != target:
        raise CassetteError(f"{name} says it was recorded from {provenance.target}; {MEND} {target}")
    if provenance.cassette_sha256 != sha256(path):
        raise CassetteError(f"{name} was changed after it was recorded; {MEND} {target}")
    if provenance.spec_sha256 != sha256(ROOT / "openapi.yaml"):
        raise CassetteError(f"{name} was recorded under another openapi.yaml; {MEND} {target}")
    return provenance


def tally() -> str:
    """Return whose answers the cassettes hold that can be believed, and which ones cannot."""
    counts, doubts = dict.fromkeys(TARGETS, 0), []
    for target in TARGETS:
        for path in sorted((FOLDER / target).glob("*.yaml")):
            try:
                believed(path)
                counts[target] += 1
            except CassetteError as error:
                doubts.append(f"\nNot believed: {error}")
    return f"Contract cassettes believed: {', '.join(f'{n} from {t}' for t, n in counts.items())}.{''.join(doubts)}"


def exchanges(
    path: Path,
) -> list[tuple[tuple[str, str, list[tuple[str, str]], bytes], tuple[int, list[tuple[str, str]], bytes]]]:
    """Return a cassette's requests (method, path, headers, body) and answers (status, headers, body).

    Credentials were not recorded; every request has marks in their places.
    """
    found = []
    for exchange in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
        sent, received = exchange["request"], exchange["response"]
        headers = [*_pairs(sent["headers"]), ("X-VTEX-API-AppKey", "-"), ("X-VTEX-API-AppToken", "-")]
        request = (sent["method"], urlsplit(sent["uri"]).path, headers, _bytes(sent["body"]))
        answer = (received["status"]["code"], _pairs(received["headers"]), _bytes(received["body"]["string"]))
        found.append((request, answer))
    return found


def _pairs(headers: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in headers.items() for value in values]


def _bytes(text: str | bytes | None) -> bytes:
    return text.encode() if isinstance(text, str) else text or b""
