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


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (errors.NotFoundError, "refused, "),
        (errors.OutcomeUnknownError, "outcome unknown, "),
        (errors.ReadFailedError, "not read, "),
        (errors.NotSentError, ""),
        (InvalidUpdateError, ""),
    ],
)
def test_the_message_begins_with_the_order_and_the_outcome(kind: type[VtexTrackingError], outcome: str) -> None:
    """The message names order, invoice and outcome, also after pickling; the reason has none of them."""
    error = kind("404 order not found (OMS001). Check that.")
    assert str(error) == error.reason
    error.operation, error.order_id = "send", "1172452900788-01"
    assert str(error) == f"Order 1172452900788-01: {outcome}404 order not found (OMS001). Check that."
    error.invoice_number = "000030711"
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert str(twin) == f"Order 1172452900788-01, invoice 000030711: {outcome}{error.reason}"
    assert (twin.order_id, twin.invoice_number, twin.operation) == ("1172452900788-01", "000030711", "send")
    assert repr(error) == f"{kind.__name__}({str(error)!r})"


def test_a_message_about_no_order_begins_with_the_operation() -> None:
    """The operation is written as words."""
    error = errors.NotFoundError("404 Not Found.")
    error.operation = "get_feed_configuration"
    assert str(error) == "Get feed configuration: refused, 404 Not Found."


def test_an_id_of_any_length_is_shown_on_one_short_line() -> None:
    """Control characters are escaped, and a long id is truncated."""
    error = VtexTrackingError("wrong")
    error.operation, error.order_id = "send", "\x1b" + "9" * 1000
    assert str(error) == f"Order {chr(92)}x1b{'9' * 79}... (1001 characters): wrong"


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
