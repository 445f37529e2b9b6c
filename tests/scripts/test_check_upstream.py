"""Our contract held against VTEX's.

The documents here are made from openapi.yaml itself, so that what differs is what the test changed. VTEX's own file
is not part of this project; with its path in ``VTEX_ORDERS_API_FILE`` it is compared too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
TRACKING = "/api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}/tracking"
ORDER = "/api/oms/pvt/orders/{orderId}"


@pytest.fixture
def upstream() -> Document:
    """Return a document that says what ours says."""
    document: Document = json.loads(json.dumps(yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))))
    return document


@pytest.fixture
def compare(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the script on a document, or on a text."""

    def run(document: Document | str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "upstream.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return check_upstream(path, *arguments)

    return run


def check_upstream(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a file."""
    command = [sys.executable, str(ROOT / "scripts" / "check_upstream"), str(path), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def news(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what was new, each difference with its consequence behind it."""
    lines = [line for line in done.stdout.splitlines() if line.startswith(("NEW", "       b"))]
    return [
        f"{first.removeprefix('NEW    ')} -> {second.strip()}"
        for first, second in zip(lines[::2], lines[1::2], strict=True)
    ]


def schema(document: Document, name: str) -> Document:
    """Return one of a document's schemas."""
    found: Document = document["components"]["schemas"][name]
    return found


def as_of_3_0(node: Any) -> Any:
    """Return a document written as OpenAPI 3.0 has it: ``nullable`` instead of a type among others."""
    if isinstance(node, list):
        return [as_of_3_0(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: as_of_3_0(value) for name, value in node.items()}
    if isinstance(node.get("type"), list):
        (kind,) = (kind for kind in node["type"] if kind != "null")
        node.update(type=kind, nullable=True)
    return node


def test_a_document_like_ours_has_nothing_new(
    compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document
) -> None:
    """And each deviation has become untrue, which is told."""
    done = compare(upstream)
    assert done.returncode == 0, done.stdout
    deviations = [place for entry in upstream["x-deviations"] for place in entry["at"]]
    stale = [line for line in done.stdout.splitlines() if line.startswith("STALE")]
    assert len(stale) == len(deviations)
    assert done.stdout.endswith(f"0 known differences, 0 new, {len(deviations)} stale deviations.\n")


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump])
def test_every_way_to_write_it_says_the_same(
    compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document, dump: Any, version: str
) -> None:
    """JSON and YAML, 3.0 and 3.1."""
    document = as_of_3_0(upstream) if version.startswith("3.0") else upstream
    done = compare(dump({**document, "openapi": version}))
    assert done.returncode == 0, done.stdout
    assert "0 known differences, 0 new" in done.stdout


def test_a_known_difference_is_printed_with_its_reason(
    compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document
) -> None:
    """When asked for, each place with its values; without, folded into a line a reason. And it is not stale."""
    limit = schema(upstream, "Event")["properties"]["description"].pop("maxLength")
    done = compare(upstream, "--verbose")
    assert done.returncode == 0
    known = done.stdout.partition("known  ")[2].splitlines()
    assert (
        known[0] == f'updateTrackingStatus.request.events[].description#maxLength: VTEX has "nothing", we have {limit}'
    )
    assert known[1].strip().startswith("because: VTEX states the limit on a description's characters in prose only")
    assert "1 known differences, 0 new" in done.stdout
    assert "STALE  updateTrackingStatus.request.events[].description#maxLength" not in done.stdout
    (line,) = [line for line in compare(upstream).stdout.splitlines() if line.startswith("known")]
    assert line.startswith("known  updateTrackingStatus.request.events[].description#maxLength (1 place): VTEX states")


def _set(*path: str | int, value: Any) -> Callable[[Document], None]:
    def change(document: Any) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = value

    return change


def _drop(*path: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        for name in path[:-1]:
            document = document[name]
        del document[path[-1]]

    return change


def _all(*changes: Callable[[Document], None]) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        for one in changes:
            one(document)

    return change


REQUEST = ("components", "schemas", "UpdateTrackingStatusRequest")
EVENT = ("components", "schemas", "Event", "properties")


@pytest.mark.parametrize(
    ("change", "place", "consequence"),
    [
        (
            _all(_drop(*REQUEST, "properties", "deliveredDate"), _set(*REQUEST, "required", value=[])),
            ".request.deliveredDate",
            "VTEX no longer has it",
        ),
        (_set(*EVENT, "zip", value={"type": "string"}), ".request.events[].zip", "breaks no caller"),
        (_set(*EVENT, "city", "type", value="integer"), ".request.events[].city#type", "its type changed"),
        (_set(*EVENT, "city", "type", value=["string", "null"]), ".request.events[].city#nullable", "breaks no caller"),
        (_set(*EVENT, "city", "enum", value=["Recife"]), ".request.events[].city#enum", "takes less, or other, values"),
        (_set(*EVENT, "city", "default", value="Recife"), ".request.events[].city#default", "VTEX fills it in"),
        (_set(*REQUEST, "properties", "isDelivered", "type", value="string"), ".request.isDelivered#type", "its type"),
        (
            _set(*REQUEST, "properties", "deliveredDate", value={"type": "string"}),
            ".request.deliveredDate#nullable",
            "no longer takes null",
        ),
        (_drop("paths", TRACKING, "put"), "", "VTEX no longer has the operation"),
        (_set("paths", TRACKING, "put", "security", value=[]), "#security", "where or as whom to call"),
    ],
)
def test_what_is_new_is_named_with_its_consequence(
    compare: Callable[..., subprocess.CompletedProcess[str]],
    upstream: Document,
    change: Callable[[Document], None],
    place: str,
    consequence: str,
) -> None:
    """Both sides, and whether callers break."""
    change(upstream)
    done = compare(upstream)
    assert done.returncode == 1
    found = [line for line in news(done) if line.startswith(f"updateTrackingStatus{place}: VTEX has ")]
    assert len(found) == 1, done.stdout
    assert consequence in found[0].partition(" -> ")[2]


PACKAGE = ("components", "schemas", "Package", "properties")
RECEIPT = ("components", "schemas", "Receipt")
OPERATION = ("paths", TRACKING, "put")
LESS, WHERE = (
    "breaks callers: VTEX now takes less, or other, values",
    "breaks callers: where or as whom to call changed",
)
TYPE = "breaks callers: its type changed"
NONE = "breaks no caller"
HEADER = {"name": "Content-Type", "in": "header", "required": True}
JSON_ALONE = {"type": "string", "default": "application/json"}


@pytest.mark.parametrize(
    ("change", "place", "consequence"),
    [
        (_set(*REQUEST, "properties", "events", "maxItems", value=20), ".request.events#maxItems", LESS),
        (_set(*REQUEST, "properties", "events", "minItems", value=1), ".request.events#minItems", LESS),
        (_set(*REQUEST, "properties", "events", "uniqueItems", value=True), ".request.events#uniqueItems", LESS),
        (_set(*REQUEST, "minProperties", value=3), ".request#minProperties", LESS),
        (_set(*EVENT, "city", "multipleOf", value=2), ".request.events[].city#multipleOf", LESS),
        (_set(*EVENT, "city", "exclusiveMaximum", value=2), ".request.events[].city#exclusiveMaximum", LESS),
        (_set(*EVENT, "city", "format", value="uuid"), ".request.events[].city#format", LESS),
        (_set(*EVENT, "city", "not", value={"const": "Recife"}), ".request.events[].city#not", LESS),
        (_set(*EVENT, "city", "x-nobody-knows", value=1), None, None),
        (_set(*EVENT, "city", "nobodyKnows", value=1), ".request.events[].city#nobodyKnows", LESS),
        (_set(*EVENT, "description", "maxLength", value=10), ".request.events[].description#maxLength", LESS),
        (_set(*EVENT, "description", "maxLength", value=10**6), ".request.events[].description#maxLength", NONE),
        (_set(*EVENT, "city", "anyOf", value=[{"minLength": 1}, {"const": ""}]), ".request.events[].city#anyOf", LESS),
        (_set(*EVENT, "city", "allOf", value=[{"maxLength": 9}]), ".request.events[].city#maxLength", LESS),
        (
            _set(*REQUEST, "allOf", value=[{"properties": {"isDelivered": {"const": True}}}]),
            ".request.isDelivered#const",
            LESS,
        ),
        (_set(*REQUEST, "required", 0, value="zip"), ".request.zip", "breaks callers: VTEX now requires it"),
        (_set(*OPERATION, "servers", value=[{"url": "https://a.example"}]), "#servers", WHERE),
        (_set("paths", TRACKING, "servers", value=[{"url": "https://a.example"}]), "#servers", WHERE),
        (_set(*OPERATION, "deprecated", value=True), "#deprecated", NONE),
        (
            _all(
                _set(*OPERATION, "requestBody", "content", "application/xml", value={"schema": {"type": "string"}}),
                _drop(*OPERATION, "requestBody", "content", "application/json"),
            ),
            ".request#mediaType",
            "breaks callers: VTEX no longer speaks our media type",
        ),
        (
            _set(*OPERATION, "requestBody", "content", "application/xml", value={"schema": {"type": "string"}}),
            ".request#mediaType",
            NONE,
        ),
        (
            _set(*OPERATION, "parameters", value=[{**HEADER, "schema": {**JSON_ALONE, "enum": ["application/xml"]}}]),
            ".parameters.header.Content-Type#enum",
            LESS,
        ),
        (_drop(*RECEIPT, "required"), ".response.200.receipt#required", "breaks callers: VTEX may now leave it out"),
        (
            _set(*RECEIPT, "properties", "receipt", "type", value=["string", "null"]),
            ".response.200.receipt#nullable",
            "breaks callers: VTEX may now send null",
        ),
        (
            _set(*RECEIPT, "properties", "receipt", value={"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            ".response.200.receipt#oneOf",
            TYPE,
        ),
    ],
)
def test_a_change_of_any_kind_is_new(
    compare: Callable[..., subprocess.CompletedProcess[str]],
    upstream: Document,
    change: Callable[[Document], None],
    place: str | None,
    consequence: str | None,
) -> None:
    """Each alone, with its consequence; whatever the keyword, unless it is one that means nothing."""
    change(upstream)
    done = compare(upstream)
    assert done.returncode == (place is not None), done.stdout
    found = {line.partition(": ")[0]: line.partition(" -> ")[2] for line in news(done)}
    assert consequence == (found[f"updateTrackingStatus{place}"] if place else None)


@pytest.mark.parametrize(
    ("change", "place", "consequence"),
    [
        (_set(*PACKAGE, "type", "enum", value=["Output"]), "[].type#enum", NONE),
        (_set(*PACKAGE, "courier", "format", value="uuid"), "[].courier#format", NONE),
        (_set(*PACKAGE, "events", value={"type": "array", "items": {"type": "string"}}), "[].events", NONE),
        (_set(*PACKAGE, "trackingUrl", "type", value="integer"), "[].trackingUrl#type", TYPE),
        (_set("components", "schemas", "Package", "type", value="string"), "[]#type", TYPE),
    ],
)
def test_what_is_new_beside_what_we_read_of_an_order_is_told(
    compare: Callable[..., subprocess.CompletedProcess[str]],
    upstream: Document,
    change: Callable[[Document], None],
    place: str,
    consequence: str,
) -> None:
    """Though most of an order is not described: a fact about a field we read, a field next to one."""
    change(upstream)
    done = compare(upstream)
    assert done.returncode == 1, done.stdout
    assert [f"getOrder.response.200.packageAttachment.packages{place}"] == [
        line.partition(": ")[0] for line in news(done) if line.endswith(f" -> {consequence}")
    ]


def test_what_an_order_has_elsewhere_is_known(
    compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document
) -> None:
    """One difference a field, whatever is in it."""
    order = schema(upstream, "Order")["properties"]
    order["totals"] = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}}
    order["value"] = {"type": "integer"}
    done = compare(upstream)
    assert done.returncode == 0
    assert "known  getOrder.response.200.* (2 places): Of an order's many fields" in done.stdout


def test_a_recursive_schema_ends(compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document) -> None:
    """Two ways back at every level would else be millions."""
    child = {"$ref": "#/components/schemas/Event"}
    schema(upstream, "Event")["properties"].update(before=child, after=child)
    done = compare(upstream)
    assert done.returncode == 1
    assert len(news(done)) == 2


def test_a_path_may_be_a_reference(
    compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document
) -> None:
    """As OpenAPI 3.1 has it."""
    upstream["components"]["pathItems"] = {"Tracking": upstream["paths"][TRACKING]}
    upstream["paths"][TRACKING] = {"$ref": "#/components/pathItems/Tracking"}
    done = compare(upstream)
    assert done.returncode == 0, done.stdout


def test_a_second_server_is_told(compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document) -> None:
    """It breaks nobody."""
    upstream["servers"].append({"url": "https://a.example"})
    done = compare(upstream)
    assert done.returncode == 1
    assert news(done) == [
        'servers#others: VTEX has ["https://a.example"], we have "nothing" -> breaks no caller',
    ]


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path, upstream: Document) -> None:
    """A pipe that is closed early leaves no traceback."""
    schema(upstream, "Order")["properties"].update({f"field{n}": {"type": "string"} for n in range(2000)})
    path = tmp_path / "upstream.json"
    path.write_text(json.dumps(upstream), encoding="utf-8")
    command = [sys.executable, str(ROOT / "scripts" / "check_upstream"), str(path), "--verbose"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_dates_in_yaml_are_text(compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document) -> None:
    """Unquoted they look like dates to some readers of YAML."""
    schema(upstream, "Event")["properties"]["date"]["enum"] = ["DAY"]
    done = compare(yaml.safe_dump(upstream).replace("DAY", "2015-06-23"))
    assert done.returncode == 1, done.stderr
    assert 'updateTrackingStatus.request.events[].date#enum: VTEX has ["2015-06-23"]' in done.stdout


def test_a_broken_contract_of_ours_is_told_as_ours(tmp_path: Path) -> None:
    """Not as VTEX's."""
    upstream = tmp_path / "upstream.json"
    upstream.write_text("{}")
    for text in ("a: [", "openapi: 3.1.0\npaths: {/a: {get: {}}}\nx-deviations: []\n"):
        (tmp_path / "openapi.yaml").write_text(text)
        done = check_upstream(upstream, "--root", str(tmp_path))
        assert done.returncode == 2
        assert "openapi.yaml cannot be compared" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_new_field_that_is_required_breaks_callers(
    compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document
) -> None:
    """One that is no longer required does not."""
    event = schema(upstream, "Event")
    event["properties"]["zip"] = {"type": "string"}
    event["required"] = ["zip"]
    done = compare(upstream)
    assert done.returncode == 1
    place = "updateTrackingStatus.request.events[]"
    found = {line.partition(": ")[0]: line.partition(" -> ")[2] for line in news(done)}
    assert found.pop(f"{place}.zip") == "breaks callers: VTEX now requires it"
    assert set(found.values()) == {"breaks no caller"}
    assert f"{place}.date#required" in found


def test_a_new_parameter_that_is_required_breaks_callers(
    compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document
) -> None:
    """One that is optional does not."""
    parameters = upstream["paths"][ORDER]["get"].setdefault("parameters", [])
    parameters += [
        {"name": "reason", "in": "query", "required": True, "schema": {"type": "string"}},
        {"name": "lang", "in": "query", "schema": {"type": "string"}},
    ]
    done = compare(upstream)
    assert done.returncode == 1
    found = {line.partition(": ")[0]: line.partition(" -> ")[2] for line in news(done)}
    assert found["getOrder.parameters.query.reason"] == "breaks callers: VTEX now requires it"
    assert found["getOrder.parameters.query.lang"] == "breaks no caller"


def test_servers_and_credentials_are_compared(
    compare: Callable[..., subprocess.CompletedProcess[str]], upstream: Document
) -> None:
    """They decide where a call goes, and as whom."""
    upstream["servers"][0]["url"] = "https://{accountName}.example.com"
    upstream["components"]["securitySchemes"]["appKey"]["name"] = "X-Another-Key"
    done = compare(upstream)
    assert done.returncode == 1
    found = {line.partition(": ")[0]: line.partition(" -> ")[2] for line in news(done)}
    assert found["servers#url"] == found["security.appKey"] == "breaks callers: where or as whom to call changed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no OpenAPI document"),
        ("[1, 2]", "it is no OpenAPI document"),
        ('{"openapi": "3.0.0"', "it is neither JSON nor YAML"),
        ("a: [b", "it is neither JSON nor YAML"),
        ("a: " + "[" * 50000 + "]" * 50000, "nested too deep"),
        ('{"a": ' + "[" * 50000 + "]" * 50000 + "}", "nested too deep"),
        (
            f"openapi: 3.0.0\npaths: {{'{ORDER}': {{get: {{parameters: [{{in: query, name: a, x: &a [*a]}}]}}}}}}",
            "Circular reference",
        ),
        ('{"swagger": "2.0", "paths": {}}', "it is not an OpenAPI 3 document"),
        ('{"openapi": "3.0.0"}', "it has no paths"),
        ('{"openapi": "3.0.0", "paths": []}', "it has no paths"),
        (json.dumps({"openapi": "3.0.0", "paths": {ORDER: {"get": 5}}}), "its structure is not OpenAPI's"),
        (
            json.dumps({"openapi": "3.0.0", "paths": {ORDER: {"get": {"parameters": [{"$ref": "#/nowhere"}]}}}}),
            "#/nowhere",
        ),
    ],
)
def test_what_cannot_be_compared_is_told(
    compare: Callable[..., subprocess.CompletedProcess[str]], text: str, said: str
) -> None:
    """With its own exit status, so that nobody takes it for agreement."""
    done = compare(text)
    assert done.returncode == 2
    assert said in done.stderr
    assert "upstream.json cannot be compared" in done.stderr
    assert done.stdout == ""


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    """A missing one, a folder, one that is no text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "binary"):
        done = check_upstream(path)
        assert done.returncode == 2
        assert "cannot be compared" in done.stderr


@pytest.mark.skipif("VTEX_ORDERS_API_FILE" not in os.environ, reason="VTEX_ORDERS_API_FILE names no file of VTEX's")
def test_vtex_own_file_has_nothing_new() -> None:
    """Nor any deviation that is no longer true."""
    done = check_upstream(Path(os.environ["VTEX_ORDERS_API_FILE"]))
    assert done.returncode == 0, done.stdout
    assert "0 new, 0 stale deviations." in done.stdout
