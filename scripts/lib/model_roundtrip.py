"""Try a freshly generated package: ``python model_roundtrip.py openapi.yaml FOLDER``, in a process of its own.

Imports every module and sends a made-up body of each schema through its model and back, because names can collide
in ways that import well: a field called ``to_dict`` or with a quote in its name, a schema called ``Any``.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Texts that a format must have to be read; any other text is as good as the next.
TEXTS = {
    "date-time": "2020-02-03T04:05:06+00:00",
    "date": "2020-02-03",
    "uuid": "f67d33a8-029c-42ce-9a8f-07fc17f54449",
}
VALUES = {"integer": 1, "number": 1.5, "boolean": True, "null": None}

#: How deep a body is made up where schemas refer to each other in a circle.
DEEPEST = 8


def main() -> int:
    """Print what does not work and return 1, or nothing and 0."""
    import yaml  # noqa: PLC0415 - only there inside the environment

    spec, folder = map(Path, sys.argv[1:])
    sys.path.insert(0, str(folder.parent))
    for path in sorted(folder.rglob("*.py")):
        importlib.import_module(".".join(path.relative_to(folder.parent).with_suffix("").parts))
    models = importlib.import_module(f"{folder.name}.models")
    found = list(problems(models, yaml.safe_load(spec.read_bytes())))
    print("\n".join(found), end="")
    return 1 if found else 0


def problems(models: Any, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the schemas whose bodies do not come back from their models as they went in."""
    from openapi_python_client.strings import ClassName  # noqa: PLC0415 - as above

    for name, schema in document.get("components", {}).get("schemas", {}).items():
        body = made_up(document, schema)
        model = getattr(models, ClassName(name, "field_"), None)
        if model is None or not isinstance(body, dict):
            continue  # not a model: an enum, or a schema that nothing uses
        try:
            back = model.from_dict(dict(body)).to_dict()
        except Exception as error:  # noqa: BLE001 - whatever generated code does
            yield f"the model of the schema {name} does not work: {error!r}"
            continue
        lost = [field for field in body if back.get(field, ...) != body[field]]
        if lost:
            yield f"the model of the schema {name} loses or changes {', '.join(map(repr, lost))}"


def made_up(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    """Return a value that a schema describes, with every field it names."""
    while "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        schema = target
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return made_up(document, schema[keyword][0], depth + 1)
    if "allOf" in schema:
        parts = [made_up(document, part, depth + 1) for part in schema["allOf"]]
        return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()} or parts[0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", [*schema.get("enum", ()), None][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return [made_up(document, schema.get("items", {}), depth + 1)] if depth < DEEPEST else []
    if kind == "object":
        properties = schema.get("properties", {}).items() if depth < DEEPEST else ()
        return {name: made_up(document, property_, depth + 1) for name, property_ in properties}
    return VALUES.get(kind, TEXTS.get(schema.get("format", ""), "x"))


if __name__ == "__main__":
    sys.exit(main())
