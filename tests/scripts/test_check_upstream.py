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
    return subprocess.run(command, check=False, capture_output=True, text=True)


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
    assert known[0] == f'updateTrackingStatus.request.events[].description#maxLength: VTEX has "nothing", we have {limit}'
    assert known[1].strip().startswith("because: VTEX states the limit on a description's characters in prose only")
    assert "1 known differences, 0 new" in done.stdout
    assert "STALE  updateTrackingStatus.request.events[].description#maxLength" not in done.stdout
    (line,) = [line for line in compare(upstream).stdout.splitlines() if line.startswith("known")]
    assert line.startswith("known  updateTrackingStatus.request.events[].description#maxLength (1 place): VTEX states")


def _set(*path: str, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
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


REQUEST = ("components", "schemas", "UpdateTrackingStatusRequest")
EVENT = ("components", "schemas", "Event", "properties")


@pytest.mark.parametrize(
    ("change", "place", "consequence"),
    [
        (_drop(*REQUEST, "properties", "deliveredDate"), ".request.deliveredDate", "VTEX no longer has it"),
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
