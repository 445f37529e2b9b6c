"""The public names of a package with their signatures, types or values, read from its source."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def public_names(tree: Path) -> dict[str, str]:
    """Return name -> signature, type or value of every public name; a missing folder has none."""
    found: dict[str, str] = {}
    for path in sorted(tree.rglob("*.py")):
        module = ".".join([tree.name, *path.relative_to(tree).with_suffix("").parts]).removesuffix(".__init__")
        found.update(_names(module, ast.parse(path.read_text(encoding="utf-8")).body))
    return found


def _names(prefix: str, body: list[ast.stmt], *, is_class: bool = False) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            value = f" = {ast.unparse(node.value)}" if node.value else ""
            yield from _public(prefix, node.target.id, f": {ast.unparse(node.annotation)}{value}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            yield from _public(prefix, node.name, f"({ast.unparse(node.args)}){returns}")
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and is_class:
            yield from _public(prefix, node.targets[0].id, f" = {ast.unparse(node.value)}")
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield f"{prefix}.{node.name}", f"({', '.join(map(ast.unparse, node.bases))})"
            yield from _names(f"{prefix}.{node.name}", node.body, is_class=True)


def _public(prefix: str, name: str, signature: str) -> Iterator[tuple[str, str]]:
    if not name.startswith("_"):
        yield f"{prefix}.{name}", signature


def changes(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    """Yield one line for each name that changed; the members of an added or removed class are omitted."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        parent = name.rpartition(".")[0]
        if before is None and after is not None and (parent not in new or parent in old):
            yield f"added    {name}{after}"
        elif after is None and before is not None and (parent not in old or parent in new):
            yield f"removed  {name}{before}"
        elif before is not None and after is not None and before != after:
            yield f"changed  {name}\n           from {before}\n           to   {after}"
