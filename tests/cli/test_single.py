"""The commands update, deliver and packages, and what all commands share."""

from __future__ import annotations

import io
import json
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import fields

import vtex_tracking_ext
from vtex_tracking_ext.cli import main, single
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.config.credentials import Settings
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, USER_TOKEN, Oms

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.commands import Ran

ORDER, INVOICE = "1172452900788-01", "000030711"


@pytest.mark.usefixtures("account")
def test_update_adds_events(run: Callable[..., Ran], oms: Oms) -> None:
    """Events are added in the given order, with or without a place."""
    first = ("--event", "2026-10-05", "Objeto postado", "S\u00e3o Paulo", "SP")
    ran = run("update", ORDER, INVOICE, *first, "--event", "2026-10-06", "Em tr\u00e2nsito")
    assert ran.status == 0
    assert ran.out.startswith(f"applied: order {ORDER}, receipt ")
    assert oms.applied(ORDER, INVOICE) == [
        {"city": "S\u00e3o Paulo", "state": "SP", "description": "Objeto postado", "date": "2026-10-05"},
        {"city": "", "state": "", "description": "Em tr\u00e2nsito", "date": "2026-10-06"},
    ]


@pytest.mark.usefixtures("account")
def test_deliver_reports_the_delivery(run: Callable[..., Ran]) -> None:
    """The delivery is shown by packages, as text and as JSON."""
    assert run("deliver", ORDER, INVOICE, "--delivered-date", "2026-10-08 21:15").status == 0
    assert run("update", "v501417lspt-01", "000030744", "--event", "2026-10-06", "Coletado", "BH").status == 0
    shown = run("packages", ORDER)
    assert shown.status == 0
    assert shown.out == (
        f"order {ORDER}: 1 package\n"
        f"  invoice {INVOICE}, Correios PAC, AB123456785BR, delivered 2026-10-08T21:15:00.0000000+00:00\n"
    )
    assert run("packages", "v501417lspt-01").out == (
        "order v501417lspt-01: 2 packages\n"
        "  invoice 000030744, Log Expressa, LGX-2026-77155, in transit\n"
        "    2026-10-06  Coletado (BH)\n"
        "  invoice 900000112, return, no tracking number\n"
    )
    (package,) = json.loads(run("packages", ORDER, "--json").out)
    assert package["finished"] is True


