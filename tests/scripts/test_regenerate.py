"""From openapi.yaml to the generated client."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from vtex_oms_client.constants import EVENT_DESCRIPTION_MAX_LENGTH, ORDER_ID_MAX_LENGTH

from support.scratch import ROOT, TREE

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.scratch import Scratch


def test_two_runs_give_identical_bytes(scratch: Scratch) -> None:
    """And those are the ones in this repository."""
    before = scratch.contents()
    shutil.rmtree(scratch.path / TREE)
    for _ in range(2):
        done = scratch.regenerate()
        assert done.status == 0, done.err
        assert scratch.contents() == before
    assert scratch.regenerate("--check").status == 0


def test_check_names_what_differs_and_changes_nothing(scratch: Scratch) -> None:
    """A changed file, a stray one, a missing one."""
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
    """It changes in openapi.yaml alone, and the wrapper refuses 4001 characters with the new number."""
    scratch.edit(f"maxLength: {EVENT_DESCRIPTION_MAX_LENGTH}", "maxLength: 4000")
    assert scratch.regenerate("--check").status == 1
    assert scratch.regenerate().status == 0
    code = (
        "from vtex_tracking_ext import *\n"
        "client = TrackingClient('mystore', user_token='MADEUP')\n"
        "try: client.update('1-01', '1', events=[TrackingEvent('2015-06-23', 'x' * 4001)])\n"
        "except InvalidUpdateError as error: print(error)\n"
    )
    assert scratch.run(code) == "events[0].description: 4001 characters, the limit is 4000; shorten it\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
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
def test_what_cannot_be_generated_leaves_the_old_tree(scratch: Scratch, old: str, new: str, said: str) -> None:
    """It says why and exits with 1; a body that cannot be read does not drop its operation in silence."""
    scratch.edit(old, new)
    before = scratch.contents()
    done = scratch.regenerate()
    assert done.status == 1
    assert said in done.err
    assert "is unchanged" in done.err
    assert scratch.contents() == before


def test_a_missing_contract_is_told(scratch: Scratch) -> None:
    """With its name."""
    scratch.spec.unlink()
    done = scratch.regenerate()
    assert done.status == 1
    assert "openapi.yaml cannot be read" in done.err


def test_two_values_for_one_constant_are_refused(scratch: Scratch) -> None:
    """A parameter defined twice with other limits would leave one of them unenforced."""
    parameter = "    OrderId:\n      name: orderId\n      in: path\n      required: true\n"
    schema = "      schema: {type: string, maxLength: 5}\n"
    other = parameter.replace("OrderId:", "OtherOrderId:") + schema
    scratch.edit(parameter, other + parameter)
    done = scratch.regenerate()
    assert done.status == 1
    assert f"two values for the constant ORDER_ID_MAX_LENGTH: 5 and {ORDER_ID_MAX_LENGTH}" in done.err


def test_the_tree_tells_where_it_comes_from() -> None:
    """The hash of openapi.yaml and the tools' versions."""
    provenance = json.loads((ROOT / TREE / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["spec"] == "openapi.yaml"
    assert len(provenance["spec_sha256"]) == 64
    assert set(provenance["tools"]) == {"openapi-python-client", "ruff"}
    assert (ROOT / TREE / "py.typed").exists()


def test_an_old_tree_that_is_not_python_is_replaced(scratch: Scratch) -> None:
    """After a merge with conflicts, say; what changes for callers cannot be told then, and that is said."""
    before = scratch.contents()
    (scratch.path / TREE / "constants.py").write_text("<<<<<<< ours\n")
    done = scratch.regenerate()
    assert done.status == 0, done.err
    assert done.out.startswith("Changes for callers are unknown: the old tree is not valid Python")
    assert scratch.contents() == before


def test_files_that_come_and_go_are_named(scratch: Scratch) -> None:
    """Those that only change are counted."""
    (scratch.path / TREE / "client.py").write_text("# edited by hand\n")
    (scratch.path / TREE / "stray.py").touch()
    (scratch.path / TREE / "py.typed").unlink()
    done = scratch.regenerate()
    assert done.out.splitlines()[-3:] == [
        f"added    {TREE.as_posix()}/py.typed",
        f"removed  {TREE.as_posix()}/stray.py",
        f"regenerate: {TREE.as_posix()} written; files: 1 added, 1 removed, 1 changed.",
    ]


def test_a_folder_that_is_not_there_is_told(scratch: Scratch) -> None:
    """As a mistake in the command."""
    shutil.rmtree(scratch.path / "generated")
    scratch.spec.unlink()
    scratch.path.rmdir()
    done = scratch.regenerate()
    assert done.status == 2
    assert f"--root {scratch.path}: there is no such folder" in done.err


#: Runs the script with a signal sent to it at the start of each call of a function that it uses.
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
def test_an_interruption_leaves_a_whole_tree_and_nothing_else(
    scratch: Scratch, owner: str, name: str, outcome: str, number: str, status: int
) -> None:
    """While it builds, the old tree; between the two renames, the new one."""
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
def test_a_swap_that_fails_puts_the_old_tree_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load_script: Callable[[str], Any], fault: type[BaseException]
) -> None:
    """Whatever it was."""
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
