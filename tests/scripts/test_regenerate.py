"""scripts/regenerate writes the generated client from openapi.yaml, or leaves it unchanged."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from vtex_oms_client.constants import EVENT_DESCRIPTION_MAX_LENGTH, ORDER_ID_MAX_LENGTH

from lib.openapi_digest import RECORD_STALE

from support.scratch import ROOT, TREE

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scratch import Scratch


def test_two_runs_give_identical_bytes(scratch: Scratch) -> None:
    """The generated files are those in this repository, in every run."""
    before = scratch.contents()
    shutil.rmtree(scratch.path / TREE)
    for _ in range(2):
        done = scratch.regenerate()
        assert done.status == 0, done.err
        assert scratch.contents() == before
    assert scratch.regenerate("--check").status == 0


def test_check_names_what_differs_and_changes_nothing(scratch: Scratch) -> None:
    """``--check`` reports a changed, a missing and an unexpected file, and writes nothing."""
    (scratch.path / TREE / "client.py").write_text("# edited by hand\n")
    (scratch.path / TREE / "stray.py").touch()
    (scratch.path / TREE / "py.typed").unlink()
    before = scratch.contents()
    done = scratch.regenerate("--check")
    assert done.status == 1
    assert done.out.splitlines() == [
        "generated/vtex_oms_client/client.py: changed",
        "generated/vtex_oms_client/py.typed: missing",
        "generated/vtex_oms_client/stray.py: not generated",
        "regenerate: stale, run scripts/regenerate.",
    ]
    assert scratch.contents() == before


def test_another_limit_is_enforced_with_no_other_edit(scratch: Scratch) -> None:
    """After a limit changes in openapi.yaml, the wrapper rejects 4001 characters and names the new limit."""
    scratch.edit(f"maxLength: {EVENT_DESCRIPTION_MAX_LENGTH}", "maxLength: 4000")
    assert scratch.regenerate("--check").status == 1
    assert scratch.regenerate().status == 0
    code = (
        "from vtex_tracking_ext import *\n"
        "client = TrackingClient('mystore', user_token='MADEUP')\n"
        "try: client.update('1-01', '1', events=[TrackingEvent('2015-06-23', 'x' * 4001)])\n"
        "except InvalidUpdateError as error: print(error)\n"
    )
    assert scratch.run(code) == (
        "Order 1-01, invoice 1: events[0].description: 4001 characters, the limit is 4000; shorten it\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("openapi: 3.1.0", "openapi: [3.1.0", "is not YAML"),
        ("openapi: 3.1.0", "openapi: 3.1.0\nnonsense: 1", "is not a valid OpenAPI document"),
        ("openapi: 3.1.0", f"x-deep: {'[' * 5000}{']' * 5000}\nopenapi: 3.1.0", "is not YAML"),
        ("operationId: getOrder", "x-none: getOrder", "GET /api/oms/pvt/orders/{orderId} has no operationId"),
        ("x-pattern: '^[a-z0-9]{1,63}$'", "x-pattern: '['", "ENVIRONMENT_PATTERN is not a regular expression: '['"),
        ("pattern: '^[A-Za-z0-9_-][A-Za-z0-9._-]*$'", "pattern: '['", "'[' is not a 'regex'"),
        (
            "          application/json:\n            schema:\n              $ref: '#/components/schemas/SendT",
            "          application/x-unknown:\n            schema:\n              $ref: '#/components/schemas/SendT",
            "the generator failed",
        ),
    ],
)
def test_an_invalid_contract_leaves_the_old_tree(scratch: Scratch, old: str, new: str, message: str) -> None:
    """The command exits with status 1 and the reason; an unsupported body does not omit its operation."""
    scratch.edit(old, new)
    before = scratch.contents()
    done = scratch.regenerate()
    assert done.status == 1
    assert message in done.err
    assert "is unchanged" in done.err
    assert scratch.contents() == before


def test_a_missing_contract_is_reported(scratch: Scratch) -> None:
    """The message names the file."""
    scratch.spec.unlink()
    done = scratch.regenerate()
    assert done.status == 1
    assert "openapi.yaml cannot be read" in done.err


def test_two_values_for_one_constant_are_rejected(scratch: Scratch) -> None:
    """If a parameter is defined twice with different limits, only one of them could be enforced."""
    parameter = "    OrderId:\n      name: orderId\n      in: path\n      required: true\n"
    schema = "      schema: {type: string, maxLength: 5}\n"
    other = parameter.replace("OrderId:", "OtherOrderId:") + schema
    scratch.edit(parameter, other + parameter)
    done = scratch.regenerate()
    assert done.status == 1
    assert f"two values for the constant ORDER_ID_MAX_LENGTH: 5 and {ORDER_ID_MAX_LENGTH}" in done.err


def test_the_tree_contains_its_provenance() -> None:
    """``provenance.json`` has the hash of openapi.yaml and the versions of the tools."""
    provenance = json.loads((ROOT / TREE / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["spec"] == "openapi.yaml"
    assert len(provenance["spec_sha256"]) == 64
    assert set(provenance["tools"]) == {"openapi-python-client", "ruff"}
    assert (ROOT / TREE / "py.typed").exists()


def test_an_invalid_old_tree_is_replaced(scratch: Scratch) -> None:
    """If the old tree is not valid Python, as after a merge conflict, the changes for callers are unknown."""
    before = scratch.contents()
    (scratch.path / TREE / "constants.py").write_text("<<<<<<< ours\n")
    done = scratch.regenerate()
    assert done.status == 0, done.err
    assert "\nChanges for callers are unknown: the old tree is not valid Python" in done.out
    assert scratch.contents() == before


def test_added_and_removed_files_are_named(scratch: Scratch) -> None:
    """Changed files are only counted. Nothing changes for callers, so the only step left is a commit."""
    with (scratch.path / TREE / "client.py").open("a") as file:
        file.write("# edited by hand\n")
    (scratch.path / TREE / "stray.py").touch()
    (scratch.path / TREE / "py.typed").unlink()
    done = scratch.regenerate()
    assert done.out.splitlines() == [
        f"added    {TREE.as_posix()}/py.typed",
        f"removed  {TREE.as_posix()}/stray.py",
        f"regenerate: {TREE.as_posix()} written; files: 1 added, 1 removed, 1 changed.",
        "Nothing changes for callers.",
        "Next:",
        f"- Commit openapi.yaml, {TREE.as_posix()} and the cassettes together.",
    ]


def test_a_run_that_changes_nothing_has_no_next_step(scratch: Scratch) -> None:
    """The report says that the tree was up to date."""
    assert scratch.regenerate().out.splitlines() == [
        f"regenerate: {TREE.as_posix()} was up to date.",
        "Nothing changes for callers.",
    ]


def test_the_stale_cassettes_are_named_with_the_command_that_records_them_again(scratch: Scratch) -> None:
    """Of an operation whose traffic changed, all cassettes are stale; a description makes none of them stale."""
    shutil.copytree(ROOT / "tests" / "contract" / "cassettes", scratch.path / "tests" / "contract" / "cassettes")
    scratch.edit("description: What the shopper reads.", "description: What a shopper reads.")
    assert "record_cassettes" not in scratch.regenerate().out
    scratch.change(
        lambda document: document["components"]["schemas"]["Receipt"]["properties"].update(id={"type": "string"})
    )
    steps = scratch.regenerate().out.partition("Next:\n")[2].splitlines()
    prism = "delivery, tracking_number, two_events, update"
    sandbox = "delivery, forbidden, not_found, rate_limited, tracking_number, two_events, unauthorized, update"
    assert steps == [
        "- scripts/check_upstream FILE compares openapi.yaml with VTEX's own file.",
        "- vtex_tracking_ext uses what is new only where you add it: docs/maintainers.md, Change the contract.",
        f"- {RECORD_STALE.format('prism')} records 4 stale cassettes again: {prism}.",
        f"- {RECORD_STALE.format('sandbox')} records 8 stale cassettes again: {sandbox}.",
        "- scripts/test finds where the package and the tests use something that changed.",
        "- CHANGELOG.md says what changes for users, and what they must do if it breaks their code.",
        f"- Commit openapi.yaml, {TREE.as_posix()} and the cassettes together.",
    ]


def test_a_first_tree_breaks_no_caller(scratch: Scratch) -> None:
    """Without an old tree, everything is an addition."""
    shutil.rmtree(scratch.path / TREE)
    assert "\nBreaks no caller.\n" in scratch.regenerate().out


def test_the_help_has_the_exit_statuses_and_what_breaks_callers(scratch: Scratch) -> None:
    """``--help`` ends with the meaning of each exit status."""
    done = scratch.regenerate("--help")
    assert done.status == 0
    assert "These changes break callers: an operation or a field that is removed or renamed" in done.out
    assert re.findall(r"^  (\d)  ", done.out, re.MULTILINE) == ["0", "1", "2"]


def test_a_missing_folder_is_reported(scratch: Scratch) -> None:
    """A ``--root`` that does not exist is a usage error."""
    shutil.rmtree(scratch.path / "generated")
    scratch.spec.unlink()
    scratch.path.rmdir()
    done = scratch.regenerate()
    assert done.status == 2
    assert f"--root {scratch.path}: there is no such folder" in done.err


#: Runs the script, and sends it a signal at the start of each call of a given function.
INTERRUPTED = """
import os, pathlib, runpy, signal, subprocess, sys
owner, name, number = {subprocess}, sys.argv[1], getattr(signal, sys.argv[2])
original = getattr(owner, name)
def interrupted(*arguments, **options):
    os.kill(os.getpid(), number)
    return original(*arguments, **options)
