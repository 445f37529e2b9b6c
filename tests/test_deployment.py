"""The files of docs/deploy are consistent with the program and with each other. The tests cannot run containers."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest
import yaml
from starlette.routing import Route

from vtex_tracking_ext import TrackingClient, asgi_server
from vtex_tracking_ext.bulk.journal.postgres import parse_url
from vtex_tracking_ext.cli.exit_codes import ExitCode
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.cli.serve import PASSWORD_VARIABLE
from vtex_tracking_ext.config.defaults import DEFAULT_TIMEOUT
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN
from vtex_tracking_ext.service import Bridge, Limits, ServedAccount
from vtex_tracking_ext.service.app import create_app

from support.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "docs" / "deploy"
PORT = 8080
#: The two addresses that are public, and others that are not.
PUBLIC = ("/carriers/correios/mystore", "/carriers/correios/mystore/SECRET", "/vtex/hook/mystore")
PRIVATE = ("/", "/metrics", "/health", "/ready")


def read(name: str) -> str:
    """Return the text of a file."""
    return (FOLDER / name).read_text(encoding="utf-8")


def services(name: str) -> dict[str, Any]:
    """Return the services of a Compose file."""
    found: dict[str, Any] = yaml.safe_load(read(name))["services"]
    return found


BASE, TRIAL = services("compose.yaml"), services("compose.sandbox.yaml")


def instructions(keyword: str) -> list[str]:
    """Return the arguments of each instruction of the Dockerfile with a keyword, continued lines joined."""
    return re.findall(rf"^ *{keyword} +(.*)$", read("Dockerfile").replace("\\\n", ""), re.MULTILINE)


def test_the_services_refer_to_each_other() -> None:
    """There are a database, a service and two workers; the trial adds a sandbox and a push; every reference exists."""
    assert BASE.keys() == {"postgres", "service", "worker"}
    assert TRIAL.keys() - BASE.keys() == {"sandbox", "push"}
    assert BASE["worker"]["deploy"] == {"replicas": 2}
    for service in [*BASE.values(), *TRIAL.values()]:
        assert set(service.get("depends_on", ())) <= BASE.keys() | TRIAL.keys()
        assert service.get("network_mode", "service:service") == "service:service"


def test_commands_are_those_of_the_program() -> None:
    """With options that it knows. The service leaves the sending to the workers, and listens inside its network."""
    parser = build_parser()
    for name, service in {**TRIAL, **BASE}.items():
        assert name == "postgres" or parser.parse_args(service["command"]).command in {name, "serve"}
    serve = parser.parse_args(BASE["service"]["command"])
    assert (serve.command, serve.listen, serve.no_deliver) == ("serve", ("0.0.0.0", PORT), True)  # noqa: S104
    assert BASE["service"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    port = parser.parse_args(TRIAL["sandbox"]["command"]).port
    for name in ("service", "worker", "push"):
        assert TRIAL[name]["environment"]["VTEX_BASE_URL"] == f"http://127.0.0.1:{port}"


def test_the_journal_is_in_the_database() -> None:
    """With its user, and no password in its address."""
    database = BASE["postgres"]["environment"]
    for service in (BASE["service"], BASE["worker"], TRIAL["push"]):
        address = parse_url(service["environment"]["VTEX_JOURNAL"])
        assert address.parameters["host"] == "postgres"
        assert address.parameters["user"] == database["POSTGRES_USER"]
        assert address.parameters["dbname"] == database["POSTGRES_DB"]
        assert "password" not in address.parameters


def test_they_contain_no_secrets() -> None:
    """They have public examples only; the database's password comes from the environment."""
    for service in [*BASE.values(), *TRIAL.values()]:
        for name, value in service.get("environment", {}).items():
            if name in {"PGPASSWORD", "POSTGRES_PASSWORD"}:
                assert value.startswith("${POSTGRES_PASSWORD:?")
            elif re.search("KEY|TOKEN|PASSWORD|SECRET", name):
                assert value in {APP_KEY, APP_TOKEN, "sandbox"} or value.startswith("an-example-for-")
    assert TRIAL["service"]["environment"].keys() >= {PASSWORD_VARIABLE, "VTEX_WEBHOOK_SECRET_VTEX"}


def test_only_the_service_has_a_health_check_of_the_image() -> None:
    """The check calls the service, so other commands with this image turn it off."""
    for name, service in {**TRIAL, **BASE}.items():
        if service.get("image") == "vtex-tracking" and name != "service":
            assert service["healthcheck"] == {"disable": True}, name


def test_programs_have_time_to_finish_their_calls() -> None:
    """Compose and systemd wait longer than a request and a call can take."""
    unit = read("vtex-tracking.service")
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    for seconds in (stop, *(BASE[name]["stop_grace_period"].removesuffix("s") for name in ("service", "worker"))):
        assert int(seconds) >= DEFAULT_TIMEOUT + 10


