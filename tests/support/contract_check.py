"""Holds requests and answers against openapi.yaml, or another document, with openapi-core."""

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

#: The servers of openapi.yaml are VTEX's; whatever host a test calls stands for one of them.
HOST = "https://apiexamples.vtexcommercestable.com.br"


class SentRequest:
    """A request as openapi-core wants to see it."""

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


class ReceivedAnswer:
    """An answer as openapi-core wants to see it."""

    def __init__(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.status_code = status
        self.headers = Headers(list(headers))
        self.content_type = self.headers.get("Content-Type", "")
        self.data = body


def check_request(
    method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes, spec: OpenAPI = SPEC
) -> SentRequest:
    """Raise unless the request is one that the document describes, credentials included."""
    request = SentRequest(method, path, headers, body)
    spec.validate_request(request)
    return request


def check_answer(
    request: SentRequest, status: int, headers: Iterable[tuple[str, str]], body: bytes, spec: OpenAPI = SPEC
) -> None:
    """Raise unless the answer is one that the document describes for the request."""
    spec.validate_response(request, ReceivedAnswer(status, headers, body))


def upstream(path: Path) -> tuple[OpenAPI, set[str]]:
    """Return VTEX's own document (JSON) to check against, and the statuses that it documents.

    Its header parameters Accept and Content-Type are left out, as OpenAPI asks readers to do.
    """
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    statuses: set[str] = set()
    for item in document["paths"].values():
        for operation in item.values():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [p for p in parameters if p.get("name") not in {"Accept", "Content-Type"}]
            statuses |= operation["responses"].keys()
    return OpenAPI.from_dict(document), statuses