setattr(owner, name, interrupted)
sys.argv = sys.argv[3:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("owner", "name", "outcome"),
    [("subprocess", "run", "is unchanged"), ("pathlib.Path", "rename", "was written")],
)
@pytest.mark.parametrize(("number", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_an_interruption_leaves_a_complete_tree(
    scratch: Scratch, owner: str, name: str, outcome: str, number: str, status: int
) -> None:
    """A signal during the build leaves the old tree, a signal between the two renames the new one."""
    stray = scratch.path / TREE / "stray.py"
    stray.touch()
    code = INTERRUPTED.replace("{subprocess}", owner)
    command = [sys.executable, "-c", code, name, number, str(ROOT / "scripts" / "regenerate"), "--root"]
    done = subprocess.run([*command, str(scratch.path)], check=False, capture_output=True, text=True)
    assert done.returncode == status
    assert done.stderr == f"regenerate: interrupted; {TREE.as_posix()} {outcome}.\n"
    assert stray.exists() == (outcome != "was written")
    assert (scratch.path / TREE / "client.py").exists()
    assert [path.name for path in (scratch.path / "generated").iterdir()] == [TREE.name]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError])
def test_a_failed_swap_restores_the_old_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load_script: Callable[[str], Any], fault: type[BaseException]
) -> None:
    """An error or a signal in the second rename undoes the first one."""
    current, fresh, old = tmp_path / "current", tmp_path / "fresh", tmp_path / "old"
    current.mkdir()
    (current / "file").touch()
    rename = Path.rename

    def fail_with_the_fresh_one(path: Path, target: Path) -> Path:
        if path == fresh:
            raise fault
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_with_the_fresh_one)
    with pytest.raises(fault):
        load_script("regenerate").swap(current, fresh, old)
    assert (current / "file").exists()
    assert not old.exists()
