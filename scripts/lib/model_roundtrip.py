"""Check a generated package: ``python model_roundtrip.py openapi.yaml FOLDER``.

Imports every module, and passes an example of each schema through its model and back. This finds name collisions that
importing does not: a field named ``to_dict`` or with a quote in its name, a schema named ``Any``. Also checks that each
operation has the private function ``_get_kwargs``, which ``vtex_tracking_ext.call.operations`` calls.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import ModuleType

#: Format -> an example; other formats accept any text.
TEXTS = {
    "date-time": "2020-02-03T04:05:06+00:00",
    "date": "2020-02-03",
    "uuid": "f67d33a8-029c-42ce-9a8f-07fc17f54449",
}
VALUES = {"integer": 1, "number": 1.5, "boolean": True, "null": None}

#: Maximum depth of an example, for recursive schemas.
MAX_DEPTH = 8


def main() -> int:
    """Print the problems; return 1 if there are any, else 0."""
    import yaml  # noqa: PLC0415 - requires the environment

    spec, folder = map(Path, sys.argv[1:])
    sys.path.insert(0, str(folder.parent))
    names = [".".join(path.relative_to(folder.parent).with_suffix("").parts) for path in sorted(folder.rglob("*.py"))]
    modules = [importlib.import_module(name) for name in names]
    models = importlib.import_module(f"{folder.name}.models")
    found = [*operation_problems(modules), *problems(models, yaml.safe_load(spec.read_bytes()))]
    print("\n".join(found), end="")
    return 1 if found else 0


def operation_problems(modules: Iterable[ModuleType]) -> Iterator[str]:
    """Yield a message for each operation without the function that returns the arguments of its request."""
    for module in modules:
        if hasattr(module, "sync_detailed") and not callable(getattr(module, "_get_kwargs", None)):
            yield f"{module.__name__} has no _get_kwargs, which vtex_tracking_ext.call.operations calls"


def problems(models: Any, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message for each schema whose example changes on the way through its model."""
    from openapi_python_client.strings import ClassName  # noqa: PLC0415 - as above

    for name, schema in document.get("components", {}).get("schemas", {}).items():
        body = example(document, schema)
        model = getattr(models, ClassName(name, "field_"), None)
        if model is None or not isinstance(body, dict):
            continue  # an enum, or an unused schema
        try:
            back = model.from_dict(dict(body)).to_dict()
        except Exception as error:  # noqa: BLE001 - generated code may raise anything
            yield f"the model of the schema {name} does not work: {error!r}"
            continue
        lost = [field for field in body if back.get(field, ...) != body[field]]
        if lost:
            yield f"the model of the schema {name} loses or changes {', '.join(map(repr, lost))}"


def example(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    """Return an example of a schema, with every field."""
    while "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        schema = target
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return example(document, schema[keyword][0], depth + 1)
    if "allOf" in schema:
        parts = [example(document, part, depth + 1) for part in schema["allOf"]]
        return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()} or parts[0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", [*schema.get("enum", ()), None][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return [example(document, schema.get("items", {}), depth + 1)] if depth < MAX_DEPTH else []
    if kind == "object":
        properties = schema.get("properties", {}).items() if depth < MAX_DEPTH else ()
        return {name: example(document, property_, depth + 1) for name, property_ in properties}
    return VALUES.get(kind, TEXTS.get(schema.get("format", ""), "x"))


if __name__ == "__main__":
    sys.exit(main())
