"""Validate requests and responses against openapi.yaml, or another document, with openapi-core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
SPEC = OpenAPI.from_file_path(str(ROOT / "openapi.yaml"))

#: A server of openapi.yaml, in place of the host that a test calls.
HOST = "https://apiexamples.vtexcommercestable.com.br"


class SentRequest:
    """A request in the form that openapi-core requires."""

    host_url = HOST
    path_pattern = None

    def __init__(self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        parts = urlsplit(path)
        self.method = method.lower()
        self.path = parts.path
        self.body = body
        self.headers = Headers(list(headers))
        self.content_type = self.headers.get("Content-Type", "")
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(parts.query, keep_blank_values=True)),
            header=self.headers,
            cookie=ImmutableMultiDict(),
            path={},
        )


class ReceivedResponse:
    """A response in the form that openapi-core requires."""

    def __init__(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.status_code = status
        self.headers = Headers(list(headers))
        self.content_type = self.headers.get("Content-Type", "")
        self.data = body


def check_request(
    method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes, spec: OpenAPI = SPEC
) -> SentRequest:
    """Raise an error unless a request conforms to the document, credentials included."""
    request = SentRequest(method, path, headers, body)
    spec.validate_request(request)
    return request


def check_answer(
    request: SentRequest, status: int, headers: Iterable[tuple[str, str]], body: bytes, spec: OpenAPI = SPEC
) -> None:
    """Raise an error unless a response conforms to the document."""
    spec.validate_response(request, ReceivedResponse(status, headers, body))


def upstream(path: Path) -> OpenAPI:
    """Load VTEX's own document in JSON.

    Its header parameters Accept and Content-Type are removed, because OpenAPI ignores such parameters. No field of a
    response is required, because recordings hold only those that are listed.
    """
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for item in document["paths"].values():
        for operation in item.values():
            parameters = operation.get("parameters", [])
            operation["responses"] = _without_required(operation["responses"])
            operation["parameters"] = [p for p in parameters if p.get("name") not in {"Accept", "Content-Type"}]
    components = document["components"]
    components["responses"] = _without_required(components.get("responses", {}))
    schemas = components["schemas"]
    schemas |= {f"{name}.response": _without_required(schema) for name, schema in schemas.items()}
    return OpenAPI.from_dict(document)


def _without_required(value: Any) -> Any:
    """Return a part of a document in which no field is required, with references to schemas for which this is so."""
    if isinstance(value, list):
        return [_without_required(each) for each in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str):
        return {"$ref": f"{reference}.response"} if reference.startswith("#/components/schemas/") else value
    return {k: _without_required(v) for k, v in value.items() if not (k == "required" and isinstance(v, list))}
