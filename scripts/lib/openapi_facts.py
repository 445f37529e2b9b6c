"""Flatten an OpenAPI document into facts, so that two documents can be compared.

A fact is a place and a value: ``updateTrackingStatus.request.events[].city#type`` is ``string``. A place starts with
the operationId that openapi.yaml gives to a path and method; a keyword follows after ``#``. Every keyword except prose
(descriptions, examples, titles) is a fact, whether or not it is known here. The facts of a document are the same in
OpenAPI 3.0 and 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METHODS = ("get", "put", "post", "patch", "delete")

#: Keywords of schemas and parameters that are documentation only.
PROSE = {"title", "description", "summary", "example", "examples", "externalDocs", "xml", "$comment", "$schema"}

#: Keywords that become places, or facts with another name.
STRUCTURE = {"type", "nullable", "properties", "required", "items", "additionalProperties", "allOf", "anyOf", "oneOf"}
STRUCTURE |= {"$ref", "$defs", "definitions", "$id", "$anchor", "in", "name", "schema", "content"}

#: Keyword -> its default value.
DEFAULTS: dict[str, Any] = {"style": "simple", "minItems": 0, "minLength": 0, "minProperties": 0}
DEFAULTS |= dict.fromkeys(("deprecated", "readOnly", "writeOnly", "uniqueItems", "explode", "allowReserved"), False)
DEFAULTS |= dict.fromkeys(("allowEmptyValue", "exclusiveMinimum", "exclusiveMaximum"), False)

#: The defaults in a parameter of the query.
QUERY_DEFAULTS = {**DEFAULTS, "style": "form", "explode": True}

#: Maximum depth of schemas; VTEX's deepest has twelve levels, and a cycle must end.
MAX_DEPTH = 25

Facts = dict[str, Any]


class UnreadableError(ValueError):
    """The document cannot be compared; the message is the reason."""


def operations(document: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return (method, path) -> operationId."""
    return {
        (method, path): operation["operationId"]
        for path, item in _mapping(document, "paths").items()
        for method, operation in resolved(document, item).items()
        if method in METHODS
    }


def facts(document: Mapping[str, Any], names: Mapping[tuple[str, str], str]) -> Facts:
    """Return the facts of some operations, and of the servers and credentials.

    Args:
        document: An OpenAPI document.
        names: (method, path) -> name of each operation.

    Raises:
        UnreadableError: It is not OpenAPI 3, or one of its references cannot be resolved.
    """
    if not str(document.get("openapi", "")).startswith("3."):
        raise UnreadableError("it is not an OpenAPI 3 document")
    found: Facts = {}
    paths = _mapping(document, "paths")
    for (method, path), name in names.items():
        item = resolved(document, paths.get(path, {}))
        operation = item.get(method)
        if operation is not None:
            found[name] = f"{method.upper()} {path}"
            found.update(_operation(document, name, item, operation))
    found.update(_servers(document))
    found.update(_credentials(document))
    return found


