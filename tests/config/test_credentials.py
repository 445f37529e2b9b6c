"""Credentials, server URLs and settings."""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtex_tracking_ext.config.credentials import Settings, credential_headers, server_url, settings_from_env
from vtex_tracking_ext.config.secret import Secret
from vtex_tracking_ext.errors import ConfigurationError

SECRET = "TOPSECRETTOPSECRET"


class Kind(str, Enum):  # noqa: UP042 - a StrEnum prints what it holds
    """A str enum, whose members are formatted as another text than they are equal to."""

    MYSTORE = "mystore"
    BETA = "beta"
    URL = "https://x.example"


def test_each_kind_of_credentials_has_its_headers() -> None:
    """An app key and its token are sent in two headers, a user token in one."""
    assert credential_headers("key", "token") == {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"}
    assert credential_headers(user_token="token") == {"VtexIdclientAutCookie": "token"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "No credentials"),
        ({"app_key": SECRET}, "app_key without app_token"),
        ({"app_token": SECRET}, "app_token without app_key"),
        ({"app_key": SECRET, "app_token": SECRET, "user_token": SECRET}, "Two kinds"),
        (
            {"app_key": SECRET, "user_token": SECRET},
            "Two kinds of credentials: app_key and user_token. Give app_key and app_token, or user_token alone",
        ),
        ({"app_key": SECRET, "app_token": SECRET + "\n"}, "app_token starts or ends with a space or a line break"),
        ({"app_key": SECRET, "app_token": SECRET + "\r\nX: y"}, "app_token contains a space, a line break"),
        ({"app_key": SECRET, "app_token": f"{SECRET}\N{LATIN SMALL LETTER E WITH ACUTE}"}, "non-ASCII character"),
        ({"user_token": f'"{SECRET}"'}, "user_token begins and ends with a quote: remove both"),
        ({"app_key": f"'{SECRET}'", "app_token": SECRET}, "app_key begins and ends with a quote"),
        ({"user_token": ""}, "user_token is empty"),
        ({"user_token": "  "}, "user_token is empty"),
        ({"user_token": 5}, "user_token is not text"),
    ],
)
def test_invalid_credentials_are_refused_without_being_shown(arguments: dict[str, Any], said: str) -> None:
    """The message about invalid credentials names the argument and does not show its value."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        credential_headers(**arguments)
    assert SECRET not in str(caught.value)


def _refusal(token: str) -> str | None:
    try:
        credential_headers(user_token=token)
    except ConfigurationError as error:
        return str(error)
    return None


@given(st.text(min_size=1))
def test_any_accepted_token_fits_a_header(text: str) -> None:
    """Any text is either refused with a message that does not depend on it, or is visible ASCII without spaces."""
    message = _refusal(text)
    if message is not None:
        assert message in {_refusal(" "), _refusal("x\n"), _refusal("x y"), _refusal("''")}
    else:
        token = credential_headers(user_token=text)["VtexIdclientAutCookie"]
        assert token == text
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text


def test_the_server_url_consists_of_account_and_environment() -> None:
    """The host name is built from the account and the environment."""
    assert server_url("mystore") == "https://mystore.vtexcommercestable.com.br"
    assert server_url("my-store2", "vtexcommercebeta") == "https://my-store2.vtexcommercebeta.com.br"


@pytest.mark.parametrize(
    "account", ["evil.com/", "a@b", "a.b", "", "-a", "a-", "a b", "a\n", "x" * 64, None, "\N{CYRILLIC SMALL LETTER A}"]
)
def test_an_account_that_would_change_the_host_is_refused(account: Any) -> None:
    """An account that is not a single host name label is refused."""
    with pytest.raises(ConfigurationError, match=r"^(The )?account "):
        server_url(account)


def test_an_environment_that_would_change_the_host_is_refused() -> None:
    """An environment that is not a single host name label is refused."""
    with pytest.raises(ConfigurationError, match=r"^environment "):
        server_url("mystore", "evil.com/")


@given(st.text())
def test_any_accepted_account_is_the_first_host_label(text: str) -> None:
    """Any text is either refused as an account, or becomes the first label of the host name."""
    try:
        url = server_url(text)
    except ConfigurationError:
        return
    assert url == f"https://{text}.vtexcommercestable.com.br"
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    ("base_url", "used"),
    [
        ("https://proxy.example", "https://proxy.example"),
        ("https://proxy.example:8443/vtex/", "https://proxy.example:8443/vtex"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("HTTPS://Proxy.Example:443/a%20b/", "HTTPS://Proxy.Example:443/a%20b"),
        ("https://oms_1.internal/v1.2/..a", "https://oms_1.internal/v1.2/..a"),
        ("https://10.0.0.1/@a;b,c", "https://10.0.0.1/@a;b,c"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
        ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"),
        ("https://xn--7a.example", "https://xn--7a.example"),  # text without its prefix, none with it
    ],
)
def test_a_valid_base_url_is_used(base_url: str, used: str) -> None:
    """A base_url with https, or http on this machine, is used without its trailing slash."""
    assert server_url("mystore", base_url=base_url) == used


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("http://proxy.example", "clear text"),
        ("ftp://proxy.example", "https://"),
        ("https://", "host name"),
        ("https://a:b@proxy.example", "user information"),
        ("https://proxy.example?x=1", "query"),
        ("https://proxy.example#x", "fragment"),
        ("https://proxy.example?", "query"),
        ("https://proxy.example/?", "query"),
        ("https://proxy.example/a#", "fragment"),
        ("https://proxy.example:http", "a port from 1 to 65535"),
        ("https://proxy.example:99999", "a port from 1 to 65535"),
        ("https://proxy.example:0", "a port from 1 to 65535"),
        ("https://proxy.example:", "a port from 1 to 65535"),
        ("https://proxy.example:1:2", "a port from 1 to 65535"),
        ("https://[", "cannot be used"),
        ("http://[::1].evil.com", "a port from 1 to 65535"),
        ("http://evil.com[::1]", "a port from 1 to 65535"),
        ("https://[1.2.3.4]", "its host"),
        ("https://[fe80::1%25eth0]", "its host"),
        ("https://h\\.evil.com", "its host"),
        ("https://a..b", "its host"),
        ("https://a.b.", "its host"),
        ("https://-a.b", "its host"),
        ("https://a;b", "its host"),
        ("https://a%2Fb", "its host"),
        (f"https://{'a' * 64}.example", "its host"),
        ("https://1.2.3", "its host"),
        ("https://999.1.1.1", "its host"),
        ("https://0x7f.1", "its host"),
        ("https://xn--a.example", "its host"),
        ("https://xn--zzzzzz999.example", "its host"),
        ("https://:443", "its host"),
        ("https:///path", "host name"),
        ("https://m\u00fcnchen.example", "an international domain as xn--"),
        ("https://a.example/b\\c", "backslash or a control"),
        ("https://a.example/b%0Ac", "backslash or a control"),
        ("https://a.example/b/../c", "'.' or '..' segment"),
        ("https://a.example/b/%2e%2E", "'.' or '..' segment"),
        ("https://a.example/.", "'.' or '..' segment"),
        ("https://SECRET:SECRET@a.example", "user information"),
        ("https://user:SECRET/x@a.example", "a port"),
        ("https://a b", "not an address"),
        ("https://a\n", "not an address"),
        (5, "not an address"),
    ],
)
def test_an_invalid_base_url_is_refused(base_url: Any, said: str) -> None:
    """An invalid base_url is refused with the reason, and is not quoted, because it may contain a password."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        server_url("mystore", base_url=base_url)
    assert "SECRET" not in str(caught.value)