@pytest.mark.usefixtures("account")
def test_json_of_packages_is_readable_and_safe_to_print(
    run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accents are printed if the encoding has them; unprintable characters are escaped."""
    event = {"city": "S\u00e3o Paulo", "state": "SP", "description": "a\u202eb\x9b\U000e0001", "date": "2026-10-05"}
    oms.update_tracking_status(ORDER, INVOICE, {"isDelivered": False, "deliveredDate": None, "events": [event]})
    out = run("packages", ORDER, "--json").out
    assert '"city": "S\u00e3o Paulo"' in out
    assert r'"description": "a\u202eb\u009b\udb40\udc01"' in out
    assert json.loads(out)[0]["events"][0]["description"] == event["description"]
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert main(["packages", ORDER, "--json"]) == 0
    narrow.seek(0)
    assert json.loads(narrow.read())[0]["events"][0]["city"] == "S\u00e3o Paulo"


@pytest.mark.usefixtures("account")
def test_a_delivery_without_a_date_is_shown_without_one(run: Callable[..., Ran]) -> None:
    """A delivery without a date is shown as delivered, with no date."""
    run("deliver", ORDER, INVOICE)
    assert run("packages", ORDER).out.endswith("AB123456785BR, delivered\n")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("update", "a b", INVOICE, "--event", "2026-10-05", "x"), 2, "order_id: 'a b' contains a space"),
        (("update", ORDER, INVOICE, "--event", "2026-02-30", "x"), 2, "events[0].date: '2026-02-30' is not a date"),
        (("update", ORDER, INVOICE, "--event", "2026-10-05"), 2, "--event number 1: expected DATE DESCRIPTION"),
        (("update", ORDER, INVOICE), 2, "--event"),
        (("deliver", ORDER, INVOICE, "--delivered-date", "2999-01-01"), 2, "in the future"),
        (
            ("update", ORDER, "9", "--event", "2026-10-05", "x"),
            1,
            f"update: Order {ORDER}, invoice 9: refused, 404 Invoice Not Found (OMS",
        ),
        (("packages", "x-01"), 1, "packages: Order x-01: refused, 404 Order Not Found (OMS"),
        (("packages", ORDER, "--base-url", "http://127.0.0.1:1", "--timeout", "0.2"), 5, "not sent to http"),
        (("packages", ORDER, "--app-key", "x", "--app-token", "y"), 3, "401"),
        (("packages", ORDER, "--app-key", "x"), 3, "app_key without app_token"),
        (("packages", ORDER, "--app-token", "x"), 3, "from the same source (arguments or options, profile, or"),
        (("packages", ORDER, "--account", ""), 2, "--account: it is empty; give a value, or leave the option out"),
        (("packages", ORDER, "--account", " "), 2, "--account: it is empty"),
        (("packages", ORDER, "--app-key", ""), 2, "--app-key: it is empty"),
        (("packages", ORDER, "--app-token", ""), 2, "--app-token: it is empty"),
        (("packages", ORDER, "--user-token", ""), 2, "--user-token: it is empty"),
        (("packages", ORDER, "--profile", ""), 2, "--profile: it is empty"),
        (("packages", ORDER, "--profiles", ""), 2, "--profiles: it is empty"),
        (("packages", ORDER, "--base-url", ""), 2, "--base-url: it is empty"),
        (("packages", ORDER, "--environment", ""), 2, "--environment: it is empty"),
        (("packages", ORDER, "--ca-file", ""), 2, "--ca-file: it is empty"),
        (("packages", ORDER, "--proxy", ""), 2, "--proxy: it is empty"),
        (("packages", ORDER, "--timeout", "0"), 2, "--timeout: timeout must be greater than 0"),
        (("deliver", ORDER, ""), 2, "invoice_number: empty; give the number under which the package was invoiced"),
        (("packages", ORDER, "--account", "evil.com/"), 3, "account 'evil.com/' is not a single host name label"),
        (("packages", ORDER, "--account", "a@b"), 3, "another host"),
        (("packages", ORDER, "--user-token", "x\n"), 3, "user_token starts or ends with a space or a line break"),
        (("packages", ORDER, "--timeout", "x"), 2, "not a number of seconds"),
        (("packages", ORDER, "--profile", "x"), 3, "cannot be read"),
        (("sandbox", "--port", "70000"), 2, "not a port"),
        (("sandbox", "--rate-limit", "0"), 2, "not a whole number of at least 1"),
    ],
)
def test_invalid_input_is_reported_with_its_exit_status(
    run: Callable[..., Ran], arguments: tuple[str, ...], status: int, said: str
) -> None:
    """Each error names what is wrong on standard error, and prints nothing on standard output."""
    ran = run(*arguments)
    assert ran.status == status
    assert said in ran.err
    assert ran.out == ""


@pytest.mark.usefixtures("account")
def test_an_invoice_that_is_not_found_is_explained(run: Callable[..., Ran]) -> None:
    """The error says which invoice the order has; of an order that cannot be read, it is VTEX's alone."""
    event = ("--event", "2026-10-05", "Objeto postado")
    for command in (("update", *event), ("deliver",)):
        ran = run(command[0], ORDER, "30711", *command[1:])
        assert ran.status == 1
        assert f"; the order has invoice {INVOICE}; did the file lose its zeros?\n" in ran.err
        assert "differ between accounts; the order has the invoice 000030744.\n" in (
            run(command[0], "v501417lspt-01", "1", *command[1:]).err
        )
        ran = run(command[0], "1-01", "30711", *command[1:])
        assert ran.status == 1
        assert ran.err.endswith("; ids differ between accounts.\n")


@pytest.mark.usefixtures("account")
def test_an_invoice_without_a_tracking_number_is_explained(run: Callable[..., Ran], oms: Oms) -> None:
    """The error offers the command that sets it; of a closed order, it is VTEX's alone."""
    oms.add_order("o-01", ["0001"], tracking_number=None)
    oms.add_order("o-02", ["0002"], status="canceled")
    event = ("--event", "2026-10-05", "Objeto postado")
    ran = run("update", "o-01", "0001", *event)
    assert ran.status == 1
    assert ran.err.endswith(
        "; the invoice has no tracking number yet. Set it, and send the events again: "
        "vtex-tracking set-tracking-number o-01 0001 NUMBER\n"
    )
    assert run("update", "o-02", "0002", *event).err.endswith("(vtex-tracking set-tracking-number).\n")
    ran = run("update", "o-01", "0001", *event, "--app-key", "vtexappkey-x-Y", "--app-token", "WRONGTOKENWRONGTOKEN")
    assert (ran.status, "set-tracking-number" in ran.err) == (3, False)


def test_missing_settings_are_reported_with_their_sources(run: Callable[..., Ran], tmp_path: Path) -> None:
    """The account is asked for first, then the credentials, with every option, variable and file for them."""
    ran = run("packages", ORDER)
    assert ran.status == 3
    assert "give --account or --profile, or set VTEX_ACCOUNT" in ran.err
    ran = run("packages", ORDER, "--account", "mystore")
    assert ran.status == 3
    assert "VTEX Admin under Account settings > API keys" in ran.err
    path = tmp_path / "config" / "vtex-tracking" / "profiles.toml"
    for source in ("--app-key and --app-token", "--user-token", "VTEX_APP_KEY and VTEX_APP_TOKEN", str(path)):
        assert source in ran.err
    assert str(tmp_path / "p.toml") in run("packages", ORDER, "--account", "a", "--profiles", tmp_path / "p.toml").err


def test_credentials_come_from_a_profile(
    run: Callable[..., Ran], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile is named, or has the account's name; its file is an option's or the default."""
    text = f'[shop]\naccount = "sandbox"\nbase_url = "{url}"\nuser_token = "{USER_TOKEN}"\n'
    text += f'[sandbox]\nbase_url = "{url}"\napp_key = "{APP_KEY}"\napp_token = "{APP_TOKEN}"\n'
    path = tmp_path / "p.toml"
    path.write_text(text)
    path.chmod(0o600)
    assert run("packages", ORDER, "--profiles", path, "--profile", "shop").status == 0
    assert run("packages", ORDER, "--profiles", path, "--account", "sandbox").status == 0
    assert run("packages", ORDER, "--profiles", path, "--account", "other").status == 3
    monkeypatch.setenv("VTEX_PROFILES", str(path))
    monkeypatch.setenv("VTEX_PROFILE", "shop")
    assert run("packages", ORDER).status == 0


def test_an_interrupt_ends_quietly(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C prints one line and no traceback."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(single, "packages", interrupted)
    ran = run("packages", ORDER)
    assert ran.status == 130
    assert ran.err == "vtex-tracking packages: interrupted.\n"


@pytest.mark.parametrize("kind", [io.StringIO, lambda: io.TextIOWrapper(io.BytesIO(), encoding="ascii")])
@pytest.mark.usefixtures("account")
def test_an_ascii_output_gets_escapes(
    kind: Callable[[], io.TextIOBase], monkeypatch: pytest.MonkeyPatch, oms: Oms
) -> None:
    """Packages with accents are printed on an ASCII output."""
    event = {"city": "S\u00e3o Paulo", "state": "SP", "description": "x", "date": "2026-10-05"}
    oms.update_tracking_status(ORDER, INVOICE, {"isDelivered": False, "deliveredDate": None, "events": [event]})
    monkeypatch.setattr(sys, "stdout", kind())
    assert main(["packages", ORDER]) == 0


def test_a_profile_file_that_others_can_read_is_refused(
    run: Callable[..., Ran], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command exits with 3 and sends nothing; where a variable allows it, it says so once on standard error."""
    path = tmp_path / "p.toml"
    path.write_text(f'[sandbox]\nbase_url = "{url}"\nuser_token = "{USER_TOKEN}"\n')
    path.chmod(0o640)
    ran = run("packages", ORDER, "--profiles", path, "--account", "sandbox")
    assert ran.status == 3
    assert f"Run: chmod 600 {path}." in ran.err
    monkeypatch.setenv("VTEX_ALLOW_READABLE_PROFILES", "1")
    ran = run("packages", ORDER, "--profiles", path, "--account", "sandbox")
    assert ran.status == 0
    assert ran.err.count("Note: ") == ran.err.count("VTEX_ALLOW_READABLE_PROFILES=1 allows") == 1


@pytest.mark.parametrize("command", ["push", "update", "deliver", "packages"])
def test_the_help_describes_the_profile_file(run: Callable[..., Ran], command: str) -> None:
    """The help names each key of a profile, and the file's default path."""
    text = " ".join(run(command, "--help").out.split()).replace("vtex- tracking", "vtex-tracking")
    described = text.partition("The profile file is TOML")[2]
    for name in (
        *(key.name for key in fields(Settings)),
        "vtex-tracking/profiles.toml",
        "VTEX_ALLOW_READABLE_PROFILES",
    ):
        assert name in described


def test_help_and_version(run: Callable[..., Ran]) -> None:
    """Every command is listed and has a help text, and the module runs like the command."""
    ran = run("--help")
    assert ran.status == 0
    for command in ("push", "update", "deliver", "packages", "sandbox"):
        assert command in ran.out
        assert run(command, "--help").status == 0
    version = run("--version").out
    assert version.startswith("vtex-tracking ")
    assert "(httptools: " in version
    with pytest.raises(SystemExit):
        # By its path: pytest's own importer, which loads plugin packages, cannot serve runpy.run_module.
        runpy.run_path(str(Path(vtex_tracking_ext.__file__).with_name("__main__.py")), run_name="__main__")


def test_the_repr_of_the_options_shows_no_credential() -> None:
    """The parsed options, a local variable of every command, show no credential and no password of a proxy."""
    options = ["--app-key", "TOPSECRET", "--app-token", "TOPSECRET", "--user-token", "TOPSECRET"]
    parsed = build_parser().parse_args(["packages", "1-01", *options, "--proxy", "http://user:TOPSECRET@proxy.example"])
    assert "TOPSECRET" not in repr(parsed)
