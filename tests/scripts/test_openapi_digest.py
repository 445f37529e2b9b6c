"""The hash of an operation changes with what openapi.yaml says of its traffic, and with nothing else."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lib.openapi_digest import changed_operations, matching_operation, operation_digests
from lib.openapi_facts import UnreadableError

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
DIGESTS = operation_digests(yaml.safe_load(TEXT))
UPDATE = "PUT /api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}/tracking"
NUMBER = "PATCH /api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}"
READ = "GET /api/oms/pvt/orders/{orderId}"
LIST = "GET /api/oms/pvt/orders"
CONFIG = "GET /api/orders/feed/config"


def changed(change: Callable[[Any], object]) -> list[str]:
    """Return the operations whose hash differs after a change of a copy of the document."""
    document = copy.deepcopy(yaml.safe_load(TEXT))
    change(document)
    return changed_operations(DIGESTS, operation_digests(document))


def schemas(document: Any) -> Any:
    """Return the schemas of a document."""
    return document["components"]["schemas"]


def receipt(document: Any) -> Any:
    """Return a field of the answer of two operations."""
    return schemas(document)["Receipt"]["properties"]["receipt"]


def retry_after(document: Any) -> Any:
    """Return the schema of a header of all operations."""
    return document["components"]["headers"]["RetryAfter"]["schema"]


def parameters(document: Any) -> Any:
    """Return the shared parameters of a document."""
    return document["components"]["parameters"]


def operation(document: Any, name: str) -> Any:
    """Return an operation of a document."""
    method, path = name.split(" ")
    return document["paths"][path][method.lower()]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("openapi: 3.1.0\n", "# A comment.\nopenapi: 3.1.0\n"),
        ("summary: Add tracking events to a package\n", "summary: Add events\n"),
        ("description: What the shopper reads.", "description: What a shopper reads."),
        ("version: 1.0.0\n", "version: 1.1.0\n"),
        ("city: Rio de Janeiro\n", "city: Niteroi\n"),
        ("example: 1172452900788-01\n", "example: 1172452900789-01\n"),
        ("operationId: updateTrackingStatus\n", "operationId: addTrackingEvents\n"),
        ("tags: [tracking]\n", "tags: [invoice]\n"),
        ("#/components/schemas/Receipt'", "#/components/schemas/Acknowledgement'"),
    ],
)
def test_prose_and_names_change_no_hash(old: str, new: str) -> None:
    """Comments, summaries, descriptions, examples, operationIds, tags, and the names of schemas are not hashed."""
    assert old in TEXT
    text = TEXT.replace(old, new)
    if "schemas" in new:
        text = text.replace("\n    Receipt:\n", "\n    Acknowledgement:\n")
    assert operation_digests(yaml.safe_load(text)) == DIGESTS


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["paths"].update(reversed(list(document["paths"].items()))),
        lambda document: schemas(document)["Event"]["required"].reverse(),
        lambda document: operation(document, LIST)["parameters"].reverse(),
        lambda document: operation(document, UPDATE)["responses"].update(
            {"404": document["components"]["responses"]["NotFound"]}
        ),
        lambda document: operation(document, UPDATE).update(deprecated=True),
        lambda document: document["x-deviations"].clear(),
        lambda document: schemas(document).update(Unused={"type": "object"}),
        lambda document: document["paths"].update({"/ping": {"get": {"responses": {}}}}),
    ],
)
def test_order_references_and_additions_elsewhere_change_no_hash(change: Callable[[Any], object]) -> None:
    """A list without an order may be sorted differently, a reference replaced by its target, an operation added."""
    assert changed(change) == []


@pytest.mark.parametrize(
    ("change", "operations"),
    [
        (lambda document: schemas(document)["Event"]["properties"]["city"].update(maxLength=9), [UPDATE]),
        (lambda document: schemas(document)["Event"]["properties"].update(zip={"type": "string"}), [UPDATE]),
        (lambda document: schemas(document)["Event"]["properties"].pop("description"), [UPDATE]),
        (lambda document: schemas(document)["Event"]["required"].remove("city"), [UPDATE]),
        (
            lambda document: schemas(document)["Receipt"]["properties"]["receipt"].update(type="integer"),
            [UPDATE, NUMBER],
        ),
        (lambda document: schemas(document)["Receipt"]["properties"]["receipt"].update(enum=["a"]), [UPDATE, NUMBER]),
        (lambda document: parameters(document)["OrderId"]["schema"].update(maxLength=9), [UPDATE, NUMBER, READ]),
        (lambda document: parameters(document)["Page"].update(required=True), [LIST]),
        (lambda document: operation(document, CONFIG)["responses"].pop("429"), [CONFIG]),
        (
            lambda document: document["components"]["headers"]["RetryAfter"]["schema"].update(type="integer"),
            list(DIGESTS),
        ),
        (lambda document: document["paths"].pop("/api/oms/pvt/orders"), [LIST]),
        (lambda document: document["paths"].update({"/v2": document["paths"].pop("/api/oms/pvt/orders")}), [LIST]),
        (lambda document: document["servers"][0].update(url="https://{accountName}.example"), list(DIGESTS)),
        (lambda document: document["servers"][0]["variables"]["accountName"].update({"x-pattern": "a"}), list(DIGESTS)),
        (lambda document: document["components"]["securitySchemes"]["appKey"].update(name="X"), list(DIGESTS)),
        (lambda document: document["security"].pop(), list(DIGESTS)),
        (lambda document: operation(document, LIST).update(security=[]), [LIST]),
        (lambda document: operation(document, LIST).update(servers=[{"url": "https://a.example"}]), [LIST]),
    ],
)
def test_what_decides_about_the_traffic_changes_the_hashes_of_its_operations(
    change: Callable[[Any], object], operations: list[str]
) -> None:
    """A field named like a keyword counts as a field. What is shared changes every operation that uses it."""
    assert sorted(changed(change)) == sorted(operations)


def test_a_keyword_beside_a_reference_counts() -> None:
    """OpenAPI 3.1 allows keywords beside ``$ref``, also beside one that is referenced itself."""

    def refer(document: Any, **siblings: str) -> None:
        all_schemas = schemas(document)
        all_schemas["Text"] = {"type": "string"}
        all_schemas["Short"] = {"$ref": "#/components/schemas/Text", **siblings}
        all_schemas["Event"]["properties"]["city"] = {"$ref": "#/components/schemas/Short"}

    def digests(**siblings: str) -> dict[str, str]:
        document = yaml.safe_load(TEXT)
        refer(document, **siblings)
        return operation_digests(document)

    assert changed_operations(digests(), digests(pattern="^a")) == [UPDATE]
    assert changed_operations(digests(), digests(description="A text.")) == []


def test_a_recursive_schema_has_a_hash_that_its_name_does_not_change() -> None:
    """A reference to a schema around it is not followed."""

    def digests(name: str, kind: str) -> dict[str, str]:
        document = yaml.safe_load(TEXT)
        node = {"properties": {"next": {"$ref": f"#/components/schemas/{name}"}, "value": {"type": kind}}}
        schemas(document)[name] = node
        schemas(document)["Order"]["properties"]["tree"] = {"$ref": f"#/components/schemas/{name}"}
        return operation_digests(document)

    assert digests("Node", "string") == digests("Branch", "string")
    assert changed_operations(digests("Node", "string"), digests("Node", "integer")) == [READ]


def test_a_reference_to_nothing_is_an_error() -> None:
    """The message names the reference."""
    with pytest.raises(UnreadableError, match=r"#/components/schemas/Receipt cannot be resolved"):
        changed(lambda document: schemas(document).pop("Receipt"))


def test_the_operation_of_a_request_is_found() -> None:
    """A path without parameters is preferred; a request of no operation is an error."""
    assert matching_operation(DIGESTS, "GET", "/api/oms/pvt/orders/1-01") == READ
    assert (
        matching_operation({"GET /orders/{id}": "", "GET /orders/all": ""}, "GET", "/orders/all") == "GET /orders/all"
    )
    with pytest.raises(LookupError, match=r"openapi\.yaml has no operation DELETE /api/oms/pvt/orders"):
        matching_operation(DIGESTS, "DELETE", "/api/oms/pvt/orders")
