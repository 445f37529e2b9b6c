"""The tree of errors."""

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
def test_the_docstring_draws_every_error_with_its_answer(kind: type[VtexTrackingError]) -> None:
    """The tree in the module's docstring is complete."""
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__doc__


def test_only_an_unknown_outcome_is_unknown() -> None:
    """Every other error means that nothing was applied."""
    assert {kind.__name__: kind.applied for kind in ALL if kind.applied is not False} == {"OutcomeUnknownError": None}


@pytest.mark.parametrize("leave", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])  # noqa: S301 - our own
@pytest.mark.parametrize("kind", ALL)
def test_errors_survive_pickle_and_copy(kind: type[VtexTrackingError], leave: object) -> None:
    """With all that is known of them."""
    error = kind("told")
    error.attempts = 3
    vars(error).update(status_code=429, code="X", headers={"a": "b"}, retry_after=5.0)
    twin = leave(error)  # type: ignore[operator]
    assert type(twin) is kind
    assert str(twin) == "told"
    assert vars(twin) == vars(error)


def test_an_invalid_update_lists_its_problems() -> None:
    """In its text and as values."""
    error = InvalidUpdateError(problems=[Problem("a", "b"), Problem("c", "d")])
    assert str(error) == "a: b; c: d"
    assert error.problems == (Problem("a", "b"), Problem("c", "d"))


def test_repr_shows_the_text_alone() -> None:
    """Never headers or body."""
    error = RateLimitedError("told", status_code=429, headers={"x": "HIDDEN"}, body="HIDDEN")
    assert repr(error) == "RateLimitedError('told')"


def test_an_error_made_of_nothing_says_nothing() -> None:
    """No text, and no body."""
    error = errors.RefusedError()
    assert (str(error), error.body) == ("", "")
