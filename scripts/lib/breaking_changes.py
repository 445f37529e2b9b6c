"""Find the changes of a generated client that break its callers.

What callers pass may only widen, and what they receive may only narrow. The functions of ``api`` tell which models are
passed, and which are received. The module ``constants`` is read by the wrapper only: there, a stricter limit counts.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIMIT = re.compile(r"\.constants\.(\w+)_(MIN_LENGTH|MINIMUM|MAX_LENGTH|MAXIMUM|PATTERN)$")

#: The type of an argument or field that a caller omits.
OMITTED = {"Unset"}


def breaking_changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return one line for each change that breaks callers: the name, and why.

    Args:
        old: Name -> signature, type or value, from :func:`lib.public_names.public_names`.
        new: The same of the new tree.
    """
    passed, received = ({*_models(old, side), *_models(new, side)} for side in ("passed", "received"))
    # A model that no operation uses is treated as one that is passed and received.
    unused = {name.rpartition(".")[0] for name in old.keys() | new.keys()} - passed - received
    found = [
        *_operations(old, new),
        *_classes(old, new, passed | unused, received | unused),
        *_limits(old, new, received - passed),
    ]
    return list(dict.fromkeys(f"{name}: {reason}" for name, reason in found))


def _operations(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the operations that were removed, renamed or moved, and why the functions of others break callers."""
    before, after = _functions(old), _functions(new)
    for module in sorted(before):
        if module in after:
            for function, signature in sorted(before[module].items()):
                yield from ((module, reason) for reason in _function(signature, after[module].get(function)))
        else:
            same = [other for other in sorted(after) if _call(new, other) == _call(old, module)]
            yield module, f"the operation is now {same[0]}" if same else "the operation was removed"


def _functions(names: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return module of an operation -> function -> signature."""
    found: dict[str, dict[str, str]] = {}
    for name, signature in names.items():
        if ".api." in name:
            module, _, function = name.rpartition(".")
            found.setdefault(module, {})[function] = signature
    return found


def _call(names: Mapping[str, str], module: str) -> tuple[str, str]:
    """Return the method and path of an operation."""
    constant = f"{module.partition('.')[0]}.constants.{module.rpartition('.')[2].upper()}"
    return names.get(f"{constant}_METHOD", module), names.get(f"{constant}_PATH", module)


def _function(before: str, after: str | None) -> Iterator[str]:
    """Yield why the new signature of a function breaks its callers."""
    if after is None:
        yield "a function was removed"
        return
    old, new = _parsed(before), _parsed(after)
    had, has = _arguments(old.args), _arguments(new.args)
    yield from (f"the argument {name} was removed" for name in had if name not in has)
    for name, (annotation, may_be_omitted) in has.items():
        if not may_be_omitted and (name not in had or had[name][1]):
            yield f"callers must now pass the argument {name}"
        lost = _types(had[name][0]) - _types(annotation) - OMITTED if name in had else set()
        if lost:
            yield f"the argument {name} no longer accepts {_listed(lost)}"
    gained = _types(new.returns) - _types(old.returns)
    if gained:
        yield f"it may now return {_listed(gained)}"


def _parsed(signature: str) -> ast.FunctionDef:
    (function,) = ast.parse(f"def function{signature}: ...").body
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 - for the type checker
    return function


def _arguments(arguments: ast.arguments) -> dict[str, tuple[ast.expr | None, bool]]:
    """Return name -> annotation, and whether callers may omit the argument."""
    required = len(arguments.args) - len(arguments.defaults)
    positional = {each.arg: (each.annotation, number >= required) for number, each in enumerate(arguments.args)}
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return positional | {each.arg: (each.annotation, default is not None) for each, default in keywords}


def _types(annotation: ast.expr | None) -> set[str]:
    """Return the alternatives of a union; those of ``Response[A | B]`` are A and B."""
    if isinstance(annotation, ast.BinOp):
        return _types(annotation.left) | _types(annotation.right)
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Response":
        return _types(annotation.slice)
    return {ast.unparse(annotation)} if annotation else set()


def _listed(types: set[str]) -> str:
    return " or ".join(sorted(types))


def _classes(
    old: Mapping[str, str], new: Mapping[str, str], passed: set[str], received: set[str]
) -> Iterator[tuple[str, str]]:
    """Yield the classes and members whose change breaks callers."""
    for name in sorted(old.keys() | new.keys()):
        owner, before, after = name.rpartition(".")[0], old.get(name), new.get(name)
        if ".api." in name or ".constants." in name or before == after or (owner in old) != (owner in new):
            continue  # the last: members of a class that was added or removed
        if after is None:
            yield name, "it was removed"
        elif before is None:
            if owner in new and after.startswith(":") and " = " not in after:
                yield name, "callers must set this new field"
        elif before.startswith(":") and after.startswith(":"):
            reasons = _field(before, after, is_passed=owner in passed, is_received=owner in received)
            yield from ((name, reason) for reason in reasons)
        else:
            yield name, f"it was {before.strip()}, and is {after.strip()}"


def _field(before: str, after: str, *, is_passed: bool, is_received: bool) -> Iterator[str]:
    """Yield why the new type or default of a field breaks callers."""
    old, new = _declaration(before), _declaration(after)
    had, has = (ast.unparse(each.value) if each.value else None for each in (old, new))
    if had is not None and has is None:
        yield "callers must now set this field"
    elif is_passed and None not in {had, has} and had != has:
        yield f"its default was {had}, and is {has}"
    lost, gained = _types(old.annotation) - _types(new.annotation), _types(new.annotation) - _types(old.annotation)
    if is_passed and lost - OMITTED:
        yield f"it no longer accepts {_listed(lost - OMITTED)}"
    if is_received and gained:
        yield f"it may now be {_listed(gained)}"


def _declaration(signature: str) -> ast.AnnAssign:
    (declaration,) = ast.parse(f"name{signature}").body
    assert isinstance(declaration, ast.AnnAssign)  # noqa: S101 - for the type checker
    return declaration


def _models(names: Mapping[str, str], side: str) -> set[str]:
    """Return the models that the arguments (``passed``) or the results (``received``) of the operations contain."""
    classes = {name.rpartition(".")[2]: name for name, text in names.items() if ".models." in name and text[0] == "("}
    texts = [
        signature.rpartition(" -> ")[0 if side == "passed" else 2]
        for functions in _functions(names).values()
        for signature in functions.values()
    ]
    found: set[str] = set()
    while texts:
        for word in re.findall(r"\w+", texts.pop()):
            model = classes.get(word)
            if model and model not in found:
                found.add(model)
                texts += [text for name, text in names.items() if name.startswith(f"{model}.") and text[0] == ":"]
    return found


def _limits(old: Mapping[str, str], new: Mapping[str, str], received_only: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the limits of what callers pass that reject more than before."""
    fields = {_constant(name): name.rpartition(".")[0] for name in old if ".models." in name}
    signatures = [old[name] for name in old if ".api." in name]
    arguments = {_constant(name) for signature in signatures for name in _arguments(_parsed(signature).args)}
    for name in sorted(new):
        limit = LIMIT.search(name)
        if limit is None or old.get(name) == new[name] or fields.get(limit[1]) in received_only:
            continue
        if name not in old:
            if limit[1] in fields.keys() | arguments:
                yield name, "it is a new limit: values are rejected that were accepted"
            continue
        before, after = _value(old[name]), _value(new[name])
        is_stricter = limit[2] == "PATTERN" or (before < after if limit[2].startswith("MIN") else before > after)
        if is_stricter:
            yield name, f"it was {before!r}, and is {after!r}: values are rejected that were accepted"


def _constant(name: str) -> str:
    """Return the constant of a field or an argument, without its suffix: ``Event.city`` becomes ``EVENT_CITY``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", ".".join(name.split(".")[-2:]))
    return re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_").upper()


def _value(declaration: str) -> Any:
    return ast.literal_eval(declaration.partition(" = ")[2])
