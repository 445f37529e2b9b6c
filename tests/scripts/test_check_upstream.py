"""scripts/check_upstream compares openapi.yaml with VTEX's own document.

The tests derive VTEX's document from openapi.yaml, so that the only differences are those that a test makes. VTEX's
own file is not part of this project; if ``VTEX_ORDERS_API_FILE`` holds its path, it is compared as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.commands import Ran

    Document = dict[str, Any]
    Run = Callable[..., Ran]

SCRIPT = ROOT / "scripts" / "check_upstream"
TRACKING = "/api/oms/pvt/orders/{orderId}/invoice/{invoiceNumber}/tracking"
ORDER = "/api/oms/pvt/orders/{orderId}"


@pytest.fixture(scope="session")
def contract() -> str:
    """Return openapi.yaml as JSON."""
    return json.dumps(yaml.load((ROOT / "openapi.yaml").read_bytes(), Loader=yaml.CSafeLoader))


@pytest.fixture
def upstream(contract: str) -> Document:
    """Return a document with the same content as openapi.yaml."""
    document: Document = json.loads(contract)
    return document


@pytest.fixture
def run(run_script: Run) -> Run:
    """Return a function that runs the command with arguments."""
    return partial(run_script, "check_upstream")


@pytest.fixture
def compare(tmp_path: Path, run: Run) -> Run:
    """Return a function that writes a document, or a text, to a file and runs the script on it."""

    def compare_file(document: Document | str, *arguments: str) -> Ran:
        path = tmp_path / "upstream.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return run(path, *arguments)

    return compare_file


def new_differences(done: Ran) -> list[str]:
    """Return the new differences, each with its consequence."""
    lines = [line for line in done.out.splitlines() if line.startswith(("NEW", "       b"))]
    return [
        f"{first.removeprefix('NEW    ')} -> {second.strip()}"
        for first, second in zip(lines[::2], lines[1::2], strict=True)
    ]


def dump_yaml(document: Document) -> str:
    """Return a document as YAML."""
    text: str = yaml.dump(document, Dumper=yaml.CSafeDumper)
    return text


def schema(document: Document, name: str) -> Document:
    """Return a schema of a document."""
    found: Document = document["components"]["schemas"][name]
    return found


def as_of_3_0(node: Any) -> Any:
    """Return a document in the notation of OpenAPI 3.0: ``nullable`` instead of a list of types."""
    if isinstance(node, list):
        return [as_of_3_0(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: as_of_3_0(value) for name, value in node.items()}
    if isinstance(node.get("type"), list):
        (kind,) = (kind for kind in node["type"] if kind != "null")
        node.update(type=kind, nullable=True)
    return node


def test_a_document_equal_to_ours_has_no_new_difference(compare: Run, upstream: Document) -> None:
    """Every listed deviation is reported as stale, because the two documents do not differ there."""
    done = compare(upstream)
    assert done.status == 0, done.out
    deviations = [place for entry in upstream["x-deviations"] for place in entry["at"]]
    stale = [line for line in done.out.splitlines() if line.startswith("STALE")]
    assert len(stale) == len(deviations)
    assert done.out.endswith(f"0 known differences, 0 new, {len(deviations)} stale deviations.\n")


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize("dump", [json.dumps, dump_yaml])
def test_the_notation_makes_no_difference(compare: Run, upstream: Document, dump: Any, version: str) -> None:
    """JSON and YAML, OpenAPI 3.0 and 3.1 give the same facts."""
    document = as_of_3_0(upstream) if version.startswith("3.0") else upstream
    done = compare(dump({**document, "openapi": version}))
    assert done.status == 0, done.out
    assert "0 known differences, 0 new" in done.out


def test_a_known_difference_is_printed_with_its_reason(compare: Run, upstream: Document) -> None:
    """``--verbose`` prints each place with both values; without it, one line per reason says how many there are."""
    limit = schema(upstream, "Event")["properties"]["description"].pop("maxLength")
    done = compare(upstream, "--verbose")
    assert done.status == 0
    known = done.out.partition("known  ")[2].splitlines()
    assert (
        known[0] == f'updateTrackingStatus.request.events[].description#maxLength: VTEX has "nothing", we have {limit}'
    )
    assert known[1].strip().startswith("because: VTEX states the limit on a description's characters in prose only")
    assert "1 known differences, 0 new" in done.out
    assert "STALE  updateTrackingStatus.request.events[].description#maxLength" not in done.out
    (line,) = [line for line in compare(upstream).out.splitlines() if line.startswith("known")]
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
            "VTEX does not have it",
        ),
        (_set(*EVENT, "zip", value={"type": "string"}), ".request.events[].zip", "breaks no caller"),
        (_set(*EVENT, "city", "type", value="integer"), ".request.events[].city#type", "its type changed"),
        (_set(*EVENT, "city", "type", value=["string", "null"]), ".request.events[].city#nullable", "breaks no caller"),
        (
            _set(*EVENT, "city", "enum", value=["Recife"]),
            ".request.events[].city#enum",
            "accepts fewer or other values",
        ),
        (_set(*EVENT, "city", "default", value="Recife"), ".request.events[].city#default", "VTEX now has a default"),
        (_set(*REQUEST, "properties", "isDelivered", "type", value="string"), ".request.isDelivered#type", "its type"),
        (
            _set(*REQUEST, "properties", "deliveredDate", value={"type": "string"}),
            ".request.deliveredDate#nullable",
            "no longer accepts null",
        ),
        (_drop("paths", TRACKING, "put"), "", "VTEX does not have the operation"),
        (_set("paths", TRACKING, "put", "security", value=[]), "#security", "the server address or the credentials"),
    ],
)
def test_a_new_difference_is_reported_with_its_consequence(
    compare: Run,
    upstream: Document,
    change: Callable[[Document], None],
    place: str,
    consequence: str,
) -> None:
    """The report names the place, both values, and whether callers break."""
    change(upstream)
    done = compare(upstream)
    assert done.status == 1
    found = [line for line in new_differences(done) if line.startswith(f"updateTrackingStatus{place}: VTEX has ")]
    assert len(found) == 1, done.out
    assert consequence in found[0].partition(" -> ")[2]


PACKAGE = ("components", "schemas", "Package", "properties")
RECEIPT = ("components", "schemas", "Receipt")
OPERATION = ("paths", TRACKING, "put")
LESS, WHERE = (
    "breaks callers: VTEX now accepts fewer or other values",
    "breaks callers: the server address or the credentials changed",
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
            "breaks callers: VTEX no longer supports our media type",
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
        (_drop(*RECEIPT, "required"), ".response.200.receipt#required", "breaks callers: VTEX may now omit it"),
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
def test_a_change_of_any_keyword_is_new(
    compare: Run,
    upstream: Document,
    change: Callable[[Document], None],
    place: str | None,
    consequence: str | None,
) -> None:
    """Each change alone is reported with its consequence, except changes of ``x-`` keywords."""
    change(upstream)
    done = compare(upstream)
    assert done.status == (place is not None), done.out
    found = {line.partition(": ")[0]: line.partition(" -> ")[2] for line in new_differences(done)}
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
def test_a_change_next_to_a_field_that_we_read_is_new(
    compare: Run,
    upstream: Document,
    change: Callable[[Document], None],
    place: str,
    consequence: str,
) -> None:
    """Although openapi.yaml describes few fields of an order, changes of those and of their siblings are reported."""
    change(upstream)
    done = compare(upstream)
    assert done.status == 1, done.out
    assert [f"getOrder.response.200.packageAttachment.packages{place}"] == [
        line.partition(": ")[0] for line in new_differences(done) if line.endswith(f" -> {consequence}")
    ]


@pytest.mark.parametrize(("keyword", "default", "other"), [("style", "form", "simple"), ("explode", True, False)])
def test_the_default_of_a_query_parameter_is_no_difference(
    compare: Run, upstream: Document, keyword: str, default: object, other: object
) -> None:
    """VTEX writes the defaults out, which differ from those of a parameter of the path."""
    page = upstream["components"]["parameters"]["Page"]
    page[keyword] = default
    assert compare(upstream).status == 0
    page[keyword] = other
    place = f"listOrders.parameters.query.page#{keyword}"
    assert [line.partition(": ")[0] for line in new_differences(compare(upstream))] == [place]


def test_other_fields_of_an_order_are_known(compare: Run, upstream: Document) -> None:
    """A field of an order that openapi.yaml does not describe is one known difference, whatever its schema."""
    order = schema(upstream, "Order")["properties"]
    order["totals"] = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}}
    order["value"] = {"type": "integer"}
    done = compare(upstream)
    assert done.status == 0
    assert "known  getOrder.response.200.* (2 places): Of an order's many fields" in done.out


def test_a_recursive_schema_ends(compare: Run, upstream: Document) -> None:
    """A schema that refers to itself twice per level is followed once, not exponentially often."""
    child = {"$ref": "#/components/schemas/Event"}
    schema(upstream, "Event")["properties"].update(before=child, after=child)
    done = compare(upstream)
    assert done.status == 1
    assert len(new_differences(done)) == 2


def test_a_path_may_be_a_reference(compare: Run, upstream: Document) -> None:
    """OpenAPI 3.1 allows ``$ref`` in place of a path item."""
    upstream["components"]["pathItems"] = {"Tracking": upstream["paths"][TRACKING]}
    upstream["paths"][TRACKING] = {"$ref": "#/components/pathItems/Tracking"}
    done = compare(upstream)
    assert done.status == 0, done.out


def test_a_second_server_is_new(compare: Run, upstream: Document) -> None:
    """It is reported, and it breaks no caller."""
    upstream["servers"].append({"url": "https://a.example"})
    done = compare(upstream)
    assert done.status == 1
    assert new_differences(done) == [
        'servers#others: VTEX has ["https://a.example"], we have "nothing" -> breaks no caller',
    ]


def test_the_command_runs_from_any_folder(tmp_path: Path, upstream: Document) -> None:
    """Called by its absolute path from another folder, it compares with this checkout's openapi.yaml."""
    path = tmp_path / "upstream.json"
    path.write_text(json.dumps(upstream), encoding="utf-8")
    command = [sys.executable, str(SCRIPT), path.name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 known differences, 0 new" in done.stdout


def test_a_closed_pipe_is_not_an_error(tmp_path: Path, upstream: Document) -> None:
    """If the reader of the output ends early, as ``head`` does, the command prints no traceback."""
    schema(upstream, "Order")["properties"].update({f"field{n}": {"type": "string"} for n in range(2000)})
    path = tmp_path / "upstream.json"
    path.write_text(json.dumps(upstream), encoding="utf-8")
    command = [sys.executable, str(SCRIPT), str(path), "--verbose"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_dates_in_yaml_are_text(compare: Run, upstream: Document) -> None:
    """An unquoted date in YAML is compared as text, as in JSON."""
    schema(upstream, "Event")["properties"]["date"]["enum"] = ["DAY"]
    done = compare(dump_yaml(upstream).replace("DAY", "2015-06-23"))
    assert done.status == 1, done.err
    assert 'updateTrackingStatus.request.events[].date#enum: VTEX has ["2015-06-23"]' in done.out


def test_an_invalid_contract_of_ours_is_reported_by_name(tmp_path: Path, run: Run) -> None:
    """If openapi.yaml cannot be compared, the message names it instead of VTEX's file."""
    upstream = tmp_path / "upstream.json"
    upstream.write_text("{}")
    for text in ("a: [", "openapi: 3.1.0\npaths: {/a: {get: {}}}\nx-deviations: []\n"):
        (tmp_path / "openapi.yaml").write_text(text)
        done = run(upstream, "--root", tmp_path)
        assert done.status == 2
        assert "openapi.yaml cannot be compared" in done.err


def test_a_new_field_that_is_required_breaks_callers(compare: Run, upstream: Document) -> None:
    """A field that is no longer required does not break them."""
    event = schema(upstream, "Event")
    event["properties"]["zip"] = {"type": "string"}
    event["required"] = ["zip"]
    done = compare(upstream)
    assert done.status == 1
    place = "updateTrackingStatus.request.events[]"
    found = {line.partition(": ")[0]: line.partition(" -> ")[2] for line in new_differences(done)}
    assert found.pop(f"{place}.zip") == "breaks callers: VTEX now requires it"
    assert set(found.values()) == {"breaks no caller"}
    assert f"{place}.date#required" in found


def test_a_new_parameter_that_is_required_breaks_callers(compare: Run, upstream: Document) -> None:
    """An optional new parameter does not break them."""
    parameters = upstream["paths"][ORDER]["get"].setdefault("parameters", [])
    parameters += [
        {"name": "reason", "in": "query", "required": True, "schema": {"type": "string"}},
        {"name": "lang", "in": "query", "schema": {"type": "string"}},
    ]
    done = compare(upstream)
    assert done.status == 1
    found = {line.partition(": ")[0]: line.partition(" -> ")[2] for line in new_differences(done)}
    assert found["getOrder.parameters.query.reason"] == "breaks callers: VTEX now requires it"
    assert found["getOrder.parameters.query.lang"] == "breaks no caller"


def test_servers_and_credentials_are_compared(compare: Run, upstream: Document) -> None:
    """A changed server address or credential header breaks callers."""
    upstream["servers"][0]["url"] = "https://{accountName}.example.com"
    upstream["components"]["securitySchemes"]["appKey"]["name"] = "X-Another-Key"
    done = compare(upstream)
    assert done.status == 1
    found = {line.partition(": ")[0]: line.partition(" -> ")[2] for line in new_differences(done)}
    assert (
        found["servers#url"]
        == found["security.appKey"]
        == "breaks callers: the server address or the credentials changed"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not an OpenAPI document"),
        ("[1, 2]", "it is not an OpenAPI document"),
        ('{"openapi": "3.0.0"', "it is neither JSON nor YAML"),
        ("a: [b", "it is neither JSON nor YAML"),
        ("a: " + "[" * 50000 + "]" * 50000, "nested too deeply"),
        ('{"a": ' + "[" * 50000 + "]" * 50000 + "}", "nested too deeply"),
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
            "#/nowhere cannot be resolved",
        ),
    ],
)
def test_an_invalid_document_is_reported(compare: Run, text: str, said: str) -> None:
    """Exit status 2 and a message on standard error distinguish it from agreement."""
    done = compare(text)
    assert done.status == 2
    assert said in done.err
    assert "upstream.json cannot be compared" in done.err
    assert done.out == ""


def test_an_unreadable_file_is_reported(tmp_path: Path, run: Run) -> None:
    """A missing file, a folder and a binary file each end with status 2 and a message."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "binary"):
        done = run(path)
        assert done.status == 2
        assert "cannot be compared" in done.err


@pytest.mark.skipif("VTEX_ORDERS_API_FILE" not in os.environ, reason="VTEX_ORDERS_API_FILE names no file of VTEX's")
def test_vtex_own_file_has_no_new_difference(run: Run) -> None:
    """The known differences are exactly those in x-deviations: none is new, and none is stale."""
    done = run(os.environ["VTEX_ORDERS_API_FILE"])
    assert done.status == 0, done.out
    assert "0 new, 0 stale deviations." in done.out
