"""Hash what each operation of an OpenAPI document says about its traffic, so that a recording can be bound to it.

The hash covers everything that decides which requests and responses are valid: servers, credentials, parameters, bodies
and responses, with references resolved. It does not change with comments, prose (descriptions, summaries, titles,
examples), tags, operationIds, the names of shared schemas, or the order in which things are listed.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from .openapi_facts import METHODS, PROSE, referenced, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The command that records the stale cassettes of a target again.
RECORD_STALE = "scripts/record_cassettes --target {} --stale --upstream FILE"

#: Keywords without an effect on the traffic; so have all extensions except the limits that the client enforces.
IGNORED = PROSE | {"deprecated", "links"}
ENFORCED_EXTENSIONS = {"x-pattern"}

#: Keywords whose value maps names to schemas, headers or the like; such a name may equal a keyword.
NAMED = {"properties", "patternProperties", "dependentSchemas", "$defs", "headers", "content", "responses", "variables"}

#: Keywords whose value is data; and keywords whose list has no order.
LITERAL = {"const", "default", "enum"}
UNORDERED = {"allOf", "anyOf", "enum", "oneOf", "parameters", "required", "security", "type"}


def operation_digests(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of each operation; the key is its method and path, such as ``GET /api/orders/feed``.

    Raises:
        UnreadableError: A reference cannot be resolved.
    """
    return {
        f"{method.upper()} {path}": _digest(_contract(document, item, item[method]))
        for path, reference in document["paths"].items()
        for item in [resolved(document, reference)]
        for method in METHODS
        if method in item
    }


def matching_operation(operations: Mapping[str, str], method: str, path: str) -> str:
    """Return the operation of a request; of several, the one with the fewest parameters in its path.

    Raises:
        LookupError: No operation matches.
    """
    found = [name for name in operations if re.fullmatch(_as_regex(name), f"{method} {path}")]
    if not found:
        raise LookupError(f"openapi.yaml has no operation {method} {path}")
    return min(found, key=lambda name: name.count("{"))


def changed_operations(recorded: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """Return the operations whose hash is not the recorded one, or that no longer exist."""
    return [name for name, digest in recorded.items() if current.get(name) != digest]


def _as_regex(operation: str) -> str:
    return "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", operation))


def _contract(document: Mapping[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that applies to the traffic of an operation, also what stands above it."""
    listed = [resolved(document, each) for each in [*item.get("parameters", ()), *operation.get("parameters", ())]]
    schemes = document.get("components", {}).get("securitySchemes", {})
    security = operation.get("security", document.get("security", []))
    whole = {
        "servers": operation.get("servers", item.get("servers", document.get("servers", []))),
        "security": [[schemes[name] for name in sorted(option)] for option in security],
        # An operation's parameter overrides the path's parameter of the same name.
        "parameters": list({(each["in"], each["name"]): each for each in listed}.values()),
        "requestBody": operation.get("requestBody", {}),
        "responses": operation.get("responses", {}),
    }
    return dict(_keywords(document, whole, ()))


def _canonical(document: Mapping[str, Any], value: Any, trail: tuple[str, ...]) -> Any:
    """Return a part of the document without prose, and with references resolved; ``trail`` has those around it."""
    if isinstance(value, list):
        return [_canonical(document, each, trail) for each in value]
    if not isinstance(value, dict):
        return value
    pointer = value.get("$ref")
    if not isinstance(pointer, str):
        return dict(_keywords(document, value, trail))
    if pointer in trail:
        return {"$ref": trail.index(pointer)}
    siblings = {name: each for name, each in value.items() if name != "$ref"}
    target = _canonical(document, referenced(document, pointer), (*trail, pointer))
    return {**target, **_canonical(document, siblings, trail)}


def _keywords(document: Mapping[str, Any], holder: Mapping[str, Any], trail: tuple[str, ...]) -> Iterator[Any]:
    for keyword, value in holder.items():
        if keyword in IGNORED or (keyword.startswith("x-") and keyword not in ENFORCED_EXTENSIONS):
            continue
        if keyword in NAMED and isinstance(value, dict):
            canonical: Any = {name: _canonical(document, each, trail) for name, each in value.items()}
        else:
            canonical = value if keyword in LITERAL else _canonical(document, value, trail)
        if keyword in UNORDERED and isinstance(canonical, list):
            canonical = sorted(canonical, key=_as_text)
        yield keyword, canonical


def _digest(value: Any) -> str:
    return hashlib.sha256(_as_text(value).encode()).hexdigest()


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
