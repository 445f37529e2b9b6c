"""The package's modules import downwards only, without cycles, and only transport/ imports an HTTP library."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "vtex_tracking_ext"

#: From top to bottom. A module belongs to the layer with the longest matching name; the package's ``__init__`` is
#: the public interface of the clients.
LAYERS = (
    {"__main__", "cli"},
    {"service"},
    {"fleet", "sandbox", "testing"},
    {"orders"},
    {"carriers"},
    {"bulk", "bulk.pipeline", "bulk.report"},
    {"bulk.delivery"},
    {"bulk.journal"},
    {"bulk.input"},
    {"", "client", "client_arguments", "client_async"},
    {"transport"},
    {"call"},
    {"config"},
    {"asgi_server", "errors", "events", "finding", "otel", "text"},
)
HTTP_LIBRARIES = {"h11", "httpcore", "httptools", "httpx"}


def parse_modules() -> dict[str, ast.Module]:
    """Return every module of the package, by its name within the package, with its syntax tree."""
    folder = ROOT / PACKAGE
    return {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix("__init__").removesuffix("."): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(folder.rglob("*.py"))
    }


MODULES = parse_modules()


def imported_names(module: str) -> Iterator[str]:
    """Yield the absolute names that a module imports anywhere, type-only imports and those in functions included."""
    is_package = any(name.startswith(f"{module}.") for name in MODULES) or not module
    parts = [PACKAGE, *filter(None, module.split("."))]
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + is_package] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def imported_modules(module: str) -> set[str]:
    """Return the package's modules that a module imports."""
    found = set()
    for name in imported_names(module):
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            inner = name.removeprefix(PACKAGE).removeprefix(".")
            found.add(inner if inner in MODULES else inner.rpartition(".")[0])
    return found - {module}


def layer(module: str) -> int:
    """Return the number of a module's layer; 0 is the top."""
    parts = module.split(".")
    candidates = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    found = next((number for name in candidates for number, names in enumerate(LAYERS) if name in names), None)
    assert found is not None, f"add {module} to LAYERS"
    return found


def test_every_module_has_a_layer() -> None:
    """A new module or folder must be added to ``LAYERS``, and every imported module must be found."""
    for module in MODULES:
        layer(module)
        assert imported_modules(module) <= MODULES.keys()


def test_relative_imports_are_resolved() -> None:
    """The tests below see imports of both kinds, in packages and in modules."""
    assert "bulk.pipeline" in imported_modules("bulk")
    assert "events" in imported_modules("")
    assert {"cli.exit_codes", "cli.output"} <= imported_modules("cli.interrupts")


def test_no_module_imports_from_a_layer_above_its_own() -> None:
    """Each layer may import itself and the layers below it."""
    violations = [
        f"{module} imports {imported}"
        for module in MODULES
        for imported in sorted(imported_modules(module))
        if layer(imported) < layer(module)
    ]
    assert violations == []


def test_no_modules_import_each_other_in_a_cycle() -> None:
    """Type-only imports and imports within functions count as well."""
    graph = {module: imported_modules(module) for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_only_the_transport_imports_an_http_library() -> None:
    """Everything above reaches httpx, httpcore, h11 and httptools through transport/."""
    violations = [
        f"{module} imports {name}"
        for module in MODULES
        if module.partition(".")[0] != "transport"
        for name in imported_names(module)
        if name.partition(".")[0] in HTTP_LIBRARIES
    ]
    assert violations == []
