"""Validate requests and responses against openapi.yaml, or another document, with openapi-core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        self.method = method.lower()
        self.path = path
        self.body = body
        self.headers = Headers(list(headers))
        self.content_type = self.headers.get("Content-Type", "")
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(), header=self.headers, cookie=ImmutableMultiDict(), path={}
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


def upstream(path: Path) -> tuple[OpenAPI, set[str]]:
    """Load VTEX's own document in JSON, and return it with the statuses that it documents.

    Its header parameters Accept and Content-Type are removed, because OpenAPI ignores such parameters.
    """
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    statuses: set[str] = set()
    for item in document["paths"].values():
        for operation in item.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [p for p in parameters if p.get("name") not in {"Accept", "Content-Type"}]
            statuses |= operation["responses"].keys()
    return OpenAPI.from_dict(document), statuses
