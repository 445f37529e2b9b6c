"""What a release needs: scripts/check_release, scripts/build, the workflows, and the extra ``all``."""

from __future__ import annotations

import re
import shutil
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.commands import Ran

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]
URLS = "\n[project.urls]\n" + "".join(
    f'{name} = "https://example.com/{name}"\n' for name in ("Changelog", "Documentation", "Issues", "Source")
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the files that a release is checked by, ready for a release."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("(unreleased)", "(2027-01-31)", 1)
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    if "urls" not in PROJECT:
        settings += URLS
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    """Replace a part of a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_checkout_that_can_be_released(checkout: Path, run_script: Callable[..., Ran]) -> None:
    """The command names the tag to push, with and without a tag as its argument."""
    for arguments in ((), (f"v{VERSION}",)):
        done = run_script("check_release", *arguments, "--root", checkout)
        assert (done.status, done.err) == (0, "")
        assert done.out == f"vtex-tracking {VERSION} can be released: push the tag v{VERSION}.\n"


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        (
            "CHANGELOG.md",
            " (2027-01-31)",
            " (unreleased)",
            f"the heading '{VERSION} (unreleased)' of CHANGELOG.md has no",
        ),
        (
            "CHANGELOG.md",
            f"## {VERSION} ",
            "## 99.0.0 ",
            "the first section of CHANGELOG.md is '99.0.0 (2027-01-31)', but",
        ),
        ("CHANGELOG.md", "\n- ", "\n\n## 0.0.1\n\n- ", f"the section '{VERSION} (2027-01-31)' of CHANGELOG.md has no"),
        (
            "pyproject.toml",
            f'version = "{VERSION}"',
            'version = "99.0.0"',
            f"the first section of CHANGELOG.md is '{VERSION}",
        ),
        (
            "pyproject.toml",
            "Issues = ",
            "Tickets = ",
            "[project.urls] of pyproject.toml has no https address for Issues.",
        ),
        (
            "pyproject.toml",
            "https://example.com/Source",
            "here",
            "[project.urls] of pyproject.toml has no https address for So",
        ),
        (
            ".github/workflows/test.yml",
            ', "3.13"',
            "",
            "the classifiers name Python 3.11, 3.12, 3.13, but test.yml",
        ),
    ],
)
def test_each_reason_against_a_release_is_named(
    checkout: Path, run_script: Callable[..., Ran], name: str, old: str, new: str, reason: str
) -> None:
    """The exit status is 1, and the reason is one line."""
    edit(checkout / name, old, new)
    done = run_script("check_release", "--root", checkout)
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"check_release: {reason}")


def test_a_tag_of_another_version_is_refused(checkout: Path, run_script: Callable[..., Ran]) -> None:
    """The message has the right tag."""
    done = run_script("check_release", "v99.0.0", "--root", checkout)
    assert done.status == 1
    assert done.err == (
        f"check_release: the tag is v99.0.0, but the version of pyproject.toml is {VERSION}; its tag is v{VERSION}.\n"
    )


def test_two_builds_have_the_same_bytes_and_all_extras(tmp_path: Path, run_script: Callable[..., Ran]) -> None:
    """The hashes are printed; a file that was in the folder is removed, and the wheel has the extra ``all``."""
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "old.whl").touch()
    first, second = (run_script("build", "--dist", tmp_path / "dist") for _ in range(2))
    assert (first.status, first.err) == (0, "")
    assert first.out == second.out
    names = [f"vtex_tracking-{VERSION}-py3-none-any.whl", f"vtex_tracking-{VERSION}.tar.gz"]
    assert re.findall(r"^[0-9a-f]{64}  (\S+)$", first.out, re.MULTILINE) == names
    assert sorted(path.name for path in (tmp_path / "dist").iterdir()) == names
    with zipfile.ZipFile(tmp_path / "dist" / names[0]) as wheel:
        metadata = wheel.read(f"vtex_tracking-{VERSION}.dist-info/METADATA").decode()
    assert {*re.findall(r"^Provides-Extra: (\S+)$", metadata, re.MULTILINE)} == set(PROJECT["optional-dependencies"])


def test_a_failed_build_is_reported(
    tmp_path: Path,
    load_script: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The exit status is 1, and hatchling's own message is shown."""
    module = load_script("build")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert module.main(["--dist", str(tmp_path / "dist")]) == 1
    assert "build: hatchling failed (exit status 1)." in capfd.readouterr().err


def test_the_extra_all_has_every_extra_for_running() -> None:
    """``testing`` is left out, because it brings pytest."""
    (text,) = PROJECT["optional-dependencies"]["all"]
    assert set(re.findall(r"\w+", text.partition("[")[2])) == set(PROJECT["optional-dependencies"]) - {"all", "testing"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_names_each_action_by_its_commit_and_its_version(path: Path) -> None:
    """A tag could be moved to other code; a workflow of this repository needs no commit."""
    text = path.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["permissions"] in ({}, {"contents": "read"})
    used = re.findall(r"uses: (.+)", text)
    assert used
    for action in used:
        assert action.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_the_release_workflow_publishes_after_tests_and_checks() -> None:
    """Only the job that publishes gets an identity token, and it runs nothing of this repository."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))["jobs"]
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("test", "build")
    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["publish"]
    assert [step["run"] for step in jobs["build"]["steps"] if "run" in step] == [
        'scripts/check_release "$TAG"',
        "scripts/build",
    ]
    assert not any("run" in step for step in jobs["publish"]["steps"])
