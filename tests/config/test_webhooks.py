"""The configuration of webhooks, in the profile file and in the environment."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from vtex_tracking_ext.config.profiles import load_profile, load_profiles
from vtex_tracking_ext.config.redaction import HIDDEN, redact_known
from vtex_tracking_ext.config.secret import Secret
from vtex_tracking_ext.config.webhooks import WebhookCheck, parse_webhooks, webhook_redactor, webhooks_from_env
from vtex_tracking_ext.errors import ConfigurationError

from support.leaks import Interrupter, forms, interrupted, leaks

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "TOPSECRET+TOPSECRET"
OLD = "OLDSECRET/OLDSECRET"
SECRETS = forms(SECRET, OLD)


def check(*secrets: str, header: str = "") -> WebhookCheck:
    """Return a check with these secrets."""
    return WebhookCheck(secrets, header)


def write(folder: Path, text: str) -> Path:
    """Write a profile file."""
    path = folder / "profiles.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_profile_has_the_secrets_of_its_webhooks(tmp_path: Path) -> None:
    """A secret is a text, a list of texts, or a table with the name of the header."""
    path = write(
        tmp_path,
        f"""
        [mystore.webhooks]
        easypost = "{SECRET}"
        intelipost = ["{SECRET}", "{OLD}"]
        frenet = {{header = "X-Token", secret = "{SECRET}"}}
        vtex = {{header = "X-Hook-Token", secret = ["{SECRET}", "{OLD}"]}}
        dhl = {{secret = "{SECRET}"}}
        [other]
        """,
    )
    profiles = load_profiles(path)
    assert profiles["mystore"].webhooks == {
        "easypost": check(SECRET),
        "intelipost": check(SECRET, OLD),
        "frenet": check(SECRET, header="X-Token"),
        "vtex": check(SECRET, OLD, header="X-Hook-Token"),
        "dhl": check(SECRET),
    }
    assert profiles["other"].webhooks == {}
    assert "SECRET" not in f"{profiles} {profiles['mystore'].webhooks}".replace("Secret(...)", "")


TEXTS = [
    ('webhooks = "{}"', r"\['a'\]: webhooks is not a table: write \[NAME.webhooks\]"),
    ('webhooks = ["{}"]', "webhooks is not a table"),
    ("webhooks.easypost = 5", r"webhooks.easypost: secret is missing or not text: write it between quotes"),
    ("webhooks.easypost = {{}}", "webhooks.easypost: secret is missing"),
    ('webhooks.easypost = {{header = "{}"}}', "webhooks.easypost: secret is missing"),
    ('webhooks.easypost = ["{}", 5]', "webhooks.easypost: secret is missing or not text"),
    ('webhooks.easypost = [["{}"]]', "webhooks.easypost: secret is missing or not text"),
    ("webhooks.easypost = []", "webhooks.easypost: there is no secret: create one with python -c"),
    ('webhooks.easypost = ""', "webhooks.easypost: the secret is empty: create one with python -c"),
    ('webhooks.easypost = " \\u00a0"', "the secret is empty"),
    ('webhooks.easypost = ["{}", "\\u200b"]', "webhooks.easypost: secret 2 of 2 is empty"),
    ('webhooks.easypost = " {}"', "the secret starts or ends with a space or a line break: remove it"),
    ('webhooks.easypost = "{}\\n"', "the secret starts or ends with a space or a line break"),
    ("webhooks.easypost = \"'{}'\"", "the secret begins and ends with a quote: remove both"),
    ('webhooks.easypost = "{}\\nx"', "the secret contains a line break or another character that cannot be printed"),
    ('webhooks.easypost = "TOPSEC+"', "the secret is too short: create one with python -c"),
    (
        'webhooks.easypost = {{secret = "{}", headr = "X"}}',
        "webhooks.easypost: 'headr' is not a setting; use secret and",
    ),
    ('webhooks.easypost = {{secret = "{}", header = ""}}', "webhooks.easypost: header is not text: write the name"),
    ('webhooks.easypost = {{secret = "{}", header = ["X"]}}', "webhooks.easypost: header is not text: write the name"),
    ('webhooks.easypost = {{secret = "{}", header = "X Y"}}', "webhooks.easypost: header is not the name of a header"),
    ('webhooks.easypost = {{secret = "{}", header = "X\\n"}}', "webhooks.easypost: header is not the name of a header"),
    (
        'webhooks.easypost = {{header = "{0}/", secret = "{0}"}}',
        "webhooks.easypost: header is not the name of a header",
    ),
    ('webhooks."\\u001b" = ""', r"webhooks.\\x1b: the secret is empty"),
]


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_an_unusable_webhook_is_refused_without_showing_a_secret(tmp_path: Path, text: str, said: str) -> None:
    """The message says the file, the profile, the source, and how to fix it; no frame shows a value."""
    path = write(tmp_path, f'[a]\napp_token = "{OLD}"\n{text.format(SECRET)}')
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_profile(path, "a")
    assert f"In the profile file {path}, ['a']: webhooks" in str(caught.value)
    assert leaks(caught.value, {*SECRETS, "topsec+"}) == []


@pytest.mark.parametrize("value", [SECRET, [SECRET], {"secret": SECRET, "heading": 1}, {"secret": [SECRET, 5]}])
def test_an_error_of_the_parser_shows_no_secret(value: Any) -> None:
    """Also without a profile file, no frame shows a value."""
    with pytest.raises(ConfigurationError) as caught:
        parse_webhooks(value if isinstance(value, str) else {"dhl": value, "gls": f"{SECRET}\n"})
    assert leaks(caught.value, SECRETS) == []


def test_a_check_has_at_least_one_secret() -> None:
    """A check without a secret, or with one that is not text, cannot be created."""
    with pytest.raises(ConfigurationError, match="there is no secret"):
        WebhookCheck(())
    values: list[Any] = [f"{SECRET} ", SECRET[:7], SECRET.encode(), None, "", Secret(b""), Secret("")]
    for value in values:
        with pytest.raises(
            ConfigurationError, match=r"^the secret (starts or|is too short|is not text|is empty)"
        ) as caught:
            WebhookCheck([value])
        assert leaks(caught.value, SECRETS) == []
    with pytest.raises(ConfigurationError, match="cannot be printed"):
        check("TOPSECRET\udce9")


def test_a_check_holds_secrets() -> None:
    """A program may give one text or several; a check holds them hidden, and can be compared and copied."""
    assert WebhookCheck(SECRET) == WebhookCheck(Secret(SECRET)) == check(SECRET) != check(SECRET, OLD)
    assert evolve(check(SECRET, OLD), header="X-Token") == check(SECRET, OLD, header="X-Token")
    assert repr(check(SECRET, OLD)) == "WebhookCheck(secrets=(Secret(...), Secret(...)), header='')"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(check(SECRET))


def test_the_environment_has_the_secrets_of_the_run() -> None:
    """Each source has a secret, and may have an old one and a header; empty variables count as unset."""
    environ = {
        "VTEX_WEBHOOK_SECRET_EASYPOST": SECRET,
        "VTEX_WEBHOOK_SECRET_MELHOR_ENVIO": SECRET,
        "VTEX_WEBHOOK_SECRET_MELHOR_ENVIO_OLD": OLD,
        "VTEX_WEBHOOK_SECRET_VTEX": SECRET,
        "VTEX_WEBHOOK_HEADER_VTEX": "X-Hook-Token",
        "VTEX_WEBHOOK_SECRET_DHL": SECRET,
        "VTEX_WEBHOOK_SECRET_DHL_OLD": "",
        "VTEX_WEBHOOK_HEADER_DHL": "",
        "VTEX_WEBHOOK_SECRET_GLS": "",
        "VTEX_APP_TOKEN": OLD,
    }
    assert webhooks_from_env(environ) == {
        "dhl": check(SECRET),
        "easypost": check(SECRET),
        "melhor_envio": check(SECRET, OLD),
        "vtex": check(SECRET, header="X-Hook-Token"),
    }
    assert webhooks_from_env({}) == {}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SECRET_DHL_OLD": SECRET}, "The environment variable VTEX_WEBHOOK_SECRET_DHL is missing: .*_DHL_OLD and"),
        (
            {"SECRET_DHL": SECRET, "HEADER_DHL_OLD": "X"},
            "The environment variable VTEX_WEBHOOK_SECRET_DHL_OLD is missing",
        ),
        ({"HEADER_DHL": "X-Token"}, "The environment variable VTEX_WEBHOOK_SECRET_DHL is missing"),
        ({"SECRET_DHL": "", "SECRET_DHL_OLD": SECRET}, "The environment variable VTEX_WEBHOOK_SECRET_DHL is missing"),
        ({"SECRET_DHL": f'"{SECRET}"'}, "The environment variable VTEX_WEBHOOK_SECRET_DHL: the secret begins and ends"),
        ({"SECRET_DHL": SECRET, "SECRET_DHL_OLD": f" {OLD}"}, "VTEX_WEBHOOK_SECRET_DHL: secret 2 of 2 starts or ends"),
        ({"SECRET_DHL": SECRET, "HEADER_DHL": f"X: {OLD}"}, "VTEX_WEBHOOK_HEADER_DHL: header is not the name"),
        ({"SECRET_DHL": "\udce9" * 9}, "cannot be printed"),
    ],
)
def test_unusable_variables_are_refused_without_showing_a_secret(environ: dict[str, str], said: str) -> None:
    """The message names the variable; neither it nor a frame shows the value of any."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        webhooks_from_env({"VTEX_APP_TOKEN": OLD, **{f"VTEX_WEBHOOK_{name}": value for name, value in environ.items()}})
    assert leaks(caught.value, SECRETS) == []


