"""scripts/data/compose.yaml is valid YAML and consistent with the command line; the tests cannot run it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from vtex_tracking_ext.bulk.journal.postgres import parse_url
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def services() -> Mapping[str, Any]:
    """Return the services."""
    with (ROOT / "scripts" / "data" / "compose.yaml").open(encoding="utf-8") as file:
        document = yaml.safe_load(file)
    found: Mapping[str, Any] = document["services"]
    return found


def test_the_services_refer_to_each_other(services: Mapping[str, Any]) -> None:
    """There are a database, a sandbox, two workers and a push, and every reference to a service exists."""
    assert services.keys() == {"postgres", "sandbox", "worker", "push"}
    assert services["worker"]["deploy"] == {"replicas": 2}
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        assert service.get("network_mode", "service:sandbox").removeprefix("service:") in services


def test_commands_are_those_of_the_program(services: Mapping[str, Any]) -> None:
    """With options that it knows."""
    parser = build_parser()
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


def test_it_contains_no_secrets(services: Mapping[str, Any]) -> None:
    """It has only the sandbox's public credentials; the database's password comes from the environment."""
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if name in {"PGPASSWORD", "POSTGRES_PASSWORD"}:
                assert value.startswith("${POSTGRES_PASSWORD:?")
            elif re.search("KEY|TOKEN|PASSWORD|SECRET", name):
                assert value in {APP_KEY, APP_TOKEN}


def test_the_image_copies_existing_files(services: Mapping[str, Any]) -> None:
    """The build context is the project's root, and every copied or mounted path exists."""
    for name in ("sandbox", "worker", "push"):
        build = services[name]["build"]
        assert (ROOT / "scripts" / "data" / build["context"]).resolve() == ROOT
        for line in build["dockerfile_inline"].splitlines():
            if line.startswith("COPY "):
                assert all((ROOT / source).exists() for source in line.split()[1:-1]), line
    (folder,) = services["push"]["volumes"]
    assert (ROOT / "scripts" / "data" / folder.partition(":")[0] / "events.csv").is_file()
