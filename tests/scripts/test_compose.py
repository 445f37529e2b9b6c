"""scripts/data/compose.yaml: it is YAML, and its parts fit each other and the commands; nothing here can run it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from vtex_tracking_ext.bulk.journal.postgres import parse_url
from vtex_tracking_ext.cli import _parser
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def services() -> Mapping[str, Any]:
    """Return what is to run."""
    with (ROOT / "scripts" / "data" / "compose.yaml").open(encoding="utf-8") as file:
        document = yaml.safe_load(file)
    found: Mapping[str, Any] = document["services"]
    return found


def test_there_are_two_workers_a_sandbox_and_a_database(services: Mapping[str, Any]) -> None:
    """And what rings."""
    assert services.keys() == {"postgres", "sandbox", "worker", "push"}
    assert services["worker"]["deploy"] == {"replicas": 2}
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        assert service.get("network_mode", "service:sandbox").removeprefix("service:") in services


def test_commands_are_those_of_the_program(services: Mapping[str, Any]) -> None:
    """With options that it knows."""
    parser = _parser()
    for name in ("sandbox", "worker", "push"):
        assert parser.parse_args(services[name]["command"]).command == name
    port = parser.parse_args(services["sandbox"]["command"]).port
    assert services["worker"]["environment"]["VTEX_BASE_URL"] == f"http://127.0.0.1:{port}"


def test_the_journal_is_in_the_database(services: Mapping[str, Any]) -> None:
    """With its user, and no password in its address."""
    address = parse_url(services["worker"]["environment"]["VTEX_JOURNAL"])
    database = services["postgres"]["environment"]
    assert address.parameters["host"] == "postgres"
    assert address.parameters["user"] == database["POSTGRES_USER"]
    assert address.parameters["dbname"] == database["POSTGRES_DB"]
    assert "password" not in address.parameters


def test_no_secret_is_in_it(services: Mapping[str, Any]) -> None:
    """But the sandbox's, which are none; the database's must be given."""
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if name in {"PGPASSWORD", "POSTGRES_PASSWORD"}:
                assert value.startswith("${POSTGRES_PASSWORD:?")
            elif re.search("KEY|TOKEN|PASSWORD|SECRET", name):
                assert value in {APP_KEY, APP_TOKEN}


def test_the_image_is_built_of_what_is_there(services: Mapping[str, Any]) -> None:
    """Every file that it copies."""
    for name in ("sandbox", "worker", "push"):
        build = services[name]["build"]
        assert (ROOT / "scripts" / "data" / build["context"]).resolve() == ROOT
        for line in build["dockerfile_inline"].splitlines():
            if line.startswith("COPY "):
                assert all((ROOT / source).exists() for source in line.split()[1:-1]), line
    (folder,) = services["push"]["volumes"]
    assert (ROOT / "scripts" / "data" / folder.partition(":")[0] / "events.csv").is_file()
