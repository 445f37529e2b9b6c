"""Check what commands print for programs against the schema that the package ships."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA: Final[dict[str, Any]] = json.loads(
    (ROOT / "vtex_tracking_ext" / "cli" / "output.schema.json").read_text(encoding="utf-8")
)

#: Commands that print one document. The others print one in each line.
_ONE_DOCUMENT: Final = frozenset({"doctor", "packages", "status"})


def check_json(arguments: Sequence[str], text: str) -> None:
    """Check that each document in the output of a command is one that the schema has for this command."""
    validator = _validator(command_of(arguments))
    for document in documents(arguments, text):
        problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
        assert problems == [], document


def documents(arguments: Sequence[str], text: str) -> Iterator[Any]:
    """Yield the documents that a command printed."""
    if command_of(arguments) in _ONE_DOCUMENT:
        yield json.loads(text)
    else:
        yield from map(json.loads, text.splitlines())


def command_of(arguments: Sequence[str]) -> str:
    """Return the name that the schema has for a command."""
    return "-".join(arguments[: 2 if arguments[0] == "orders" else 1])


@cache
def _validator(command: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/command.{command}", "$defs": _strict(SCHEMA["$defs"])})


def _strict(schema: Any) -> Any:
    """Return a schema that allows no properties but those that it names."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _strict(each) for name, each in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and "type" in schema
    return {**closed, "additionalProperties": False} if is_object else closed
