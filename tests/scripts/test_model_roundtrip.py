"""The check of a generated package that scripts/regenerate runs."""

from __future__ import annotations

from types import ModuleType

from lib.model_roundtrip import operation_problems


def test_operation_without_request_arguments_is_a_problem() -> None:
    """A module of an operation must have ``_get_kwargs``; other modules need nothing."""
    complete, incomplete, other = ModuleType("complete"), ModuleType("incomplete"), ModuleType("other")
    for module in (complete, incomplete):
        vars(module)["sync_detailed"] = print
    vars(complete)["_get_kwargs"] = dict
    assert list(operation_problems([complete, incomplete, other])) == [
        "incomplete has no _get_kwargs, which vtex_tracking_ext.call.operations calls"
    ]
