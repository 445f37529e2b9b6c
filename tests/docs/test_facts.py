"""What the pages say of options, variables, names and numbers is what the code has."""

from __future__ import annotations

import argparse
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from attrs import fields

import vtex_tracking_ext
from vtex_tracking_ext.bulk.delivery.breaker import MAX_UNKNOWN
from vtex_tracking_ext.bulk.delivery.options import RECHECK_DELAYS
from vtex_tracking_ext.bulk.delivery.pace import INITIAL_RATE, MAX_FREEZES
from vtex_tracking_ext.bulk.input.columns import COLUMNS
from vtex_tracking_ext.bulk.input.inbox import DOUBT_SECONDS, SETTLE_SECONDS
from vtex_tracking_ext.bulk.input.layout import ReadingOptions
from vtex_tracking_ext.carriers import Status
from vtex_tracking_ext.cli.exit_codes import ExitCode
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.config.defaults import DEFAULT_RATE, DEFAULT_READ_RATE, DEFAULT_TIMEOUT, EVENTS_PER_CALL, STATES
from vtex_tracking_ext.config.options import LONGEST_TIMEOUT
from vtex_tracking_ext.config.profiles import Profile, profiles_path
from vtex_tracking_ext.config.retry_policy import RetryPolicy
from vtex_tracking_ext.fleet import metrics
from vtex_tracking_ext.transport.body import MAX_BODY

from support.json_output import SCHEMA
from support.pages import ALL_TEXT, PAGES, section, texts
from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Options of other programs that the pages call.
OF_OTHERS: Final = {
    "--app",
    "--data-binary",
    "--data-checksums",
    "--group",
    "--header",
    "--help",
    "--no-access-log",
    "--upgrade",
}
#: Pages that name the options of scripts.
ABOUT_SCRIPTS: Final = {"docs/explanation/measurements.md", "docs/maintainers.md"}
#: Every page with links, of the repository, too.
LINKING: Final = {**PAGES, **{path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("*.md")}}
#: The terms that the glossary must explain.
TERMS: Final = {
    "account that fulfils",
    "coalesce",
    "in flight",
    "journal",
    "lease",
    "License Manager resource",
    "unknown",
}


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield every option of a parser and of its commands."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options_of(command)


