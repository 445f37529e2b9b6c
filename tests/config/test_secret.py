"""Credentials are hidden in the objects that hold them, and in the frames of errors."""

from __future__ import annotations

import copy
import pickle
import sys
import traceback
from enum import Enum
from typing import Any

import pytest

from vtex_tracking_ext.config.secret import Secret, hidden_frames, hidden_headers, revealed_headers
from vtex_tracking_ext.errors import ConfigurationError


class Text(str, Enum):  # noqa: UP042 - a StrEnum is formatted as its value
    """A str enum, whose member is formatted as another text than its value."""

    TOKEN = "TOPSECRET"


@pytest.mark.parametrize("value", ["TOPSECRET", Secret("TOPSECRET"), Text.TOKEN])
def test_a_secret_reveals_its_text_and_shows_it_nowhere(value: Any) -> None:
    """Repr, str, every format and the repr of its attribute show a placeholder; copies are the secret itself."""
    secret = Secret(value)
    assert secret.reveal() == "TOPSECRET"
    assert type(secret.reveal()) is str
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % secret, repr(secret.reveal)):  # noqa: UP031
        assert "TOPSECRET" not in text
    assert f"{secret:>20}" == "         Secret(...)"
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


def test_secrets_are_compared_by_their_text() -> None:
    """Secrets of equal texts are equal and have the same hash; a secret does not equal a plain text."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_a_secret_cannot_be_pickled() -> None:
    """Pickling raises TypeError, which says what to do."""
    with pytest.raises(TypeError, match="A credential cannot be pickled"):
        pickle.dumps(Secret("TOPSECRET"))


@pytest.mark.parametrize("value", [5, b"TOPSECRET", ["TOPSECRET"]])
def test_a_secret_that_is_not_text_is_dropped(value: Any) -> None:
    """A value that is not text is not kept, and what is revealed is no text, so that it is refused."""
    assert Secret(value).reveal() == b""


def test_hidden_headers_are_revealed_as_they_were() -> None:
    """Headers survive hiding, and the repr does not show them."""
    headers = {"A": "TOPSECRET: 1", "B": "2"}
    hidden = hidden_headers(headers)
    assert "TOPSECRET" not in repr(hidden)
    assert bytes(hidden) == b"A: TOPSECRET: 1\r\nB: 2\r\n"
    assert dict(revealed_headers(hidden)) == headers


def fail(token: str, error: BaseException) -> None:
    """Raise an error while a token is an argument, here and below."""

    def raise_error(token: str) -> None:
        try:
            int(token)
        except ValueError:
            raise error from None

    with hidden_frames():
        raise_error(token)


def test_an_error_leaves_the_block_without_its_frames_and_contexts() -> None:
    """The frames in the block, the function's own and the error that was handled in the block are removed."""
    with pytest.raises(ConfigurationError) as caught:
        fail("TOPSECRET", ConfigurationError("no"))
    assert [frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)] == [
        sys._getframe().f_code.co_name
    ]
    assert caught.value.__context__ is None
    assert not hasattr(caught.value, "__notes__")


def test_an_error_that_is_handled_outside_of_the_block_stays_the_context() -> None:
    """An error keeps the context that it has because of the block's caller, with its traceback."""
    outer = LookupError()
    with pytest.raises(ConfigurationError) as caught:  # noqa: PT012 - it is raised in a handler
        try:
            raise outer
        except LookupError:
            fail("TOPSECRET", ConfigurationError("no"))
    assert caught.value.__context__ is outer
    assert outer.__traceback__ is not None


def test_an_unexpected_error_gets_a_note_with_the_removed_lines() -> None:
    """The note of an error that is not this package's shows the lines of code, without values."""
    with pytest.raises(RuntimeError) as caught:
        fail("TOPSECRET", RuntimeError("a mistake"))
    assert isinstance(caught.value.__context__, ValueError)
    assert caught.value.__context__.__traceback__ is None
    (note,) = caught.value.__notes__
    assert "in raise_error" in note
    assert "TOPSECRET" not in note


def test_a_block_without_an_error_changes_nothing() -> None:
    """The block ends as it would without hiding."""
    with hidden_frames():
        value = 1
    assert value == 1
