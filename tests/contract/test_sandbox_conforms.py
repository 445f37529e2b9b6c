"""The sandbox conforms to the contract, with schemathesis's requests and in every exchange of a push."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lib.openapi_facts import resolved
from vtex_tracking_ext.cli import main
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, EXAMPLE_FILE, Oms, running, server, with_examples
from vtex_tracking_ext.sandbox.app import create_app

from cases import INVOICE, ORDER
from support.contract_check import ROOT, check_answer, check_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Receive, Scope, Send

KEY = {"X-VTEX-API-AppKey": APP_KEY, "X-VTEX-API-AppToken": APP_TOKEN}

DOCUMENT = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
#: Path -> schema and example of the body of its only operation that has one.
BODIES = {
    path: operation["requestBody"]["content"]["application/json"]
    for path, item in DOCUMENT["paths"].items()
    for operation in item.values()
    if "requestBody" in operation
}
REQUESTS = [
    (method.upper(), path)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if "requestBody" in operation
]

schema = schemathesis.openapi.from_path(str(ROOT / "openapi.yaml"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the base URL of a sandbox with the example orders."""
    with running(with_examples()) as url:
        yield url


@schema.parametrize()
@settings(max_examples=70, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_schemathesis_finds_no_violation(case: Any, url: str) -> None:
    """Every response conforms, invalid data is rejected, and only the documented 500 occurs."""
    response = case.call(base_url=url, headers=KEY)
    checks = [status_code_conformance, response_schema_conformance, response_headers_conformance]
    checks.append(negative_data_rejection)
    if not (response.status_code == 500 and "%20" in str(response.request.url)):
        checks.append(not_a_server_error)
    case.validate_response(response, checks=checks)


class Proxy:
    """Forwards requests to the sandbox, and validates each exchange against openapi.yaml."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[tuple[str, int]] = []
        self.violations: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, and validate the exchange when it is complete."""
        request, answer = bytearray(), bytearray()
        start: Message = {}

        async def listen() -> Message:
            message = await receive()
            request.extend(message.get("body", b""))
            return message

        async def speak(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            answer.extend(message.get("body", b""))
            await send(message)

        await self.app(scope, listen, speak)
        self.seen.append((scope["method"], start["status"]))
        try:
            path = f"{scope['raw_path'].decode()}?{scope['query_string'].decode()}"
            sent = check_request(scope["method"], path, _text(scope["headers"]), bytes(request))
            check_answer(sent, start["status"], _text(start["headers"]), bytes(answer))
        except Exception as error:  # noqa: BLE001 - any error is a violation
            self.violations.append(f"{scope['method']} {scope['path']}: {error!r}")


def _text(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def test_a_push_violates_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As in the demo, the example file is pushed and every order read, with some errors in addition."""
    proxies: list[Proxy] = []

    def proxied(oms: Oms) -> Proxy:
        proxies.append(Proxy(create_app(oms)))
        return proxies[-1]

    monkeypatch.setattr(server, "create_app", proxied)
    oms = with_examples()
    with running(oms) as url:
        options = ["--account", "sandbox", "--base-url", url, "--app-key", APP_KEY]
        good = [*options, "--app-token", APP_TOKEN]
        assert main(["push", str(EXAMPLE_FILE), *good]) == 0
        for order in oms.orders:
            assert main(["packages", order, *good]) == 0
        assert main(["packages", "unknown-01", *good]) == 1
        assert main(["packages", "unknown-01", *options, "--app-token", "wrong"]) == 3
    capsys.readouterr()
    (proxy,) = proxies
    assert proxy.violations == []
    assert sorted(proxy.seen) == sorted([("PUT", 200)] * 6 + [("GET", 200)] * 7 + [("GET", 404), ("GET", 401)])


#: Type of a field -> a value.
VALUES = {"string": "a", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}


def complete(schema: Any, example: Any) -> Any:
    """Return an example of a request's body with a value for each field that it lacks, at every level."""
    schema = resolved(DOCUMENT, schema)
    if isinstance(example, list):
        return [complete(schema["items"], each) for each in example]
    if not isinstance(example, dict):
        return example
    lacking = {name: VALUES[field["type"]] for name, field in schema["properties"].items() if name not in example}
    return lacking | {name: complete(schema["properties"][name], each) for name, each in example.items()}


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_the_sandbox_knows_every_field_of_a_request(method: str, path: str) -> None:
    """A request with all fields of openapi.yaml is accepted: a new field must be added to the sandbox, too."""
    oms = Oms()
    oms.add_order(ORDER, [INVOICE])
    oms.configure_feed(APP_KEY, BODIES["/api/orders/feed/config"]["example"])
    target = path.replace("{orderId}", ORDER).replace("{invoiceNumber}", INVOICE)
    body = complete(BODIES[path]["schema"], BODIES[path]["example"])
    with running(oms) as url:
        response = httpx.request(method, f"{url}{target}", headers=KEY, json=body)
    assert response.status_code == 200, response.text


def test_a_body_is_completed_at_every_level() -> None:
    """A field that an example lacks gets a value of its type, in a list of objects as well."""
    text, event = {"type": "string"}, {"properties": {"city": {"type": "string"}, "zip": {"type": "integer"}}}
    schema = {"properties": {"note": text, "events": {"type": "array", "items": event}}}
    assert complete(schema, {"events": [{"city": "Rio"}]}) == {"note": "a", "events": [{"city": "Rio", "zip": 1}]}
