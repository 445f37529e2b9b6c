"""Scrub, match, load and validate cassettes; used by scripts/record_cassettes and the tests."""

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

from lib.openapi_digest import RECORD_STALE, changed_operations, matching_operation, operation_digests

from cases import ACCOUNT, TARGETS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "cassettes"
CONTRACT = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))

#: Every recorded URL has the host of the example account.
HOST = f"https://{ACCOUNT}.vtexcommercestable.com.br"

#: Headers that are kept; all others are removed, because a new one could contain a secret.
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

#: Body fields that are kept: those of openapi.yaml, and those of VTEX's errors.
BODY_FIELDS = frozenset(
    name for schema in CONTRACT["components"]["schemas"].values() for name in schema.get("properties", ())
) | {"error", "code", "message", "exception", "type", "title", "status", "detail", "traceId"}


@frozen
class Provenance:
    """The origin of a cassette.

    Attributes:
        target: ``real``, ``prism`` or ``sandbox``.
        server: Name and version of the server.
        contract: Operation that was called -> hash of what openapi.yaml said of its traffic.
        upstream_sha256: Hash of VTEX's own file, which the traffic conforms to as well.
        cassette_sha256: Of the cassette as it was written.
        recorded: The day, yyyy-mm-dd.
    """

    target: str
    server: str
    contract: dict[str, str]
    upstream_sha256: str
    cassette_sha256: str
    recorded: str


class CassetteError(AssertionError):
    """A cassette is invalid; the message has the reason and the command that records it again."""

    def __init__(self, path: Path, reason: str) -> None:
        self.target, self.name, self.reason = path.parent.name, path.stem, reason
        super().__init__(f"{self.target}/{path.name}: {reason}; record it again: {RECORD_STALE.format(self.target)}")


@frozen
class Scrubber:
    """Removes secrets and real names from a recording.

    Attributes:
        secrets: Texts that are replaced by a placeholder.
        names: Real account, order id or invoice number -> example value. They may be as short as one digit, so only
            whole words are replaced.
    """

    secrets: Collection[str] = ()
    names: Mapping[str, str] = {}

    def text(self, text: str) -> str:
        """Scrub a path segment, a header value or a string of a body."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "[credential]")
        for name in sorted(self.names, key=len, reverse=True):
            text = re.sub(rf"(?<![\w.:+-]){re.escape(name)}(?![\w:+-])", self.names[name], text)
        return text

    def body(self, body: bytes) -> bytes:
        """Return the listed fields of a JSON body, or only the length of another body.

        A real order contains personal data, which must not be recorded.
        """
        try:
            document = json.loads(body)
        except ValueError:
            return f"[{len(body)} bytes that are not JSON]".encode()
        return json.dumps(self._known_fields(document), ensure_ascii=False).encode()

    def _known_fields(self, value: Any) -> Any:
        if isinstance(value, dict):
            # VTEX's handles are signed texts that name the account and the app key.
            known = {name: self._known_fields(field) for name, field in value.items() if name in BODY_FIELDS}
            return {**known, "handle": "[handle]"} if "handle" in known else known
        if isinstance(value, list):
            return [self._known_fields(entry) for entry in value]
        return self.text(value) if isinstance(value, str) else value


def recorder(mode: str, scrubber: Scrubber | None = None) -> vcr.VCR:
    """Return a vcrpy recorder that scrubs recordings and matches everything except headers.

    Args:
        mode: vcrpy's record mode; ``none`` only replays.
        scrubber: Scrubs secrets and names, in addition to headers and fields that are not listed.
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
    """Return the path of a cassette."""
    return FOLDER / target / f"{name}.yaml"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_provenance(path: Path, provenance: Provenance) -> None:
    """Write the provenance of a cassette to a file next to it."""
    path.with_suffix(".provenance.json").write_text(json.dumps(asdict(provenance), indent=2) + "\n", encoding="utf-8")


def called_operations(path: Path) -> dict[str, str]:
    """Return the operations that a cassette calls, with the hash of what openapi.yaml says of their traffic."""
    digests = operation_digests(CONTRACT)
    called = {
        matching_operation(digests, method, urlsplit(target).path) for (method, target, _, _), _ in exchanges(path)
    }
    return {name: digests[name] for name in sorted(called)}


def validate(path: Path) -> Provenance:
    """Validate a cassette, and return its provenance.

    Raises:
        CassetteError: It is missing, has no provenance, was edited, or an operation that it calls has changed.
    """
    beside = path.with_suffix(".provenance.json")
    if not path.exists():
        raise CassetteError(path, "it is missing")
    if not beside.exists():
        raise CassetteError(path, "it has no provenance")
    try:
        provenance = Provenance(**json.loads(beside.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise CassetteError(path, "its provenance is unreadable") from None
    if provenance.target != path.parent.name:
        raise CassetteError(path, f"it was recorded from {provenance.target} by its provenance")
    if provenance.cassette_sha256 != sha256(path):
        raise CassetteError(path, "it was changed after its recording")
    changed = changed_operations(provenance.contract, operation_digests(CONTRACT))
    if changed:
        raise CassetteError(path, f"it was recorded before openapi.yaml changed {' and '.join(changed)}")
    return provenance


def summary() -> str:
    """Return the number of valid cassettes of each target, and what invalidates others and records them again."""
    counts, invalid = dict.fromkeys(TARGETS, 0), dict[tuple[str, str], list[str]]()
    for target in TARGETS:
        for path in sorted((FOLDER / target).glob("*.yaml")):
            try:
                validate(path)
                counts[target] += 1
            except CassetteError as error:
                invalid.setdefault((target, error.reason), []).append(error.name)
    lines = [f"Valid contract cassettes: {', '.join(f'{n} from {t}' for t, n in counts.items())}."]
    lines += [f"Invalid {t} cassettes, each because {reason}: {', '.join(n)}." for (t, reason), n in invalid.items()]
    lines += [f"Record them again: {RECORD_STALE.format(t)}" for t in dict.fromkeys(t for t, _ in invalid)]
    return "\n".join(lines)


def exchanges(
    path: Path,
) -> list[tuple[tuple[str, str, list[tuple[str, str]], bytes], tuple[int, list[tuple[str, str]], bytes]]]:
    """Return the requests (method, path and query, headers, body) and responses (status, headers, body) of a cassette.

    Every request has placeholders for the credentials, which are not recorded.
    """
    found = []
    for exchange in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
        sent, received = exchange["request"], exchange["response"]
        headers = [*_pairs(sent["headers"]), ("X-VTEX-API-AppKey", "-"), ("X-VTEX-API-AppToken", "-")]
        target = sent["uri"].removeprefix(HOST)
        request = (sent["method"], target, headers, _bytes(sent["body"]))
        answer = (received["status"]["code"], _pairs(received["headers"]), _bytes(received["body"]["string"]))
        found.append((request, answer))
    return found


def _pairs(headers: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in headers.items() for value in values]


def _bytes(text: str | bytes | None) -> bytes:
    return text.encode() if isinstance(text, str) else text or b""
