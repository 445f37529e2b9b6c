"""The route to a server, and CONNECT."""

from __future__ import annotations

import base64
from typing import Any

import httpcore
import pytest

from vtex_tracking_ext import ConfigurationError, NotSentError, RetryPolicy, TrackingClient
from vtex_tracking_ext.config.redaction import Redactor
from vtex_tracking_ext.config.server import Server
from vtex_tracking_ext.transport.proxy import TunnelHandshake
from vtex_tracking_ext.transport.route import Proxy, Route, parse_proxy, route_to, unused_proxy_hint
from vtex_tracking_ext.transport.tls import tls_context


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def route(base_url: str = "https://mystore.example", proxy: str | None = None, *, trust_env: bool = False) -> Route:
    """Return the way to an address."""
    return route_to(Server(base_url, {}, Redactor(), proxy=proxy, trust_env=trust_env))


def test_the_scheme_gives_port_and_tls() -> None:
    """Unless a port is given."""
    assert route() == Route("mystore.example", 443, tls_context(None, trust_env=False))
    assert route("http://127.0.0.1") == Route("127.0.0.1", 80)
    assert route("http://[::1]:8080/base") == Route("::1", 8080)


def test_the_environment_names_a_proxy_only_where_it_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a given one comes before it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert route().proxy is None
    assert route(trust_env=True).proxy == Proxy("proxy.example", 3128)
    assert route(proxy="http://other.example", trust_env=True).proxy == Proxy("other.example", 80)
    assert route("http://127.0.0.1", trust_env=True).proxy is None
    monkeypatch.setenv("ALL_PROXY", "http://all.example:1")
    assert route("http://127.0.0.1", trust_env=True).proxy == Proxy("all.example", 1)
    monkeypatch.setenv("NO_PROXY", "mystore.example")
    assert route(trust_env=True).proxy is None


def test_a_failed_connection_tells_that_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only if there is one for the scheme, and none is used."""
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    once = RetryPolicy(attempts=1)
    client = TrackingClient("mystore", user_token="made-up", base_url="http://127.0.0.1:9", retry=once)
    with client, pytest.raises(NotSentError, match=r"the proxy in HTTP_PROXY is not used, unless you give proxy="):
        client.get_packages("1-01")
    assert unused_proxy_hint(Server("https://mystore.example", {}, Redactor())) == ""
    assert unused_proxy_hint(Server("http://127.0.0.1", {}, Redactor(), trust_env=True)) == ""
    assert unused_proxy_hint(Server("http://127.0.0.1", {}, Redactor(), proxy="http://other.example")) == ""


def test_a_proxys_login_goes_into_a_header_and_into_no_repr() -> None:
    """Percent-encoded in the address, as characters in the header."""
    proxy = parse_proxy("http://user:p%40ss@proxy.example:3128/")
    assert bytes(proxy.headers) == b"Proxy-Authorization: Basic " + base64.b64encode(b"user:p@ss") + b"\r\n"
    assert "p@ss" not in repr(proxy)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "proxy.example:3128",
        "https://proxy.example",
        "socks5://proxy.example",
        "http://",
        "http://user:pa/ssword@host:1",
        "http://proxy.example:99999",
        "http://proxy.example/path",
        "http://proxy.example?q",
        "http://pr\N{LATIN SMALL LETTER O WITH DIAERESIS}xy.example",
        5,
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_a_word_of_it(address: Any) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigurationError, match="proxy cannot be used: give an address") as caught:
        parse_proxy(address)
    assert "ssword" not in str(caught.value)


def test_a_proxy_that_answers_in_pieces_opens_a_tunnel() -> None:
    """The head may come byte by byte, after an interim response."""
    handshake = TunnelHandshake(Route("a.example", 443), Proxy("proxy.example", 3128, (("X-Key", "k"),)), 60)
    assert bytes(handshake.request) == b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nX-Key: k\r\n\r\n"
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    assert [handshake.feed(bytes([byte])) for byte in answer] == [False] * (len(answer) - 1) + [True]


def test_a_proxy_that_never_ends_its_answer_opens_no_tunnel() -> None:
    """Its head is limited in size."""
    handshake = TunnelHandshake(Route("a.example", 443), Proxy("proxy.example", 3128), 60)
    with pytest.raises(httpcore.ReadError, match="bytes received"):
        any(handshake.feed(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000) for _ in range(3))


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\n\r\nx", b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\nxy"],
)
def test_data_behind_the_answer_to_connect_is_refused(answer: bytes) -> None:
    """The data would be lost, or read as the server's."""
    handshake = TunnelHandshake(Route("a.example", 443), Proxy("proxy.example", 3128), 60)
    with pytest.raises(httpcore.ProxyError, match="sent data behind its answer"):
        handshake.feed(answer)
