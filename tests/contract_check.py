"""Holds requests and answers against openapi.yaml, with openapi-core."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[1]
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


def check_request(method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> SentRequest:
    """Raise unless the request is one that openapi.yaml describes, credentials included."""
    request = SentRequest(method, path, headers, body)
    SPEC.validate_request(request)
    return request


def check_answer(request: SentRequest, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    """Raise unless the answer is one that openapi.yaml describes for the request."""
    SPEC.validate_response(request, ReceivedAnswer(status, headers, body))
