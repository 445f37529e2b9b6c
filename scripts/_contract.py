"""An OpenAPI document as flat facts, so that two documents can be held against each other.

A fact is a place and a value: ``updateTrackingStatus.request.events[].description.maxLength`` is 5000. Places
begin with the operationId that our document gives to a path and method; what is prose (descriptions, examples,
titles) is no fact. OpenAPI 3.0 and 3.1 come out alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METHODS = ("get", "put", "post", "patch", "delete")
KEYWORDS = ("format", "pattern", "minLength", "maxLength", "minimum", "maximum", "enum", "default", "const")

#: How deep schemas are followed; VTEX's deepest has twelve levels, and a cycle must end somewhere.
DEEPEST = 25

Facts = dict[str, Any]


class UnreadableError(ValueError):
    """The document is none that can be compared; the text says why."""


def operations(document: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the operationId of each method and path."""
    return {
        (method, path): operation["operationId"]
        for path, item in _mapping(document, "paths").items()
        for method, operation in item.items()
        if method in METHODS
    }


def facts(document: Mapping[str, Any], names: Mapping[tuple[str, str], str]) -> Facts:
    """Return the facts about the operations that ``names`` lists, servers and credentials included.

    Raises:
        UnreadableError: It is not OpenAPI 3, or a reference in it leads nowhere.
    """
    if not str(document.get("openapi", "")).startswith("3."):
        raise UnreadableError("it is not an OpenAPI 3 document")
    found: Facts = {}
    paths = _mapping(document, "paths")
    for (method, path), name in names.items():
        item = paths.get(path, {})
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
    yield f"{name}.operationId", operation.get("operationId")
    for reference in [*item.get("parameters", ()), *operation.get("parameters", ())]:
        parameter = resolved(document, reference)
        place = f"{name}.parameters.{parameter['in']}.{parameter['name']}"
        yield place, "parameter"
        yield f"{place}.required", parameter.get("required") is True
        yield from _schema(document, place, parameter.get("schema", {}))
    if "requestBody" in operation:
        body = resolved(document, operation["requestBody"])
        yield f"{name}.request", "body"
        yield f"{name}.request.required", body.get("required") is True
        yield from _content(document, f"{name}.request", body)
    for status, reference in operation.get("responses", {}).items():
        response = resolved(document, reference)
        place = f"{name}.response.{status}"
        yield place, "documented"
        for header in response.get("headers", {}):
            yield f"{place}.headers.{header}", "header"
        yield from _content(document, place, response)
    if "security" in operation:
        yield f"{name}.security", _alternatives(operation["security"])


def _content(document: Mapping[str, Any], place: str, holder: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    content = holder.get("content", {})
    if content:
        yield f"{place}.mediaType", ", ".join(content)
        yield from _schema(document, place, next(iter(content.values())).get("schema", {}))


def _schema(
    document: Mapping[str, Any], place: str, reference: Mapping[str, Any], depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Yield what a schema demands; ``place`` is where it stands."""
    schema = _merged(document, reference)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    yield f"{place}.type", ", ".join(kind for kind in kinds if kind != "null") or None
    yield f"{place}.nullable", schema.get("nullable") is True or "null" in kinds
    for keyword in KEYWORDS:
        if keyword in schema:
            yield f"{place}.{keyword}", schema[keyword]
    if schema.get("additionalProperties") is False:
        yield f"{place}.additionalProperties", False
    if depth > DEEPEST:
        return
    if isinstance(schema.get("items"), dict):
        yield from _schema(document, f"{place}[]", schema["items"], depth + 1)
    for name, property_ in schema.get("properties", {}).items():
        yield f"{place}.{name}", "field"
        yield f"{place}.{name}.required", name in schema.get("required", ())
        yield from _schema(document, f"{place}.{name}", property_, depth + 1)


def _merged(document: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with its references and allOf folded in, and "this or null" as nullable."""
    schema = dict(resolved(document, reference))
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword, [])
        real = [branch for branch in branches if branch.get("type") != "null"]
        if len(real) == 1:
            del schema[keyword]
            schema = {**_merged(document, real[0]), **schema, "nullable": schema.get("nullable") or len(branches) > 1}
    for branch in schema.pop("allOf", ()):
        other = _merged(document, branch)
        properties = {**other.get("properties", {}), **schema.get("properties", {})}
        required = [*other.get("required", ()), *schema.get("required", ())]
        schema = {**other, **schema, "properties": properties, "required": required}
    return schema


def resolved(document: Mapping[str, Any], reference: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow ``$ref`` within the document.

    Raises:
        UnreadableError: It leads nowhere, or in a circle.
    """
    seen: set[str] = set()
    while "$ref" in reference:
        pointer = str(reference["$ref"])
        target: Any = document
        for step in pointer.removeprefix("#/").split("/"):
            target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
        if pointer in seen or not isinstance(target, dict):
            raise UnreadableError(f"the reference {pointer} leads nowhere")
        seen.add(pointer)
        reference = target
    return reference


def _servers(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for server in document.get("servers", [])[:1]:
        yield "servers.url", server["url"]
        for name, variable in server.get("variables", {}).items():
            yield f"servers.{name}", "variable"
            for keyword, key in (("default", "default"), ("enum", "enum"), ("x-pattern", "pattern")):
                if keyword in variable:
                    yield f"servers.{name}.{key}", variable[keyword]


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