@given(st.from_regex(r"https?://[!-~]{0,30}", fullmatch=True))
def test_httpx_reads_an_accepted_base_url_in_the_same_way(base_url: str) -> None:
    """httpx finds the host and the path that were checked in every accepted base_url."""
    try:
        address = server_url("mystore", base_url=base_url)
    except ConfigurationError:
        return
    url = httpx.URL(f"{address}/api/oms")
    host = address.partition("://")[2].partition("/")[0].lower()
    assert url.netloc.decode() in {host, host.removesuffix(":443"), host.removesuffix(":80"), _short(host)}
    assert url.query == b""
    assert url.fragment == ""
    assert url.path.endswith("/api/oms")


def _short(host: str) -> str:
    """Return a host with its port as a number writes itself."""
    name, _, number = host.rpartition(":")
    return f"{name}:{int(number)}" if number.isdigit() else host


def test_members_of_str_enums_are_converted_to_plain_strings() -> None:
    """Members of str enums are converted to plain strings in URLs and headers."""
    for address in (server_url(Kind.MYSTORE, Kind.BETA), server_url("mystore", base_url=Kind.URL)):
        assert type(address) is str
    assert server_url(Kind.MYSTORE, Kind.BETA) == "https://mystore.beta.com.br"
    assert server_url("mystore", base_url=Kind.URL) == "https://x.example"
    for headers in (credential_headers(Kind.BETA, Kind.BETA), credential_headers(user_token=Kind.BETA)):
        assert {(value, type(value)) for value in headers.values()} == {("beta", str)}


