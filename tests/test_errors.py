"""The exceptions."""

from __future__ import annotations

import copy
import pickle

import pytest

from vtex_tracking_ext import errors
from vtex_tracking_ext.errors import InvalidUpdateError, Problem, RateLimitedError, VtexTrackingError

ALL = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VtexTrackingError) and not kind.__name__.startswith("_")
]


@pytest.mark.parametrize("kind", ALL)
def test_the_tree_in_the_docstring_contains_every_exception(kind: type[VtexTrackingError]) -> None:
    """The tree in the module's docstring contains every exception, and each has its own docstring."""
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__doc__


def test_only_outcome_unknown_error_is_unknown() -> None:
    """applied is None for OutcomeUnknownError and False for every other exception."""
    assert {kind.__name__: kind.applied for kind in ALL if kind.applied is not False} == {"OutcomeUnknownError": None}


@pytest.mark.parametrize("leave", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])  # noqa: S301 - our own
@pytest.mark.parametrize("kind", ALL)
def test_exceptions_can_be_pickled_and_copied(kind: type[VtexTrackingError], leave: object) -> None:
    """A pickled or copied exception has the same type, message and attributes."""
    error = kind("told")
    error.attempts = 3
    vars(error).update(status_code=429, code="X", headers={"a": "b"}, retry_after=5.0)
    twin = leave(error)  # type: ignore[operator]
    assert type(twin) is kind
    assert str(twin) == "told"
    assert vars(twin) == vars(error)


def test_an_invalid_update_error_lists_its_problems() -> None:
    """The problems are in the message and in the attribute."""
    error = InvalidUpdateError(problems=[Problem("a", "b"), Problem("c", "d")])
    assert str(error) == "a: b; c: d"
    assert error.problems == (Problem("a", "b"), Problem("c", "d"))


def test_repr_shows_only_the_message() -> None:
    """The repr of an exception shows neither headers nor body."""
    error = RateLimitedError("told", status_code=429, headers={"x": "HIDDEN"}, body="HIDDEN")
    assert repr(error) == "RateLimitedError('told')"


def test_an_exception_without_arguments_is_empty() -> None:
    """An exception made without arguments has an empty message and an empty body."""
    error = errors.RefusedError()
    assert (str(error), error.body) == ("", "")