def _operation(
    document: Mapping[str, Any], name: str, item: Mapping[str, Any], operation: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    yield f"{name}#operationId", operation.get("operationId")
    if operation.get("deprecated") is True:
        yield f"{name}#deprecated", True
    servers = operation.get("servers", item.get("servers"))
    if servers:
        yield f"{name}#servers", [server["url"] for server in servers]
    if "security" in operation:
        yield f"{name}#security", _alternatives(operation["security"])
    listed = [resolved(document, parameter) for parameter in [*_parameters(item), *_parameters(operation)]]
    # An operation's parameter overrides the path's parameter of the same name.
    for (location, key), parameter in {(each["in"], each["name"]): each for each in listed}.items():
        place = f"{name}.parameters.{location}.{key}"
        yield place, "parameter"
        yield f"{place}#required", parameter.get("required") is True
        defaults = QUERY_DEFAULTS if location == "query" else DEFAULTS
        yield from _keywords(place, parameter, defaults)
        yield from _schema(document, place, parameter.get("schema", {}))
        yield from _content(document, place, parameter)
    if "requestBody" in operation:
        body = resolved(document, operation["requestBody"])
        yield f"{name}.request", "body"
        yield f"{name}.request#required", body.get("required") is True
        yield from _content(document, f"{name}.request", body)
    for status, reference in operation.get("responses", {}).items():
        response = resolved(document, reference)
        place = f"{name}.response.{status}"
        yield place, "documented"
        for header in response.get("headers", {}):
            yield f"{place}.headers.{header}", "header"
        yield from _content(document, place, response)


def _parameters(holder: Mapping[str, Any]) -> list[Any]:
    return list(holder.get("parameters", ()))


def _content(document: Mapping[str, Any], place: str, holder: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the media types, and the facts of the JSON schema among them."""
    content = holder.get("content", {})
    if content:
        yield f"{place}#mediaType", sorted(content)
        chosen = next((name for name in content if "json" in name), next(iter(content)))
        yield from _schema(document, place, content[chosen].get("schema", {}))


def _schema(
    document: Mapping[str, Any], place: str, reference: Any, trail: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield the facts of a schema at a place; ``trail`` holds the references that led to it."""
    pointer = reference.get("$ref", "") if isinstance(reference, dict) else ""
    if pointer and pointer in trail:
        yield f"{place}#recursive", True
        return
    trail = (*trail, pointer)
    schema = _merged(document, reference)
    kinds = _kinds(schema)
    yield f"{place}#type", ", ".join(sorted(set(kinds) - {"null"})) or None
    yield f"{place}#nullable", schema.get("nullable") is True or "null" in kinds
    yield from _keywords(place, schema)
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword, ())
        if branches:
            yield f"{place}#{keyword}", len(branches)
    if len(trail) > MAX_DEPTH:
        return
    for keyword in ("anyOf", "oneOf"):
        for number, branch in enumerate(schema.get(keyword, ()), 1):
            yield from _schema(document, f"{place}({keyword} {number})", branch, trail)
    if "items" in schema:
        yield from _schema(document, f"{place}[]", schema["items"], trail)
    others = schema.get("additionalProperties", True)
    if others is False:
        yield f"{place}#additionalProperties", False
    elif others not in (True, {}):
        yield from _schema(document, f"{place}{{}}", others, trail)
    # A field may be required without a schema of its own.
    properties = {**{name: {} for name in schema.get("required", ())}, **schema.get("properties", {})}
    for name, property_ in properties.items():
        yield f"{place}.{name}", "field"
        yield f"{place}.{name}#required", name in schema.get("required", ())
        yield from _schema(document, f"{place}.{name}", property_, trail)


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _keywords(
    place: str, holder: Mapping[str, Any], defaults: Mapping[str, Any] = DEFAULTS
) -> Iterator[tuple[str, Any]]:
    for keyword, value in holder.items():
        is_ignored = keyword in PROSE | STRUCTURE or keyword.startswith("x-")
        if not is_ignored and (keyword not in defaults or value != defaults[keyword]):
            yield f"{place}#{keyword}", value


def _merged(document: Mapping[str, Any], reference: Any) -> dict[str, Any]:
    """Return a schema with its references and allOf merged into it, and an alternative ``null`` as nullable."""
    if isinstance(reference, bool):  # OpenAPI 3.1: True accepts anything, False nothing
        return {} if reference else {"not": {}}
    schema = dict(reference)
    if "$ref" in schema:
        siblings = {name: value for name, value in schema.items() if name != "$ref"}
        schema = _both(_merged(document, resolved(document, reference)), siblings)
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword, [])
        real = [branch for branch in branches if branch is True or branch.get("type") != "null"]
        if len(real) < len(branches):
            schema = {**schema, keyword: real, "nullable": True}
        if len(real) == 1:
            del schema[keyword]
            schema = _both(_merged(document, real[0]), schema)
    for branch in schema.pop("allOf", ()):
        schema = _both(_merged(document, branch), schema)
    return schema


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the conjunction of two schemas; a keyword with two different values gets the list of both."""
    both = {**one, **other}
    for keyword in one.keys() & other.keys():
        mine, theirs = one[keyword], other[keyword]
        if keyword == "properties":
            shared = {name: {"allOf": [mine[name], theirs[name]]} for name in mine.keys() & theirs.keys()}
            both[keyword] = {**mine, **theirs, **shared}
        elif keyword in {"items", "additionalProperties"}:
            both[keyword] = mine is not False and theirs is not False and {"allOf": [mine, theirs]}
        elif keyword in {"required", "allOf", "anyOf", "oneOf"}:
            both[keyword] = [*mine, *theirs]
        elif keyword == "type":
            both[keyword] = [kind for kind in _kinds(one) if kind in _kinds(other)]
        elif keyword == "nullable":
            both[keyword] = mine or theirs
        elif keyword not in PROSE and mine != theirs:
            both[keyword] = [mine, theirs]
    return both


def resolved(document: Mapping[str, Any], reference: Mapping[str, Any]) -> Mapping[str, Any]:
    """Resolve ``$ref`` within the document.

    Raises:
        UnreadableError: The reference is unresolvable or circular.
    """
    seen: set[str] = set()
    while "$ref" in reference:
        pointer = str(reference["$ref"])
        if pointer in seen:
            raise UnreadableError(f"the reference {pointer} cannot be resolved")
        seen.add(pointer)
        reference = referenced(document, pointer)
    return reference


def referenced(document: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    """Return the part of the document that a ``$ref`` names.

    Raises:
        UnreadableError: The document has no such part.
    """
    target: Any = document
    for step in pointer.removeprefix("#/").split("/"):
        target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        raise UnreadableError(f"the reference {pointer} cannot be resolved")
    return target


def _servers(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    servers = document.get("servers", [])
    if servers[1:]:
        yield "servers#others", [server["url"] for server in servers[1:]]
    for server in servers[:1]:
        yield "servers#url", server["url"]
        for name, variable in server.get("variables", {}).items():
            yield f"servers.{name}", "variable"
            for keyword, key in (("default", "default"), ("enum", "enum"), ("x-pattern", "pattern")):
                if keyword in variable:
                    yield f"servers.{name}#{key}", variable[keyword]


def _credentials(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, scheme in document.get("components", {}).get("securitySchemes", {}).items():
        yield f"security.{name}", f"{scheme.get('type')} in {scheme.get('in')}: {scheme.get('name')}"
    yield "security", _alternatives(document.get("security", []))


def _alternatives(security: list[Mapping[str, Any]]) -> str:
    return " or ".join(sorted(" with ".join(sorted(option)) for option in security))


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise UnreadableError(f"it has no {key}")
    return value
