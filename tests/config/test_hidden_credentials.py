"""No error shows a credential, not even in the local variables of its frames, as crash reporters show them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from vtex_tracking_ext import (
    AsyncTrackingClient,
    ConfigurationError,
    TrackingClient,
)
from vtex_tracking_ext.config.profiles import load_profile
from vtex_tracking_ext.config.redaction import Redactor

from support.leaks import Interrupter, forms, interrupted, leaks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


KEY = "vtexappkey-mystore-TOPSECRETKEY"
TOKEN = "TOPSECRETTOKEN+/TOPSECRETTOKEN"
PASSWORD = "proxy-password"
SECRETS = forms(KEY, TOKEN, PASSWORD, f"user:{PASSWORD}")
PAIR = {"app_key": KEY, "app_token": TOKEN}
PROXY = f"http://user:{PASSWORD}@127.0.0.1:9"
CLIENTS = [TrackingClient, AsyncTrackingClient]
both = pytest.mark.parametrize("kind", CLIENTS)


class Unreadable:
    """A path that raises an unexpected error."""

    def __fspath__(self) -> str:
        raise RuntimeError("no path")


REFUSED: list[dict[str, Any]] = [
    {"app_key": KEY, "app_token": None},
    {"app_key": None},
    {"app_token": f"{TOKEN}\n"},
    {"app_token": f"{TOKEN} {TOKEN}"},
    {"app_token": TOKEN.encode()},
    {"user_token": TOKEN},
    {"account": TOKEN},
    {"account": TOKEN.encode()},
    {"environment": TOKEN},
    {"base_url": f"https://user:{TOKEN}@a.example"},
    {"base_url": f"http://a.example/{TOKEN}"},
    {"timeout": TOKEN},
    {"on_unknown": TOKEN},
    {"retry": TOKEN},
    {"max_connections": TOKEN},
    {"on_attempt": TOKEN},
    {"on_attempt": [TOKEN]},
    {"ca_file": f"/none/{TOKEN}"},
    {"ca_file": [TOKEN]},
    {"ca_file": Unreadable()},
    {"proxy": f"socks5://user:{PASSWORD}@127.0.0.1:9"},
    {"proxy": f"http://user:{PASSWORD}/@127.0.0.1:9"},
    {"proxy": TOKEN.encode()},
    {"http_client": TOKEN},
    {"http_client": httpx.Client(), "trust_env": True},
    {"unknown_option": TOKEN},
]


def refuse(make: Callable[..., object], **options: Any) -> BaseException:
    """Return the error with which a client is refused."""
    with pytest.raises(Exception, match=r"\w") as caught:
        make(**options)
    return caught.value


@both
@pytest.mark.parametrize("wrong", REFUSED, ids="-".join)
def test_an_error_of_a_constructor_shows_no_credential(
    monkeypatch: pytest.MonkeyPatch, kind: type, wrong: dict[str, Any]
) -> None:
    """A refused argument of the constructor or of from_env is not shown, and neither are the other arguments."""
    options = {"account": "mystore", **PAIR, "proxy": None if "http_client" in wrong else PROXY, **wrong}
    assert leaks(refuse(kind, **options), SECRETS) == []
    monkeypatch.setenv("VTEX_APP_KEY", KEY)
    monkeypatch.setenv("VTEX_APP_TOKEN", TOKEN)
    assert leaks(refuse(kind.from_env, **options), SECRETS) == []  # type: ignore[attr-defined]
    if not wrong.keys() & {*PAIR, "user_token"}:
        others = {name: value for name, value in options.items() if name not in PAIR}
        assert leaks(refuse(kind.from_env, **others), SECRETS) == []  # type: ignore[attr-defined]


@both
def test_a_missing_account_shows_no_credential_of_the_environment(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    """The error about a missing VTEX_ACCOUNT does not show the other variables."""
    monkeypatch.delenv("VTEX_ACCOUNT", raising=False)
    monkeypatch.setenv("VTEX_USER_TOKEN", TOKEN)
    assert leaks(refuse(kind.from_env), SECRETS) == []


@pytest.mark.parametrize(
    "text",
    [
        f'[a]\napp_token = "{TOKEN}',
        f'[a]\napp_token = "{TOKEN}"\napp_token = "{TOKEN}"',
        f'[a]\napp_token = ["{TOKEN}"]',
        f'[a]\napp_tokn = "{TOKEN}"',
        f'a = "{TOKEN}"',
        f'[a]\napp_token = "{TOKEN}"\nresend_after = "{TOKEN}"',
        f'[other]\napp_token = "{TOKEN}"',
        f'app_token = "{TOKEN}"\na = {"[" * 100_000}',
        f'[a]\napp_token = "{TOKEN}\udcff"',
    ],
)
def test_an_error_about_a_profile_file_shows_no_credential(tmp_path: Path, text: str) -> None:
    """Neither the text of the file nor what the TOML parser made of it is shown."""
    path = tmp_path / "profiles.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError) as caught:
        load_profile(path, "a")
    assert leaks(caught.value, SECRETS) == []


def during(function: Callable[[], object]) -> Callable[[Interrupter], None]:
    """Return a function that calls the given one within an interrupter."""

    def call(interrupter: Interrupter) -> None:
        with interrupter:
            function()

    return call


@both
def test_an_interrupted_constructor_shows_no_credential(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    """An interrupt at any line shows no argument, once the block that hides them has begun (two lines)."""
    monkeypatch.setenv("VTEX_USER_TOKEN", TOKEN)
    makers: list[Callable[[], object]] = [
        lambda: kind("mystore", **PAIR, proxy=PROXY),
        lambda: kind.from_env(account="mystore", **PAIR, proxy=PROXY),
        lambda: kind.from_env(account="mystore"),
    ]
    for make in makers:
        errors = list(interrupted(during(make), first=3))
        assert len(errors) > 50
        assert [leak for error in errors for leak in leaks(error, SECRETS)] == []


def test_an_interrupted_redaction_shows_no_credential() -> None:
    """Neither the search nor the compilation of the pattern shows what is searched for."""
    for text in ("plain", "a%20b", "plain... (20 characters)"):
        redactor = Redactor([KEY, TOKEN])
        for error in interrupted(during(functools.partial(redactor.redact_message, text))):
            assert leaks(error, forms(KEY, TOKEN)) == []