def table(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the rows of a section's table, without its header."""
    rows = [line.strip("| ").split(" | ") for line in section(page, heading).splitlines() if line.startswith("| ")]
    return rows[1:]


def test_readme_is_short() -> None:
    """README has fewer than 150 lines."""
    assert len(PAGES["README.md"].splitlines()) < 150


def test_options_exist() -> None:
    """Each option that a page names is one of the program, or of another program that the page calls."""
    known = {*options_of(build_parser()), *OF_OTHERS}
    for page in PAGES.keys() - ABOUT_SCRIPTS:
        text = re.sub(r"\]\([^)]*\)", "]", PAGES[page])
        assert set(re.findall(r"(?<![\w`-])--[a-z][a-z-]*|(?<=`)--[a-z][a-z-]*", text)) <= known, page


def test_variables_exist_and_are_documented() -> None:
    """Each environment variable that a page names is in the code, and each one in the code is in the reference."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "vtex_tracking_ext").glob("**/*.py"))
    of_webhooks = re.compile(r"VTEX_WEBHOOK_(SECRET|HEADER)_[A-Z]+(_OLD)?")
    named = {name for name in re.findall(r"\bVTEX_[A-Z_]+\b", " ".join(PAGES.values())) if not of_webhooks.match(name)}
    named -= {"VTEX_ORDERS_API_FILE", "VTEX_WIRE_CAMPAIGN"}  # of maintainers' tests
    assert {name for name in named if f'{name}"' not in source and f"``{name}``" not in source} <= {"VTEX_PROFILE"}
    used = set(re.findall(r'"(VTEX_[A-Z]+(?:_[A-Z]+)*)"', source)) - {"VTEX_HOOK"}
    documented = section("docs/reference/configuration.md", "Environment variables")
    assert {name for name in used if f"`{name}`" not in documented} == set()


def test_the_keys_of_profiles_and_layouts_are_documented() -> None:
    """Each key has a row, and the path of the profile file is the default one."""
    rows = table("docs/reference/configuration.md", "The profile file")
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row[0])} == {key.name for key in fields(Profile)}
    path = profiles_path({}).as_posix().replace(Path.home().as_posix(), "~")
    assert f"`{path}`" in section("docs/reference/configuration.md", "The profile file")
    renamed = {"mapping": "map", "carrier": "from"}
    keys = {renamed.get(name, name) for name in ReadingOptions.__annotations__}
    assert {row[0].strip("`") for row in table("docs/reference/files.md", "Layouts")} == keys


def test_the_columns_are_documented() -> None:
    """The list and the table name every column."""
    assert ", ".join(COLUMNS) in section("docs/reference/files.md", "Columns")
    rows = table("docs/reference/files.md", "Columns")
    assert {column for row in rows for column in re.findall(r"`(\w+)`", row[0])} == set(COLUMNS)


def test_exit_statuses_and_kinds_of_json_are_documented() -> None:
    """Each exit status has a row, and each type of document in the schema."""
    rows = table("docs/reference/output.md", "Exit statuses")
    assert [int(row[0]) for row in rows] == [status.value for status in ExitCode]
    kinds = {kind for row in table("docs/reference/output.md", "JSON") for kind in re.findall(r"`(\w+)`", row[0])}
    types = [found["properties"]["type"] for found in SCHEMA["$defs"].values() if "type" in found.get("properties", ())]
    assert {each["const"] for each in types if "const" in each} == kinds


def test_names_exist() -> None:
    """Errors, and the commands of the program, are those of the code."""
    errors = set(re.findall(r"`(\w+Error)`", " ".join(PAGES.values())))
    others = {"InputFileError", "JournalError", "JournalUnavailableError", "OmsError", "PayloadError", "UsageError"}
    assert errors <= {*vtex_tracking_ext.__all__, *others}
    states = {row[0].strip("`") for row in table("docs/explanation/journal.md", "States")}
    assert states == set(STATES)
    statuses = set(re.findall(r"`(\w+)`", section("docs/reference/carriers.md", "Statuses")))
    assert {status.value for status in Status} - {"void", "unknown"} <= statuses


def test_the_glossary_has_the_terms() -> None:
    """Each term has a heading; the headings are in order."""
    headings = re.findall(r"^## (.*)$", PAGES["docs/glossary.md"], re.MULTILINE)
    assert set(headings) >= TERMS
    assert headings == sorted(headings, key=str.lower)


def test_numbers_are_true() -> None:
    """Limits, times and rates are those of the code."""
    policy = RetryPolicy()
    for sentence in (
        f"`timeout=` ({DEFAULT_TIMEOUT:.0f} seconds unless you set it, one week at most)",
        f"At most {MAX_BODY >> 20} MiB of a response are decoded",
        f"above the cap ({policy.retry_after_cap:.0f} seconds)",
        f"up to {EVENTS_PER_CALL} in a call",
        "up to three times at its end",
        "up to three attempts",
        "ten a second at first and 25 at most",
        f"make {DEFAULT_READ_RATE:.0f} calls a second at most",
        "after five such pauses in a row",
        "Five unknown outcomes in a row",
        "two looks, two seconds apart, find it unchanged",
        "must also be a minute old",
    ):
        assert sentence in ALL_TEXT, sentence
    assert (policy.attempts, policy.rate_limit_wait, LONGEST_TIMEOUT) == (3, 60, 7 * 24 * 60 * 60)
    assert (INITIAL_RATE, DEFAULT_RATE, MAX_FREEZES, MAX_UNKNOWN, len(RECHECK_DELAYS)) == (10, 25, 5, 5, 3)
    assert (SETTLE_SECONDS, DOUBT_SECONDS) == (2, 60)


def test_the_metrics_of_workers_and_alerts_exist() -> None:
    """A worker has the metrics that the page names; alerts use metrics and labels of the tables."""
    rows = {
        row[0].strip("`"): row[1].split(", ") for row in table("docs/reference/metrics.md", "Metrics of the service")
    }
    named = set(re.findall(r"`(vtex_tracking_\w+)`", section("docs/reference/metrics.md", "Metrics of a worker")))
    source = inspect.getsource(metrics)
    assert {name.removesuffix("_total") for name in named} == set(re.findall(r'"(vtex_tracking_\w+)"', source))
    assert named <= rows.keys()
    (rules,) = texts("docs/how-to/alerting.md", "yaml")
    for rule in yaml.safe_load(rules)["groups"][0]["rules"]:
        (metric,) = re.findall(r"vtex_tracking_\w+", rule["expr"])
        used = re.findall(r"(\w+)=", rule["expr"].replace("==", "")) + re.findall(
            r"\$labels\.(\w+)", rule["annotations"]["summary"]
        )
        assert set(used) <= set(rows[metric]), rule


def test_commands_of_cron_exist() -> None:
    """The command of each line for cron has the options that it needs."""
    (line,) = texts("docs/tutorials/operations.md", "text")
    schedule, command = line.split(" $HOME/vtex-tracking/bin/vtex-tracking ")
    assert len(schedule.split()) == 5
    assert build_parser().parse_args(command.split()).layout == "jadlog"


def test_the_lines_for_shells_are_those_of_the_help() -> None:
    """Each line of the page about completion is in the help of one of the two commands."""
    commands = build_parser().commands
    helps = " ".join(" ".join(commands[name].format_help().split()) for name in ("completion", "man"))
    assert len(lines := texts("docs/how-to/completion.md", "text")) == 4
    assert [line for line in lines if line.strip() not in helps] == []


def test_scripts_exist_and_have_the_options_of_the_same_line() -> None:
    """Each option of a line is in the source of a script of that line."""
    named: set[str] = set()
    for page, text in LINKING.items():
        for line in text.splitlines():
            names = re.findall(r"(?<![\w/])scripts/([\w./]*\w)", line)
            sources = "".join((ROOT / "scripts" / name).read_text(encoding="utf-8") for name in names)
            missing = {option for option in re.findall(r"--[a-z-]+", line) if option not in sources}
            assert not names or missing == set(), f"{page}: {line}"
            named.update(names)
    assert {"check_upstream", "demo", "lock", "record_cassettes", "regenerate", "test", "walks"} <= named


def test_the_tree_of_the_architecture_exists() -> None:
    """Each name in the tree is a folder or a file, by its indentation below the folder that contains it."""
    (tree,) = re.findall(r"```text\n(.*?)```", LINKING["ARCHITECTURE.md"], re.DOTALL)
    folders: list[Path] = []
    missing = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        parent = folders[depth - 1] if depth else Path()
        paths = [parent / name for name in re.split(r"  +", line.strip())[0].split(", ")]
        folders[depth:] = paths[:1]
        missing += [path for path in paths if not ((ROOT / path).exists() or (ROOT / f"{path}.py").is_file())]
    assert missing == []


def test_links_work_in_the_repository() -> None:
    """Links lead to files and headings, also where Sphinx does not check them: in README, and for maintainers."""
    for page, text in LINKING.items():
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            name, _, anchor = target.partition("#")
            file = ((ROOT / page).parent / name).resolve() if name else ROOT / page
            assert file.is_file(), f"{page}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
                assert anchor in anchors, f"{page}: {target}"


def test_the_table_of_sources_is_up_to_date() -> None:
    """The table is the one that scripts/carriers writes."""
    command = [sys.executable, str(ROOT / "scripts" / "carriers")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
