"""The schema of what commands print for programs. The fixture ``run`` validates each output of ``--json`` with it."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from support.json_output import SCHEMA, check_json
from support.ledgers import fill
from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.commands import Ran


def test_the_schema_is_valid() -> None:
    """Its definitions are a valid schema, and each reference exists."""
    Draft202012Validator.check_schema(SCHEMA)
    references = {text.partition('"')[0] for text in json.dumps(SCHEMA).split('"#/$defs/')[1:]}
    commands = {name for name in SCHEMA["$defs"] if name.startswith("command.")}
    assert references == SCHEMA["$defs"].keys()
    assert {each["$ref"].removeprefix("#/$defs/") for each in SCHEMA["anyOf"]} == commands


def test_every_type_of_document_is_in_the_schema() -> None:
    """The types that the commands print are those that the schema has."""
    printed = set()
    for path in (ROOT / "vtex_tracking_ext" / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say_json":
                printed |= {each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)}
    types = {found["properties"]["type"]["const"] for found in SCHEMA["$defs"].values() if "const" in str(found)}
    assert printed | {"unknown", "refused"} == types


def test_another_property_is_found() -> None:
    """The check of the tests accepts the documents of a command, and no property that the schema lacks."""
    check_json(["prune"], '{"type": "summary", "deleted": 1, "forgotten": false, "size_before": 2, "size_after": 1}')
    for document in (
        '{"type": "summary", "deleted": 1, "forgotten": false, "size_before": 2, "size_after": 1, "more": 1}',
        '{"type": "summary", "deleted": 1}',
        '{"type": "cause"}',
    ):
        with pytest.raises(AssertionError):
            check_json(["prune"], document)


def test_the_lines_of_a_report_are_in_the_schema(run: Callable[..., Ran], usual: Path) -> None:
    """Each state of an entry has its line."""
    fill(usual, {"mystore": {"pending": 1, "in_flight": 1, "applied": 1, "refused": 1, "unknown": 1, "withdrawn": 1}})
    out = run("report").out
    assert out.count("\n") == 6
    check_json(["report"], out)