def test_the_image_is_built_from_what_it_needs() -> None:
    """Every copied file exists and is in the build context, every extra exists, and mounted paths exist."""
    build = BASE["service"]["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    copied = [source for each in instructions("COPY") if "--from" not in each for source in each.split()[:-1]]
    assert copied
    assert all((ROOT / source).exists() for source in copied)
    context = {line.removeprefix("!") for line in read("Dockerfile.dockerignore").splitlines() if line.startswith("!")}
    assert context == set(copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= context
    (extras,) = re.findall(r"'\.\[([a-z,]+)\]'", read("Dockerfile"))
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()
    assert {"service", "postgres", "sandbox"} <= set(extras.split(","))
    (folder,) = TRIAL["push"]["volumes"]
    assert (FOLDER / folder.partition(":")[0] / "events.csv").is_file()


def test_the_image_runs_the_service() -> None:
    """As a user without privileges, at the port that it exposes."""
    (entrypoint,), (command,), (port,) = map(instructions, ("ENTRYPOINT", "CMD", "EXPOSE"))
    assert json.loads(entrypoint) == ["vtex-tracking"]
    assert build_parser().parse_args(json.loads(command)).listen == ("0.0.0.0", int(port))  # noqa: S104
    assert int(port) == PORT
    assert instructions("USER") == ["vtex-tracking"]


def test_the_health_check_asks_the_service(tmp_path: Path) -> None:
    """It succeeds while the service runs, and fails after it was stopped."""
    program = json.loads(instructions("HEALTHCHECK.* CMD")[0])
    assert program[:2] == ["python", "-c"]
    with TrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN) as client:
        app = create_app(Bridge(tmp_path / "journal.db", [ServedAccount(client, {})]))
        with asgi_server.running(app, asgi_server.listen(0)) as url:
            code = program[2].replace(f"http://127.0.0.1:{PORT}", url)
            assert code != program[2]
            exec(code, {})  # noqa: S102 - our own file
        with pytest.raises(URLError):
            exec(code, {})  # noqa: S102 - as above


def test_the_unit_is_consistent() -> None:
    """Its command is one of the program, and it is restarted after each failure but that of invalid options."""
    unit = read("vtex-tracking.service")
    (command,) = re.findall(r"^ExecStart=\S+/vtex-tracking (.*)$", unit, re.MULTILINE)
    parsed = build_parser().parse_args(shlex.split(command))
    assert (parsed.command, parsed.listen) == ("serve", ("127.0.0.1", PORT))
    (statuses,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)
    assert int(statuses) == ExitCode.USAGE
    (credential,) = re.findall(r"^LoadCredential=([^:]+):", unit, re.MULTILINE)
    assert f"VTEX_PROFILES=%d/{credential} VTEX_ALLOW_READABLE_PROFILES=1" in unit
    (extras,) = re.findall(r"'\.\[([a-z,]+)\]'", unit)
    assert {"service", "postgres"} <= set(extras.split(","))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """With the path of a program that exists."""
    unit = tmp_path / "vtex-tracking.service"
    unit.write_text(read(unit.name).replace("/opt/vtex-tracking/bin/vtex-tracking", sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True)  # noqa: S607
    assert (done.returncode, done.stderr) == (0, "")


def test_the_public_addresses_are_those_for_posts(tmp_path: Path) -> None:
    """Every route for posts is public in both proxies, and no other one."""
    with TrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN) as client:
        bridge = Bridge(tmp_path / "journal.db", [ServedAccount(client, {})])
        routes = [route for route in create_app(bridge).routes if isinstance(route, Route)]
        bridge.close()
    nginx = re.findall(r"location (/\S+) \{\s+limit_except POST \{ deny all; \}", read("nginx.conf"))
    (caddy,) = re.findall(r"method POST\n\s+path (.*)", read("Caddyfile"))
    assert [f"{prefix}*" for prefix in nginx] == caddy.split()
    for route in routes:
        assert route.path.startswith(tuple(nginx)) == (route.methods == {"POST"}), route.path
    assert not any(path.startswith(tuple(nginx)) for path in PRIVATE)


def test_the_proxies_pass_requests_to_the_service() -> None:
    """They call its port, with the header that tells that a request is another machine's, and have its limit."""
    nginx, caddy = read("nginx.conf"), read("Caddyfile")
    assert f"server 127.0.0.1:{PORT};" in nginx
    assert f"reverse_proxy 127.0.0.1:{PORT}\n" in caddy
    assert re.search(r"proxy_set_header X-Forwarded-For +\$remote_addr;", nginx)
    assert re.search(r"proxy_set_header Host +\$host;", nginx)
    assert Limits().max_body == 1024 * 1024
    assert "client_max_body_size 1m;" in nginx
    assert "max_size 1MiB\n" in caddy
    assert f"client_body_timeout  {Limits().body_seconds:.0f}s;" in nginx


def test_the_proxies_log_no_secret_of_a_path() -> None:
    """What their patterns leave of each public address is the address without the secret."""
    (nginx,) = re.findall(r'"~(\^.*)" \$vtex_tracking_shown;', read("nginx.conf"))
    (caddy,) = re.findall(r'request>uri regexp "(\^.*)" "\$\{1\}"', read("Caddyfile"))
    for path in PUBLIC:
        expected = path.removesuffix("/SECRET")
        found = re.match(nginx.replace("?<", "?P<"), path)
        assert found is not None
        assert found["vtex_tracking_shown"] == expected
        assert re.sub(caddy, r"\1", path) == expected
    (log_format,) = re.findall(r"log_format vtex_tracking (.*?);", read("nginx.conf"), re.DOTALL)
    assert "$vtex_tracking_logged" in log_format
    assert not set(re.findall(r"\$(\w+)", log_format)) & {"request", "request_uri", "uri", "http_referer"}
    assert "request>headers delete" in read("Caddyfile")