def test_settings_are_read_from_the_environment() -> None:
    """Every variable sets its field; an empty one counts as unset, and repr shows no credential."""
    environ = {
        "VTEX_ACCOUNT": "mystore",
        "VTEX_APP_KEY": "key",
        "VTEX_APP_TOKEN": "token",
        "VTEX_USER_TOKEN": "",
        "VTEX_BASE_URL": "https://x.example",
        "VTEX_ENVIRONMENT": "vtexcommercebeta",
    }
    expected = Settings("mystore", "key", "token", None, "https://x.example", "vtexcommercebeta")
    assert settings_from_env(environ) == expected
    assert "token" not in repr(expected).replace("app_token", "").replace("user_token", "")


def test_defaults_fill_unset_settings_but_credentials_stay_together() -> None:
    """Unset settings are taken from the defaults, but credentials of two sources are not mixed."""
    first = Settings(user_token="mine")
    second = Settings("mystore", "key", "token", None, "https://x.example", "beta")
    assert first.with_defaults(second) == Settings("mystore", None, None, "mine", "https://x.example", "beta")
    assert Settings(account="other").with_defaults(second) == Settings(
        "other", "key", "token", None, "https://x.example", "beta"
    )


def test_an_empty_setting_is_not_replaced() -> None:
    """A setting that is an empty string is not replaced by the default of another store."""
    second = Settings("mystore", "key", "token", None, "https://x.example", "beta")
    first = Settings(account="", base_url="", environment="")
    assert first.with_defaults(second) == Settings("", "key", "token", None, "", "")


@pytest.mark.parametrize(
    ("base_url", "used"),
    [
        ("https://a.example/X/", "https://a.example/X"),
        ("https://a.example/x://y", "https://a.example/x://y"),
        ("https://a.example:1", "https://a.example:1"),
        ("https://a.example:65535", "https://a.example:65535"),
        ("https://[1::]", "https://[1::]"),
    ],
)
def test_edge_cases_of_a_base_url_are_accepted(base_url: str, used: str) -> None:
    """The lowest and the highest port, capitals in the path and a second :// are accepted."""
    assert server_url("mystore", base_url=base_url) == used


@pytest.mark.parametrize("base_url", ["https://a.example:65536", "https://a.example:0", "https://a.0x1f"])
def test_ports_and_hosts_just_out_of_range_are_refused(base_url: str) -> None:
    """Ports out of range, and a numeric host that is not an IP address, are refused."""
    with pytest.raises(ConfigurationError):
        server_url("mystore", base_url=base_url)


def test_a_user_token_is_read_from_the_environment() -> None:
    """VTEX_USER_TOKEN sets the user token."""
    assert settings_from_env({"VTEX_USER_TOKEN": "MADEUP"}).user_token == Secret("MADEUP")


@pytest.mark.parametrize("value", [None, "", 5, b"mystore"])
def test_the_message_about_a_missing_account_has_an_example(value: Any) -> None:
    """The message about a missing account or environment shows an example."""
    with pytest.raises(ConfigurationError) as refused:
        server_url(value)
    assert str(refused.value) == "The account is missing: give its name, such as mystore, as in mystore.myvtex.com."
    with pytest.raises(ConfigurationError, match="such as vtexcommercestable"):
        server_url("mystore", cast("Any", 5) if value is None else value)