def test_an_interrupted_reading_shows_no_secret() -> None:
    """An interrupt at any line shows no secret, once the block that hides them has begun (two lines)."""
    environ = {"VTEX_WEBHOOK_SECRET_DHL": SECRET, "VTEX_WEBHOOK_SECRET_DHL_OLD": OLD}
    checks = [check(SECRET, OLD)]

    def read(interrupter: Interrupter) -> None:
        with interrupter:
            webhooks_from_env(environ)

    def parse(interrupter: Interrupter) -> None:
        with interrupter:
            parse_webhooks({"dhl": [SECRET, OLD], "vtex": {"secret": SECRET, "header": "X-Token"}})

    def create(interrupter: Interrupter) -> None:
        with interrupter:
            WebhookCheck([SECRET, OLD], "X-Token")

    def redact(interrupter: Interrupter) -> None:
        with interrupter:
            webhook_redactor(checks)

    for call in (read, parse, create, redact):
        errors = list(interrupted(call, first=3))
        assert len(errors) > 10
        assert [leak for error in errors for leak in leaks(error, SECRETS)] == []


def test_secrets_are_redacted_while_the_redactor_exists() -> None:
    """The secrets of all checks are removed from messages, such as those about a payload that quotes one."""
    redactor = webhook_redactor([check("NEWSECRET-2024", "OLDSECRET-2024"), check("s\u00e3o-paulo-2024")])
    text = "path /carriers/dhl/a/NEWSECRET-2024, OLDSECRET-2024, s\u00e3o-paulo-2024"
    assert redact_known(text) == f"path /carriers/dhl/a/{HIDDEN}, {HIDDEN}, {HIDDEN}"
    del redactor
    assert redact_known(text) == text
